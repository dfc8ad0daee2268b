"""What the venue's codes mean for the caller.

Source: usds-margined-futures/error-code, as of 2026-10-23. HTTP statuses and the texts of a 503 are judged in
refusals.py; here stands only what a code says by itself. A code that is not here is a plain VenueRefused.
"""

from __future__ import annotations

from perpwire.errors import (
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
    Overloaded,
    PositionModeMismatch,
    RateLimited,
    UnknownOrder,
    UnknownSymbol,
    VenueRefused,
)

ErrorClass = type[VenueRefused] | type[OutcomeUnknown]

_BY_CLASS: dict[ErrorClass, tuple[int, ...]] = {
    # Execution status unknown; for a read it is as good as Busy. -4083 is the catch-all of batches.
    OutcomeUnknown: (-1000, -1006, -1007, -4083),
    # Failed for certain, try again later. -5043: an earlier amendment of this order is still under way.
    Busy: (-1001, -1016, -5043, 239999),
    # Reduce-only and closing orders are exempt; of others some have been placed all the same.
    Overloaded: (-1008,),
    RateLimited: (-1003, -1015),
    # -5028: the time stamp was fine at the gateway and too old at the matching engine.
    ClockSkewed: (-1021, -5028),
    AuthenticationFailed: (-1002, -1022, -1099, -2014, -2015, -2017, -4056, -4057),
    UnknownOrder: (-2011, -2013),
    DuplicateOrder: (-4116,),
    InsufficientBalance: (-2018, -2019, -2027, -2028, -4050, -4051),
    OrderRejected: (
        # The market: nothing to trade with, would take, would trigger.
        -1112, -2010, -2020, -2021, -4131, -4142, -5021, -5022, -5041,
        # Reduce-only against the position as it is.
        -2022, -2024, -4118,
    ),
    NoChange: (-4046, -4052, -4059, -4171, -5027),
    PositionModeMismatch: (-4061,),
    NotAllowed: (
        -1011, -2023, -2025, -4022, -4045, -4047, -4048, -4049, -4053, -4054, -4067, -4068, -4087, -4088, -4105,
        -4106, -4107, -4109, -4130, -4140, -4141, -4161, -4167, -4168, -4169, -4170, -4172, -4188, -4189, -4192, -4202,
        -4203, -4205, -4206, -4208, -4209, -4400, -4401, -4402, -4403, -4408, -4531, -5024, -5026,
    ),
    # State that moved on under us: the listen key is gone, a batch cancel failed, the stop order is just triggering.
    VenueRefused: (-1125, -2012, -4117),
    UnknownSymbol: (-1121,),
    BadRequest: (
        -1004, -1005, -1010, -1013, -1014, -1020, -1023, -1100, -1101, -1102, -1103, -1104, -1105, -1106, -1108, -1109,
        -1110, -1111, -1113, -1114, -1115, -1116, -1117, -1118, -1119, -1120, -1122, -1126, -1127, -1128, -1130,
        -1136, -2016, -2026, -4000, -4001, -4002, -4003, -4004, -4005, -4006, -4007, -4008, -4009, -4010, -4011, -4012,
        -4013, -4014, -4015, -4016, -4017, -4018, -4019, -4020, -4021, -4023, -4024, -4025, -4026, -4027, -4028, -4029,
        -4030, -4031, -4032, -4033, -4044, -4055, -4058, -4060, -4062, -4063, -4064, -4065, -4066, -4069, -4070, -4071,
        -4072, -4073, -4074, -4075, -4076, -4077, -4078, -4079, -4080, -4081, -4082, -4084, -4085, -4086, -4104, -4114,
        -4115, -4120, -4135, -4137, -4138, -4139, -4144, -4164, -4165, -4166, -4183, -4184, -4210, -4211, -5000, -5025,
        -5029, -5037, -5038, -5039, -5040, -5047, -21015,
    ),
}  # fmt: skip

ERROR_CODES: dict[int, ErrorClass] = {code: kind for kind, codes in _BY_CLASS.items() for code in codes}

DOUBTFUL_WHEN_PLACING = frozenset({-1010})
"""An error message was received from behind the gateway: where something was to be created, it may have been."""

ADVICE: dict[int, str] = {
    -1022: "Check the secret, and that it belongs to this key; the key's type (HMAC, RSA, Ed25519) must match it.",
    -1125: "The listen key has run out: create a new one and open the private stream again.",
    -2014: "The API key is malformed: check for missing or extra characters.",
    -2015: "Check the key, its permission for futures, and its list of allowed IP addresses.",
    -2022: "Nothing was placed. Read the position: a reduce-only order may only make it smaller.",
    -2024: "Nothing was placed. Read the position: it is smaller than the order.",
    -2025: "Too many orders are open on this symbol: cancel some first.",
    -2027: "The position would be too large for the leverage set: lower the leverage or the size.",
    -2028: "The leverage is too low for the margin there is: add margin or close some of the position.",
    -4016: "The price is too far above the mark price: re-price the order.",
    -4024: "The price is too far below the mark price: re-price the order.",
    -4061: "The account is in the other position mode: BOTH is for one-way mode, LONG and SHORT for hedge mode.",
    -4118: "Nothing was placed. Other reduce-only orders already close the whole position.",
    -4120: "Conditional orders are taken by the venue's algo service only.",
    -4164: "Raise price x quantity to the least notional, or send the order reduce-only.",
    -5043: "The last change of this order is still being made; wait for it.",
}
"""What to do about a code, where more can be said than its class does."""
