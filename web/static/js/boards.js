// Dashboards of people's own, as the server keeps them: each saving is a version, and the past stays.

import { send } from "./api.js";
import { plain } from "./draft.js";
import { kept } from "./kept.js";
import { layout } from "./wire.js";

const PATH = "/api/realtime/dashboards";
const STALE = 412;
const TAKEN = 409;

export const stale = (failure) => failure.status === STALE;
export const taken = (failure) => failure.status === TAKEN;
export const gone = (failure) => failure.status === 404;

export class Boards {
  constructor(ask) {
    this.ask = ask;
  }

  /** → { dashboards, problems }: by title, without their panels; files of the directory that cannot be used. */
  async list() {
    const { dashboards, problems } = await this.ask(PATH);
    return { dashboards: dashboards.map(layout), problems };
  }

  /** One, as it is or was. */
  async one(id, version) {
    const asked = new URLSearchParams(version === undefined ? { id } : { id, version: String(version) });
    const { dashboards: [found] } = await this.ask(`${PATH}?${asked}`);
    return layout(found);
  }

  /** → { versions, next }, newest first. */
  async history(id, before) {
    const { versions, next } = await this.ask(`${PATH}/history?${new URLSearchParams(before ? { id, before: String(before) } : { id })}`);
    return { versions: versions.map(layout), next };
  }

  async create(body) {
    return layout(await send("POST", PATH, body));
  }

  /** Over version `seq`, or with null over whatever is there. */
  async save(id, body, seq) {
    return layout(await send("PUT", `${PATH}?${new URLSearchParams({ id })}`, body, seq === null ? {} : { "If-Match": `"${seq}"` }));
  }

  async remove(id, seq) {
    return layout(await this.ask(`${PATH}?${new URLSearchParams({ id })}`, { method: "DELETE", headers: { "If-Match": `"${seq}"` } }));
  }
}

/** What is sent to save a layout again, by whoever sits here. */
export function body({ title, tags, panels }) {
  return { title, tags, author: kept("author"), panels: plain(panels) };
}

/** As a file: what `import`, and a directory of dashboards, takes. */
export function file({ id, title, tags, panels }) {
  return `${JSON.stringify({ id, title, tags, panels: plain(panels) }, null, 2)}\n`;
}
