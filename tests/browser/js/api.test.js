// Answers of the server in the words of the page.

import assert from "node:assert/strict";
import { test } from "node:test";

import { refusal } from "../../../web/static/js/api.js";
import { tellTimesIn } from "../../../web/static/js/format.js";

test("a refusal is told in the server's words, its times by the reader's clock", () => {
  tellTimesIn("Europe/Berlin");
  const body = { detail: "nothing was recorded then", errors: [{ field: "at", detail: "the tape begins at 2026-11-23T02:12:00.500000Z" }] };
  const error = refusal(400, body);
  assert.equal(error.status, 400);
  assert.equal(error.message, "nothing was recorded then (at: the tape begins at 23 Nov 03:12:00)");
  assert.equal(refusal(502, {}).message, "The server answered 502.");
  tellTimesIn("UTC");
});
