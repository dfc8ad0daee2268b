// The user's five quality bars.

import { h, list, say, set } from "./dom.js";
import { ms, number, percent } from "./format.js";
import { word } from "./words.js";

export function drawBars(bars) {
  list(document.getElementById("bar-list"), bars, (bar) => bar.name, make, update);
}

function make() {
  const parts = {
    name: h("p", { class: "bar-name" }),
    value: h("p", { class: "bar-value" }),
    word: h("span", { class: "bar-word" }),
    goal: h("span", {}),
    samples: h("span", {}),
  };
  const element = h("li", {}, parts.name, parts.value, h("p", { class: "bar-foot" }, parts.word, " · ", parts.goal), h("p", { class: "bar-foot" }, parts.samples));
  element.parts = parts;
  return element;
}

function update(element, bar) {
  const { parts } = element;
  set(element, "data-bar", bar.name);
  set(element, "data-holds", bar.holds === null ? "none" : String(bar.holds));
  set(element, "title", bar.how);
  const named = word(`bar_${bar.name}`);
  say(parts.name, named === `bar_${bar.name}` ? bar.name : named);
  say(parts.value, bar.value === null ? "–" : figure(bar.value, bar.unit));
  say(parts.word, bar.holds === null ? word("bar_unknown") : bar.holds ? `✓ ${word("bar_holds")}` : `✕ ${word("bar_fails")}`);
  say(parts.goal, word("bar_wanted", { value: goal(bar) }));
  say(parts.samples, word("bar_samples", { n: number(bar.samples) }));
}

function figure(value, unit) {
  return unit === "s" ? ms(value * 1000) : percent(value, 3);
}

function goal(bar) {
  return `${bar.unit === "s" ? "<" : bar.wanted < 1 ? "≥" : ""}\u00a0${figure(bar.wanted, bar.unit)}`.trim();
}
