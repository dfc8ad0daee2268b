"""The past of one connector, in bounded memory: shares of time, points for plots, states of its connections."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping

from perpwire.api_connector.histogram import Histogram
from perpwire.monitoring.snapshot import History, Point, Span

POINT_LOOKS = 5
MINUTE_LOOKS = 60
POINTS = 15 * 60 // POINT_LOOKS
MINUTES = 24 * 60
SPANS_KEPT = 500
SPAN_NS = 15 * 60 * 1_000_000_000


class Share:
    """What was right of all there was, over all looks and over the last hour and day."""

    def __init__(self) -> None:
        self.good = self.looked = 0
        self._minutes: deque[tuple[int, int]] = deque(maxlen=MINUTES)
        self._now = (0, 0)

    def add(self, good: int, looked: int) -> None:
        self.good += good
        self.looked += looked
        self._now = (self._now[0] + good, self._now[1] + looked)

    def end_minute(self) -> None:
        self._minutes.append(self._now)
        self._now = (0, 0)

    def of_last(self, minutes: int) -> float | None:
        """Of so many minutes and the one that is running; None where there was nothing."""
        last = [*list(self._minutes)[-minutes:], self._now]
        good, looked = (sum(numbers) for numbers in zip(*last, strict=True))
        return good / looked if looked else None

    def in_all(self) -> dict[str, float | None]:
        whole = self.good / self.looked if self.looked else None
        return {"1h": self.of_last(60), "24h": self.of_last(MINUTES), "all": whole}


class Spans:
    """States of connections over time, as they were seen once a second."""

    def __init__(self) -> None:
        self._spans: dict[str, deque[Span]] = {}
        self.seconds: dict[str, dict[str, float]] = {}

    def note(self, states: Mapping[str, str], now_ns: int, passed_s: float) -> None:
        for name, state in states.items():
            spans = self._spans.setdefault(name, deque(maxlen=SPANS_KEPT))
            seconds = self.seconds.setdefault(name, {})
            seconds[state] = seconds.get(state, 0.0) + passed_s
            if not spans or spans[-1].state != state:
                spans.append(Span(now_ns, state))
        for name in self._spans.keys() - states.keys():
            del self._spans[name]  # it carries nothing any more
            self.seconds.pop(name, None)

    def since_ns(self, name: str, now_ns: int) -> int:
        spans = self._spans.get(name)
        return spans[-1].since_ns if spans else now_ns

    def of_late(self, now_ns: int) -> dict[str, tuple[Span, ...]]:
        """Those of the last quarter of an hour, and what was before."""
        return {name: tuple(_of_late(spans, now_ns - SPAN_NS)) for name, spans in self._spans.items()}


def _of_late(spans: Iterable[Span], from_ns: int) -> list[Span]:
    all_spans = list(spans)
    first = max((at for at, one in enumerate(all_spans) if one.since_ns <= from_ns), default=0)
    return all_spans[first:]


class Times:
    """A growing histogram, read as what has come into it since the last reading."""

    def __init__(self, unit_s: float = 1.0) -> None:
        self._unit_s = unit_s
        self._before = Histogram()

    def quantile(self, now: Histogram, q: float) -> float | None:
        """Of what came since the last call, in seconds; None where nothing did."""
        news = now.since(self._before)
        self._before = now.copy()
        return news.quantile(q) * self._unit_s if news.count else None


class Line:
    """Points of one length: gathers what looks see, and makes a point of so many of them."""

    def __init__(self, looks: int, kept: int, latency_unit_s: float) -> None:
        self._looks = looks
        self.points: deque[Point] = deque(maxlen=kept)
        self._response = Times()
        self._latency = Times(latency_unit_s)
        self._seen = 0
        self._good = self._looked = 0
        self._lag_s: float | None = None
        self._events = 0
        self._began_ns = 0

    def look(
        self, now_ns: int, *, good: int, looked: int, lag_s: float | None, events: int, budget_share: float,
        response: Histogram, latency: Histogram,
    ) -> bool:  # fmt: skip
        """Take one look in; True where it made a point."""
        if self._seen == 0 and not self.points:
            self._began_ns, self._events = self._began_ns or now_ns, self._events or events
        self._seen += 1
        self._good += good
        self._looked += looked
        if lag_s is not None:
            self._lag_s = max(lag_s, self._lag_s or 0.0)
        if self._seen < self._looks:
            return False
        passed_s = max((now_ns - self._began_ns) / 1e9, 1e-9)
        self.points.append(
            Point(
                time_ns=now_ns,
                live_share=self._good / self._looked if self._looked else None,
                events_per_s=max(0, events - self._events) / passed_s,
                response_s=self._response.quantile(response, 0.95),
                latency_s=self._latency.quantile(latency, 0.99),
                lag_s=self._lag_s,
                budget_share=budget_share,
            )
        )
        self._began_ns, self._events = now_ns, events
        self._seen = self._good = self._looked = 0
        self._lag_s = None
        return True


class Past:
    """All of it."""

    def __init__(self) -> None:
        self.share = Share()
        self.spans = Spans()
        self.points = Line(POINT_LOOKS, POINTS, 1e-9)
        self.minutes = Line(MINUTE_LOOKS, MINUTES, 1e-9)

    def history(self, now_ns: int) -> History:
        return History(
            points=tuple(self.points.points), minutes=tuple(self.minutes.points), spans=self.spans.of_late(now_ns)
        )
