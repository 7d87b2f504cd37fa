// Is the recorder alive? A link that lives says nothing of it: a full disk stops the ticks and leaves the socket open.

const LEAST_MS = 5_000;
const INTERVALS = 5;
const CHECK_MS = 1_000;
// A check that comes this late was held up itself (a suspended machine, a hidden page): what waits to be read is read first.
const ASLEEP_MS = 4_000;
const ASK_MS = 5_000;

export class Pulse {
  /** why() → Promise<[reasons]> of the server itself; report({ stalled, reason }) on every change. */
  constructor({ why, report }) {
    Object.assign(this, { why, report, stalled: false, reason: "", interval_s: 1 });
    this.heard_at = this.checked_at = Date.now();
    this.asked_at = -Infinity;
    this.live = false;
    this.timer = 0;
  }

  start() {
    this.timer = setInterval(() => this.#check(), CHECK_MS);
  }

  stop() {
    clearInterval(this.timer);
  }

  /** A tick of the host has come. */
  beat() {
    this.heard_at = Date.now();
    if (this.stalled) this.#tell(false, "");
  }

  /** Without a link nobody can know, and that is said elsewhere; a new link has its time to bring a tick. */
  linked(live) {
    if (live && !this.live) this.heard_at = Date.now();
    this.live = live;
    if (!live && this.stalled) this.#tell(false, "");
  }

  #check() {
    const now = Date.now();
    const late = now - this.checked_at > ASLEEP_MS || now < this.checked_at;
    this.checked_at = now;
    if (late) this.heard_at = now;
    const patience_ms = Math.max(LEAST_MS, 1000 * INTERVALS * this.interval_s);
    if (!this.live || now - this.heard_at <= patience_ms || now - this.asked_at < ASK_MS) return;
    this.asked_at = now;
    this.#ask(this.heard_at);
  }

  async #ask(heard_at) {
    let reasons = [];
    try {
      reasons = await this.why();
    } catch (failure) {
      reasons = [failure.message];
    }
    // The tick may have come while the question was under way.
    if (this.live && this.heard_at === heard_at) this.#tell(true, reasons.join("; "));
  }

  #tell(stalled, reason) {
    if (stalled === this.stalled && reason === this.reason) return;
    Object.assign(this, { stalled, reason });
    this.report({ stalled, reason });
  }
}
