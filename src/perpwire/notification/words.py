"""What alerts say, in English and Korean. A title is made of facts, so that it can be said in any language later."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, tzinfo
from typing import Any, Literal

import msgspec

from perpwire.notification import korean
from perpwire.notification.alert import Alert

Language = Literal["en", "ko"]

TITLES: Mapping[str, str] = {
    "connection_lost": "Connection {connection} lost",
    "connection_failing": "Connection {connection} can't be made",
    "login_refused": "Connection {connection}: the key is refused",
    "connection_recovered": "Connection {connection} recovered",
    "account_unread": "The account can't be read",
    "account_read_again": "The account is read again",
    "stream_stale": "Connection {connection} is mute",
    "stream_silent": "{topic} is acknowledged, without data",
    "route_found": "{topic} has moved to another route",
    "stream_gap": "{kind} events were missed",
    "stream_gap_repaired": "{kind} events were missed",
    "unknown_seen": "{venue} says {word!r}, which is not known",
    "position_mismatch": "Position of {symbol} is not what its fills make",
    "loop_stalled": "The event loop stood still",
    "stream_lagging": "{connection} is behind",
    "consumer_behind": "A consumer of {kind} is behind",
    "subscription_refused": "Subscription to {topic} refused",
    "book_gap": "Order book of {symbol} out of sync",
    "book_recovered": "Order book of {symbol} in sync again",
    "order_failed": "{symbol} order failed",
    "balance_insufficient": "Balance insufficient for an order",
    "order_doubtful": "{symbol} order of unknown outcome",
    "order_unresolved": "{symbol} order is still of unknown outcome",
    "order_resolved": "{symbol} order {outcome}",
    "mode_changed": "Position mode is {mode}",
    "unknown_code": "Code {code} of {call} is not known",
    "dead_man_failed": "Dead man's switch of {symbol} not renewed",
    "guard_tripped": "Guard {guard} refused an order",
    "kill_switch": "Kill switch thrown",
    "fanout_failing": "The fan-out to Redis fails",
    "fanout_recovered": "The fan-out to Redis goes on",
    "fills_recovered": "{count} missed fills read back",
    "rate_limit_hit": "Rate limit hit",
    "banned": "Banned for {retry_after_s} seconds",
    "budget_pressed": "Rate limit {budget} nearly used up",
    "budget_eased": "Rate limit {budget} has room again",
    "clock_stepped": "Clock offset measured again",
    "clock_skewed": "Clock is off by {offset_ms} ms",
    "margin_called": "Margin call: {symbol} is near its liquidation",
    "position_liquidated": "Position of {symbol} is closed by the venue",
    "instrument_changed": "{symbol} {how}",
    "instrument_ending": "{symbol} ends within a day",
    "handler_failed": "Handler {handler} failed",
    "task_failed": "{task} failed",
    "key_warning": "API key: {what}",
    "frame_garbled": "{connection} unreadable",
    "test": "Test alert ({severity})",
    "unforeseen": "{incident}",
}


class Wording(msgspec.Struct, frozen=True, kw_only=True):
    """How alerts are said.

    Attributes:
        language: "en" or "ko".
        zone: Of the time that is told; UTC where none is given.
    """

    language: Language = "en"
    zone: tzinfo = UTC

    def headline(self, alert: Alert) -> str:
        """One line: severity, venue, title, and how often it happened untold."""
        if self.language == "ko":
            return korean.headline(alert)
        return alert.headline()

    def body(self, alert: Alert) -> str:
        """The sentence, the facts a line each, and the time."""
        if self.language == "ko":
            return korean.body(alert, alert.time(self.zone))
        return alert.body(self.zone)


def title(text: str, facts: Mapping[str, Any]) -> str:
    """The English title of a text (a name in TITLES), with these facts worked in."""
    return TITLES[text].format_map(korean.Facts(facts))
