// Figures as people read them. Prices and quantities come as exact text and stay that: only their grouping is ours.

import { language, word } from "./words.js";

const ABSENT = "–";
const SPACE = "\u00a0"; // keeps a figure and its unit on one line

/** The parts of an exact decimal text, "0E-8" too; never through a float. */
function parts(text) {
  const found = /^(-?)(\d+)(?:\.(\d+))?(?:E([+-]\d+))?$/i.exec(String(text));
  if (found === null) return null;
  const [, sign, whole, rest = "", exponent = "0"] = found;
  const shift = Number(exponent);
  const digits = shift > 0 ? (whole + rest).padEnd(whole.length + shift, "0") : whole + rest;
  const padded = digits.padStart(rest.length - shift + 1, "0");
  const point = padded.length - Math.max(0, rest.length - shift);
  return { sign, whole: padded.slice(0, point).replace(/^0+(?=\d)/, ""), rest: padded.slice(point) };
}

function joined({ sign, whole, rest }) {
  const isZero = !/[1-9]/.test(whole + rest);
  return (sign && !isZero ? "−" : "") + whole.replace(/\B(?=(\d{3})+$)/g, ",") + (rest ? `.${rest}` : "");
}

/** An exact decimal text with its thousands set apart and without idle zeros at its end. */
export function exact(text) {
  if (text === null || text === undefined) return ABSENT;
  const found = parts(text);
  return found === null ? String(text) : joined({ ...found, rest: found.rest.replace(/0+$/, "") });
}

/** The same, cut to so many places: for money of an account, where the rest is noise. */
export function money(text, places = 2) {
  if (text === null || text === undefined) return ABSENT;
  const found = parts(text);
  return found === null ? String(text) : joined({ ...found, rest: found.rest.slice(0, places).padEnd(places, "0") });
}

/** A mean price, which has more places than the market: cut where they say nothing any more. */
export function price(text) {
  const found = text === null || text === undefined ? null : parts(text);
  if (found === null) return exact(text);
  const places = found.whole.length > 3 ? 2 : found.whole === "0" ? 8 : 4;
  return exact(`${found.sign}${found.whole}.${found.rest.slice(0, places)}0`);
}

export function number(value, digits = 3) {
  if (value === null || value === undefined) return ABSENT;
  return value.toLocaleString(language(), value >= 100 ? { maximumFractionDigits: 0 } : { maximumSignificantDigits: digits });
}

/** Of a share from 0 to 1. Rounded down: 99.996 % must not read as 100. */
export function percent(share, digits = 2) {
  if (share === null || share === undefined) return ABSENT;
  const scale = 10 ** digits;
  return `${(Math.floor(share * 100 * scale + 1e-6) / scale).toLocaleString(language(), { maximumFractionDigits: digits })}${SPACE}%`;
}

export function ms(value) {
  if (value === null || value === undefined) return ABSENT;
  const size = Math.abs(value);
  if (size >= 10000) return `${number(value / 1000)}${SPACE}s`;
  return size && size < 0.1 ? `${number(value * 1000)}${SPACE}µs` : `${number(value)}${SPACE}ms`;
}

/** A span of time in its two largest units. */
export function span(seconds) {
  if (seconds === null || seconds === undefined) return ABSENT;
  const names = language() === "ko" ? ["일", "시간", "분", "초"] : ["d", "h", "min", "s"];
  let rest = Math.max(0, Math.floor(seconds));
  const parts = [];
  for (const [n, size] of [86400, 3600, 60, 1].entries()) {
    const count = Math.floor(rest / size);
    rest -= count * size;
    if (count || (size === 1 && !parts.length)) parts.push(language() === "ko" ? `${count}${names[n]}` : `${count}${SPACE}${names[n]}`);
  }
  return parts.slice(0, 2).join(" ");
}

export function clock(timeMs) {
  return new Date(timeMs).toLocaleTimeString(language(), { hour: "2-digit", minute: "2-digit", second: "2-digit", hour12: false });
}

/** The time, with its day where that is not today's. */
export function when(timeMs) {
  const time = new Date(timeMs);
  const isToday = time.toDateString() === new Date().toDateString();
  return isToday ? clock(timeMs) : `${time.toLocaleDateString(language(), { month: "short", day: "numeric" })} ${clock(timeMs)}`;
}

export function iso(timeMs) {
  return new Date(timeMs).toISOString();
}

/** Window of a budget. */
export function windowSpan(seconds) {
  return seconds < 1 ? `${Math.round(seconds * 1000)}${SPACE}ms` : span(seconds);
}

export function side(quantity) {
  return String(quantity).startsWith("-") ? word("short") : word("long");
}
