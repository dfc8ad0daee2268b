// What has happened, newest first.

import { h, say, set } from "./dom.js";
import { iso, when } from "./format.js";
import { saidOf, word } from "./words.js";

const KEPT = 1000;
const PAGE = 50;
const SEVERITIES = ["critical", "warning", "info"];

export class Incidents {
  constructor() {
    this.all = [];
    this.rows = new Map();
    this.shown = PAGE;
    this.severity = "";
    this.isFirst = true;
    this.list = document.getElementById("incident-list");
    this.none = document.getElementById("incident-none");
    this.older = document.getElementById("older");
    this.said = document.getElementById("said");
    this.choices = document.getElementById("severities");
    this.older.addEventListener("click", () => {
      this.shown += PAGE;
      this.draw();
    });
    this.choices.className = "choice";
    this.choices.append(
      ...["", ...SEVERITIES].map((severity) =>
        h("button", {
          type: "button", "data-of": severity,
          onclick: () => {
            this.severity = severity;
            this.shown = PAGE;
            this.draw();
          },
        }),
      ),
    );
  }

  clear() {
    this.all = [];
    this.rows.clear();
    this.list.replaceChildren();
    this.isFirst = true;
  }

  add(incidents) {
    const last = this.all[0]?.id ?? 0;
    const fresh = incidents.filter((one) => one.id > last);
    for (const one of fresh) this.all.unshift(one);
    for (const gone of this.all.splice(KEPT)) this.rows.delete(gone.id);
    this.draw(this.isFirst ? [] : fresh);
    // Read aloud: what is new since the page was opened, and no notes.
    const loud = this.isFirst ? [] : fresh.filter((one) => one.severity !== "info");
    const aloud = loud.map((one) => `${word(one.severity)}: ${one.name}: ${saidOf(one).title}. ${saidOf(one).sentence}`);
    if (aloud.length) say(this.said, aloud.join(" "));
  }

  /** Until then what comes is the past. */
  settled() {
    if (!this.isFirst) return;
    this.isFirst = false;
    this.draw();
  }

  counts() {
    return Object.fromEntries(SEVERITIES.map((severity) => [severity, this.all.filter((one) => one.severity === severity).length]));
  }

  draw(fresh = []) {
    const counts = this.counts();
    for (const button of this.choices.children) {
      const severity = button.dataset.of;
      say(button, severity ? `${word(severity)} ${counts[severity]}` : word("all"));
      set(button, "aria-pressed", String(severity === this.severity));
    }
    const wanted = this.all.filter((one) => !this.severity || one.severity === this.severity);
    const showing = wanted.slice(0, this.shown);
    const news = new Set(fresh.map((one) => one.id));
    const nodes = showing.map((one) => this.row(one, news.has(one.id)));
    nodes.forEach((node, n) => {
      if (this.list.children[n] !== node) this.list.insertBefore(node, this.list.children[n] ?? null);
    });
    while (this.list.children.length > nodes.length) this.list.lastElementChild.remove();
    set(this.older, "hidden", wanted.length <= this.shown);
    set(this.none, "hidden", wanted.length > 0);
    say(this.none, this.all.length ? word("none_of_these") : word("no_incidents"));
  }

  row(one, isFresh) {
    const kept = this.rows.get(one.id);
    if (kept !== undefined) return kept;
    const timeMs = one.time_ns / 1e6;
    const said = saidOf(one);
    const row = h(
      "li", { "data-severity": one.severity, "data-kind": one.kind, "data-id": one.id, class: isFresh ? "fresh" : null },
      h("span", { class: "sign", "aria-hidden": "true" }),
      h(
        "span", {},
        h("span", { class: "incident-kind" }, said.title), " ",
        h("span", { class: "severity" }, word(one.severity)), " ",
        h("span", { class: "incident-venue" }, one.name),
      ),
      h("time", { datetime: iso(timeMs), title: iso(timeMs) }, when(timeMs)),
      h("p", { class: "incident-detail" }, said.sentence),
    );
    this.rows.set(one.id, row);
    return row;
  }
}
