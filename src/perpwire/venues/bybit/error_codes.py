"""What the venue's codes mean for the caller: one table.

Source: docs/v5/error, docs/v5/ws/trade, as of 2026-07-24, with codes seen in other connectors. Whether a code is about
a request that may have taken effect decides OutcomeUnknown; for a call that only reads it counts as Busy.
"""

from __future__ import annotations

from collections.abc import Mapping

from perpwire.errors import (
    APIError,
    AuthenticationFailed,
    BadRequest,
    Busy,
    ClockSkewed,
    DuplicateOrder,
    InsufficientBalance,
    NoChange,
    NotAllowed,
    OrderRejected,
    OutcomeUnknown,
    PositionModeMismatch,
    RateLimited,
    UnknownOrder,
    UnknownSymbol,
    VenueRefused,
)

ERROR_CODES: Mapping[int, type[APIError]] = {
    # --- general ---
    -1: ClockSkewed,  # request expired
    429: OutcomeUnknown,  # trading service overloaded
    10000: OutcomeUnknown,  # server timeout
    10001: BadRequest,  # parameter error; see BY_WORDS_OF_10001
    10002: ClockSkewed,
    10003: AuthenticationFailed,  # unknown key, or another environment's
    10004: AuthenticationFailed,  # bad signature
    10005: AuthenticationFailed,  # permission missing
    10006: RateLimited,  # the account's limit for this endpoint
    10007: AuthenticationFailed,
    10008: NotAllowed,  # banned, or wrong account mode
    10009: NotAllowed,  # region
    10010: AuthenticationFailed,  # this IP is not bound to the key
    10014: VenueRefused,  # duplicate request
    10016: OutcomeUnknown,  # server error, or the service restarts
    10017: BadRequest,  # no such path
    10018: RateLimited,  # IP limit, retired
    10019: OutcomeUnknown,  # WebSocket trade restarts: new requests are refused, those under way go on
    10024: NotAllowed,  # compliance
    10027: NotAllowed,  # trading banned
    10028: NotAllowed,  # only for unified accounts
    10029: NotAllowed,  # symbol not on the key's list
    100028: NotAllowed,  # not for unified accounts
    500000: OutcomeUnknown,
    33004: AuthenticationFailed,  # key expired (derivatives)
    -2015: AuthenticationFailed,  # key expired (spot)
    30133: NotAllowed,  # 30133 to 30136: institutional loan
    30134: NotAllowed,
    30135: NotAllowed,
    30136: NotAllowed,
    30208: OrderRejected,  # price above the highest buy
    30209: OrderRejected,  # price below the lowest sell
    30228: NotAllowed,  # delisting, no new positions
    34040: NoChange,
    40004: VenueRefused,  # order changed while being replaced
    181017: BadRequest,  # history asked for an open status
    # --- orders and positions ---
    110001: UnknownOrder,  # does not exist, or too late to cancel or replace
    110003: BadRequest,  # price out of range
    110004: InsufficientBalance,
    110005: VenueRefused,  # the position is being liquidated or deleveraged
    110006: InsufficientBalance,
    110007: InsufficientBalance,
    110008: UnknownOrder,  # completed or cancelled
    110009: VenueRefused,  # too many stop orders
    110010: UnknownOrder,  # already cancelled
    110011: BadRequest,  # would trigger liquidation
    110012: InsufficientBalance,
    110013: BadRequest,  # risk limit
    110014: InsufficientBalance,
    110015: NotAllowed,  # not in this margin mode
    110016: VenueRefused,  # retired
    110017: OrderRejected,  # reduce-only can't apply
    110018: BadRequest,  # user id
    110019: BadRequest,  # order id
    110020: VenueRefused,  # 500 active orders
    110021: VenueRefused,  # open-interest share
    110022: NotAllowed,  # only reducing is allowed
    110023: NotAllowed,
    110024: VenueRefused,  # position blocks the mode switch
    110025: NoChange,  # position mode
    110026: NoChange,  # margin mode
    110027: NoChange,  # margin
    110028: VenueRefused,  # orders block the mode switch
    110029: NotAllowed,  # no hedge mode for this symbol
    110030: VenueRefused,  # retired
    110031: BadRequest,  # risk limit
    110032: BadRequest,
    110033: VenueRefused,  # no position
    110034: VenueRefused,
    110035: VenueRefused,  # cancel not finished before liquidation
    110036: NotAllowed,  # not in this margin mode
    110037: BadRequest,
    110038: NotAllowed,
    110039: BadRequest,  # would trigger liquidation
    110040: BadRequest,
    110041: BadRequest,
    110042: NotAllowed,  # only reducing is allowed
    110043: NoChange,  # leverage
    110044: InsufficientBalance,
    110045: InsufficientBalance,
    110046: BadRequest,  # would trigger liquidation
    110047: BadRequest,  # risk limit
    110048: BadRequest,
    110049: BadRequest,
    110050: BadRequest,
    110051: InsufficientBalance,
    110052: InsufficientBalance,
    110053: InsufficientBalance,
    110054: BadRequest,  # 110054 to 110061: take-profit and stop-loss rules
    110055: BadRequest,
    110056: BadRequest,
    110057: BadRequest,
    110058: BadRequest,
    110059: BadRequest,
    110060: BadRequest,
    110061: BadRequest,
    110063: Busy,  # settlement in progress
    110064: VenueRefused,  # new quantity is not above the filled one
    110066: Busy,  # trading currently not allowed
    110067: NotAllowed,  # 110067 to 110071: account not eligible
    110068: NotAllowed,
    110069: NotAllowed,
    110070: NotAllowed,
    110071: NotAllowed,
    110072: DuplicateOrder,
    110073: VenueRefused,  # margin mode could not be set
    110074: NotAllowed,  # contract not live
    110075: VenueRefused,  # retired
    110076: NotAllowed,  # not in this margin mode
    110077: NotAllowed,
    110078: BadRequest,  # margin reduction too large
    110079: Busy,  # the order is being processed
    110080: NotAllowed,  # institutional loan
    110082: VenueRefused,  # a new risk limit is to be confirmed
    110083: VenueRefused,
    110085: VenueRefused,
    110086: BadRequest,  # leverage above the tier's
    110087: NotAllowed,  # institutional loan
    110089: BadRequest,  # risk limit
    110090: BadRequest,  # size above the tier's
    110092: OrderRejected,  # trigger price on the wrong side: a rise was expected
    110093: OrderRejected,  # ... a fall was expected
    110094: BadRequest,  # below the least notional
    110095: NotAllowed,  # 110095 to 110100, 110103: pre-market phases
    110096: NotAllowed,
    110097: NotAllowed,
    110098: NotAllowed,
    110099: NotAllowed,
    110100: NotAllowed,
    110103: NotAllowed,
    110104: NotAllowed,  # 110104 to 110107, 110131: institutional loan
    110105: NotAllowed,
    110106: NotAllowed,
    110107: NotAllowed,
    110108: BadRequest,  # slippage tolerance
    110109: BadRequest,
    110110: BadRequest,  # 110110 to 110117: spread trading
    110111: BadRequest,
    110112: BadRequest,
    110113: BadRequest,
    110114: BadRequest,
    110115: BadRequest,
    110116: BadRequest,
    110117: BadRequest,
    110118: OrderRejected,  # no price for a market order
    110119: NotAllowed,  # RPI orders
    110120: OrderRejected,  # price below the limit
    110121: OrderRejected,  # price above the limit
    110123: NotAllowed,  # trading terms not signed
    110124: NotAllowed,  # cooling-off period
    110125: NotAllowed,
    110131: NotAllowed,
    110132: NotAllowed,  # region
    110135: BadRequest,  # 110135 to 110137: event futures
    110136: BadRequest,
    110137: BadRequest,
    # --- accounts ---
    3100181: BadRequest,  # user id missing
    3100197: VenueRefused,  # banned while the account is upgraded
    3200320: NotAllowed,  # 32004xx: margin mode switching
    3200403: NotAllowed,
    3200419: NotAllowed,
    3200425: NotAllowed,
    3200641: NotAllowed,
    3400045: VenueRefused,  # margin mode could not be set
    3400052: NotAllowed,  # open orders or positions block the upgrade
    3400053: NotAllowed,
    3400054: NotAllowed,
    3400139: BadRequest,  # value above the risk limit
    3400208: NotAllowed,
    3400209: NotAllowed,
    3400210: NotAllowed,
    3400211: NotAllowed,
    3400212: NotAllowed,
    3400213: NotAllowed,
    3400214: Busy,  # server error
    # --- spot codes that linear calls can meet ---
    170001: OutcomeUnknown,
    170007: OutcomeUnknown,
    170032: OutcomeUnknown,
    170146: OutcomeUnknown,
    170147: OutcomeUnknown,
    170213: UnknownOrder,
    170346: BadRequest,  # collateral switched off
    170360: BadRequest,
    # --- WebSocket trade ---
    10403: RateLimited,  # 3000 requests a second of one IP
    10404: BadRequest,  # unknown operation
    10429: OutcomeUnknown,  # system protection
    20001: NoChange,  # logged in already
    20003: RateLimited,  # too fast on this socket
    20006: VenueRefused,  # request id used twice: the earlier request was taken
}

BY_WORDS_OF_10001: Mapping[str, type[APIError]] = {
    "not modified": NoChange,
    "symbol invalid": UnknownSymbol,
    "position idx not match position mode": PositionModeMismatch,
}
"""10001 stands for many things. Where the code alone can't tell, these words of its text, in lower case, do."""

ADVICE: Mapping[int, str] = {
    10001: "Correct the parameter named in the reason; sizes and prices must fit the instrument's rules.",
    10005: "Give the key the permission Contract Trade (orders and positions), read-write.",
    10010: "Bind this machine's IP address to the key, or use a key without a binding.",
    10029: "Add the symbol to the key's list of symbols.",
    33004: "The key has expired: renew it on the venue's site.",
    110009: "Cancel conditional orders of this symbol first; at most 10 are kept.",
    110017: "Read the position: a reduce-only order can only shrink it.",
    110020: "Cancel some orders of this symbol first; at most 500 are kept.",
    110064: "The new quantity must be above what is filled already.",
    110074: "The contract is not trading now.",
    110092: "The last price is past the trigger already: read it and choose the trigger anew.",
    110093: "The last price is past the trigger already: read it and choose the trigger anew.",
    110094: "Raise the quantity: price x quantity must reach the instrument's min_notional.",
    110118: "The book is too thin for a market order: use a limit order.",
    110123: "The master account must accept the trading terms on the venue's site.",
    110125: "The master account must accept the trading terms on the venue's site.",
}
"""Advice where the error class's own is too general."""
