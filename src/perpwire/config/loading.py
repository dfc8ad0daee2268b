"""From a file and the environment to Settings, or to an error that says which word of which of them is wrong."""

from __future__ import annotations

import difflib
import os
import re
import stat
import tomllib
from collections.abc import Iterator, Mapping
from decimal import Decimal
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple, TypeVar, get_args, get_origin

import msgspec

from perpwire.config import described
from perpwire.config.secret import Secret
from perpwire.config.settings import Settings, VenueSettings
from perpwire.errors import BadInput

Tables = Mapping[str, type[msgspec.Struct]]

DEFAULT = "default"
FILE = "perpwire.toml"
VARIABLE = "PERPWIRE_CONFIG"
_PREFIX = "PERPWIRE_"
T = TypeVar("T")

_TRUE, _FALSE = ("1", "true", "yes", "on"), ("0", "false", "no", "off")


class Loaded(NamedTuple):
    """Settings, and where each word of them comes from.

    Attributes:
        settings: What holds.
        file: The file that was read; None where there is none.
        origins: Name of a setting ("page.port") -> the file's name or the variable's; the rest are defaults.
    """

    settings: Settings
    file: Path | None
    origins: Mapping[str, str]


def load(path: Path | str | None = None, environ: Mapping[str, str] | None = None) -> Loaded:
    """Read the file, and let variables of the environment (PERPWIRE_PAGE_PORT for page.port) have the last word.

    Args:
        path: The file. None: the one that PERPWIRE_CONFIG names, or ./perpwire.toml, or
            ~/.config/perpwire/perpwire.toml; or none.
        environ: The environment; None: this process's own.

    Raises:
        BadInput: The file can't be read, is no TOML, has a word that is not known or a value that can't be, or holds
            secrets and is open to others; or a variable does.
    """
    environ = os.environ if environ is None else environ
    file = _found(path, environ)
    said: dict[str, Any] = {}
    origins: dict[str, str] = {}
    if file is not None:
        said = _read(file)
        _check_names(said, file)
        _check_mode(said, file)
        origins = {".".join(one): file.name for one in _leaves(said)}
    for setting, variable, text in _variables(environ):
        _put(said, setting.path, _value(setting, variable, text))
        origins[setting.name] = variable
    return Loaded(_settings(said, file, origins), file, origins)


# --- the file ---------------------------------------------------------------------------------------------------------


def _found(path: Path | str | None, environ: Mapping[str, str]) -> Path | None:
    named = path or environ.get(VARIABLE)
    if named:
        return Path(named).expanduser()
    places = (Path(FILE), Path(environ.get("XDG_CONFIG_HOME") or "~/.config").expanduser() / "perpwire" / FILE)
    return next((one for one in places if one.is_file()), None)


def _read(file: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(file.read_text(encoding="utf-8"), parse_float=Decimal)
    except OSError as error:
        why = error.strerror or type(error).__name__
    except UnicodeDecodeError:
        why = "it is no text"
    except tomllib.TOMLDecodeError as error:
        why = str(error)
    raise BadInput(
        f"{file} can't be read: {why}", code="BAD_CONFIG", advice="`perpwire config init` writes an example."
    )


def _check_names(said: Mapping[str, Any], file: Path) -> None:
    known = described.known()
    tables = {one.path for one in known if described.is_table(one.type)}
    names = {one.path[: n + 1] for one in known for n in range(len(one.path))}
    for path in _paths(said, tables):
        if path in names:
            continue
        siblings = sorted({one[-1] for one in names if one[:-1] == path[:-1]})
        near = difflib.get_close_matches(path[-1], siblings, 1)
        hint = f"did you mean {near[0]!r}?" if near else f"there are {', '.join(siblings)}"
        raise BadInput(f"{file.name}: {'.'.join(path)} is not known: {hint}", code="UNKNOWN_SETTING")


def _paths(
    said: Mapping[str, Any], tables: set[tuple[str, ...]], above: tuple[str, ...] = ()
) -> Iterator[described.Path]:
    """Every name in the file, but for what stands in tables of free names."""
    for name, value in said.items():
        path = (*above, name)
        yield path
        if isinstance(value, dict) and path not in tables:
            yield from _paths(value, tables, path)


def _leaves(said: Mapping[str, Any]) -> Iterator[described.Path]:
    known = {one.path for one in described.known()}
    return (path for path in _paths(said, known) if path in known)


def _check_mode(said: Mapping[str, Any], file: Path) -> None:
    """What others may read must hold no secret."""
    holds = [
        name for name in ("alerts", "page") if "://" in str(said.get(name, "")) or "token" in str(said.get(name, ""))
    ]
    if any(sign in str(said.get("redis", "")) for sign in ("@", "password")):
        holds.append("redis")
    if not holds or os.name != "posix" or not file.stat().st_mode & (stat.S_IRGRP | stat.S_IROTH | stat.S_IWOTH):
        return
    raise BadInput(
        f"{file} holds secrets ({' and '.join(holds)}) and is open to others",
        code="CONFIG_FILE_OPEN",
        advice=f"Close it: chmod 600 {file}. If others could read it, replace what it holds.",
    )


# --- the environment --------------------------------------------------------------------------------------------------


def _variables(environ: Mapping[str, str]) -> Iterator[tuple[described.Setting, str, str]]:
    known = {one.variable: one for one in described.known() if one.variable is not None}
    for variable in sorted(environ):
        if not variable.startswith(_PREFIX) or variable == VARIABLE:
            continue
        setting = known.get(variable)
        if setting is None:
            near = difflib.get_close_matches(variable, known, 1)
            hint = f"did you mean {near[0]}?" if near else "`perpwire config check --json` lists them"
            raise BadInput(f"the environment's {variable} sets nothing: {hint}", code="UNKNOWN_SETTING")
        yield setting, variable, environ[variable]


def _value(setting: described.Setting, variable: str, text: str) -> object:
    kind = setting.type
    if get_origin(kind) is tuple:
        return [word.strip() for word in text.split(",") if word.strip()]
    if kind is bool:
        if text.lower() not in (*_TRUE, *_FALSE):
            raise BadInput(f"{variable} must be true or false", code="BAD_SETTING")
        return text.lower() in _TRUE
    if Path in (kind, *get_args(kind)):
        return str(Path(text).expanduser().absolute())
    return text


def _put(said: dict[str, Any], path: described.Path, value: object) -> None:
    for name in path[:-1]:
        said = said.setdefault(name, {})
    said[path[-1]] = value


# --- both -------------------------------------------------------------------------------------------------------------


def _settings(said: Mapping[str, Any], file: Path | None, origins: Mapping[str, str]) -> Settings:
    folder = Path() if file is None else file.parent

    def hook(kind: type, value: object) -> object:
        if kind is VenueSettings and isinstance(value, VenueSettings):
            return value
        if not isinstance(value, str):
            raise TypeError("Expected a text in quotation marks")
        return Secret(value) if kind is Secret else folder / Path(value).expanduser()

    def made(above: str, value: object, kind: type[T]) -> T:
        try:
            return msgspec.convert(value, kind, strict=False, dec_hook=hook)
        except msgspec.ValidationError as error:
            words, _, place = str(error).partition(" - at `$")
            if isinstance(error.__cause__, BadInput):
                words = error.__cause__.reason
            name = (above + place.lstrip(".").rstrip("`")).rstrip(".")
        plain = re.sub(r"\[.*", "", name)
        if words.startswith("Invalid enum value"):
            words += f"; there are {', '.join(map(repr, described.allowed(plain)))}"
        where = origins.get(plain, "settings" if file is None else file.name)
        raise BadInput(f"{where}: {name}: {words}", code="BAD_SETTING")

    if isinstance(venues := said.get("venues"), dict):
        # Each by itself, so that an error says which.
        said = {**said, "venues": {name: made(f"venues.{name}.", one, VenueSettings) for name, one in venues.items()}}
    return made("", said, Settings)


# --- for people -------------------------------------------------------------------------------------------------------


class Row(NamedTuple):
    """One setting, for `perpwire config check`.

    Attributes:
        name: Such as "page.port".
        value: As text; "***" for what is secret.
        origin: DEFAULT, the file's name, or the variable's.
        words: What it means.
        variable: What sets it in the environment; None where nothing can.
        default: What holds where nothing is said, as text.
    """

    name: str
    value: str
    origin: str
    words: str
    variable: str | None
    default: str


def explained(loaded: Loaded, tables: Tables = MappingProxyType({})) -> list[Row]:
    """Every setting with its value, where that comes from and what it means.

    Args:
        tables: Of tables that others read, such as "alerts": what can stand in them.
    """
    rows: list[Row] = []
    file = "" if loaded.file is None else loaded.file.name
    for setting in described.known():
        value = _said(loaded.settings, setting.path)
        if value is _NOT_SAID:
            continue
        if setting.name in tables:
            rows += _table_rows(tables[setting.name], setting.path, value, file)
            continue
        origin = loaded.origins.get(setting.name, DEFAULT)
        rows.append(_row(setting, setting.path, value, origin, setting.variable))
    return rows


def _table_rows(kind: type[msgspec.Struct], above: described.Path, said: Any, file: str) -> Iterator[Row]:
    """Of a table of the file that no variable sets; of what bears a name of the user's own each that there is, and else
    what it could be."""
    for setting in described.known(kind, above):
        paths = [setting.path]
        if described.NAME in setting.path:
            at = setting.path.index(described.NAME)
            named = _said(said, setting.path[len(above) : at])
            names = list(named) if isinstance(named, Mapping) else []
            paths = [(*setting.path[:at], name, *setting.path[at + 1 :]) for name in names] or paths
        for path in paths:
            value = _said(said, path[len(above) :])
            is_said = value is not _NOT_SAID
            if isinstance(value, Mapping) and value:
                for name, one in value.items():
                    yield _row(setting, (*path, name), one, file, None)
                continue
            yield _row(setting, path, value if is_said else setting.default, file if is_said else DEFAULT, None)


def _row(setting: described.Setting, path: described.Path, value: object, origin: str, variable: str | None) -> Row:
    default = shown(setting, setting.default)
    return Row(".".join(path), shown(setting, value), origin, setting.words, variable, default)


def _said(value: Any, path: described.Path) -> Any:
    for name in path:
        value = value.get(name, _NOT_SAID) if isinstance(value, Mapping) else getattr(value, name, _NOT_SAID)
    return value


_NOT_SAID = object()


def shown(setting: described.Setting, value: object) -> str:
    if setting.is_secret:
        return "***" if value else ""
    if setting.path == ("alerts",):
        return ", ".join(sorted(value)) if isinstance(value, Mapping) else ""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, list | tuple):
        return ", ".join(map(str, value))
    if isinstance(value, Mapping):
        return msgspec.json.encode(dict(value)).decode() if value else ""
    return "" if value is None else str(value)
