// How one connection has stood over the last minutes, as a strip.

import { set, svg } from "./dom.js";
import { clock, percent } from "./format.js";
import { stateWord, word } from "./words.js";

const WIDTH = 1000;
const HEIGHT = 16;

/** How much of a colour a state deserves. */
export function tone(state) {
  if (state === "live") return "good";
  if (state === "waiting" || state === "unknown") return "bad";
  if (state === "idle" || state === "closed") return "off";
  return "warn"; // on its way, or with some of its topics
}

export class Strip {
  constructor() {
    this.element = svg("svg", { class: "strip", viewBox: `0 0 ${WIDTH} ${HEIGHT}`, preserveAspectRatio: "none", role: "img" });
  }

  /** @param spans [{state, from, to}] in milliseconds, in order */
  show(name, spans, from, to) {
    const seen = spans.filter((one) => one.to > from && one.state !== "idle");
    const known = seen.reduce((sum, one) => sum + one.to - Math.max(one.from, from), 0);
    const live = seen.filter((one) => one.state === "live").reduce((sum, one) => sum + one.to - Math.max(one.from, from), 0);
    const breaks = seen.filter((one, n) => n > 0 && one.state !== "live" && seen[n - 1].state === "live").length;
    this.element.replaceChildren(
      ...seen.map((one) => {
        const begin = ((Math.max(one.from, from) - from) / (to - from)) * WIDTH;
        const end = ((one.to - from) / (to - from)) * WIDTH;
        // What lasted a second must be seen, and not by its colour alone: trouble is as high as the strip.
        const isLive = one.state === "live";
        return svg(
          "rect",
          {
            class: tone(one.state), x: begin.toFixed(1), width: Math.max(isLive ? 0.5 : 3, end - begin).toFixed(1),
            y: isLive ? 4 : 0, height: isLive ? HEIGHT - 8 : HEIGHT,
          },
          svg("title", {}, word("outage_from", { state: stateWord(one.state), from: clock(one.from), to: clock(one.to) })),
        );
      }).sort((one, other) => (one.getAttribute("class") === "good" ? -1 : 1) - (other.getAttribute("class") === "good" ? -1 : 1)),
    );
    set(
      this.element, "aria-label",
      word("timeline", { name, state: stateWord(spans.at(-1)?.state ?? "unknown"), value: known ? percent(live / known) : "–", n: breaks }),
    );
  }
}
