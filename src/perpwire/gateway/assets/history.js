// What the server has told of one venue's past: the last 15 minutes closely, the last day by the minute.

export const SPANS = {
  minutes_15: { length: 15 * 60_000, step: 5_000, of: "points" },
  hours_24: { length: 24 * 3_600_000, step: 60_000, of: "minutes" },
};

export class History {
  constructor() {
    this.points = [];
    this.minutes = [];
    this.states = new Map(); // connection -> [{state, from}], in order
  }

  /** Takes a message; what is in it is newer than what is here. */
  add(told) {
    const toMs = (point) => ({ ...point, at: point.time_ns / 1e6 });
    for (const name of ["points", "minutes"]) {
      const last = this[name].at(-1)?.time_ns ?? 0;
      this[name].push(...told[name].filter((point) => point.time_ns > last).map(toMs));
    }
    for (const [connection, spans] of Object.entries(told.spans)) {
      const known = this.states.get(connection) ?? [];
      for (const one of spans) {
        const from = one.since_ns / 1e6;
        if (!known.length || known.at(-1).from < from) known.push({ state: one.state, from });
      }
      if (known.length) this.states.set(connection, known);
    }
    this.forget();
  }

  /** So that a page that is open for a week is as small as on its first day. */
  forget() {
    for (const { length, of } of Object.values(SPANS)) {
      const newest = this[of].at(-1)?.at ?? 0;
      while (this[of].length && this[of][0].at < newest - length - 60_000) this[of].shift();
    }
    for (const changes of this.states.values()) {
      const newest = changes.at(-1).from;
      while (changes.length > 500 || (changes.length > 1 && changes[1].from < newest - SPANS.minutes_15.length)) changes.shift();
    }
  }

  series(span, value) {
    return this[SPANS[span].of].map((point) => [point.at, value(point) ?? null]);
  }

  /** The states of a connection as spans, the last one up to `to`. */
  spans(connection, to) {
    const changes = this.states.get(connection) ?? [];
    return changes.map((one, n) => ({ state: one.state, from: one.from, to: changes[n + 1]?.from ?? to }));
  }
}
