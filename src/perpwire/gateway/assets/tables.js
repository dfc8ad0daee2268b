// What the account holds: positions, orders, balances. On a phone each row becomes a card.

import { h, list, say, set } from "./dom.js";
import { exact, money, percent, price, side } from "./format.js";
import { word } from "./words.js";

const NEAR = 0.05; // of the mark price: a liquidation so near is marked
const MOST_ROWS = 50;

/** A table that keeps its rows: columns are [{name, key, kind, text(row), tone(row)}]. */
export class Table {
  constructor({ title, none, columns, key }) {
    this.columns = columns;
    this.key = key;
    this.heading = h("h3", {}, word(title));
    this.none = h("p", { class: "none" }, word(none));
    this.body = h("tbody");
    this.more = h("p", { class: "none", hidden: true });
    this.table = h(
      "table", { class: "cards" },
      h("thead", {}, h("tr", {}, columns.map((one) => h("th", { scope: "col", class: one.kind }, word(one.name))))),
      this.body,
    );
    this.scroll = h("div", { class: "scroll" }, this.table);
    this.element = h("section", { class: "sheet" }, this.heading, this.scroll, this.more, this.none);
  }

  show(rows, note = null) {
    set(this.scroll, "hidden", rows.length === 0);
    set(this.none, "hidden", rows.length > 0 && note === null);
    if (note !== null) say(this.none, note);
    set(this.more, "hidden", rows.length <= MOST_ROWS);
    say(this.more, word("more_rows", { n: rows.length - MOST_ROWS }));
    list(this.body, rows.slice(0, MOST_ROWS), this.key, () => this.make(), (element, row) => this.update(element, row));
  }

  make() {
    return h("tr", {}, this.columns.map((one) => h("td", { class: one.kind, "data-name": word(one.name) }, h("span"))));
  }

  update(element, row) {
    this.columns.forEach((column, n) => {
      const cell = element.children[n];
      const text = column.text(row);
      say(cell.firstChild, text);
      set(cell.firstChild, "class", column.tone?.(row) || null);
    });
  }
}

const signed = (text) => (text === null || text === undefined || Number(text) === 0 ? "" : String(text).startsWith("-") ? "loss" : "gain");
const plus = (text, words) => (signed(text) === "gain" ? `+${words}` : words);

export function positions() {
  return new Table({
    title: "positions",
    none: "no_positions",
    key: (row) => `${row.symbol} ${row.position_side}`,
    columns: [
      { name: "symbol", kind: "name", text: (row) => row.symbol },
      { name: "side", kind: "", text: (row) => side(row.quantity) },
      { name: "quantity", kind: "number", text: (row) => exact(row.quantity) },
      { name: "entry", kind: "number", text: (row) => price(row.entry_price) },
      { name: "mark", kind: "number", text: (row) => price(row.mark_price) },
      {
        name: "pnl", kind: "number",
        text: (row) => plus(row.unrealized_pnl, money(row.unrealized_pnl)),
        tone: (row) => signed(row.unrealized_pnl),
      },
      { name: "liquidation", kind: "number", text: (row) => price(row.liquidation_price) },
      {
        name: "distance", kind: "number",
        text: (row) => percent(row.liquidation_share, 1),
        tone: (row) => (row.liquidation_share !== null && row.liquidation_share < NEAR ? "near" : ""),
      },
    ],
  });
}

export function orders() {
  return new Table({
    title: "orders",
    none: "no_orders",
    key: (row) => row.order_id || row.client_order_id,
    columns: [
      { name: "symbol", kind: "name", text: (row) => row.symbol },
      { name: "side", kind: "", text: (row) => word(String(row.side).toLowerCase()) },
      { name: "type", kind: "", text: (row) => String(row.type).toLowerCase().replaceAll("_", " ") },
      { name: "price", kind: "number", text: (row) => exact(row.price) },
      { name: "quantity", kind: "number", text: (row) => exact(row.quantity) },
      { name: "filled", kind: "number", text: (row) => exact(row.filled_quantity) },
      { name: "status", kind: "", text: (row) => String(row.status).toLowerCase().replaceAll("_", " ") },
    ],
  });
}

export function balances() {
  return new Table({
    title: "balances",
    none: "no_balances",
    key: (row) => row.asset,
    columns: [
      { name: "asset", kind: "name", text: (row) => row.asset },
      { name: "wallet", kind: "number", text: (row) => money(row.wallet) },
      { name: "available", kind: "number", text: (row) => money(row.available) },
    ],
  });
}
