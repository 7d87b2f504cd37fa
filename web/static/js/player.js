// What is watched: the present, or a moment of the past that stands or is played. The store does not know which; this does.
//
//   live ─drag/seek─► past: paused ⇄ playing ─reaches now, or live()─► live
//
// While the playhead is dragged, charts read columns they hold; what else stood then is asked for (`state?at=`), one
// question at a time and always for the newest place.

import { first, rfc3339 } from "./wire.js";

// Of the answer's charts nothing is used: it takes the shortest.
const HOURS = 0.01;
// A playhead this near to now is there (seconds).
const NEAR_S = 1;
const FAILED_MS = 2_000;

export class Player {
  /** ask(path) → Promise<data>; source(): whose page is shown; frame(fn) calls once a frame is due. */
  constructor({ store, ask, source = () => store.now_view.source, frame = (fn) => requestAnimationFrame(fn) }) {
    Object.assign(this, { store, ask, source, frame });
    // What is to be said of how it plays, beside the moment.
    this.notice = "";
    this.at = NaN;
    this.playing = false;
    this.dragging = false;
    this.speed = 1;
    this.road = "";
    this.listeners = new Set();
    this.asking = false;
    this.shown_at = NaN;
    this.stepped_ms = 0;
    this.due = false;
  }

  get past() {
    return !Number.isNaN(this.at);
  }

  /** on(fn(player)) → unsubscribe: how it plays changed. Where it is, the store's `playhead` tells. */
  on(listener) {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }

  /** To a moment (epoch s), which then stands or plays on. A moment that is not over is now. */
  seek(at) {
    if (at >= this.store.present() - NEAR_S) {
      this.live();
      return;
    }
    this.#move(at);
    this.#tell();
  }

  /** The playhead is held at a moment; `drop` lets go of it. */
  drag(at) {
    this.dragging = true;
    this.#move(Math.min(at, this.store.present() - NEAR_S));
    if (!this.told_drag) this.#tell();
    this.told_drag = true;
  }

  drop() {
    this.dragging = this.told_drag = false;
    this.seek(this.at);
  }

  toggle() {
    if (this.playing) this.pause();
    else this.play();
  }

  play() {
    if (!this.past || this.playing) return;
    this.playing = true;
    this.stepped_ms = performance.now();
    this.#run();
    this.#tell();
  }

  /** Stands where it is; what is live stands at now. */
  pause() {
    if (!this.past) {
      this.#move(this.store.present() - NEAR_S);
    }
    this.playing = false;
    this.#tell();
  }

  faster(speed) {
    this.speed = speed;
    this.#tell();
  }

  live() {
    if (!this.past) return;
    this.at = NaN;
    this.playing = this.dragging = false;
    this.shown_at = NaN;
    this.notice = "";
    this.store.ahead = false;
    this.store.forward();
    this.#tell();
  }

  #move(at) {
    this.at = at;
    if (!this.store.past) this.store.leave(at);
    this.store.ahead = !(Math.abs(at - this.shown_at) < 0.001);
    this.#point();
    this.#fetch();
  }

  /** The playhead is told at most once a frame. */
  #point() {
    if (this.due) return;
    this.due = true;
    this.frame(() => {
      this.due = false;
      if (this.past) this.store.point(this.at);
    });
  }

  /** What stood at the playhead, one question after the other. */
  async #fetch() {
    if (this.asking) return;
    this.asking = true;
    while (this.past && this.at !== this.shown_at) {
      const { at } = this;
      const source = this.source();
      let answers = null;
      let failure = null;
      try {
        answers = await Promise.all([this.#state(at), source === this.store.now_view.source ? null : this.#state(at, source)]);
      } catch (refused) {
        failure = refused;
      }
      if (!this.past) break;
      this.shown_at = at;
      this.store.ahead = this.at !== at;
      this.store.rewind(answers && first(answers[0]), this.at);
      if (answers?.[1]) this.store.replay({ type: "known", series: answers[1].series, metrics: first(answers[1]).metrics });
      this.#note(failure ? failure.message : "");
      if (failure && this.at !== at) await new Promise((done) => setTimeout(done, FAILED_MS));
    }
    this.asking = false;
  }

  #note(words) {
    if (words === this.notice) return;
    this.notice = words;
    this.#tell();
  }

  #state(at, source = "") {
    return this.ask(`/api/realtime/state?${new URLSearchParams({ at: rfc3339(at), hours: HOURS, ...(source && { source }) })}`);
  }

  /** Step by step, where no stream can be had: as fast as the states come. */
  #run() {
    this.frame(() => {
      if (!this.playing || !this.past) return;
      const now_ms = performance.now();
      const passed_s = (now_ms - this.stepped_ms) / 1000;
      this.stepped_ms = now_ms;
      if (!this.dragging) {
        const at = this.at + passed_s * (this.speed === "max" ? 1000 : this.speed);
        if (at >= this.store.present() - NEAR_S) {
          this.live();
          return;
        }
        this.#move(at);
      }
      this.#run();
    });
  }

  #tell() {
    for (const listener of [...this.listeners]) listener(this);
  }
}
