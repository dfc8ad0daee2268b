"""Play scenarios for many seeds and say which failed, and how to see it again. See the package for examples."""

from __future__ import annotations

import argparse
import logging
import multiprocessing
import sys
from collections import defaultdict
from collections.abc import Sequence

from perpwire.clock import SystemClock
from perpwire.scenarios.registry import scenarios
from perpwire.scenarios.run import Outcome, play

Case = tuple[str, str, int]
"""Scenario, venue and seed."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Returns 0 if everything holds, 1 if something does not."""
    known = scenarios()
    parser = argparse.ArgumentParser(prog="python -m perpwire.scenarios", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(known)}; all where none is given")
    parser.add_argument("--seeds", type=int, default=200, help="how many (a long scenario takes fewer)")
    parser.add_argument("--first", type=int, default=0, help="the first of them")
    parser.add_argument("--venue", action="append", help="one venue; all where none is given")
    parser.add_argument("--jobs", type=int, default=2, help="processes")
    parser.add_argument("--minutes", type=float, default=40.0, help="stop beginning new ones after so long")
    parser.add_argument("--twice", action="store_true", help="play each twice: the journals must be equal to the byte")
    parser.add_argument("--sockets", action="store_true", help="over loopback and in real time; for short ones")
    parser.add_argument("-v", "--verbose", action="store_true", help="tell of each one")
    asked = parser.parse_args(arguments)
    unknown = [name for name in asked.names if name not in known]
    if unknown:
        parser.error(f"there is no scenario {', '.join(unknown)}; there are {', '.join(known)}")
    cases = [
        (one.name, venue, seed)
        for seed in range(asked.first, asked.first + asked.seeds)
        for one in known.values()
        for venue in one.venues
        if (not asked.names or one.name in asked.names)
        and (not asked.venue or venue in asked.venue)
        and ((seed - asked.first) % one.one_in == 0)
    ]
    if asked.verbose:
        logging.basicConfig(level=logging.WARNING)
    clock = SystemClock()
    began_ns = clock.monotonic_ns()
    failed: list[Outcome] = []
    played: defaultdict[str, list[Outcome]] = defaultdict(list)
    how = play_over_sockets if asked.sockets else play_twice if asked.twice else play_once
    jobs = max(1, min(asked.jobs, len(cases)))
    with multiprocessing.get_context("spawn").Pool(jobs) as pool:
        for outcome in pool.imap_unordered(how, cases):
            played[outcome.scenario].append(outcome)
            if outcome.problems:
                failed.append(outcome)
                _tell(outcome)
            elif asked.verbose:
                facts = ", ".join(f"{count} {name}" for name, count in outcome.facts.items())
                _say(f"ok    {outcome.scenario} {outcome.venue} {outcome.seed}: {outcome.virtual_s:.0f} s, {facts}")
            if clock.monotonic_ns() - began_ns > asked.minutes * 60e9:
                _say(f"stopped after {asked.minutes:g} minutes")
                pool.terminate()
                break
    wall_s = (clock.monotonic_ns() - began_ns) / 1e9
    for name, outcomes in played.items():
        virtual_s = sum(one.virtual_s for one in outcomes)
        _say(
            f"{name}: {len(outcomes)} played, {sum(bool(one.problems) for one in outcomes)} failed, "
            f"{virtual_s / 3600:.1f} virtual hours, {sum(one.facts.get('orders', 0) for one in outcomes)} orders, "
            f"{sum(one.facts.get('faults', 0) for one in outcomes)} faults" + _recovered(outcomes) + _live(outcomes)
        )
    _say(f"{sum(map(len, played.values()))} of {len(cases)} in {wall_s:.0f} s, {len(failed)} failed")
    return 1 if failed else 0


def _recovered(outcomes: Sequence[Outcome]) -> str:
    """How many of the orders that were in doubt are known now."""
    doubted, settled = (sum(one.facts.get(fact, 0) for one in outcomes) for fact in ("doubted", "settled"))
    return f", {settled} of {doubted} doubtful orders settled ({settled / doubted:.2%})" if doubted else ""


def _live(outcomes: Sequence[Outcome]) -> str:
    """For what share of the time streams were live and books in sync, on average and at worst."""
    shares = [one.facts["live_ppm"] / 1e6 for one in outcomes if "live_ppm" in one.facts]
    if not shares:
        return ""
    return f", live and in sync {sum(shares) / len(shares):.4%} of the time, at worst {min(shares):.4%}"


def play_once(case: Case) -> Outcome:
    name, venue, seed = case
    return play(scenarios()[name], venue, seed)


def play_over_sockets(case: Case) -> Outcome:
    name, venue, seed = case
    return play(scenarios()[name], venue, seed, sockets=True)


def play_twice(case: Case) -> Outcome:
    first, second = play_once(case), play_once(case)
    if first.fingerprint != second.fingerprint:
        first.problems.append(f"the journal is another each time: {first.fingerprint}, {second.fingerprint}")
    return first


def _tell(outcome: Outcome) -> None:
    _say(f"FAIL  {outcome.scenario} {outcome.venue} {outcome.seed}")
    for problem in outcome.problems[:10]:
        _say(f"      {problem[:400]}")
    _say(f"      again: {outcome.again}")


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()
