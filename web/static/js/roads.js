// The three roads to the server, best first. Each carries the same frames; each opens at a cursor.
//
// open(position, on) → { close(dead), ping?(id) }; `speaks` says that it can ping
//   position: { cursor, known }     where to resume, and the highest series id already named to us
//   on.opened(hello)                the server answered; frames follow
//   on.frame(event, data)           one frame
//   on.moved(cursor)                a new place to resume from, where frames alone do not tell (polling)
//   on.closed(after_ms)             this road ended by itself; never called after close()
//
// Whatever stands between may answer in the server's place (the sign-in page of a hotel): what is not ours closes the road.

export const EVENTS = [
  "hello", "snapshot", "metrics", "alert", "notification", "annotation", "layout", "system", "series",
  "heartbeat", "reset", "goodbye", "error",
];
const POLL_TIMEOUT_MS = 40_000;
// A server that answers an empty poll at once must not make us spin.
const POLL_PAUSE_MS = 250;

function query({ cursor, known, rooms = "dashboard" }) {
  const asked = new URLSearchParams({ rooms, compact: "true", known: String(known) });
  if (cursor) asked.set("cursor", cursor);
  return asked;
}

export const websocket = {
  id: "websocket",
  title: "WebSocket",
  speaks: true,
  open(position, on) {
    const url = new URL(`/api/realtime/ws?${query(position)}`, location.href);
    url.protocol = url.protocol === "https:" ? "wss:" : "ws:";
    const socket = new WebSocket(url);
    let over = false;
    const end = () => {
      if (over) return;
      over = true;
      on.closed(0);
    };
    socket.onmessage = ({ data }) => {
      if (over) return;
      const frame = JSON.parse(data);
      if (frame.event === "hello") on.opened(frame.data);
      on.frame(frame.event, frame.data, frame.id);
    };
    socket.onclose = end;
    socket.onerror = end;
    return {
      close() {
        over = true;
        socket.close();
      },
      ping(id) {
        if (socket.readyState === WebSocket.OPEN) {
          socket.send(JSON.stringify({ event: "ping", id, data: {} }));
        }
      },
    };
  },
};

export const sse = {
  id: "sse",
  title: "SSE",
  open(position, on) {
    const source = new EventSource(`/api/realtime/dashboard/stream?${query(position)}`);
    let over = false;
    for (const event of EVENTS) {
      source.addEventListener(event, (message) => {
        // "error" is also the name of EventSource's own, dataless failure.
        if (over || message.data === undefined) return;
        const data = JSON.parse(message.data);
        if (event === "hello") on.opened(data);
        on.frame(event, data);
      });
    }
    source.onerror = (failure) => {
      if (over || failure.data !== undefined) return;
      over = true;
      // EventSource would return by itself at a fixed pace; the link decides when and on which road.
      source.close();
      on.closed(0);
    };
    return {
      close() {
        over = true;
        source.close();
      },
    };
  },
};

export const poll = {
  id: "poll",
  title: "polling",
  // The first answer comes with the first news.
  hello_ms: POLL_TIMEOUT_MS,
  open(position, on) {
    const stop = new AbortController();
    run({ ...position }, on, stop.signal).catch((failure) => {
      if (!stop.signal.aborted) on.closed(failure.after_ms ?? 0);
    });
    return { close: () => stop.abort() };
  },
};

/** All of them, best first. */
export const ROADS = [websocket, sse, poll];

/** The same road for who does not look and only wants to hear of what matters: alerts and messages, no readings. */
export const quiet = (road) => ({ ...road, id: `${road.id} quiet`, open: (position, on) => road.open({ ...position, rooms: "alerts,notifications" }, on) });

async function run(position, on, stopped) {
  for (let first = true; ; first = false) {
    const answer = await fetch(`/api/realtime/dashboard/poll?${query(position)}`, {
      signal: AbortSignal.any([stopped, AbortSignal.timeout(POLL_TIMEOUT_MS)]),
      cache: "no-store",
    });
    if (!answer.ok) {
      const failure = new Error(`The poll was answered ${answer.status}`);
      failure.after_ms = 1000 * (Number(answer.headers.get("Retry-After")) || 0);
      throw failure;
    }
    const { data } = await answer.json();
    if (stopped.aborted) return;
    if (!Array.isArray(data?.frames)) throw new Error("The poll was answered, but not by the server");
    if (first) on.opened({});
    for (const { event, data: body } of data.frames) {
      on.frame(event, body);
      if (stopped.aborted) return;
      if (event === "series") position.known = Math.max(position.known, ...body.series.map(({ id }) => id));
    }
    position.cursor = data.cursor;
    on.moved(data.cursor);
    if (data.frames.length === 0) await new Promise((done) => setTimeout(done, POLL_PAUSE_MS));
  }
}
