// The words of the page: every text is in every catalogue, and numbers and dates are written as its readers write them.

import assert from "node:assert/strict";
import { readFileSync, readdirSync } from "node:fs";
import { dirname, join } from "node:path";
import { after, test } from "node:test";
import { fileURLToPath } from "node:url";

import { ago, count, date, day, figures, percent, text, times, writeFor, zoneOffset } from "../../../web/static/js/format.js";
import { fill, language, preferred, speak, t } from "../../../web/static/js/words.js";
import german from "../../../web/static/js/words/de.js";

const STATIC = join(dirname(fileURLToPath(import.meta.url)), "../../../web/static");
const ROOT = join(STATIC, "../..");
const LITERAL = /"((?:[^"\\\n]|\\.)*)"/g;

/** Module → its text. */
const modules = new Map(readdirSync(join(STATIC, "js"), { recursive: true })
  .filter((name) => name.endsWith(".js") && !name.startsWith("words"))
  .map((name) => [name, readFileSync(join(STATIC, "js", name), "utf8")]));
const shell = ["analytics.html", "offline.html"].map((name) => readFileSync(join(STATIC, name), "utf8")).join("");

/** Where the words of a table stand that `t` is given later. */
const TABLES = [
  ["plan.js", /\btitle: "([^"]+)"/g], ["panels/source.js", /\btitle: "([^"]+)"/g], ["plan.js", /\bwords: "([^"]+)"/g], ["plan.js", /\["\w+", "([^"]+)", \/\^/g],
  ["panels/controls.js", /\["\w+", [\d_]+, "([^"]+)"\]/g], ["panels/controls.js", /: "(Theme: [^"]+)"/g],
  ["panels/settings.js", /\b\w+: "([A-Z][a-z][^"]+)"/g], ["panels/desktop.js", /\["([A-Z][^"]+)", "/g], ["panels/desktop.js", /\["[A-Z][^"]+", "([^"]+)"\]/g],
  ["panels/latest.js", /\["\w+", "(\w+)", \(one/g], ["views/alerts.js", /: "([A-Z][a-z][^"]+)"/g], ["views/events.js", /\b\w+: "([A-Z][^"]+)"/g],
  ["panels/connection.js", /\b[a-z]+: "([A-Z][a-z]+)"/g], ["panels/server.js", /^ {4}\["([^"]+)", \(\{/gm], ["panels/server.js", /^ {2}\["([^"]+)", \[/gm],
  ["ghosts.js", /\["\w+", [\d_]+, "([^"]+)"\]/g],
  ["link.js", /this\.reason = "([^"]+)"/g],
];

/** The first argument of every call of `t`, to its comma or its end. */
function said(module) {
  const found = [];
  for (const { index } of module.matchAll(/(?<![\w.$])t\(/g)) {
    let depth = 1;
    let argument = "";
    for (let i = index + 2; depth > 0 && i < module.length; i += 1) {
      LITERAL.lastIndex = i;
      const literal = module[i] === '"' ? LITERAL.exec(module)[0] : module[i];
      if ("([{".includes(literal)) depth += 1;
      if (")]}".includes(literal)) depth -= 1;
      if (depth === 1 && literal === ",") break;
      argument += literal;
      i += literal.length - 1;
    }
    // What is only compared with is not said.
    LITERAL.lastIndex = 0;
    for (const [, one] of argument.replace(/[!=]== "[^"]*"/g, "").matchAll(LITERAL)) found.push(JSON.parse(`"${one}"`));
  }
  return found;
}

/** Every text that may be asked for → where. */
function spoken() {
  const all = new Map();
  for (const [name, module] of modules) for (const one of said(module)) all.set(one, name);
  for (const [name, pattern] of TABLES) {
    const found = [...modules.get(name).matchAll(pattern)];
    assert.ok(found.length, `${name} has no table like ${pattern} any more`);
    for (const [, one] of found) all.set(one, name);
  }
  for (const [, tag, attribute, words] of shell.matchAll(/(<[^<>]*\bdata-t(?:="([\w-]+)")?[^<>]*>)([^<]*)/g)) {
    const one = attribute ? tag.match(new RegExp(`\\b${attribute}="([^"]+)"`))[1] : words.trim();
    assert.ok(one, `nothing to translate in ${tag}`);
    all.set(one, "analytics.html");
  }
  // The rules' names come from the server.
  for (const [, one] of readFileSync(join(ROOT, "realtime/core/rules.py"), "utf8").matchAll(/^ {4}\(\s+"\w+",\s+"([^"]+)",/gm)) all.set(one, "rules.py");
  return all;
}

const values = (one) => (one.match(/\{\w+\}/g) ?? []).sort().join();

test("every text of the page is said in German, with the same values in it", () => {
  const all = spoken();
  assert.ok(all.size > 100, `only ${all.size} texts were found`);
  const missing = [...all].filter(([one]) => !Object.hasOwn(german, one)).map(([one, where]) => `${where}: ${JSON.stringify(one)}`);
  assert.deepEqual(missing, []);
  for (const [one, words] of Object.entries(german)) assert.equal(values(words), values(one), one);
});

test("the catalogue has no text that nobody says", () => {
  const all = spoken();
  assert.deepEqual(Object.keys(german).filter((one) => !all.has(one)), []);
});

test("the catalogue is in order, so that a text is found and added in one place", () => {
  const keys = Object.keys(german);
  const place = (one) => one.toLowerCase();
  assert.deepEqual(keys, [...keys].sort((a, b) => (place(a) < place(b) ? -1 : place(a) > place(b) ? 1 : a < b ? -1 : 1)));
});

test("a browser's languages are asked in turn, the address first, and English answers all others", () => {
  assert.equal(preferred("de", ["en-GB"]), "de");
  assert.equal(preferred("", ["fr-FR", "de-AT", "en"]), "de");
  assert.equal(preferred("xx", ["fr"]), "en");
});

test("what stands in the page itself is said in the language, texts and attributes", async () => {
  globalThis.document = { documentElement: {} };
  after(() => delete globalThis.document);
  await speak("de");
  assert.equal(language(), "de");
  assert.equal(document.documentElement.lang, "de");
  const attributes = { "aria-label": "Views" };
  const named = { dataset: { t: "aria-label" }, getAttribute: (name) => attributes[name], setAttribute: (name, value) => (attributes[name] = value) };
  const worded = { dataset: { t: "" }, firstChild: { data: "\n  Sources " } };
  fill({ querySelectorAll: () => [named, worded] });
  assert.deepEqual([attributes["aria-label"], worded.firstChild.data], [t("Views"), `\n  ${t("Sources")} `]);
  assert.notEqual(t("Views"), "Views");
  await speak("en");
  assert.equal(t("Views"), "Views");
});

test("numbers and dates follow the language", () => {
  const at = Date.UTC(2026, 2, 1, 14, 5, 9) / 1000;
  const told = () => [figures(1204.5), count(1204567), percent(5.3), percent(0.02), text("bytes", 25_276_502_016)];
  assert.deepEqual(told(), ["1,205", "1,204,567", "5.3", "0.02", "23.5 GiB"]);
  assert.equal(day(at), "1 Mar");
  writeFor("de");
  after(() => writeFor("en"));
  assert.deepEqual(told(), ["1.205", "1.204.567", "5,3", "0,02", "23,5 GiB"]);
  assert.equal(day(at), "1. März");
  assert.match(date(at), /^So\., 1\. März 2026$/);
  assert.match(times(at, 5, 60), /^\d\d:\d\d:\d\d$/);
  assert.equal(zoneOffset(at) % 900, 0);
  assert.equal(ago(40), "40 s ago");
  writeFor("en");
  assert.equal(figures(1204.5), "1,205");
});

test("no text is in the catalogue twice: the later would win, and nobody could tell", () => {
  const lines = readFileSync(join(STATIC, "js/words/de.js"), "utf8").match(/^ {2}"(?:[^"\\]|\\.)*":/gm);
  assert.equal(lines.length, Object.keys(german).length);
});
