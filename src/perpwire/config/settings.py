"""Settings: all that can be set, with what it means and what holds where nothing is said.

Each field's line under "Attributes" is what `perpwire config check` shows of it.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, Literal

import msgspec

from perpwire.api_connector.guards import Guards
from perpwire.api_connector.websocket_manager import StreamSettings
from perpwire.config.secret import Secret
from perpwire.errors import BadInput
from perpwire.venues import VENUES

Env = Literal["live", "testnet", "demo", "sim"]


class VenueSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is wanted of one venue.

    Attributes:
        symbols: Contracts to follow, such as "BTCUSDT" or "BTC/USDT:USDT".
        streams: Kinds of market data for each symbol: "trades", "quotes", "mark_price", "klines", "ticker",
            "liquidations".
        books: Symbols whose local order book is kept.
        account: Follow the account too: orders, fills, positions, balances. It needs a key.
        url: Address of an embedded exchange, such as http://127.0.0.1:9001, in place of the venue's own hosts.
        env: An environment for this venue alone, in place of the common one.
    """

    symbols: tuple[str, ...] = ()
    streams: tuple[Literal["trades", "quotes", "mark_price", "klines", "ticker", "liquidations"], ...] = (
        "trades",
        "quotes",
        "mark_price",
    )
    books: tuple[str, ...] = ()
    account: bool = True
    url: str = ""
    env: Env | None = None


class KeySettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where API keys come from; never from here, and never from the command line.

    Attributes:
        source: "environment" (BYBIT_API_KEY and so on), "file" (a TOML file that only you may read), or "keyring" (of
            the operating system; `perpwire keys store` puts one in).
        file: The key file, for source "file".
    """

    source: Literal["environment", "file", "keyring"] = "environment"
    file: Path | None = None


class OrderSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How orders are sent.

    Attributes:
        road: "rest", or "websocket" where the venue's trading socket is live (else REST).
        timeout_s: Longest wait for one answer, seconds.
        settle_patience_s: How long to go on asking after an order whose answer was lost, seconds.
        journal: Keep orders in a file before they are sent, in `state_dir`, so that a killed program settles them at
            its next start.
    """

    road: Literal["rest", "websocket"] = "rest"
    timeout_s: float = 10.0
    settle_patience_s: float = 60.0
    journal: bool = True

    def __post_init__(self) -> None:
        for name in ("timeout_s", "settle_patience_s"):
            if not 0 < getattr(self, name) < 86_400:
                raise ValueError(f"{name} must be above 0 and less than a day, in seconds")


class PageSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The status page of `perpwire serve`, with /metrics and /health.

    Attributes:
        host: Address to listen on. Other machines reach it only where this is not loopback; then a token is a must.
        port: TCP port; 0: any free one.
        token: What a visitor must know, where one is set: 16 characters or more. A secret: better by the variable.
        language: Of the page, unless the visitor's address says otherwise: "en", "ko", or "" for the browser's own.
    """

    host: str = "127.0.0.1"
    port: int = 8787
    token: Secret = Secret()
    language: Literal["", "en", "ko"] = ""

    def __post_init__(self) -> None:
        if not 0 <= self.port <= 65535:
            raise ValueError("port must be from 0 to 65535")
        if self.token and len(self.token.reveal()) < 16:
            raise ValueError("token must have 16 characters or more")


class RedisSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What `perpwire serve` hears, for other machines, by Redis Streams.

    Attributes:
        url: Of the server, such as redis://127.0.0.1:6379/0; nothing is sent where there is none. With user and
            password it is a secret: better by the variable.
        prefix: What the names of all streams begin with.
        send: "streams" (the market data that is followed), "books" (the changes of books that are kept), "account"
            (orders, fills, positions, balances), "incidents".
        most_kept: Entries that each stream keeps, about; older ones are dropped by Redis.
        market_waiting: Events of market data that wait while Redis does not take them; past these the oldest are
            dropped, and their readers told.
        account_waiting: The same of the account's events. Of incidents a thousand wait.
    """

    url: Secret = Secret()
    prefix: str = "perpwire"
    send: tuple[Literal["streams", "books", "account", "incidents"], ...] = ("streams", "account", "incidents")
    most_kept: int = 10_000
    market_waiting: int = 20_000
    account_waiting: int = 10_000

    def __post_init__(self) -> None:
        for name in ("most_kept", "market_waiting", "account_waiting"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be 1 or more")
        if not self.prefix or any(one.isspace() for one in self.prefix):
            raise ValueError("prefix must be a word")


class LogSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is logged, and where to.

    Attributes:
        level: "debug", "info", "warning" or "error".
        format: "text" for people, "json" for programs: one object a line.
        file: Write there in place of the standard error; begun anew at `megabytes`, three old ones are kept.
        megabytes: See file.
    """

    level: Literal["debug", "info", "warning", "error"] = "info"
    format: Literal["text", "json"] = "text"
    file: Path | None = None
    megabytes: int = 50

    def __post_init__(self) -> None:
        if self.megabytes < 1:
            raise ValueError("megabytes must be 1 or more")


class Settings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """All of it.

    Attributes:
        env: "live", "testnet", "demo", or "sim": an embedded exchange, and no venue is reached.
        venues: What is wanted of each venue; both, with BTCUSDT, where none is named.
        keys: Where API keys come from.
        streams: How streams are kept.
        orders: How orders are sent.
        guards: Limits of your own for orders.
        page: The status page.
        alerts: Who hears of what, how and when; a table of its own (docs/alerts.md).
        redis: Where what is heard is sent on to.
        logs: What is logged.
        state_dir: Folder for what outlives the program: orders under way, alerts that are not delivered yet.
    """

    env: Env = "sim"
    venues: Mapping[str, VenueSettings] = MappingProxyType({})
    keys: KeySettings = KeySettings()
    streams: StreamSettings = StreamSettings()
    orders: OrderSettings = OrderSettings()
    guards: Guards = Guards()
    page: PageSettings = PageSettings()
    alerts: Mapping[str, Any] = MappingProxyType({})
    redis: RedisSettings = RedisSettings()
    logs: LogSettings = LogSettings()
    state_dir: Path = Path("~/.local/state/perpwire")

    def __repr__(self) -> str:
        """Without the alerts' addresses, which hold secrets."""
        return f"<Settings env={self.env} venues={','.join(self.venues)}>"

    def venue(self, name: str) -> VenueSettings:
        """What is wanted of a venue, also where nothing is said of it."""
        return self.venues.get(name, VenueSettings(symbols=("BTCUSDT",)))

    def env_of(self, name: str) -> Env:
        return self.venue(name).env or self.env

    def names(self) -> tuple[str, ...]:
        """The venues that are wanted."""
        return tuple(self.venues) or tuple(VENUES)

    def state_file(self, name: str) -> Path:
        """A file in `state_dir`, whose folder exists then and is closed to others.

        Raises:
            BadInput: It can't be made.
        """
        folder = self.state_dir.expanduser()
        try:
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        except OSError as error:
            raise BadInput(
                f"state_dir {folder} can't be made: {error.strerror}", code="BAD_STATE_DIR",
                advice="Name a folder that this program may write to (state_dir, or PERPWIRE_STATE_DIR).",
            ) from None  # fmt: skip
        return folder / name
