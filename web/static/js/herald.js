// Word to the desktop of what is the matter, while nobody looks at the page, for who has asked for it.

import { text } from "./format.js";
import { keep, kept } from "./kept.js";
import { t } from "./words.js";

const ON = "on";
// What is worth interrupting somebody for; the rest waits in the list.
const URGENT = new Set(["warning", "error"]);

export class Herald {
  /** `page` is the document. `Notice` is the browser's Notification, undefined where there is none. visit(): the reader follows the word. */
  constructor({ page = document, Notice = globalThis.Notification, visit = () => {} } = {}) {
    Object.assign(this, { page, Notice, visit });
  }

  /** "on", "off", "denied" by the browser, or "absent" (no such thing here, or no secure context). */
  get state() {
    if (this.Notice === undefined) return "absent";
    if (this.Notice.permission === "denied") return "denied";
    return kept("desktop") === ON && this.Notice.permission === "granted" ? ON : "off";
  }

  /** To be called in answer to a click: browsers ask their reader at no other time. → the state that came of it. */
  async want(wanted) {
    if (wanted && this.Notice !== undefined && this.Notice.permission === "default") await this.Notice.requestPermission();
    keep("desktop", wanted ? ON : "");
    return this.state;
  }

  /** An alert or a message, as the store is told it. */
  tell({ type, alert, notification }) {
    if (!this.page.hidden || this.state !== ON) return;
    if (type === "alert") {
      const over = alert.state === "resolved";
      const title = over ? t("Resolved: {message}", { message: alert.message }) : alert.message;
      this.#show(title, t("{value} against {limit}", { value: text(alert.unit, alert.value), limit: text(alert.unit, alert.threshold) }) + ` · ${alert.source}`, alert.id);
    } else if (type === "notification" && URGENT.has(notification.type)) {
      this.#show(notification.title || notification.message, notification.title ? notification.message : "", notification.id);
    }
  }

  /** `tag`: what is said of the same thing takes its place, and tabs do not say it twice. */
  #show(title, body, tag) {
    try {
      const notice = new this.Notice(title, { body, tag: `playhead ${tag}` });
      notice.onclick = () => {
        notice.close();
        this.visit();
      };
    } catch (failure) {
      // Some browsers on phones have the name and not the thing.
      console.info(`No word to the desktop: ${failure.message}`);
    }
  }
}
