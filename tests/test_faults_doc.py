"""docs/faults.md names everything there is, and its examples are what they say."""

from __future__ import annotations

import re
from pathlib import Path
from typing import get_args

import msgspec
import pytest

from perpwire.clock import ManualClock
from perpwire.simulator import faults
from perpwire.simulator.scripts import read_script
from perpwire.testing import offline

TEXT = (Path(__file__).resolve().parents[1] / "docs" / "faults.md").read_text()
NAMES = set(re.findall(r"`([a-z_0-9]+)`", TEXT))
KINDS: tuple[type[faults.Fault], ...] = get_args(faults.AnyFault)
BASES = ("Fault", "SocketFault", "Waiting", "CallFault", "MessageFault")


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: str(kind.__struct_config__.tag))
def test_every_kind_and_each_of_its_fields_is_there(kind: type[faults.Fault]) -> None:
    tag = str(kind.__struct_config__.tag)
    assert tag in NAMES
    assert [name for name in kind.__struct_fields__ if name not in NAMES] == []


def test_every_kind_of_fault_can_be_read() -> None:
    told = {one for one in vars(faults).values() if isinstance(one, type) and issubclass(one, faults.Fault)}
    assert {one for one in told if one.__name__ not in BASES} == set(KINDS)


def test_every_canned_reply_and_act_is_there_and_no_other() -> None:
    clock = ManualClock()

    async def main() -> None:
        async with offline(clock=clock, rate=0.0) as world:
            for host in world.simulation.hosts.values():
                venue = host.dialect.faults  # type: ignore[attr-defined]
                assert {*venue.canned, *venue.acts} - NAMES == set()

    clock.run(main())


def test_its_examples_are_taken() -> None:
    (scenario,) = re.findall(r"```json\n(.*?)```", TEXT, re.DOTALL)
    for venue, count in (("binance", 4), ("bybit", 2)):
        assert len(read_script(scenario.encode(), venue)) == count
    lists = re.findall(r"`(\[\{.*?\}\])`", TEXT)
    assert lists
    for one in lists:
        assert read_script(one.encode(), "binance")
    for one in re.findall(r"-d '(\{.*?\})'", TEXT):
        assert msgspec.json.decode(one)["kind"] == faults.name_of(faults.read_fault(one.encode()))
