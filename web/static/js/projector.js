// A replay's own connection, apart from the one that tabs share: what it brings belongs to the past alone.
//
// open(wanted, on) → { say(event, data) → id, close(), commands }
//   wanted: { at, speed, known, join?, until?, jumps? }   epoch s; `join` is the id of a replay to watch instead; with `until` it begins anew
//                                                 there; without `jumps` silences are played as long as they were
//   on.told(data, id)       where it stands: `replaying` and `playhead` say the same; id of the command it answers
//   on.frame(event, data)   one frame of the past
//   on.opened(me)           who we are there
//   on.refused(words, id, code)   a command was not obeyed
//   on.closed()             it ended by itself; never called after close()

import { EVENTS } from "./roads.js";
import { micro } from "./wire.js";

// Above this speed a screen shows no more ticks than so many a second; facts come all the same.
const FAST = 20;
const MOST_HZ = 12;
// A stretch in which nothing came is jumped when it is longer (seconds).
const IDLE_S = 60;
const OPEN_MS = 6_000;

const fast = (speed) => speed === "max" || speed > FAST;

export const websocket = {
  id: "websocket",
  title: "WebSocket",
  open({ at, speed, join, known, cursor, until, jumps = true }, on) {
    // With a cursor nothing is told of now but what comes in the meantime.
    const asked = new URLSearchParams({ rooms: "dashboard", compact: "true", known: String(known), cursor });
    const url = new URL(`/api/realtime/ws?${asked}`, location.href);
    url.protocol = url.protocol === "https:" ? "wss:" : "ws:";
    const socket = new WebSocket(url);
    let count = 0;
    let over = false;
    let playing = false;
    const end = () => {
      clearTimeout(patience);
      if (over) return;
      over = true;
      socket.close();
      on.closed();
    };
    // Whatever stands between may swallow it: then there are other roads.
    const patience = setTimeout(end, OPEN_MS);
    const say = (event, data = {}) => {
      count += 1;
      if (socket.readyState === WebSocket.OPEN) socket.send(JSON.stringify({ event, id: count, data }));
      return count;
    };
    let dense = true;
    const pace = (wanted) => {
      if (fast(wanted) !== dense) return;
      dense = !fast(wanted);
      say("subscribe_to_metrics", { compact: true, ...(dense ? {} : { max_hz: MOST_HZ }) });
    };
    socket.onmessage = ({ data: text }) => {
      if (over) return;
      const { event, data, id } = JSON.parse(text);
      if (event === "hello") {
        on.opened(data.client_id);
        pace(speed);
        say("replay", join ? { join } : { from: micro(at), speed, paused: true, ...(jumps && { skip_idle_s: IDLE_S }), ...(until && { to: micro(until), loop: true }) });
      } else if (event === "error") {
        on.refused(data.detail, id, data.code);
        if (!playing) end();
      } else if (event === "replaying" || event === "playhead") {
        clearTimeout(patience);
        playing = true;
        on.told(data, id);
      } else if (playing) on.frame(event, data);
    };
    socket.onclose = end;
    socket.onerror = end;
    return {
      commands: true,
      say(event, data) {
        if (event === "replay_speed") pace(data.speed);
        return say(event, data);
      },
      close() {
        clearTimeout(patience);
        over = true;
        socket.close();
      },
    };
  },
};

/** A stream cannot be told anything: for every other moment and speed there is a new one. */
export const sse = {
  id: "sse",
  title: "SSE",
  open({ at, speed, known, jumps = true }, on) {
    const asked = new URLSearchParams({ rooms: "dashboard", compact: "true", known: String(known), from: micro(at), speed: String(speed), ...(jumps && { skip_idle_s: String(IDLE_S) }) });
    const source = new EventSource(`/api/realtime/dashboard/stream?${asked}`);
    let over = false;
    const end = () => {
      clearTimeout(patience);
      if (over) return;
      over = true;
      source.close();
      on.closed();
    };
    const patience = setTimeout(end, OPEN_MS);
    for (const event of [...EVENTS, "replaying", "playhead"]) {
      source.addEventListener(event, ({ data: text }) => {
        if (over || text === undefined) return;
        const data = JSON.parse(text);
        if (event === "error") on.refused(data.detail);
        else if (event === "replaying" || event === "playhead") {
          clearTimeout(patience);
          on.told(data);
        } else on.frame(event, data);
      });
    }
    source.onerror = (failure) => failure.data === undefined && end();
    return {
      commands: false,
      say: () => 0,
      close() {
        clearTimeout(patience);
        over = true;
        source.close();
      },
    };
  },
};

export const ROADS = [websocket, sse];
