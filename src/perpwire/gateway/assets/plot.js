// A line over time, drawn as SVG. It says its figures to screen readers, and to a pointer or the arrow keys.

import { h, say, set, svg } from "./dom.js";
import { clock } from "./format.js";

const WIDTH = 320;
const HEIGHT = 96;
const LEFT = 2;
const TOP = 8;
const FOOT = 16;

let made = 0;

export class Plot {
  /**
   * @param format (value) => text with its unit
   * @param least  the least height of the axis, so that noise near zero does not look like a mountain
   */
  constructor({ format, least }) {
    this.format = format;
    this.least = least;
    this.lines = [];
    this.from = 0;
    this.to = 1;
    this.at = null;
    const id = `plot-${(made += 1)}`;
    this.titleText = h("span", { id });
    this.value = h("span", { class: "plot-value" });
    this.grid = svg("g", { class: "plot-grid" });
    this.wanted = svg("line", { class: "plot-wanted" });
    this.paths = svg("g");
    this.cross = svg("line", { class: "plot-cross", y1: TOP, y2: HEIGHT - FOOT });
    this.cross.style.display = "none";
    this.labels = h("div", { class: "plot-times", "aria-hidden": "true" });
    this.highest = h("span", { class: "plot-highest", "aria-hidden": "true" });
    this.picture = svg(
      "svg",
      { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, preserveAspectRatio: "none", "aria-hidden": "true" },
      this.grid, this.wanted, this.paths, this.cross,
    );
    this.frame = h("div", { class: "plot-frame", tabindex: "0", role: "img", "aria-labelledby": id }, this.picture, this.highest);
    this.element = h(
      "figure", { class: "plot" },
      h("figcaption", {}, this.titleText, this.value),
      this.frame, this.labels,
    );
    this.frame.addEventListener("pointermove", (event) => this.point(event));
    this.frame.addEventListener("pointerleave", () => this.pick(null));
    this.frame.addEventListener("blur", () => this.pick(null));
    this.frame.addEventListener("keydown", (event) => this.step(event));
  }

  /**
   * @param lines [{name, points: [[ms, value or null], ...]}], the first is the one that is told
   * @param wanted a value that should not be exceeded; null: none
   */
  show({ title, lines, from, to, step, wanted = null, times, summary }) {
    Object.assign(this, { lines, from, to });
    say(this.titleText, title);
    const all = lines.flatMap((line) => line.points.map((point) => point[1])).filter((value) => value !== null);
    this.top = round(Math.max(this.least, ...all));
    this.grid.replaceChildren(
      ...[0, 0.5, 1].map((part) => {
        const y = this.y(this.top * part);
        return svg("line", { x1: 0, x2: WIDTH, y1: y, y2: y });
      }),
    );
    say(this.highest, this.format(this.top));
    const shows = wanted !== null && wanted <= this.top;
    set(this.wanted, "hidden", !shows);
    this.wanted.style.display = shows ? "" : "none";
    if (shows) for (const [name, value] of [["x1", 0], ["x2", WIDTH], ["y1", this.y(wanted)], ["y2", this.y(wanted)]]) set(this.wanted, name, value);
    this.paths.replaceChildren(
      ...lines.map((line, n) => svg("path", { class: `plot-line line-${n}`, d: this.path(line.points, step) })).reverse(),
    );
    this.labels.replaceChildren(...times.map((words) => h("span", {}, words)));
    this.summary = summary;
    if (this.at === null) this.tellLatest();
    else this.pick(this.at);
  }

  x(ms) {
    return LEFT + ((ms - this.from) / (this.to - this.from)) * (WIDTH - 2 * LEFT);
  }

  y(value) {
    return TOP + (1 - value / this.top) * (HEIGHT - TOP - FOOT);
  }

  path(points, step) {
    let d = "";
    let last = null;
    for (const [ms, value] of points) {
      if (value === null || ms < this.from) {
        last = null;
        continue;
      }
      // What was not measured is a hole, not a line.
      const isNew = last === null || ms - last > 3 * step;
      d += `${isNew ? "M" : "L"}${this.x(ms).toFixed(1)} ${this.y(value).toFixed(1)}`;
      if (isNew) d += "h1.2"; // a point with no neighbours shows
      last = ms;
    }
    return d;
  }

  tellLatest() {
    const latest = this.lines.map((line) => line.points.at(-1)?.[1] ?? null);
    this.tell(latest);
    set(this.frame, "aria-label", `${this.titleText.textContent}: ${this.summary}`);
    this.frame.removeAttribute("aria-labelledby");
  }

  tell(values, time = "") {
    this.value.replaceChildren(
      ...this.lines.flatMap((line, n) =>
        values[n] === null || values[n] === undefined
          ? []
          : [h("span", { class: `line-${n}` }, line.name ? `${line.name} ` : "", h("b", {}, this.format(values[n])))],
      ),
      ...(time ? [h("span", { class: "plot-time" }, time)] : []),
    );
  }

  point(event) {
    const box = this.frame.getBoundingClientRect();
    this.pick(this.from + ((event.clientX - box.left) / box.width) * (this.to - this.from));
  }

  step(event) {
    const points = this.lines[0]?.points ?? [];
    if (!points.length || !["ArrowLeft", "ArrowRight", "Home", "End", "Escape"].includes(event.key)) return;
    event.preventDefault();
    if (event.key === "Escape") return this.pick(null);
    const now = this.at === null ? points.length - 1 : nearest(points, this.at);
    const next = { ArrowLeft: now - (this.at === null ? 0 : 1), ArrowRight: now + 1, Home: 0, End: points.length - 1 }[event.key];
    this.pick(points[Math.max(0, Math.min(points.length - 1, next))][0]);
    set(this.frame, "aria-label", `${this.titleText.textContent} ${this.value.textContent}`);
  }

  /** Shows the figures at a time; null: the latest again. */
  pick(ms) {
    this.at = ms;
    const points = this.lines[0]?.points ?? [];
    const isPicked = ms !== null && points.length > 0;
    this.cross.style.display = isPicked ? "" : "none";
    if (!isPicked) return this.tellLatest();
    const time = points[nearest(points, ms)][0];
    set(this.cross, "x1", this.x(time));
    set(this.cross, "x2", this.x(time));
    const values = this.lines.map((line) => line.points[nearest(line.points, time)]?.[1] ?? null);
    this.tell(values, clock(time));
  }
}

function nearest(points, ms) {
  let low = 0;
  let high = points.length - 1;
  while (high - low > 1) {
    const middle = (low + high) >> 1;
    if (points[middle][0] < ms) low = middle;
    else high = middle;
  }
  return Math.abs((points[low]?.[0] ?? 0) - ms) <= Math.abs((points[high]?.[0] ?? 0) - ms) ? low : high;
}

/** The next of 1, 2, 2.5, 5 times a power of ten. */
function round(value) {
  const power = 10 ** Math.floor(Math.log10(value));
  return [1, 2, 2.5, 5, 10].map((part) => part * power).find((one) => one >= value * 0.999);
}
