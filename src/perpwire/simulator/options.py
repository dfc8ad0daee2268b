"""From what a user says (a command's flags, a test's marker, files) to the options of a simulation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, cast

import msgspec

from perpwire.simulator.dialect import DialectOptions
from perpwire.simulator.faults import AnyFault
from perpwire.simulator.listing import Listing
from perpwire.simulator.profiles import PROFILES, profile
from perpwire.simulator.scripts import read_script
from perpwire.simulator.simulation import Setup, SetupOptions
from perpwire.simulator.specs import AccountSpec
from perpwire.venues import VENUES

ROUTES = ("strict", "lenient")
DEFAULT_SEED = Setup().seed

_UNREADABLE = (msgspec.DecodeError, RecursionError, ValueError)
_PLAIN = frozenset(SetupOptions.__annotations__)
_WORDS = frozenset({"latency_ms", "routes"})


def setup_options(said: Mapping[str, Any]) -> SetupOptions:
    """Options of a simulation. Beside those of simulation.Setup there are

    | option | is |
    |---|---|
    | latency_ms | latency_s in milliseconds |
    | routes | "strict" or "lenient" |
    | accounts | a file, or a list of AccountSpec or of dictionaries of its fields |
    | symbols | a file, or a list of Listing or of dictionaries of its fields |
    | faults | a profile's name, a file, a list of faults for each venue, or such lists by venue; as structs or not |

    Raises:
        TypeError: There is no such option.
        OSError: A file can't be read.
        ValueError: It does not hold what it should; the message names it.
    """
    unknown = sorted(set(said) - _PLAIN - _WORDS)
    if unknown:
        known = ", ".join(sorted(_PLAIN - {"latency_s", "options"} | _WORDS))
        raise TypeError(f"no option {', '.join(unknown)} of an exchange; there are {known}")
    made: dict[str, Any] = dict(said)
    if (latency_ms := made.pop("latency_ms", None)) is not None:
        made["latency_s"] = latency_ms / 1000
    if (routes := made.pop("routes", None)) is not None:
        if routes not in ROUTES:
            raise ValueError(f"routes {routes!r} must be strict or lenient")
        made["options"] = DialectOptions(lenient_routes=routes == "lenient")
    listings: tuple[Listing, ...] = ()
    if (accounts := made.get("accounts")) is not None:
        if _is_file(accounts):
            made["accounts"], listings = read_accounts_and_symbols(accounts)
        else:
            made["accounts"] = _distinct(msgspec.convert(_plain(accounts), tuple[AccountSpec, ...]))
    if (symbols := made.pop("symbols", None)) is not None:
        given = read_symbols(symbols) if _is_file(symbols) else msgspec.convert(_plain(symbols), tuple[Listing, ...])
        listings += _checked(given)
    if listings:
        made["symbols"] = listings
    if (faults := made.get("faults")) is not None:
        made["faults"] = _faults(faults, tuple(made.get("venues", VENUES)), made.get("seed", DEFAULT_SEED))
    return cast(SetupOptions, made)


def read_accounts(path: Path | str) -> tuple[AccountSpec, ...]:
    """
    Raises:
        OSError: The file can't be read.
        ValueError: See read_accounts_and_symbols.
    """
    return read_accounts_and_symbols(path)[0]


class _World(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    accounts: tuple[AccountSpec, ...] = (AccountSpec(),)
    symbols: tuple[Listing, ...] = ()


def read_accounts_and_symbols(path: Path | str) -> tuple[tuple[AccountSpec, ...], tuple[Listing, ...]]:
    """A JSON list of accounts, or an object with "accounts", "symbols", or both.

    Raises:
        OSError: The file can't be read.
        ValueError: It holds something else (see AccountSpec and Listing for what they may hold), or two of them share a
            name or key; the message names the file.
    """
    try:
        text = Path(path).read_bytes()
        if text.lstrip().startswith(b"{"):
            world = msgspec.json.decode(text, type=_World)
            return _distinct(world.accounts), _checked(world.symbols)
        return _distinct(msgspec.json.decode(text, type=tuple[AccountSpec, ...])), ()
    except _UNREADABLE as error:
        raise ValueError(f"{path}: {error}") from None


def read_symbols(path: Path | str) -> tuple[Listing, ...]:
    """A JSON list of contracts.

    Raises:
        OSError: The file can't be read.
        ValueError: It holds something else, or one twice; the message names the file.
    """
    try:
        return _checked(msgspec.json.decode(Path(path).read_bytes(), type=tuple[Listing, ...]))
    except _UNREADABLE as error:
        raise ValueError(f"{path}: {error}") from None


def read_faults(path: Path | str, venue: str, seed: int = DEFAULT_SEED) -> list[AnyFault]:
    """A venue's faults, out of a file (see scripts.py), or of a profile (see profiles.py) where its name is given.

    Raises:
        OSError: The file can't be read.
        ValueError: It is no script of faults, or has some for a venue that there is not; the message names the file.
    """
    if isinstance(path, str) and path in PROFILES:
        return profile(path, venue, seed)
    try:
        return read_script(Path(path).read_bytes(), venue)
    except FileNotFoundError:
        raise FileNotFoundError(f"{path} is neither a file nor a profile ({', '.join(PROFILES)})") from None
    except _UNREADABLE as error:
        raise ValueError(f"{path}: {error}") from None


def _faults(said: Any, venues: Sequence[str], seed: int) -> dict[str, list[AnyFault]]:
    if _is_file(said):
        return {venue: read_faults(said, venue, seed) for venue in venues}
    text = msgspec.json.encode(said)
    return {venue: read_script(text, venue) for venue in venues}


def _distinct(accounts: tuple[AccountSpec, ...]) -> tuple[AccountSpec, ...]:
    if not accounts:
        raise ValueError("no account in it")
    for what in ("name", "api_key"):
        if len({getattr(account, what) for account in accounts}) < len(accounts):
            raise ValueError(f"two accounts have the same {what}")
    return accounts


def _checked(listings: tuple[Listing, ...]) -> tuple[Listing, ...]:
    seen: set[tuple[str, str]] = set()
    for listing in listings:
        for venue in listing.venues or tuple(VENUES):
            if venue not in VENUES:
                raise ValueError(f"{listing.symbol}: {venue!r} is no venue; known are {', '.join(VENUES)}")
            if (listing.symbol, venue) in seen:
                raise ValueError(f"{listing.symbol} is listed twice")
            seen.add((listing.symbol, venue))
    return listings


def _is_file(said: object) -> bool:
    return isinstance(said, (str, Path))


def _plain(said: object) -> object:
    """Structures become dictionaries, so that lists may mix both."""
    return msgspec.to_builtins(said)
