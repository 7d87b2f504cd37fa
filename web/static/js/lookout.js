// What a page still hears of while nobody looks at it: alerts and messages, on a road of their own, and no readings. It keeps what it
// hears to itself: the page goes on from its own cursor when its reader is back, and is told all of it in order.

import { Link } from "./link.js";
import { blank, Store } from "./store.js";
import { first, message } from "./wire.js";

export class Lookout {
  /** roads: best first. load() → Promise<dashboard/live>. told(message): an alert or a message for people. changed(): what is known. */
  constructor({ roads, load, told, changed }) {
    Object.assign(this, { roads, load, told, changed });
    this.link = null;
    this.store = null;
    this.state = "idle";
  }

  /** From where the page itself stands; "" when it has not come so far. */
  start(view, cursor) {
    this.stop();
    const store = new Store();
    const { epoch, seq, source, at, version, ready, alerts, notifications } = view;
    store.view = store.now_view = { ...blank(), epoch, seq, source, at, version, ready, alerts: new Map(alerts), notifications: [...notifications] };
    this.store = store;
    let open = new Map(store.view.alerts);
    store.on("alerts", (heard) => {
      if (heard.type === "alert") this.told(heard);
      // A first paint says what there is, not what happened: what was not open before is news.
      else for (const alert of store.view.alerts.values()) if (!open.has(alert.id)) this.told({ type: "alert", alert });
      open = new Map(store.view.alerts);
      this.changed();
    });
    store.on("notifications", (heard) => {
      if (heard.type === "notification") this.told(heard);
      this.changed();
    });
    const link = new Link({
      roads: this.roads,
      load: async () => {
        const data = await this.load();
        store.apply({ type: "load", ...first(data) });
        return data.cursor;
      },
      known: () => store.view.known,
      frame: (event, data) => {
        const heard = message(event, data);
        if (heard === null) return;
        if (heard.type === "clock") store.heard(heard.at);
        else store.apply(heard);
      },
      status: ({ state }) => {
        if (this.link !== link || state === this.state) return;
        this.state = state;
        this.changed();
      },
      // Nobody reads how good this line is; that it lives, its heartbeat says.
      measure: () => Promise.resolve(),
    });
    this.link = link;
    link.start(cursor);
  }

  stop() {
    this.link?.pause();
    this.link = this.store = null;
    this.state = "idle";
  }
}
