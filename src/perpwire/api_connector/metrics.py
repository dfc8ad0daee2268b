"""APIMetrics: how many requests, how long they took, how many failed; in all and by call, in bounded memory."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TypedDict

from perpwire.api_connector.histogram import Histogram

_NAMES_KEPT = 256
OTHER = "other"
"""Calls and error classes past the first 256 names are counted together under this one."""


class RequestStats(TypedDict):
    """Times are in seconds, error_rate is a fraction from 0 to 1; all are 0 when nothing was recorded.

    Percentiles are right to within 1 %, everything else is exact.
    """

    total_requests: int
    error_rate: float
    avg_response_time: float
    max_response_time: float
    min_response_time: float
    p50_response_time: float
    p95_response_time: float
    p99_response_time: float


class CallStats(RequestStats):
    """The same for one call, and how often each error class ended it."""

    errors: dict[str, int]


class APIMetrics:
    """Counts and response times of API requests: all together (record_request), and by call (record_call).

    No lock: record and read in one thread.
    """

    def __init__(self) -> None:
        self._times = Histogram()
        self._succeeded = Histogram()
        self._failed = 0
        self._calls: dict[str, _CallRecord] = {}
        self._sent: dict[str, _CallRecord] = {}
        """What counts for both: by call, and added up when it is asked for."""
        self.unknown_codes: dict[str, int] = {}
        """Error codes that our tables do not have -> how often they came."""

    def record_request(self, response_time: float, success: bool) -> None:
        """Count one request that took `response_time` seconds.

        Raises:
            ValueError: `response_time` is not a finite number.
        """
        self._times.record(response_time)
        if success:
            self._succeeded.record(response_time)
        else:
            self._failed += 1

    def record_call(self, call: str, seconds: float, error_class: str | None) -> None:
        """Count one request by its call's name; get_call_stats has it, get_stats does not.

        Args:
            call: The call's name, such as "place_order".
            seconds: How long it took.
            error_class: The class that ended it, such as "RateLimited"; None for success.

        Raises:
            ValueError: `seconds` is not a finite number.
        """
        _record(self._calls, call, seconds, error_class)

    def record_sent(self, call: str, seconds: float, error_class: str | None) -> None:
        """record_request and record_call in one."""
        _record(self._sent, call, seconds, error_class)

    def calls(self) -> Iterator[tuple[str, Histogram, dict[str, int]]]:
        """Name, times in seconds and errors by class of each call, failed ones among the times."""
        merged: dict[str, _CallRecord] = {}
        for name, record in (*self._calls.items(), *self._sent.items()):
            kept = name if name in merged or len(merged) < _NAMES_KEPT else OTHER
            merged.setdefault(kept, _CallRecord()).add(record)
        for name, record in merged.items():
            yield name, record.times, record.errors

    def times(self, *, succeeded: bool = False) -> Histogram:
        """Times of all requests that record_request and record_sent counted, in seconds.

        Args:
            succeeded: Only of those that did.
        """
        times = Histogram()
        times.merge(self._succeeded if succeeded else self._times)
        for record in self._sent.values():
            times.merge(record.succeeded if succeeded else record.times)
        return times

    def record_unknown_code(self, code: int | str) -> None:
        """Count one answer with a code that our tables do not have."""
        name = str(code) if str(code) in self.unknown_codes or len(self.unknown_codes) < _NAMES_KEPT else OTHER
        self.unknown_codes[name] = self.unknown_codes.get(name, 0) + 1

    def get_stats(self) -> RequestStats:
        """All requests together: what record_request and record_sent counted."""
        times, failed = Histogram(), self._failed
        times.merge(self._times)
        for record in self._sent.values():
            times.merge(record.times)
            failed += sum(record.errors.values())
        return _stats(times, failed)

    def get_call_stats(self) -> dict[str, CallStats]:
        """By call: what record_call and record_sent counted."""
        return {call: {**_stats(times, sum(errors.values())), "errors": errors} for call, times, errors in self.calls()}


def _record(calls: dict[str, _CallRecord], call: str, seconds: float, error_class: str | None) -> None:
    record = calls.get(call)
    if record is None:
        record = calls.setdefault(call if len(calls) < _NAMES_KEPT else OTHER, _CallRecord())
    record.times.record(seconds)
    if error_class is None:
        record.succeeded.record(seconds)
    else:
        record.count(error_class, 1)


class _CallRecord:
    __slots__ = ("errors", "succeeded", "times")

    def __init__(self) -> None:
        self.times = Histogram()
        self.succeeded = Histogram()
        self.errors: dict[str, int] = {}

    def count(self, error_class: str, times: int) -> None:
        errors = self.errors
        name = error_class if error_class in errors or len(errors) < _NAMES_KEPT else OTHER
        errors[name] = errors.get(name, 0) + times

    def add(self, other: _CallRecord) -> None:
        self.times.merge(other.times)
        self.succeeded.merge(other.succeeded)
        for name, times in other.errors.items():
            self.count(name, times)


def _stats(times: Histogram, failed: int) -> RequestStats:
    return {
        "total_requests": times.count,
        "error_rate": failed / times.count if times.count else 0.0,
        "avg_response_time": times.mean,
        "max_response_time": times.max,
        "min_response_time": times.min,
        "p50_response_time": times.quantile(0.5),
        "p95_response_time": times.quantile(0.95),
        "p99_response_time": times.quantile(0.99),
    }
