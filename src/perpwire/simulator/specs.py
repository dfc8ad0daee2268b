"""What an exchange is made of: accounts, contracts, risk tiers; and an account's sums."""

from __future__ import annotations

from decimal import Decimal, localcontext
from typing import Final

import msgspec

from perpwire.model.instrument import Instrument
from perpwire.simulator.records import SimPosition

SETTLE_ASSET: Final = "USDT"
"""What every contract of these exchanges settles in."""

PRECISION: Final = 28
"""Digits that decimal numbers must have for sums and products to stay exact here: what Python gives them by itself."""

_CASH_STEP = Decimal("1E-8")
_TOO_MUCH_CASH = Decimal("1E+15")


LOOPBACK: Final = ("127.0.0.1", "::1")


class KeySpec(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What an API key may do.

    Attributes:
        trading: Place orders, and change settings.
        withdrawals: Take funds out.
        ips: Addresses that it is taken from; none: any. Only loopback reaches an embedded exchange by itself, so that
            LOOPBACK is told but not held against whoever comes.
        expires_ms: Unix milliseconds, from which on it is refused; 0: never.
    """

    trading: bool = True
    withdrawals: bool = False
    ips: tuple[str, ...] = LOOPBACK
    expires_ms: int = 0

    def takes(self, address: str) -> bool:
        """It may be used from `address`; "" is inside."""
        return not self.ips or not address or self.ips == LOOPBACK or address in self.ips


class AccountSpec(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An account to be: its name, key pair and starting cash (in steps of 1e-8, from 0 to below 1e15).

    With a public key (PEM: Ed25519 or RSA) its requests are signed by the private key to it, not by the secret. `key`
    says what the key may do.

    Raises:
        ValueError: Other cash, or an asset other than SETTLE_ASSET.
    """

    name: str = "main"
    api_key: str = "sim-key"
    secret_key: str = "sim-secret"
    public_key: str = ""
    cash: Decimal = Decimal(100000)
    asset: str = SETTLE_ASSET
    key: KeySpec = KeySpec()

    def __post_init__(self) -> None:
        cash = self.cash
        if not (cash.is_finite() and 0 <= cash < _TOO_MUCH_CASH):
            raise ValueError(f"cash {cash} of account {self.name!r} must be from 0 to below {_TOO_MUCH_CASH}")
        with localcontext(prec=PRECISION):
            is_fine = cash == cash.quantize(_CASH_STEP)
        if not is_fine:
            raise ValueError(f"cash {cash} of account {self.name!r} has more than eight decimals")
        if self.asset != SETTLE_ASSET:
            raise ValueError(f"asset {self.asset!r} of account {self.name!r} must be {SETTLE_ASSET}")


class Tier(msgspec.Struct, frozen=True, kw_only=True):
    """A step of a contract's risk limits, by the value of a position in quote.

    Attributes:
        number: The venue's own number of it.
        floor, cap: Values from above `floor` up to `cap` are in it.
        max_leverage: The most that a position of such value may have.
        maintenance_rate: Maintenance margin is value x this - deduction.
        deduction: What keeps the maintenance margin continuous from step to step.
    """

    number: int = 1
    floor: Decimal = Decimal(0)
    cap: Decimal = Decimal(1_000_000_000)
    max_leverage: Decimal = Decimal(125)
    maintenance_rate: Decimal = Decimal("0.005")
    deduction: Decimal = Decimal(0)


def tiers(*rows: tuple[str, str, str], first: int = 1) -> tuple[Tier, ...]:
    """Tiers by (cap, greatest leverage, maintenance rate), lowest first; floors and deductions follow from these."""
    made: list[Tier] = []
    for number, (cap, leverage, rate) in enumerate(rows, first):
        before = made[-1] if made else None
        floor = before.cap if before else Decimal(0)
        deduction = before.deduction + floor * (Decimal(rate) - before.maintenance_rate) if before else Decimal(0)
        made.append(
            Tier(
                number=number,
                floor=floor,
                cap=Decimal(cap),
                max_leverage=Decimal(leverage),
                maintenance_rate=Decimal(rate),
                deduction=deduction,
            )
        )
    return tuple(made)


class SymbolSpec(msgspec.Struct, frozen=True, kw_only=True):
    """A contract to be, and where its price starts. Fees and funding bounds are fractions (0.0004 is 4 bp).

    Attributes:
        leverage: Of an account that has not chosen one.
        tiers: Lowest first, without gaps.
        liquidation_fee: Share of a liquidated value that goes to the insurance fund.
    """

    instrument: Instrument
    start_price: Decimal
    taker_fee: Decimal
    maker_fee: Decimal
    leverage: Decimal = Decimal(20)
    tiers: tuple[Tier, ...] = (Tier(),)
    liquidation_fee: Decimal = Decimal(0)
    funding_cap: Decimal = Decimal("0.003")
    funding_floor: Decimal = Decimal("-0.003")

    @property
    def max_leverage(self) -> Decimal:
        return self.tiers[0].max_leverage

    def tier(self, value: Decimal) -> Tier:
        """The tier of a position of this value; the last one beyond all caps."""
        return next((tier for tier in self.tiers if value <= tier.cap), self.tiers[-1])

    def cap_at(self, leverage: Decimal) -> Decimal:
        """The greatest value of a position at this leverage."""
        allowed = [tier.cap for tier in self.tiers if tier.max_leverage >= leverage]
        return allowed[-1] if allowed else Decimal(0)


class AccountView(msgspec.Struct, frozen=True, kw_only=True):
    """An account's sums at the current mark prices, in its settle asset.

    Attributes:
        wallet: All its cash; cross_wallet: what is not set aside for isolated positions.
        initial_margin, maintenance_margin: Of positions; order_margin: what open orders hold back.
    """

    wallet: Decimal
    cross_wallet: Decimal
    unrealized_pnl: Decimal
    cross_unrealized_pnl: Decimal
    initial_margin: Decimal
    cross_initial_margin: Decimal
    order_margin: Decimal
    maintenance_margin: Decimal
    cross_maintenance_margin: Decimal

    @property
    def equity(self) -> Decimal:
        return self.wallet + self.unrealized_pnl

    @property
    def cross_equity(self) -> Decimal:
        return self.cross_wallet + self.cross_unrealized_pnl

    @property
    def free(self) -> Decimal:
        """Cross equity that neither positions nor orders hold; below 0 where they hold more than there is."""
        return self.cross_equity - self.cross_initial_margin - self.order_margin

    @property
    def available(self) -> Decimal:
        return max(Decimal(0), self.free)


class PositionView(msgspec.Struct, frozen=True, kw_only=True):
    """A position at the current mark price.

    Attributes:
        order_margin: What the symbol's open orders hold back.
        liquidation_price: None where no price would liquidate it.
        bankruptcy_price: Where nothing is left of its margin; None where it is flat.
        tier: That of what the position may become by its open orders.
        adl_rank: 1 to 5, 5 being the first to be closed against a bankrupt one; 0 where it is flat.
    """

    position: SimPosition
    mark_price: Decimal
    unrealized_pnl: Decimal
    initial_margin: Decimal
    maintenance_margin: Decimal
    order_margin: Decimal
    liquidation_price: Decimal | None
    bankruptcy_price: Decimal | None
    tier: Tier
    adl_rank: int
