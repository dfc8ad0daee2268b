// The page: takes what the server tells, and shows it.

import { drawBars } from "./bars.js";
import { h, list, say, set } from "./dom.js";
import { Feed } from "./feed.js";
import { number, span, when } from "./format.js";
import { History } from "./history.js";
import { Incidents } from "./incidents.js";
import { Venue, anchor } from "./venue.js";
import { choose, language, other, stateWord, whyOf, word } from "./words.js";

const byId = (id) => document.getElementById(id);
const incidents = new Incidents();
const histories = new Map();
const venues = new Map();
let run = "";
let version = "";
let missingNow = 0;
let isFresh = true;

function translate() {
  for (const element of document.querySelectorAll("[data-word]")) say(element, word(element.dataset.word));
  for (const element of document.querySelectorAll("[data-label]")) set(element, "aria-label", word(element.dataset.label));
  const link = byId("language");
  say(link, word("language"));
  set(link, "href", `?lang=${other()}`);
  set(link, "lang", other());
  set(link, "hreflang", other());
}

function hello(told) {
  if (run && run !== told.run) {
    // Another process: its numbers begin anew.
    incidents.clear();
    histories.clear();
  }
  run = told.run;
  version = told.about.version;
  const before = language();
  choose(told.about.language);
  if (language() !== before) translate();
}

function history(told) {
  if (!histories.has(told.name)) histories.set(told.name, new History());
  histories.get(told.name).add(told);
}

function now({ snapshot, missing }) {
  const timeMs = snapshot.time_ns / 1e6;
  drawBars(snapshot.bars);
  drawVerdict(missing);
  drawFanout(snapshot.fanout);
  list(
    byId("venues"), snapshot.venues, (one) => one.name,
    (one) => {
      const venue = new Venue(one);
      venues.set(one.name, venue);
      return venue.element;
    },
    (element, one) => venues.get(one.name).show(one, timeMs, histories.get(one.name) ?? new History()),
  );
  list(byId("jump"), snapshot.venues, (one) => one.name, (one) => h("a", { href: `#${anchor(one.name)}` }, one.name), () => {});
  say(byId("about"), `${word("up_for", { time: span(snapshot.up_s) })} · perpwire ${version}`);
  incidents.settled();
}

function drawVerdict(missing) {
  missingNow = missing.length;
  set(byId("verdict"), "data-state", missing.length ? "bad" : "good");
  const words = missing.length === 0 ? word("all_well") : missing.length === 1 ? word("missing_one") : word("missing_many", { n: missing.length });
  say(byId("verdict-words"), words);
  set(byId("missing"), "hidden", missing.length === 0);
  list(
    byId("missing-list"), missing, (one) => `${one.name} ${one.kind} ${one.what}`,
    (one) => h("li", {}, h("b", {}, `${one.name} · ${whatWords(one)}`), h("span")),
    (element, one) => say(element.lastChild, one.kind === "connection" ? stateWord(one.why) : whyOf(one) || word("not_yet")),
  );
  title();
}

/** What goes to Redis is no matter of our being ready: it is told beside it. */
function drawFanout(now) {
  set(byId("fanout"), "hidden", now === null);
  if (now === null) return;
  set(byId("fanout"), "data-state", now.is_up ? "good" : "bad");
  const dropped = Object.values(now.dropped).reduce((sum, n) => sum + n, 0);
  const words = [now.is_up ? word("fanout_up") : word("fanout_down", { why: now.why_not })];
  words.push(word("fanout_sent", { n: number(now.sent) }), word("fanout_waiting", { n: number(now.waiting) }));
  if (dropped) words.push(word("dropped", { n: number(dropped) }));
  say(byId("fanout"), words.join(" · "));
}

function whatWords(one) {
  if (one.kind === "book") return word("book_of", { symbol: one.what });
  if (one.kind === "account") return word("account_stream");
  if (one.kind === "step") {
    const [step, ...symbol] = one.what.split(" of ");
    return word(`step_${step}`, { symbol: symbol.join(" of ") });
  }
  return one.what.startsWith(`${one.name}/`) ? one.what.slice(one.name.length + 1) : one.what;
}

/** So that a tab in the background tells, too. */
function title() {
  const sign = !isFresh ? `⚠ ${word("stale_title")} · ` : missingNow ? `(${missingNow}) ` : "";
  document.title = sign + word("title");
}

function fresh(isIt, quietMs) {
  // How things are is told again by what comes; until then it is not known.
  if (!isIt && isFresh && quietMs !== null) {
    set(byId("verdict"), "data-state", "unknown");
    say(byId("verdict-words"), word("not_known", { time: when(Date.now() - quietMs) }));
  }
  isFresh = isIt;
  document.body.classList.toggle("is-stale", !isIt);
  set(byId("stale"), "hidden", isIt);
  // A screen reader hears it once; how old it is counts on for eyes only.
  say(byId("stale-words"), isIt ? "" : word(quietMs === null ? "stale_never" : "stale"));
  say(byId("stale-age"), isIt || quietMs === null ? "" : word("stale_age", { time: span(quietMs / 1000) }));
  title();
}

choose();
translate();
say(byId("verdict-words"), word("starting"));
new Feed({ hello, history, incidents: (told) => incidents.add(told), snapshot: now }, fresh);
