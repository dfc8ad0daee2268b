"""What is said in English; see said.py. Whoever reads one of these sentences in a log has nothing else before him."""

from __future__ import annotations

from collections.abc import Mapping

from perpwire.words.said import Language, Text

NAME: Language = "en"

TEXTS: Mapping[str, Text] = {
    "connection_lost": Text("Connection {connection} lost", "{connection} was lost[; calls go by {instead} meanwhile]"),
    "connection_failing": Text(
        "Connection {connection} can't be made",
        "{connection} can't be kept (tries: {attempts})[; calls go by {instead} meanwhile]",
    ),
    "login_refused": Text(
        "Connection {connection}: the key is refused",
        "{connection} can't be kept, as the key is refused (tries: {attempts})[; calls go by {instead} meanwhile]",
    ),
    "connection_recovered": Text(
        "Connection {connection} recovered", "{connection} is live again after {outage_s} s (tries: {attempts})"
    ),
    "account_unread": Text(
        "The account can't be read",
        "positions, balances and open orders are not proven: [for {unread_s} s ]they can't be read (tries: {attempts})",
    ),
    "account_read_again": Text(
        "The account is read again", "positions, balances and open orders are read[, after {unread_s} s]"
    ),
    "set_up_failing": Text(
        "Not followed yet: {step}[ of {symbol}]",
        "{venue}: {step}[ of {symbol}] can't be followed yet (tries: {attempts})",
    ),
    "set_up_refused": Text(
        "Not followed, as it is refused: {step}[ of {symbol}]",
        "{venue}: {step}[ of {symbol}] can't be followed, as it is refused (tries: {attempts})",
    ),
    "set_up_done": Text(
        "Followed now: {step}[ of {symbol}]",
        "{venue}: {step}[ of {symbol}] is followed, after {failing_s} s (tries: {attempts})",
    ),
    "stream_stale": Text(
        "Connection {connection} is mute",
        "{connection} answers, and for {silent_s} s says nothing[ of {topics}]",
    ),
    "stream_silent": Text(
        "{topic} is acknowledged, without data", "{topic} was acknowledged on {connection}, and says nothing"
    ),
    "route_found": Text(
        "{topic} has moved to another route",
        "{topic} says nothing on the route '{tried}', and speaks on '{works}'",
    ),
    "stream_gap": Text(
        "{kind} events were missed", "{kind}[ {interval}] events of [{symbol}|the whole market] are missing"
    ),
    "stream_gap_repaired": Text(
        "{kind} events were missed",
        "{kind}[ {interval}] events of [{symbol}|the whole market] were missed, and have been read back",
    ),
    "unknown_seen": Text(
        "{venue} says '{word}', which is not known",
        "{venue} says '{word}' ({where}), which this version does not know; nothing was lost by it",
    ),
    "position_mismatch": Text(
        "Position of {symbol} is not what its fills make",
        "{symbol}: our fills make {by_fills}, the venue says {by_venue}, which holds from now on",
    ),
    "loop_stalled": Text("The event loop stood still", "the event loop stood still for {stalled_s} s[ at {where}]"),
    "stream_lagging": Text(
        "{connection} is behind",
        "{connection} is {lag_s} s behind ({kind} {symbol}); {waiting} events wait in the fullest iterator[; busiest "
        "since it began: {handler} ({busy_s} s)]",
    ),
    "consumer_behind": Text(
        "A consumer of {kind} is behind", "an iterator over {kind} is too slow: {waiting} events wait"
    ),
    "subscription_refused": Text("Subscription to {topic} refused", "{connection} refused {topic}"),
    "book_gap": Text(
        "Order book of {symbol} out of sync", "the book of {symbol} can't be read until it is in sync again"
    ),
    "book_recovered": Text("Order book of {symbol} in sync again", "the book of {symbol} is in sync again"),
    "order_failed": Text("{symbol} order failed", "the order [{side} {quantity} {symbol}|of {symbol}] failed"),
    "balance_insufficient": Text(
        "Balance insufficient for an order",
        "the order [{side} {quantity} {symbol}|of {symbol}] was refused for want of margin",
    ),
    "order_doubtful": Text(
        "{symbol} order of unknown outcome",
        "what became of the order [{side} {quantity} {symbol}|of {symbol}] ({client_order_id}) is not known yet",
    ),
    "order_unresolved": Text(
        "{symbol} order is still of unknown outcome",
        "what became of the order [{side} {quantity} {symbol}|of {symbol}] ({client_order_id}) could not be learnt: "
        "look at the venue",
    ),
    "order_resolved": Text(
        "{symbol} order {outcome}",
        "the order [{side} {quantity} {symbol}|of {symbol}] ({client_order_id}) was {outcome}, which is known after "
        "{after_s} s",
    ),
    "change_unresolved": Text(
        "[{symbol} order|Orders]: not known whether {change}",
        "whether [{orders}|the orders][ of {symbol}] was {change} could not be learnt: look at the venue",
    ),
    "mode_changed": Text("Position mode is {mode}", "[{symbol}|the account] is in {mode} mode"),
    "unknown_code": Text(
        "Code {code} of {call} is not known",
        "{call} was answered with {code}, a code that is not in our table",
    ),
    "dead_man_failed": Text(
        "Dead man's switch[ of {symbol}] not renewed",
        "the dead man's switch[ of {symbol}] [fires in {left_s} s|has fired], as it could not be renewed",
    ),
    "guard_tripped": Text("Guard {guard} refused an order", "the guard {guard} refused [{refused}|an order]"),
    "kill_switch": Text("Kill switch thrown", "the kill switch is thrown[; {refused} was not sent]"),
    "fanout_failing": Text(
        "The fan-out to Redis fails", "what is heard does not get to Redis ({reason}); {waiting} events wait"
    ),
    "fanout_recovered": Text(
        "The fan-out to Redis goes on",
        "Redis takes what is heard again, after {failed_s} s; {dropped} events were dropped",
    ),
    "fills_recovered": Text(
        "{count} missed fills read back", "{count} fills that the account's stream had not brought were read back"
    ),
    "rate_limit_hit": Text(
        "Rate limit hit", "[{call}|a call] was refused, and calls are held back for {retry_after_s} s"
    ),
    "banned": Text(
        "Banned for {retry_after_s} seconds",
        "the venue takes no calls for {retry_after_s} s; [{call}|a call] was refused",
    ),
    "rate_limit_lifted": Text("Calls go again", "no call is held back any more, after {held_s} s"),
    "budget_pressed": Text(
        "Rate limit {budget} nearly used up",
        "{share} or more of the rate limit {budget} has been used for {pressed_s} s",
    ),
    "budget_eased": Text(
        "Rate limit {budget} has room again", "the rate limit {budget} has room again, after {pressed_s} s"
    ),
    "clock_stepped": Text(
        "Clock offset measured again",
        "the venue refused our time stamp; its time was measured again: ours is off by {offset_ms} ms",
    ),
    "clock_skewed": Text(
        "Clock is off by {offset_ms} ms",
        "the venue refused our time stamp: this machine's clock is off by {offset_ms} ms; see to its time service "
        "(NTP)",
    ),
    "margin_called": Text(
        "Margin call: {symbol} is near its liquidation",
        "the {position_side} position of {quantity} {symbol} comes near its liquidation: its maintenance margin is "
        "{maintenance_margin}, its unrealised profit {unrealized_pnl}, the mark price {mark_price}",
    ),
    "position_liquidated": Text(
        "Position of {symbol} is closed by the venue",
        "the venue closes a position by an order of its own: {side} {quantity} {symbol}",
    ),
    "instrument_changed": Text(
        "{symbol} {how}", "{symbol} {how}[: {what}][; open orders that no longer fit: {off_grid}]"
    ),
    "instrument_ending": Text(
        "{symbol} ends within a day", "{symbol} is delivered or taken off the market at {ends_ms}"
    ),
    "handler_failed": Text(
        "Handler {handler} failed", "{handler} [raised {raised}|failed][ on {on}]; the others and the stream go on"
    ),
    "task_failed": Text("{task} failed", "{task} failed, and begins anew"),
    "task_given_up": Text("{task} failed", "{task} failed, and was given up"),
    "frame_garbled": Text("{connection} unreadable", "a frame on {connection} could not be read; the stream goes on"),
    "key_warning": Text("API key: {what}", "the API key should be seen to: {what}"),
    "key_cannot_trade": Text("API key: no right to trade", "the key may not trade derivatives"),
    "key_may_withdraw": Text("API key: right to withdraw", "the key may withdraw funds"),
    "key_unbound": Text(
        "API key: not bound to addresses",
        "the key is not bound to addresses: whoever learns it can use it from anywhere",
    ),
    "key_expires": Text("API key: expires soon", "the key expires [in {days_left} days|within a day]"),
    "key_expired": Text("API key: expired", "the key has expired"),
    "key_refused": Text("API key: refused", "the venue does not take the key any more"),
    "key_unread": Text("API key: its rights are unknown", "what the key may do could not be asked"),
    "test": Text("Test alert ({severity})", "this is a test: where you read it, alerts arrive"),
    "unforeseen": Text("{incident}", "{incident}"),
}

VALUES: Mapping[str, Mapping[str, str]] = {
    "days_left": {"0": ""},
    "unread_s": {"0": ""},
    "step": {
        "start": "the venue as a whole",
        "account": "the account's stream",
        "streams": "market data",
        "book": "the book",
    },
    "change": {"AMEND": "amended", "CANCEL": "cancelled"},
    "outcome": {"ACCEPTED": "accepted", "NOT_PLACED": "not placed", "UNRESOLVED": "unresolved"},
    "how": {"LISTED": "listed", "DELISTED": "delisted", "CHANGED": "changed"},
}

VENUES: Mapping[str, str] = {}

WHY = "[: {why}]"

REASONS: Mapping[str, str] = {}

FOREIGN = "{why}"
