// Wall clocks of any time zone: what a date and a time mean there, and how a moment is written there.

const formats = new Map();

function format(zone) {
  let one = formats.get(zone);
  if (one === undefined) {
    one = new Intl.DateTimeFormat("en-GB", {
      timeZone: zone || undefined, year: "numeric", month: "2-digit", day: "2-digit", hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23",
    });
    formats.set(zone, one);
  }
  return one;
}

/** Epoch s → `2026-11-23T03:11:46` as the clocks of the zone show it; "" is the browser's own zone. */
export function written(at, zone = "") {
  const part = Object.fromEntries(format(zone).formatToParts(at * 1000).map(({ type, value }) => [type, value]));
  return `${part.year}-${part.month}-${part.day}T${part.hour}:${part.minute}:${part.second}`;
}

/** The moment (epoch s) when the clocks of the zone show this; NaN for what is no time. Of an hour that comes twice, the first. */
export function meant(text, zone = "") {
  const wall = Date.parse(`${text.length === 16 ? `${text}:00` : text.slice(0, 19)}Z`) / 1000;
  if (Number.isNaN(wall)) return NaN;
  const ahead = (at) => Date.parse(`${written(at, zone)}Z`) / 1000 - at;
  // The offset a day before and a day after are the only two it can have there.
  const found = [ahead(wall - 86_400), ahead(wall + 86_400)].map((offset) => wall - offset).filter((at) => at + ahead(at) === wall);
  // A time that a change of clocks leaves out is as far behind the change as it claims to be.
  return found.length ? Math.min(...found) : wall - ahead(wall - 86_400);
}

/** The first moment of the day of `at` there, `days` days later. */
export function midnight(at, zone = "", days = 0) {
  const day = new Date(Date.parse(`${written(at, zone).slice(0, 10)}T00:00:00Z`) + days * 86_400_000);
  return meant(`${day.toISOString().slice(0, 10)}T00:00:00`, zone);
}
