// The bar below every page: the tape as it is watched, as in a video player.

import { el, say } from "../dom.js";
import { back, clock, date, day, span as largest, times, zoneOffset } from "../format.js";
import { painter } from "../paint.js";
import { faded, onTheme, palette } from "../palette.js";
import { fit, follows, faster, grid, hit, moment, pan, place, reach, SPEEDS, speedName, whole, zoom } from "../timeline.js";
import { fired, noted } from "../reel.js";
import { t } from "../words.js";

// A finger or a pointer moved so far drags; nearer to the playhead than that it holds it (CSS pixels).
const DRAG_PX = 4;
const HOLD_PX = 10;
const THUMB_PX = 24;
const WHEEL = 1.0018;
const NEAR_PX = 7;
const APART_PX = 96;
const BAR_PX = 4;
const EDGE_PX = 8;
const FAR_S = 10;
const DAY_S = 86_400;
const WITHIN_S = 7_200;
const PAGE_S = 60;
// What is to be seen stands no nearer to the end of the bar (part of it).
const BESIDE = 0.02;

const GLYPHS = {
  before: "M5 4v12M15 4.500v11L7 10z", after: "M15 4v12M5 4.500v11l8-5.500z", play: "M6 4v12l10-6z", pause: "M6.500 4v12M13.500 4v12",
  mark: "M5 17.500V3h9.500l-2.500 3.500 2.500 3.500H5",
  share: "M7 9.500a2.700 2.700 0 100-5.400 2.700 2.700 0 000 5.400zM2 16.500c0-3 2.200-4.500 5-4.500s5 1.500 5 4.500M12.500 4.500a2.700 2.700 0 010 4.800M14 12.300c2.300.5 4 1.800 4 4.200",
  link: "M8.500 11.500l3-3M7.500 8.500l-3 3a2.800 2.800 0 004 4l3-3M12.500 11.500l3-3a2.800 2.800 0 00-4-4l-3 3",
};

/** A button with a glyph that a screen reader calls `label`. */
function button(id, label, shape, run) {
  const made = el("button.button.icon", { type: "button", id, title: label, "aria-label": label, onclick: run });
  draw(made, shape);
  return made;
}

const SVG = "http://www.w3.org/2000/svg";

function draw(root, shape) {
  if (root.dataset.shape === shape) return;
  root.dataset.shape = shape;
  const picture = document.createElementNS(SVG, "svg");
  picture.setAttribute("viewBox", "0 0 20 20");
  picture.setAttribute("class", "glyph");
  picture.setAttribute("aria-hidden", "true");
  const path = document.createElementNS(SVG, "path");
  path.setAttribute("d", GLYPHS[shape]);
  picture.append(path);
  root.replaceChildren(picture);
}

/** Fills the footer `root`; `watching` is the badge that says that this is the past. */
export function mount(root, page, { watching }) {
  const { store, player, reel, span, keys } = page;
  // An incident has an end in place of a present.
  const ends = store.incident !== null;
  const to = (at, direction, nothing) => {
    if (!Number.isNaN(at)) go(at);
    else if (direction < 0) page.announce(nothing);
    // In company it is for the one with the remote to leave the past.
    else if (player.holds) player.live();
    else player.deny();
  };
  const seek = async (found, direction, nothing) => {
    try {
      to(await found(here()), direction, nothing);
    } catch (failure) {
      page.announce(failure.message);
    }
  };
  /** The nearer of what the bar knows and of what the log says of sources. */
  const event = (direction) => seek(async (at) => {
    const both = [reel.next(at, direction), await noted(page.ask, at, direction)].filter((one) => !Number.isNaN(one));
    return both.length === 0 ? NaN : Math[direction > 0 ? "min" : "max"](...both);
  }, direction, t("Nothing before this moment"));
  const alert = (direction) => seek((at) => fired(page.ask, at, direction), direction, t("No alert before this moment"));
  const before = button("dvr-before", t("Previous event"), "before", () => event(-1));
  const play = button("dvr-play", t("Pause"), "pause", () => player.toggle());
  const after = button("dvr-after", t("Next event"), "after", () => event(1));
  const speed = el("select.select", { id: "dvr-speed", "aria-label": t("Speed") }, ...SPEEDS.map((one) => el("option", { value: String(one) }, speedName(one))));
  speed.addEventListener("change", () => player.faster(SPEEDS.find((one) => String(one) === speed.value)));
  const time = el("b", { id: "dvr-clock" }, "–");
  const today = el("span", {}, "\u00a0");
  const canvas = el("canvas", { "aria-hidden": "true" });
  const head = el("i.head", { "aria-hidden": "true" });
  // Of a moment that stands beside the one that is watched.
  const second = el("i.head.second", { "aria-hidden": "true", hidden: true });
  const tip = el("span.tip", { "aria-hidden": "true", hidden: true });
  const track = el("div.track", { role: "slider", tabindex: "0", id: "dvr-track", "aria-label": t("Playhead"), "aria-keyshortcuts": "ArrowLeft ArrowRight" }, canvas, head, second, tip);
  const live = el("button.button", { type: "button", id: "dvr-live", onclick: () => player.live() });
  const link = button("dvr-link", t("Copy a link to this moment"), "link", () => page.copy(page.here(), t("The link leads to {time}", { time: `${day(here())} ${clock(here())}` })));
  /** Marks the moment under the playhead, or the stretch that was selected on a chart. */
  const marked = () => page.note({ at: player.past ? player.at : store.now_view.at, stretch: span.moving ? null : span.shown() });
  const mark = button("dvr-mark", t("Mark this moment"), "mark", marked);
  mark.dataset.writes = "";
  mark.title = `${t("Mark this moment")} (B)`;
  const share = button("dvr-share", t("Watch together"), "share", async () => {
    share.disabled = true;
    try {
      const id = await player.share();
      await page.copy(page.here({ replay: id }), t("Who opens the link watches along"));
    } catch (failure) {
      page.toast({ type: "error", title: t("This cannot be watched together"), more: failure.message });
    }
    share.disabled = false;
  });
  root.append(el("div.dvr-left", {}, before, play, after, speed, el("p.dvr-time", {}, time, today)), track, el("div.dvr-right", {}, el("span.dvr-tools", {}, mark, link, share), live));

  // What is shown of the tape; the bar goes on with the time while its end is in sight.
  const all = () => {
    const { incident } = store;
    const margin = incident ? 0.01 * (incident.to - incident.from) : 0;
    return incident ? fit({ from: incident.from - margin, to: incident.to + margin }, incident.from, incident.to) : whole(reel.begins, store.present() || 0);
  };
  let shown = all();
  let following = true;
  let first = true;
  let size = { width: 0, height: 0 };
  let hover = NaN;
  const here = () => (player.past ? player.at : store.present());
  const now = () => store.present();

  const set = (wanted) => {
    shown = wanted;
    following = follows(shown, now());
    look();
    ask();
  };
  // Before the first answer it is not known what time it is, nor so what to look at.
  const look = () => store.now_view.ready && reel.look(shown, Math.max(20, Math.min(1_000, Math.round(size.width / BAR_PX))));
  /** To a moment on the tape, with the bar there. */
  const go = (at) => {
    player.seek(reel.begins > at ? reel.begins : at);
    if (player.past) set(reach(shown, player.at, reel.begins, now()));
  };

  let revealed = [];
  /** Moments (epoch s) that are to be seen on the bar together, if need be from further away. */
  page.reveal = (moments) => {
    revealed = moments;
    if (first || moments.length === 0) return;
    const [from, to] = [Math.min(...moments), Math.max(...moments)];
    if (from >= shown.from && to <= shown.to) return;
    const margin = BESIDE * (Math.max(to, shown.to) - Math.min(from, shown.from));
    set(fit({ from: Math.min(from, shown.from) - margin, to: Math.max(to, shown.to) }, reel.begins, now()));
  };

  const paint = () => {
    if (!store.now_view.ready) return;
    if (first && !Number.isNaN(reel.begins)) {
      first = false;
      shown = all();
      if (player.past) shown = reach(shown, player.at, reel.begins, now());
      following = follows(shown, now());
      look();
      page.reveal(revealed);
    } else if (following && !held) {
      const length = shown.to - shown.from;
      shown = first ? all() : fit({ from: shown.from + now() - at_paint, to: shown.to + now() - at_paint }, reel.begins, now());
      if (!first && length < shown.to - shown.from - 1) shown.from = shown.to - length;
      look();
    }
    at_paint = now();
    picture(canvas, size, { shown, reel, span, playhead: player.at, now: now() });
    point();
  };
  let at_paint = now();

  /** Where the playhead stands, and what time it is there. */
  const point = () => {
    const at = here();
    if (!at || !store.now_view.ready) return;
    const x = place(shown, size.width, at);
    head.hidden = x < -1 || x > size.width + 1;
    head.style.transform = `translateX(${x.toFixed(1)}px)`;
    const there = page.beside ? place(shown, size.width, page.beside.store.playhead) : NaN;
    second.hidden = !(there > -1 && there < size.width + 1);
    if (!second.hidden) second.style.transform = `translateX(${there.toFixed(1)}px)`;
    say(time, clock(at));
    say(today, date(at));
    const behind = now() - at;
    const text = player.past ? t(ends ? "{time} left" : "{time} behind", { time: largest(behind) }) : t(ends ? "At the end" : "LIVE");
    if (live.dataset.said !== text) {
      live.dataset.said = text;
      live.replaceChildren(...(player.past ? [el("b", {}, t(ends ? "To the end" : "Go live")), " ", el("span", {}, text)] : [el("b", {}, text)]));
      live.setAttribute("aria-label", ends ? `${t("To the end")} ${text}` : player.past ? `${t("Go live")} ${text}` : t("Live"));
    }
    track.setAttribute("aria-valuenow", at.toFixed(0));
    track.setAttribute("aria-valuemin", (reel.begins || shown.from).toFixed(0));
    track.setAttribute("aria-valuemax", now().toFixed(0));
    track.setAttribute("aria-valuetext", player.past ? `${clock(at)}, ${date(at)}, ${t(player.playing ? "playing" : "paused")}` : `${clock(at)}, ${t(ends ? "At the end" : "live")}`);
    if (player.past) say(words, told());
  };

  const words = el("span");
  const notice = el("span.notice");
  // Who watches along, and who holds the remote.
  const together = el("span.together", { hidden: true });
  const hand = el("select.select.small", { "aria-label": t("Hand the remote to"), hidden: true });
  hand.addEventListener("change", () => player.hand(hand.value));
  const take = el("button.button.small", { type: "button", hidden: true, onclick: () => player.hand() }, t("Take the remote"));
  const abreast = el("button.button.small", { type: "button", id: "abreast", title: `${t("Compare side by side")} (Y)`, onclick: () => page.abreast() }, t("Side by side"));
  watching.append(words, notice, together, hand, take, abreast);
  const company = () => {
    const others = player.watchers.filter((one) => one !== player.me);
    together.hidden = !player.past || !player.invited;
    hand.hidden = together.hidden || !player.holds || others.length === 0;
    take.hidden = together.hidden || player.holder !== null;
    if (together.hidden) return;
    const holds = player.holder === null ? t("nobody holds the remote") : player.holds ? t("you hold the remote") : t("{name} holds the remote", { name: player.holder.slice(0, 4) });
    say(together, `${t(others.length ? "{n} watch" : "only you watch", { n: player.watchers.length })} · ${holds}`);
    const marked_others = others.join(" ");
    if (hand.dataset.others === marked_others) return;
    hand.dataset.others = marked_others;
    hand.replaceChildren(el("option", { value: "", hidden: true }, t("Hand over")), ...others.map((one) => el("option", { value: one }, one.slice(0, 4))));
  };

  const told = () => t("You are watching {time}, {day} · {ago}", { time: clock(player.at), day: day(player.at), ago: ends ? t("{time} before the end", { time: largest(now() - player.at) }) : back(now() - player.at) });
  let was = false;
  /** How it plays. */
  const show = () => {
    const { past, playing } = player;
    // Whoever does not see violet hears of it.
    if (past !== was) page.announce(past ? told() : t(ends ? "At the end" : "Live"));
    was = past;
    const moves = past ? playing : !ends;
    document.documentElement.dataset.time = past ? "past" : "now";
    document.documentElement.dataset.play = playing ? "playing" : "";
    draw(play, moves ? "pause" : "play");
    play.setAttribute("aria-label", moves ? t("Pause") : t("Play"));
    play.title = `${moves ? t("Pause") : t("Play")} (${t("Space")})`;
    speed.value = String(player.speed);
    live.setAttribute("aria-pressed", String(!past));
    watching.hidden = !past;
    // The server's own figures are counted as it runs, and are on no tape.
    const said = [player.notice, page.route.get("view") === "performance" ? t("the figures of the server are those of now") : ""].filter(Boolean).join(" · ");
    say(notice, said);
    abreast.hidden = page.route.get("view") === "compare";
    company();
    if (!player.holds) hand.value = "";
    notice.hidden = !said;
    ask();
  };

  const { ask, stop } = painter(root, paint);
  const sized = new ResizeObserver(([{ contentRect }]) => {
    size = contentRect;
    look();
    ask();
  });
  sized.observe(track);

  // Pointers: one scrubs or pushes the bar, two pull it apart.
  const down = new Map();
  let held = null;
  const inside = (event) => event.clientX - track.getBoundingClientRect().left;
  const at = (x) => moment(shown, size.width, x, reel.begins, now());
  const pushable = () => shown.to - shown.from < 0.98 * (whole(reel.begins, now(), Infinity).to - reel.begins);
  track.addEventListener("pointerdown", (event) => {
    if (event.button !== 0) return;
    const x = inside(event);
    down.set(event.pointerId, x);
    track.setPointerCapture(event.pointerId);
    if (down.size === 2) {
      const [a, b] = down.values();
      if (held?.what === "scrub") player.drop();
      held = { what: "pinch", apart: Math.max(8, Math.abs(a - b)), around: shown.from + ((a + b) / 2 / size.width) * (shown.to - shown.from), shown };
      return;
    }
    const near = Math.abs(place(shown, size.width, here()) - x) <= (event.pointerType === "mouse" ? HOLD_PX : THUMB_PX);
    held = { what: near ? "scrub" : "wait", x, shown, touch: event.pointerType !== "mouse", moved: false };
  });
  track.addEventListener("pointermove", (event) => {
    const x = inside(event);
    if (!down.has(event.pointerId)) {
      hover = x;
      hint();
      return;
    }
    down.set(event.pointerId, x);
    if (held?.what === "pinch" && down.size === 2) {
      const [a, b] = down.values();
      const length = ((held.shown.to - held.shown.from) * held.apart) / Math.max(8, Math.abs(a - b));
      const from = held.around - ((a + b) / 2 / size.width) * length;
      set(fit({ from, to: from + length }, reel.begins, now()));
      return;
    }
    if (held === null || held.what === "pinch" || (!held.moved && Math.abs(x - held.x) < DRAG_PX)) return;
    held.moved = true;
    if (held.what === "wait") held.what = held.touch || !pushable() ? "scrub" : "push";
    if (held.what === "push") set(pan(held.shown, ((held.x - x) / size.width) * (held.shown.to - held.shown.from), reel.begins, now()));
    else player.drag(at(x));
    hover = x;
    hint();
  });
  const up = (event) => {
    if (!down.delete(event.pointerId)) return;
    const { what, moved, x } = held ?? {};
    if (what === "pinch" && down.size > 0) return;
    held = null;
    if (event.type === "pointercancel") {
      if (what === "scrub" && moved) player.drop();
    } else if (what === "scrub" && moved) player.drop();
    else if ((what === "wait" || what === "scrub") && !moved) go(snapped(x));
    ask();
  };
  track.addEventListener("pointerup", up);
  track.addEventListener("pointercancel", up);
  track.addEventListener("pointerleave", () => {
    hover = NaN;
    hint();
  });
  track.addEventListener("wheel", (event) => {
    event.preventDefault();
    const sideways = event.shiftKey ? event.deltaY || event.deltaX : event.deltaX;
    if (Math.abs(sideways) > Math.abs(event.shiftKey ? 0 : event.deltaY)) set(pan(shown, (sideways / size.width) * (shown.to - shown.from), reel.begins, now()));
    else set(zoom(shown, WHEEL ** (event.deltaY * (event.deltaMode === 1 ? 30 : 1) * (event.ctrlKey ? 4 : 1)), at(inside(event)), reel.begins, now()));
  }, { passive: false });
  track.addEventListener("dblclick", (event) => set(zoom(shown, event.shiftKey ? 4 : 0.25, at(inside(event)), reel.begins, now())));
  track.addEventListener("keydown", (event) => {
    const run = {
      ArrowUp: () => set(zoom(shown, 0.5, here(), reel.begins, now())),
      ArrowDown: () => set(zoom(shown, 2, here(), reel.begins, now())),
      PageUp: () => go(here() + PAGE_S),
      PageDown: () => go(here() - PAGE_S),
      Home: () => go(reel.begins),
    }[event.key];
    if (run === undefined || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    run();
  });

  /** What people marked, and alerts, under a pixel. */
  const found = (x) => {
    const { annotations = [], alerts = [] } = reel.told ?? {};
    const spans = alerts.map((one) => ({ ...one, until: Number.isNaN(one.until) ? now() : one.until }));
    return hit(shown, size.width, annotations, x, NEAR_PX) ?? hit(shown, size.width, spans, x, NEAR_PX);
  };
  /** A click beside the beginning of something means its beginning. */
  const snapped = (x) => {
    const one = found(x);
    return one && Math.abs(place(shown, size.width, one.since) - x) <= NEAR_PX ? one.since : at(x);
  };
  const hint = () => {
    tip.hidden = Number.isNaN(hover);
    if (tip.hidden) return;
    const one = found(hover);
    const when = at(hover);
    say(tip, [one ? one.message ?? one.text : "", `${day(when)} ${clock(when)}`].filter(Boolean).join(" · "));
    // The bar ends before the window does: what is long may reach beyond the one, not beyond the other.
    const { left } = track.getBoundingClientRect();
    const half = tip.offsetWidth / 2 + EDGE_PX;
    tip.style.transform = `translateX(${(Math.min(Math.max(hover, half - left), innerWidth - half - left)).toFixed(0)}px) translateX(-50%)`;
  };

  // From now a tick back is the one before the newest.
  const tick = (direction) => (event) => go((player.past ? player.at : store.now_view.at) + direction * (event.shiftKey ? FAR_S : store.now_view.interval_s));
  keys.on(" ", t("play, pause"), () => player.toggle());
  keys.on("k", t("play, pause"), () => player.toggle());
  keys.on("ArrowLeft", t("one tick back; with Shift ten seconds"), tick(-1));
  keys.on("ArrowRight", t("one tick on; with Shift ten seconds"), tick(1));
  keys.on("j", t("ten seconds back"), () => go(here() - FAR_S));
  keys.on("[", t("the alert before"), () => alert(-1));
  keys.on("]", t("the next alert"), () => alert(1));
  keys.on("<", t("slower"), () => player.faster(faster(player.speed, -1)));
  keys.on(">", t("faster"), () => player.faster(faster(player.speed)));
  keys.on("q", t("the selected stretch, over and over"), () => {
    const { from, to } = span.shown();
    if (span.moving) page.announce(t("Select a stretch on a chart first"));
    else player.loop(from, Math.min(to, now() - 1));
  });
  keys.on("b", t("mark this moment"), marked);
  keys.on("l", t(ends ? "to the end" : "live"), () => player.live());
  keys.on("End", t(ends ? "to the end" : "live"), () => player.live());

  const off = [
    player.on(show), page.route.on(show), reel.on(ask), span.on(ask), onTheme(ask),
    store.on("playhead", () => {
      const wanted = held || !player.playing ? shown : reach(shown, player.at, reel.begins, now());
      if (player.past && wanted !== shown) set(wanted);
      else ask();
    }),
    store.on("beat", ask), store.on("load", ask),
  ];
  show();
  return () => {
    stop();
    sized.disconnect();
    for (const one of off) one();
    root.replaceChildren();
  };
}

/** The tape: bars of activity, what was the matter below them, what was marked above, and nothing where nothing was recorded. */
function picture(canvas, size, { shown, reel, span, playhead, now }) {
  const ratio = devicePixelRatio || 1;
  const [width, height] = [Math.round(size.width * ratio), Math.round(size.height * ratio)];
  if (width === 0) return;
  if (canvas.width !== width || canvas.height !== height) Object.assign(canvas, { width, height });
  const pen = canvas.getContext("2d");
  pen.setTransform(ratio, 0, 0, ratio, 0, 0);
  pen.clearRect(0, 0, size.width, size.height);
  const colours = palette();
  const x = (at) => place(shown, size.width, at);
  const slim = size.height < 60;
  const [top, base, strip] = slim ? [8, size.height - 9, 4] : [14, size.height - 26, 4];
  const past = !Number.isNaN(playhead);

  // The stretch that the charts show, and what has been passed.
  const { from, to } = span.shown();
  pen.fillStyle = faded(colours.ink, 0.07);
  pen.fillRect(Math.max(0, x(from)), top - 4, Math.max(2, Math.min(size.width, x(to)) - Math.max(0, x(from))), base - top + 4);
  if (past) {
    pen.fillStyle = faded(colours.past, 0.14);
    pen.fillRect(0, top - 4, Math.min(size.width, Math.max(0, x(playhead))), base - top + 4);
  }
  const { told } = reel;
  if (told === null) {
    pen.fillStyle = colours.muted;
    pen.font = colours.font;
    if (reel.reason) pen.fillText(reel.reason, 4, base - 6);
    return;
  }

  for (const { since, until } of told.gaps) {
    const [a, b] = [Math.max(0, x(since)), Math.min(size.width, x(until))];
    if (b < a) continue;
    pen.fillStyle = colours.background;
    pen.fillRect(a, top - 4, Math.max(1, b - a), base - top + 4);
    pen.strokeStyle = faded(colours.muted, 0.7);
    pen.setLineDash([2, 3]);
    pen.strokeRect(a + 0.5, top - 3.5, Math.max(0.5, b - a - 1), base - top + 3);
    pen.setLineDash([]);
  }
  const each = x(told.step) - x(0);
  const broad = Math.max(1, Math.min(each - 1, each * 0.8));
  pen.fillStyle = faded(colours.muted, 0.75);
  told.activity.forEach((value, k) => {
    if (value === null) return;
    const left = x(told.at[k]);
    if (left + each < 0 || left > size.width) return;
    const tall = Math.max(1.5, value * (base - top));
    pen.fillRect(left, base - tall, broad, tall);
  });
  const worst = { critical: 2, warning: 1 };
  for (const one of [...told.alerts].sort((a, b) => (worst[a.severity] ?? 0) - (worst[b.severity] ?? 0))) {
    const left = Math.max(0, x(one.since));
    const right = Math.min(size.width, x(Number.isNaN(one.until) ? now : one.until));
    if (right < 0 || left > size.width) continue;
    pen.fillStyle = colours[one.severity] ?? colours.warning;
    pen.beginPath();
    pen.roundRect(left, base + 2, Math.max(3, right - left), strip, 2);
    pen.fill();
  }
  pen.fillStyle = colours.series[0];
  for (const { since, until } of told.annotations) {
    const left = x(since);
    if (!Number.isNaN(until)) pen.fillRect(left, top - 6, Math.max(1, x(until) - left), 2);
    pen.beginPath();
    pen.moveTo(left - 3.5, top - 10);
    pen.lineTo(left + 3.5, top - 10);
    pen.lineTo(left, top - 4);
    pen.fill();
  }
  if (slim) return;
  pen.fillStyle = colours.muted;
  pen.font = colours.font;
  pen.textBaseline = "alphabetic";
  const { step, at } = grid(shown, size.width, APART_PX, zoneOffset(now));
  for (const one of at) {
    // The clocks may have been set since: a day is named by what stands well within it.
    const text = times(step < DAY_S ? one : one + WITHIN_S, step, shown.to - shown.from);
    const half = pen.measureText(text).width / 2;
    const middle = Math.min(Math.max(x(one), half), size.width - half);
    pen.fillText(text, middle - half, size.height - 4);
  }
}
