"""The arrows between the layers, checked by reading every import of the package; and who may use what from outside."""

from __future__ import annotations

import ast
import functools
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from perpwire.venues import VENUES

SRC = Path(__file__).resolve().parents[1] / "src"

FOUNDATION = (
    "perpwire.errors",
    "perpwire.clock",
    "perpwire.credentials",
    "perpwire.entropy",
    "perpwire.http_message",
    "perpwire.model",
    "perpwire.raised",
    "perpwire.signer",
    "perpwire.words",
)

MAY_IMPORT: dict[str, tuple[str, ...]] = {
    # unit: what it may import besides itself. The longest matching unit counts.
    "perpwire.errors": (),
    "perpwire.clock": (),
    "perpwire.credentials": ("perpwire.errors", "perpwire.signer"),
    "perpwire.signer": ("perpwire.errors",),
    "perpwire.entropy": (),
    "perpwire.http_message": (),
    "perpwire.raised": (),
    "perpwire.model": ("perpwire.errors", "perpwire.words"),
    "perpwire.words": (),
    "perpwire.venues": (*FOUNDATION, "perpwire.venues.base"),
    "perpwire.venues.endpoint": FOUNDATION,
    "perpwire.venues.finite": FOUNDATION,
    "perpwire.venues.lenient": FOUNDATION,
    "perpwire.venues.calls": (*FOUNDATION, "perpwire.venues.endpoint"),
    "perpwire.venues.base": (*FOUNDATION, "perpwire.venues.endpoint", "perpwire.venues.calls"),
    "perpwire.transport": FOUNDATION,
    "perpwire.data_processor": (*FOUNDATION, "perpwire.venues.base"),
    "perpwire.api_connector": (
        *FOUNDATION,
        "perpwire.logs",
        "perpwire.venues.base",
        "perpwire.venues",
        "perpwire.transport",
        "perpwire.data_processor",
    ),
    "perpwire.notification": (*FOUNDATION, "perpwire.logs"),
    "perpwire.config": (*FOUNDATION, "perpwire.venues", "perpwire.api_connector"),
    "perpwire.logs": FOUNDATION,
    "perpwire.monitoring": (
        *FOUNDATION,
        "perpwire.venues.base",
        "perpwire.api_connector",
        "perpwire.data_processor",
        "perpwire.logs",
    ),
    "perpwire.fanout": (
        *FOUNDATION,
        "perpwire.venues.base",
        "perpwire.api_connector",
        "perpwire.logs",
        "perpwire.monitoring.snapshot",
    ),
    "perpwire.gateway": (
        *FOUNDATION,
        "perpwire.api_connector",
        "perpwire.config",
        "perpwire.fanout",
        "perpwire.logs",
        "perpwire.monitoring",
        "perpwire.notification",
    ),
    "perpwire.simulator": (*FOUNDATION, "perpwire.venues", "perpwire.transport", "perpwire.data_processor"),
}
for package in VENUES.values():
    tables = (*FOUNDATION, "perpwire.venues.base", "perpwire.venues.finite", "perpwire.venues.lenient", package)
    MAY_IMPORT[package] = tables
    MAY_IMPORT[f"{package}.connector"] = (*tables, "perpwire.api_connector")
    MAY_IMPORT[f"{package}.sim"] = (*tables, "perpwire.simulator")

SHELLS = tuple(f"{package}.{shell}" for package in VENUES.values() for shell in ("connector", "sim"))
"""A shell is one file, or a package of that name."""

EXACT = ("perpwire.venues",)
"""Allowed or forbidden by itself, without what lies in it."""

TOP = (
    "perpwire",
    "perpwire.__main__",
    "perpwire.cli",
    "perpwire.pytest_plugin",
    "perpwire.scenarios",
    "perpwire.testing",
    "perpwire.threaded",
)
"""May import anything."""

OUTSIDE_HOMES = {
    # A distribution or a module of the standard library that only these may import.
    "aiohttp": ("perpwire.transport.http", "perpwire.simulator", "perpwire.gateway", "perpwire.cli"),
    "yarl": ("perpwire.transport.http", "perpwire.simulator", "perpwire.cli"),
    "picows": ("perpwire.transport.websocket", "perpwire.simulator", "perpwire.cli"),
    "prometheus_client": ("perpwire.monitoring.prometheus",),
    "redis": ("perpwire.fanout.link",),
    "apprise": ("perpwire.notification.sinks",),
    "typer": ("perpwire.cli",),
    "rich": ("perpwire.cli",),
    "uvloop": ("perpwire.cli",),
    "opentelemetry": ("perpwire.monitoring.opentelemetry",),
    "socket": ("perpwire.transport", "perpwire.simulator.server", "perpwire.cli"),
    "time": ("perpwire.clock", "perpwire.cli"),
    "secrets": ("perpwire.entropy",),
    "uuid": ("perpwire.entropy",),
}


OPTIONAL = {"perpwire.signer": ("cryptography",)}
"""Distributions of an extra that a module of the foundation imports where they are needed."""


def is_in(module: str, unit: str) -> bool:
    return module == unit or (unit not in EXACT and module.startswith(f"{unit}."))


def shell_of(module: str) -> str | None:
    """The shell that a module is, or lies in."""
    return next((shell for shell in SHELLS if is_in(module, shell)), None)


def unit_of(module: str) -> str | None:
    """The unit with the longest name that a module belongs to, None for the top."""
    if module == "perpwire" or any(is_in(module, top) for top in TOP[1:]):
        return None
    units = [unit for unit in MAY_IMPORT if is_in(module, unit)]
    assert units, f"{module} belongs to no layer: give it one in {Path(__file__).name}"
    return max(units, key=len)


def may_import(importer: str, imported: str) -> bool:
    unit = unit_of(importer)
    if unit is None or imported == "perpwire":  # the root: its version; its public names load on use
        return True
    if shell_of(imported) not in (None, shell_of(importer)):
        return False
    return any(is_in(imported, allowed) for allowed in (unit, *MAY_IMPORT[unit]))


def module_of(path: Path) -> str:
    parts = path.relative_to(SRC).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def imports_of(source: str, module: str, is_package: bool = False) -> Iterator[str]:
    """Every module that a source imports, at its top, in functions, for types only, or through importlib."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                parts = module.split(".")
                kept = parts[: len(parts) - node.level + is_package]
                base = ".".join([*kept, *([base] if base else [])])
            for alias in node.names:
                name = f"{base}.{alias.name}"
                yield name if is_module(name) else base
        elif isinstance(node, ast.Call) and getattr(node.func, "attr", getattr(node.func, "id", "")) == "import_module":
            yield from (arg.value for arg in node.args if isinstance(arg, ast.Constant) and isinstance(arg.value, str))


@functools.cache
def imports_in(path: Path) -> frozenset[str]:
    return frozenset(imports_of(path.read_text(), module_of(path), path.name == "__init__.py"))


@functools.cache
def is_module(name: str) -> bool:
    path = SRC.joinpath(*name.split("."))
    return path.with_suffix(".py").is_file() or (path / "__init__.py").is_file()


FILES = {module_of(path): path for path in sorted((SRC / "perpwire").rglob("*.py"))}


def test_a_module_imports_only_what_its_layer_may() -> None:
    wrong = [
        f"{module} imports {name}"
        for module, path in FILES.items()
        for name in imports_in(path)
        if name.split(".")[0] == "perpwire" and not may_import(module, name)
    ]
    assert wrong == []


def test_time_sockets_and_outside_packages_stay_in_their_homes() -> None:
    wrong = [
        f"{module} imports {name}"
        for module, path in FILES.items()
        for name in imports_in(path)
        if (homes := OUTSIDE_HOMES.get(name.split(".")[0])) is not None
        and not any(is_in(module, home) for home in homes)
    ]
    assert wrong == []


def test_nobody_draws_from_the_shared_random_generator() -> None:
    wrong = []
    for module, path in FILES.items():
        source = path.read_text()
        makers = {"Random", "SystemRandom"} if module == "perpwire.entropy" else {"Random"}
        for node in ast.walk(ast.parse(source)) if "random" in source else ():
            if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "random":
                wrong += [f"{path}:{node.lineno}: random.{node.attr}"] * (node.attr not in makers)
            if isinstance(node, ast.ImportFrom) and node.module == "random":
                wrong += [f"{path}:{node.lineno}"] * (not {alias.name for alias in node.names} <= {"Random"})
    assert wrong == []


def test_the_foundation_needs_only_the_standard_library_and_msgspec() -> None:
    wrong = [
        f"{module} imports {name}"
        for module, path in FILES.items()
        if unit_of(module) in FOUNDATION
        for name in imports_in(path)
        if (root := name.split(".")[0]) not in sys.stdlib_module_names
        and root not in ("msgspec", "perpwire", *OPTIONAL.get(module, ()))
    ]
    assert wrong == []


@pytest.mark.parametrize(
    ("importer", "imported"),
    [
        ("perpwire.model.order", "perpwire.clock"),
        ("perpwire.venues.base", "perpwire.transport.base"),
        ("perpwire.venues", "perpwire.venues.bybit.venue"),
        ("perpwire.venues.bybit.wire", "perpwire.venues.binance_futures.wire"),
        ("perpwire.venues.bybit.wire", "perpwire.venues.bybit.connector"),
        ("perpwire.venues.bybit.streams", "perpwire.api_connector.frame_path"),
        ("perpwire.venues.bybit.sim", "perpwire.api_connector.retry"),
        ("perpwire.venues.bybit.sim.rest", "perpwire.api_connector.retry"),
        ("perpwire.venues.bybit.wire", "perpwire.venues.bybit.sim.rest"),
        ("perpwire.venues.bybit.sim.rest", "perpwire.venues.binance_futures.sim.dialect"),
        ("perpwire.venues.bybit.sim", "perpwire.venues.bybit.connector"),
        ("perpwire.venues.bybit.connector", "perpwire.simulator.exchange"),
        ("perpwire.transport.http", "perpwire.venues.base"),
        ("perpwire.api_connector.venue_connector", "perpwire.venues.bybit.venue"),
        ("perpwire.api_connector.venue_connector", "perpwire.notification.notifier"),
        ("perpwire.api_connector.venue_connector", "perpwire.simulator.exchange"),
        ("perpwire.data_processor.book_sync", "perpwire.api_connector.frame_path"),
        ("perpwire.notification.rules", "perpwire.api_connector.retry"),
        ("perpwire.gateway.pages", "perpwire.venues.bybit.venue"),
        ("perpwire.gateway.gateway", "perpwire.simulator.exchange"),
        ("perpwire.fanout.producer", "perpwire.gateway.gateway"),
        ("perpwire.fanout.reader", "perpwire.monitoring.observer"),
        ("perpwire.monitoring.observer", "perpwire.gateway.pages"),
        ("perpwire.simulator.server", "perpwire.api_connector.request_path"),
        ("perpwire.simulator.server", "perpwire.venues.bybit.sim"),
        ("perpwire.simulator.server", "perpwire.venues.bybit.venue"),
    ],
)
def test_these_would_be_upward_or_sideways_imports(importer: str, imported: str) -> None:
    assert not may_import(importer, imported)


def test_every_way_to_import_is_seen() -> None:
    source = """
import perpwire.clock as c
from perpwire.venues import base
from perpwire.errors import APIError
from . import retry
from .ledger import RateLedger
def later():
    from perpwire.notification.sinks import Sink
    importlib.import_module("perpwire.simulator.server")
"""
    assert set(imports_of(source, "perpwire.api_connector.metrics")) == {
        "perpwire.clock",
        "perpwire.venues.base",
        "perpwire.errors",
        "perpwire.api_connector.retry",
        "perpwire.api_connector.ledger",
        "perpwire.notification.sinks",
        "perpwire.simulator.server",
    }


def test_the_simulator_with_every_venue_loads_no_client_module() -> None:
    script = """
import importlib, pkgutil, sys
import perpwire.simulator
from perpwire.venues import VENUES
for found in pkgutil.iter_modules(perpwire.simulator.__path__):
    importlib.import_module(f"perpwire.simulator.{found.name}")
for package in VENUES.values():
    if "sim" in {found.name for found in pkgutil.iter_modules(importlib.import_module(package).__path__)}:
        importlib.import_module(f"{package}.sim")
print(*(name for name in sys.modules if name.startswith("perpwire")))
"""
    run = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60)
    assert run.returncode == 0, run.stderr
    client = (
        "perpwire.api_connector",
        "perpwire.notification",
        "perpwire.transport.http",
        "perpwire.transport.websocket",
    )
    loaded = run.stdout.split()
    assert "perpwire.simulator.exchange" in loaded
    assert [name for name in loaded if name.startswith(client) or name.endswith(".connector")] == []
