"""Profiles, scenario files, and what the seed decides."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import msgspec
import pytest

from perpwire.clock import ManualClock
from perpwire.simulator.faults import Cut, LoseAnswer, Skew, name_of
from perpwire.simulator.options import read_faults, setup_options
from perpwire.simulator.profiles import PROFILES, profile
from perpwire.simulator.scripts import read_script
from perpwire.testing import offline


@pytest.mark.parametrize("name", PROFILES)
def test_a_schedule_is_of_the_seed_and_as_dense_as_its_table_says(name: str) -> None:
    assert profile(name, "binance", 7) == profile(name, "binance", 7)
    assert profile(name, "binance", 7) != profile(name, "binance", 8)
    assert profile(name, "binance", 7) != profile(name, "bybit", 7)
    stated = sum(rate.per_hour for rate in PROFILES[name])
    drawn = [len(profile(name, "binance", seed)) for seed in range(60)]
    assert sum(drawn) / len(drawn) == pytest.approx(stated, rel=0.1)
    schedule = profile(name, "binance", 7)
    assert [fault.after_s for fault in schedule] == sorted(fault.after_s for fault in schedule)
    assert {fault.every_s for fault in schedule} == {3600.0}
    assert all(0 <= fault.after_s < 3600 for fault in schedule)


def test_profiles_differ_by_what_they_dare() -> None:
    kinds = {
        name: Counter(name_of(fault) for seed in range(20) for fault in profile(name, "binance", seed))
        for name in PROFILES
    }
    assert set(kinds["mild"]) < set(kinds["standard"]) < set(kinds["brutal"])
    assert kinds["mild"].total() * 3 < kinds["standard"].total() * 1 < kinds["brutal"].total() / 5


def test_a_schedule_may_be_shorter_or_longer() -> None:
    assert len(profile("standard", "binance", 7, 36_000)) > 5 * len(profile("standard", "binance", 7))
    with pytest.raises(ValueError, match="0 s"):
        profile("standard", "binance", 7, 0)


@pytest.mark.parametrize("name", PROFILES)
def test_every_fault_of_a_profile_survives_json_and_is_one_that_both_venues_have(name: str) -> None:
    clock = ManualClock()

    async def main() -> None:
        async with offline(clock=clock, rate=0.0) as world:
            for venue, host in world.simulation.hosts.items():
                schedule = profile(name, venue, 3, 36_000)
                assert read_script(msgspec.json.encode(schedule), venue) == schedule
                for fault in schedule:
                    host.faults.check(fault)

    clock.run(main())


def test_a_profile_is_named_where_a_file_could_be(tmp_path: Path) -> None:
    assert read_faults("mild", "bybit", 5) == profile("mild", "bybit", 5)
    faults = setup_options({"faults": "brutal", "seed": 4})["faults"]
    assert faults["binance"] == profile("brutal", "binance", 4)
    assert faults["bybit"] == profile("brutal", "bybit", 4)
    assert setup_options({"faults": "mild"})["faults"]["bybit"] == profile("mild", "bybit", 7)
    with pytest.raises(OSError, match="milld is neither a file nor a profile"):
        read_faults("milld", "bybit")


def test_a_scenario_file_holds_faults_of_all_and_of_one(tmp_path: Path) -> None:
    path = tmp_path / "scenario.json"
    path.write_text(
        '{"version": 1, "about": "two cuts", "faults": [{"kind": "cut", "after_s": 5}],'
        ' "venues": {"bybit": [{"kind": "lose_answer", "method": "POST"}]}}'
    )
    assert read_faults(path, "binance") == [Cut(after_s=5)]
    assert read_faults(path, "bybit") == [Cut(after_s=5), LoseAnswer(method="POST")]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('{"version": 2}', "version 2 is not known"),
        ('{"version": 1, "fault": []}', "fault"),
        ('{"version": 1, "venues": {"binnance": []}}', "'binnance' is no venue"),
        ('{"version": 1, "faults": [{"kind": "cut"}, {"kind": "cut", "rout": ""}]}', r"rout.*\$\.faults\[1\]"),
        ('[{"kind": "skew", "seconds": 1}, {"kind": "skew", "seconds": 1e300}]', r"skew.*\$\[1\]"),
        ('[{"kind": "close", "code": 12}]', r"close code 12.*\$\[0\]"),
        ('[{"kind": "answer"}]', r"status 0 is not from 100 to 599.*\$\[0\]"),
        ('[{"kind": "answer", "status": 500, "canned": "busy"}]', "canned, or"),
        ('[{"kind": "drop_message", "count": 0}]', r"count 0.*\$\[0\]"),
        ('[{"kind": "split_message", "pieces": 1}]', "pieces 1"),
        ('[{"kind": "silence", "then": "heal"}]', "only a silence of"),
        ("nonsense", "JSON is malformed"),
    ],
)
def test_a_mistake_in_a_scenario_file_is_told_with_its_place(tmp_path: Path, text: str, said: str) -> None:
    path = tmp_path / "scenario.json"
    path.write_text(text)
    with pytest.raises(ValueError, match=said) as caught:
        read_faults(path, "bybit")
    assert str(path) in str(caught.value)


def test_a_list_may_be_read_for_any_venue() -> None:
    assert read_script(b'[{"kind":"skew","seconds":1}]', "bybit") == [Skew(seconds=1)]
