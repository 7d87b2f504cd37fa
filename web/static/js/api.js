// Questions to the server over HTTP: the envelope's data, or an Error in the server's own words.

import { clock, day } from "./format.js";
import { seconds } from "./wire.js";
import { t } from "./words.js";

const PATIENCE_MS = 20_000;
// An answer that is out for so long is worth a word.
const LATE_MS = 4_000;
const STAMP = /\b\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?Z/g;

/** How many answers have been out for long; `changed` is called when that changes. */
export const late = { count: 0, changed() {} };

/** GET unless `options` say otherwise → the envelope's data. The Error of a refusal carries its `status`. `late_ms`: from when on it is late. */
export async function ask(path, { late_ms = LATE_MS, ...options } = {}) {
  let counted = 0;
  const tell = (by) => {
    counted += by;
    late.count += by;
    late.changed();
  };
  const timer = setTimeout(() => tell(1), late_ms);
  try {
    return await answered(path, options);
  } finally {
    clearTimeout(timer);
    if (counted) tell(-1);
  }
}

async function answered(path, options) {
  let answer;
  try {
    answer = await fetch(path, { cache: "no-store", signal: AbortSignal.timeout(PATIENCE_MS), ...options });
  } catch (failure) {
    throw new Error(t(failure.name === "TimeoutError" ? "The server did not answer in time." : "The server cannot be reached."), { cause: failure });
  }
  if (answer.status === 204) return null;
  const body = await answer.json().catch(() => ({}));
  if (!answer.ok) throw refusal(answer.status, body);
  // A network that wants a sign-in first answers anything with a page of its own.
  if (body.data === undefined) throw new Error(t("Something on the way answered in the server's place; does this network want you to sign in?"));
  return body.data;
}

/** Times as the server tells them → as the reader's clock does. */
const timely = (words) => words.replace(STAMP, (stamp) => `${day(seconds(stamp))} ${clock(seconds(stamp))}`);

/** The Error of a refusal, in the words of its body (RFC 9457). */
export function refusal(status, body) {
  const told = (body.errors ?? []).map(({ field, detail }) => `${field}: ${detail}`).join("; ");
  const error = new Error(timely([body.detail ?? body.title ?? t("The server answered {status}.", { status }), told && `(${told})`].filter(Boolean).join(" ")));
  error.status = status;
  return error;
}

/** Sends `body` as JSON → the envelope's data. */
export function send(method, path, body, headers = {}) {
  return ask(path, { method, headers: { "Content-Type": "application/json", ...headers }, body: body === undefined ? undefined : JSON.stringify(body) });
}
