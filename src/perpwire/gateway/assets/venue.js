// One venue: its connections, plots, limits, account, repairs, calls and streams.

import { h, list, say, set } from "./dom.js";
import { clock, ms, number, percent, span, windowSpan } from "./format.js";
import { SPANS } from "./history.js";
import { Plot } from "./plot.js";
import { balances, orders, positions } from "./tables.js";
import { Strip, tone } from "./timeline.js";
import { stateWord, word } from "./words.js";

const MOST_GAUGES = 8;

/** Plots: what is drawn of a point of history. */
const PLOTS = [
  { title: "live_share_plot", value: (point) => point.live_share, format: (value) => percent(value), least: 1, wanted: null },
  { title: "response_time", value: (point) => scaled(point.response_s), format: ms, least: 10, wanted: 100 },
  { title: "lag", value: (point) => scaled(point.lag_s), format: ms, least: 10, wanted: null },
  { title: "latency", value: (point) => scaled(point.latency_s), format: ms, least: 1, wanted: 10 },
  { title: "events", value: (point) => point.events_per_s, format: (value) => word("per_second", { n: number(value) }), least: 10, wanted: null },
  { title: "budget_used", value: (point) => point.budget_share, format: (value) => percent(value, 1), least: 0.1, wanted: null },
];

function scaled(seconds) {
  return seconds === null ? null : seconds * 1000;
}

export class Venue {
  constructor(now) {
    this.span = "minutes_15";
    this.spent = new Set(); // limits that have been used; a venue has dozens, and most are never touched
    this.env = h("span", { class: "chip" });
    this.stateText = h("span");
    this.state = h("span", { class: "chip" }, h("span", { class: "light", "aria-hidden": "true" }), this.stateText);
    this.publicOnly = h("span", { class: "chip", hidden: true }, word("public_only"));
    this.share = h("span", { class: "quiet grow" });
    this.ban = h("p", { class: "ban", role: "alert", hidden: true });
    this.lines = h("ul", { class: "lines" });
    this.noLines = h("p", { class: "none" }, word("no_connections"));
    this.plots = PLOTS.map((one) => ({ ...one, plot: new Plot(one) }));
    this.choice = h("div", { class: "choice", role: "group", "aria-label": word("span") }, Object.keys(SPANS).map((name) => this.spanButton(name)));
    this.gauges = h("div", { class: "gauges" });
    this.noGauges = h("p", { class: "none" }, word("no_budgets"));
    this.positions = positions();
    this.orders = orders();
    this.balances = balances();
    this.facts = h("dl", { class: "facts" });
    this.calls = h("tbody");
    this.noCalls = h("p", { class: "none" }, word("no_calls"));
    this.streams = h("tbody");
    this.noStreams = h("p", { class: "none" }, word("no_data"));
    const id = anchor(now.name);
    this.element = h(
      "section", { class: "venue", "aria-labelledby": id, "data-venue": now.name },
      h("div", { class: "head" }, h("h2", { id }, now.name.replaceAll("_", " ")), this.env, this.state, this.publicOnly, this.share),
      this.ban,
      h(
        "div", { class: "sheets" },
        sheet("", h("h3", {}, word("connections")), this.noLines, this.lines, lineTimes()),
        sheet("", h("div", { class: "head" }, h("h3", {}, word("plots")), this.choice), h("div", { class: "plots" }, this.plots.map((one) => one.plot.element))),
        this.positions.element,
        placed(this.orders.element, "two-thirds"),
        placed(this.balances.element, "third"),
        sheet("two-thirds", h("h3", {}, word("repairs")), this.facts),
        sheet("third", h("h3", {}, word("budgets")), this.noGauges, this.gauges),
        sheet("", h("details", {}, h("summary", {}, word("calls")), this.noCalls, h("div", { class: "scroll" }, figures(CALL_COLUMNS, this.calls)))),
        sheet("", h("details", {}, h("summary", {}, word("streams")), this.noStreams, h("div", { class: "scroll" }, figures(STREAM_COLUMNS, this.streams)))),
      ),
    );
  }

  spanButton(name) {
    return h("button", {
      type: "button", "data-span": name, "aria-pressed": String(name === this.span),
      onclick: () => {
        this.span = name;
        for (const button of this.choice.children) set(button, "aria-pressed", String(button.dataset.span === name));
        this.drawPlots();
      },
    }, word(name));
  }

  show(now, timeMs, history) {
    Object.assign(this, { timeMs, history });
    say(this.env, now.env);
    set(this.env, "data-env", now.env);
    set(this.state, "data-state", now.is_live ? "good" : "bad");
    say(this.stateText, word(now.is_live ? "up" : "down"));
    const share = now.live_share["1h"];
    say(this.share, share === null ? "" : word("live_share", { value: percent(share, 3) }));
    set(this.ban, "hidden", now.banned_until_ms === null);
    if (now.banned_until_ms !== null) say(this.ban, word("banned", { time: clock(now.banned_until_ms) }));
    this.drawLines(now, timeMs, history);
    this.drawGauges(now);
    const follows = now.is_account_live !== null || "account" in now.missing;
    const absent = follows ? null : word("no_account");
    this.positions.show(now.positions, now.positions.length ? null : absent);
    this.orders.show(now.orders, now.doubts.length ? word("doubtful", { n: now.doubts.length }) : now.orders.length ? null : absent);
    this.balances.show(now.balances, now.balances.length ? null : absent);
    set(this.publicOnly, "hidden", follows);
    this.drawFacts(now);
    this.drawCalls(now);
    this.drawStreams(now);
    this.drawPlots();
  }

  drawLines(now, timeMs, history) {
    set(this.noLines, "hidden", now.connections.length > 0);
    const from = timeMs - SPANS.minutes_15.length;
    list(this.lines, now.connections, (one) => one.name, makeLine, (element, one) => {
      const { parts } = element;
      set(element, "data-connection", one.name);
      const topics = Object.values(one.topics).reduce((sum, n) => sum + n, 0);
      const isPartly = one.state === "live" && one.not_live.length > 0;
      set(element, "data-now", one.state);
      set(parts.state, "data-state", isPartly ? "warn" : tone(one.state));
      say(parts.word, isPartly ? word("degraded") : stateWord(one.state));
      say(parts.since, span(one.since_s));
      const words = [];
      const fine = (one.topics.live ?? 0) + (one.topics.acknowledged ?? 0);
      if (topics) words.push(word("topics_live", { n: fine, of: topics }));
      if (one.reconnects) words.push(word("reconnects", { n: one.reconnects }));
      say(parts.topics, words.join(" · "));
      parts.strip.show(one.name, history.spans(one.name, timeMs), from, timeMs);
    });
  }

  drawPlots() {
    const { length, step } = SPANS[this.span];
    const to = this.timeMs;
    const from = to - length;
    const times = this.span === "minutes_15" ? [15, 10, 5].map((n) => word("ago_min", { n })) : [24, 16, 8].map((n) => word("ago_h", { n }));
    for (const { plot, title, value, format, wanted } of this.plots) {
      const points = this.history.series(this.span, value).filter(([at]) => at >= from);
      const known = points.map((point) => point[1]).filter((one) => one !== null);
      const summary = known.length ? word("plot_summary", { now: format(known.at(-1)), high: format(Math.max(...known)) }) : word("no_data");
      plot.show({ title: word(title), lines: [{ name: "", points }], from, to, step, wanted, times: [...times, word("now")], summary });
    }
  }

  drawGauges(now) {
    for (const one of now.budgets) if (one.used || one.stopped_s) this.spent.add(budgetKey(one));
    const spent = now.budgets.filter((one) => this.spent.has(budgetKey(one))).slice(0, MOST_GAUGES);
    set(this.noGauges, "hidden", spent.length > 0);
    list(this.gauges, spent, budgetKey, makeGauge, (element, one) => {
      const { parts } = element;
      say(parts.name, one.name.replaceAll("_", " "));
      say(parts.words, word("budget", { used: number(one.used, 4), limit: number(one.limit), window: windowSpan(one.period_s) }));
      for (const [name, value] of [["min", 0], ["max", one.limit], ["low", one.limit * 0.6], ["high", one.limit * 0.85], ["optimum", 0], ["value", Math.min(one.used, one.limit)]]) set(parts.meter, name, value);
      set(parts.meter, "aria-label", `${one.name}: ${parts.words.textContent}`);
    });
  }

  drawFacts(now) {
    const books = now.books.filter((one) => one.is_in_sync).length;
    const waiting = now.consumers.reduce((sum, one) => sum + one.waiting, 0);
    const dropped = now.consumers.reduce((sum, one) => sum + one.dropped, 0);
    const facts = [
      ["books", now.books.length ? word("in_sync", { n: books, of: now.books.length }) : "–", ""],
      ["gaps", number(now.gaps), now.gaps ? word("repaired", { n: number(now.gaps_repaired) }) : ""],
      ["outages", number(now.outages), now.outages ? word("recovered", { n: number(now.recovered) }) : ""],
      ["loop", number(now.loop_stalls), now.loop_stalls ? word("longest", { time: ms(now.loop_longest_stall_s * 1000) }) : ""],
      ["clock", ms(now.clock_offset_ms), ""],
      ["queues", number(waiting), dropped ? word("dropped", { n: number(dropped) }) : ""],
      ["journal", now.journal_backlog === null ? "–" : number(now.journal_backlog), ""],
      ["key", keyWords(now, this.timeMs), ""],
    ];
    list(this.facts, facts, ([name]) => name, ([name]) => h("div", { "data-fact": name }, h("dt", {}, word(name)), h("dd")), (element, [, value, note]) => {
      const text = note ? `${value} · ${note}` : value;
      say(element.lastChild, text);
    });
  }

  drawCalls(now) {
    set(this.noCalls, "hidden", now.calls.length > 0);
    list(this.calls, now.calls, (one) => one.name, () => cells(CALL_COLUMNS), (element, one) => {
      const errors = Object.entries(one.errors).map(([name, n]) => `${name} ${n}`).join(", ");
      [one.name, number(one.requests), errors || "–", ...["p50", "p95", "p99"].map((q) => ms(one.times[q] * 1000))].forEach((text, n) => say(element.children[n], text));
    });
  }

  drawStreams(now) {
    const kinds = [...new Set([...Object.keys(now.lag), ...Object.keys(now.latency)])].sort();
    set(this.noStreams, "hidden", kinds.length > 0);
    list(this.streams, kinds, (kind) => kind, () => cells(STREAM_COLUMNS), (element, kind) => {
      const times = [now.lag[kind], now.latency[kind]].flatMap((one) => ["p50", "p99"].map((q) => ms(one ? one[q] * 1000 : null)));
      [kind, ...times].forEach((text, n) => say(element.children[n], text));
    });
  }
}

function budgetKey(one) {
  return `${one.scope} ${one.name} ${one.period_s}`;
}

/** A name as part of an address within the page. */
export function anchor(name) {
  return `venue-${name.replace(/[^\w-]/g, "_")}`;
}

function sheet(size, ...children) {
  return h("section", { class: `sheet ${size}`.trim() }, children);
}

function placed(element, size) {
  element.classList.add(size);
  return element;
}

function lineTimes() {
  return h(
    "div", { class: "times", "aria-hidden": "true" },
    ...[15, 10, 5].map((n) => h("span", {}, word("ago_min", { n }))), h("span", {}, word("now")),
  );
}

function makeLine(one) {
  const parts = { word: h("span"), since: h("small"), topics: h("small"), strip: new Strip() };
  parts.state = h("span", { class: "line-state" }, h("span", { class: "light", "aria-hidden": "true" }), parts.word, parts.since);
  const element = h("li", {}, h("span", { class: "line-name" }, one.name, " ", parts.topics), parts.state, parts.strip.element);
  element.parts = parts;
  return element;
}

function makeGauge() {
  const parts = { name: h("span"), words: h("span"), meter: h("meter") };
  const element = h("div", { class: "gauge" }, h("div", { class: "gauge-words" }, parts.name, parts.words), parts.meter);
  element.parts = parts;
  return element;
}

const CALL_COLUMNS = [["call", "name"], ["count", "number"], ["errors", ""], ["p50", "number"], ["p95", "number"], ["p99", "number"]];
const STREAM_COLUMNS = [["stream", "name"], ["to_here p50", "number"], ["to_here p99", "number"], ["to_handler p50", "number"], ["to_handler p99", "number"]];

function head(column) {
  return column.split(" ").map((part) => (/^p\d+$/.test(part) ? part : word(part))).join(" ");
}

function figures(columns, body) {
  const heads = columns.map(([name, kind]) => h("th", { scope: "col", class: kind }, head(name)));
  return h("table", { class: "cards" }, h("thead", {}, h("tr", {}, heads)), body);
}

function cells(columns) {
  return h("tr", {}, columns.map(([name, kind]) => h("td", { class: kind, "data-name": head(name) })));
}

function keyWords(now, timeMs) {
  if (now.is_account_live === null) return "–";
  if (now.key_expires_ms === null) return word("no_expiry");
  return word("expires_in", { time: span((now.key_expires_ms - timeMs) / 1000) });
}
