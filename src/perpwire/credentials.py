"""An API key and its secret; neither shows in a repr, a log or an error."""

from __future__ import annotations

import os
from collections.abc import Mapping

from perpwire.errors import BadInput


class Credentials:
    """An API key with its secret.

    Environment variables are named as other tools name them: BINANCE_API_KEY and BINANCE_API_SECRET, with TESTNET or
    DEMO put in for those environments (BYBIT_TESTNET_API_KEY).
    """

    __slots__ = ("api_key", "secret_key")

    def __init__(self, api_key: str, secret_key: str) -> None:
        self.api_key = api_key
        self.secret_key = secret_key

    def __repr__(self) -> str:
        return "Credentials(api_key=***, secret_key=***)"

    def redact(self, text: str) -> str:
        """`text` with key and secret blanked out; venues repeat the key in their words about a bad signature."""
        for secret in (self.api_key, self.secret_key):
            if secret:
                text = text.replace(secret, "***")
        return text

    @classmethod
    def from_environment(cls, venue: str, env: str = "live", variables: Mapping[str, str] | None = None) -> Credentials:
        """Read the pair for a venue and environment.

        Raises:
            BadInput: A variable is missing; the message names it.
        """
        known = os.environ if variables is None else variables
        infix = "" if env == "live" else f"{env.upper()}_"
        names = (f"{venue.upper()}_{infix}API_KEY", f"{venue.upper()}_{infix}API_SECRET")
        missing = [name for name in names if not known.get(name)]
        if missing:
            raise BadInput(
                f"environment variable {' and '.join(missing)} not set",
                venue=venue,
                code="NO_CREDENTIALS",
                advice=f"Set {names[0]} and {names[1]}, or pass the key and secret yourself.",
            )
        return cls(known[names[0]], known[names[1]])
