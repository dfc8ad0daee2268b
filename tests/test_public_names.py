"""Whatever a user's signature, except clause or isinstance needs can be imported from `perpwire`."""

from __future__ import annotations

import ast
import inspect
import typing
from collections.abc import Iterator
from types import FunctionType
from typing import Any

import pytest

import perpwire
from perpwire import errors
from perpwire.api_connector.venue_connector import VenueConnector
from perpwire.model import account, incident, instrument, market, order

CLASSES = (
    *(perpwire.BinanceFuturesConnector, perpwire.BybitConnector, VenueConnector, perpwire.WebSocketManager),
    *(perpwire.Notifier, perpwire.AppriseSink),
)
EXPORTED = {name: getattr(perpwire, name) for name in perpwire.__all__}


def public_functions(owner: type) -> Iterator[tuple[str, FunctionType]]:
    """Methods and properties without an underscore, and the constructor."""
    for name, member in inspect.getmembers(owner):
        function = member.fget if isinstance(member, property) else member
        if inspect.isfunction(function) and (name == "__init__" or not name.startswith("_")):
            yield name, function


def named_in(hint: Any) -> Iterator[type]:
    """The classes of ours in an annotation, however deep."""
    if isinstance(hint, list | tuple):
        for one in hint:
            yield from named_in(one)
        return
    if isinstance(hint, typing.TypeVar) and hint.__bound__ is not None:
        yield from named_in(hint.__bound__)
    yield from named_in(typing.get_args(hint))
    plain = typing.get_origin(hint) or hint
    if isinstance(plain, type) and plain.__module__.startswith("perpwire"):
        yield plain


@pytest.mark.parametrize("owner", CLASSES, ids=lambda owner: owner.__name__)
def test_every_type_in_the_annotations_of_a_public_method_is_exported(owner: type) -> None:
    seen = set()
    for _, function in public_functions(owner):
        # What a module imports for type checkers only must be found among the public names.
        for hint in typing.get_type_hints(function, localns=EXPORTED).values():
            seen |= set(named_in(hint))
    assert seen
    assert {one.__name__ for one in seen if EXPORTED.get(one.__name__) is not one} == set()


@pytest.mark.parametrize("module", [errors, incident, account, instrument, market, order], ids=lambda one: one.__name__)
def test_every_error_incident_and_struct_is_exported(module: object) -> None:
    defined = [
        one
        for name, one in vars(module).items()
        if isinstance(one, type) and one.__module__ == vars(module)["__name__"] and not name.startswith("_")
    ]
    assert defined
    assert {one.__name__ for one in defined if EXPORTED.get(one.__name__) is not one} <= {"About"}


def test_type_checkers_see_the_names_that_there_are() -> None:
    tree = ast.parse(inspect.getsource(perpwire))
    (block,) = (node for node in tree.body if isinstance(node, ast.If))
    seen = {
        (alias.name, node.module) for node in block.body if isinstance(node, ast.ImportFrom) for alias in node.names
    }
    assert seen == set(perpwire._HOME.items())
    assert {name for name, _ in seen} == set(dir(perpwire)) - {"__version__"}
