// Selectors as a dashboard has them: which source they mean, and the `$source` that a reader chooses. What a selector matches
// is the server's to say: its patterns are not the browser's.

export const VARIABLE = "$source";

const TEST = /([A-Za-z_][\w.]*)\s*(=~|!~|!=|=)\s*"((?:[^"\\]|\\.)*)"/g;
const PATTERN = /[\\^$.*+?()[\]{}|]/g;

const quoted = (text) => text.replace(/[\\"]/g, "\\$&").replaceAll("\n", "\\n");
const unquoted = (text) => text.replace(/\\(.)/g, (_, escaped) => (escaped === "n" ? "\n" : escaped));

/** `name{label="value",…}` → { name, tests: [{ label, operator, value }] }. */
export function read(text) {
  const brace = text.indexOf("{");
  if (brace < 0) return { name: text.trim(), tests: [] };
  const tests = [...text.slice(brace).matchAll(TEST)].map(([, label, operator, value]) => ({ label, operator, value: unquoted(value) }));
  return { name: text.slice(0, brace).trim(), tests };
}

/** What the server is asked: `$source` filled in, and kept to `source` where it does not say whose series it means. */
export function resolved(text, { source, chosen }) {
  const filled = text.trim().replace(TEST, (whole, label, operator, value) => {
    if (!value.includes(VARIABLE)) return whole;
    const put = operator.endsWith("~") ? chosen.replace(PATTERN, "\\$&") : chosen;
    return `${label}${operator}"${value.replaceAll(VARIABLE, () => quoted(put))}"`;
  });
  if (read(filled).tests.some(({ label }) => label === "source")) return filled;
  const mine = `source="${quoted(source === VARIABLE ? chosen : source)}"`;
  if (!filled.includes("{")) return `${filled}{${mine}}`;
  const inside = filled.replace(/,?\s*\}\s*$/, "");
  return inside.endsWith("{") ? `${inside}${mine}}` : `${inside},${mine}}`;
}

/** Whether a series may be one that a resolved selector means; patterns are left to the server. */
export function may(text, series) {
  const { name, tests } = read(text);
  if (name && name !== series.name) return false;
  return tests.every(({ label, operator, value }) => {
    if (operator !== "=") return true;
    const said = label === "source" ? series.source : label === "__name__" ? series.name : series.labels[label] ?? "";
    return said === value;
  });
}

/** The selectors of a panel as the server is asked. `host` is whose series are meant where nothing is said. */
export function asked(panel, { host, chosen }) {
  return (panel.series ?? []).map((text) => resolved(text, { source: panel.source || host, chosen }));
}

/** Whether a reader has to choose a source for any of these panels. */
export const choosing = (panels) => panels.some(({ source = "", title = "", series = [] }) => [source, title, ...series].some((text) => text.includes(VARIABLE)));
