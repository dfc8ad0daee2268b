// The server's stream, held for ever: who is cut off comes back, and what was missed is told then.

const QUIET_MS = 4000; // the server speaks once a second
const DEAD_MS = 12000; // a socket that a phone's sleep has killed never says so

/** Calls `on[event](data)` for each event, and `onState(isFresh, lastMs)` when it becomes known whether data is fresh. */
export class Feed {
  constructor(on, onState) {
    this.on = on;
    this.onState = onState;
    this.source = null;
    this.lastId = "";
    this.lastMs = 0;
    this.openedMs = 0;
    this.tries = 0;
    this.isFresh = null;
    this.againAt = 0;
    this.open();
    setInterval(() => this.look(), 500);
    addEventListener("online", () => this.reopen());
    document.addEventListener("visibilitychange", () => {
      if (!document.hidden && performance.now() - this.lastMs > QUIET_MS) this.reopen();
    });
  }

  open() {
    this.againAt = 0;
    this.openedMs = performance.now();
    // A browser sends Last-Event-ID when it comes back by itself; a new source has to say it here.
    const source = new EventSource(this.lastId ? `/events?last=${encodeURIComponent(this.lastId)}` : "/events");
    this.source = source;
    for (const name of Object.keys(this.on)) {
      source.addEventListener(name, (event) => {
        if (source !== this.source) return;
        this.lastMs = performance.now();
        if (event.lastEventId) this.lastId = event.lastEventId;
        this.on[name](JSON.parse(event.data));
        if (name === "snapshot") {
          this.tries = 0;
          this.tell(true);
        }
      });
    }
    source.onerror = () => {
      if (source !== this.source) return;
      this.tell(false);
      // Closed for good: it was answered, but not with a stream (too many pages, no token any more).
      if (source.readyState === EventSource.CLOSED) this.later();
    };
  }

  later() {
    this.source?.close();
    this.source = null;
    this.tries += 1;
    this.againAt = performance.now() + Math.min(15000, 1000 * 2 ** Math.min(this.tries, 4)) * (0.75 + Math.random() / 4);
  }

  reopen() {
    this.source?.close();
    this.open();
  }

  look() {
    const now = performance.now();
    if (this.againAt && now >= this.againAt) this.open();
    const quietMs = now - Math.max(this.lastMs, this.openedMs);
    if (quietMs > QUIET_MS) this.tell(false);
    if (this.source !== null && quietMs > DEAD_MS) this.later();
    if (this.isFresh === false) this.tell(false, true);
  }

  tell(isFresh, again = false) {
    if (isFresh === this.isFresh && !again) return;
    this.isFresh = isFresh;
    this.onState(isFresh, this.lastMs ? performance.now() - this.lastMs : null);
  }
}
