"""What lies in deploy/ loads, and asks for metrics that exist."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from grafana_foundation_sdk.cog import plugins
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models.dashboard import Dashboard
from tests.deploy.dashboard import FILE, written

from perpwire.monitoring.prometheus import METRICS

ROOT = Path(__file__).parents[2]
PROMETHEUS = ROOT / "deploy" / "prometheus"
RULES = PROMETHEUS / "perpwire.rules.yml"
NAME = re.compile(r"\bperpwire_\w+")
LABELS = re.compile(r"(perpwire_\w+)\{([^}]*)\}")

needs_promtool = pytest.mark.skipif(shutil.which("promtool") is None, reason="promtool is not installed")

PARTS = ("bucket", "sum", "count")
EXPOSED = {row.written for row in METRICS.values() if row.kind != "histogram"} | {
    f"{row.name}_{part}" for row in METRICS.values() if row.kind == "histogram" for part in PARTS
}


def promtool(*words: str, cwd: Path, text: str | None = None) -> str:
    done = subprocess.run(
        ["promtool", *words], capture_output=True, text=True, cwd=cwd, input=text, check=False, timeout=60
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


def test_the_dashboard_is_that_of_the_code() -> None:
    assert FILE.read_text(encoding="utf-8") == written(), "run python -m tests.deploy.dashboard"


def test_every_query_of_the_dashboard_asks_for_metrics_and_labels_that_exist() -> None:
    made = json.loads(FILE.read_text(encoding="utf-8"))
    queries = [target["expr"] for panel in made["panels"] for target in panel.get("targets", ())]
    queries += [one["expr"] for one in made["annotations"]["list"]]
    assert len(queries) > 25
    asked = {name for query in queries for name in NAME.findall(query)}
    assert asked <= EXPOSED
    for query in queries:
        for name, chosen in LABELS.findall(query):
            row = METRICS[re.sub(r"_(bucket|sum|count|total)$", "", name)]
            assert {re.split("[=!]", label)[0] for label in chosen.split(", ")} <= set(row.all_labels), query
        for by in re.findall(r"by \(([^)]*)\)", query):
            [name] = set(NAME.findall(query))
            row = METRICS[re.sub(r"_(bucket|sum|count|total)$", "", name)]
            assert set(by.split(", ")) <= {*row.all_labels, "le"}, query
    assert len({panel["id"] for panel in made["panels"]}) == len(made["panels"])


def test_grafana_has_every_property_of_the_dashboard() -> None:
    """Its own models of dashboards, panels and queries take it in, and give back all of it."""
    made = json.loads(FILE.read_text(encoding="utf-8"))
    plugins.register_default_plugins()
    taken = json.loads(JSONEncoder().encode(Dashboard.from_json(made)))
    # What a data source has of its own in an annotation they leave out.
    assert set(lost(made, taken)) == {
        f"/annotations/list/0/{name}" for name in ("target/refId", "target/expr", "titleFormat")
    }


def lost(before: Any, after: Any, path: str = "") -> Iterator[str]:
    """Where `after` lacks, or has otherwise, what `before` has."""
    if isinstance(before, dict) and isinstance(after, dict):
        for name, value in before.items():
            yield from lost(value, after.get(name, ...), f"{path}/{name}")
    elif isinstance(before, list) and isinstance(after, list) and len(before) == len(after):
        for at, (one, other) in enumerate(zip(before, after, strict=True)):
            yield from lost(one, other, f"{path}/{at}")
    elif before != after:
        yield path


def test_panels_lie_side_by_side() -> None:
    taken: set[tuple[int, int]] = set()
    for panel in json.loads(FILE.read_text(encoding="utf-8"))["panels"]:
        place = panel["gridPos"]
        cells = {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }
        assert place["x"] + place["w"] <= 24
        assert not cells & taken, panel["title"]
        taken |= cells


def test_every_alert_rule_asks_for_metrics_that_exist() -> None:
    asked = set(NAME.findall(re.sub(r"(?m)^\s*#.*$", "", RULES.read_text(encoding="utf-8"))))
    assert asked <= EXPOSED
    assert len(asked) > 12


@needs_promtool
def test_prometheus_takes_rules_and_configuration() -> None:
    assert "SUCCESS: 19 rules found" in promtool("check", "rules", RULES.name, cwd=PROMETHEUS)
    promtool("check", "config", "prometheus.yml", cwd=PROMETHEUS)


@needs_promtool
def test_alert_rules_fire_when_they_should_and_end(tmp_path: Path) -> None:
    shutil.copy(RULES, tmp_path)
    shutil.copy(Path(__file__).with_name("rules_test.yml"), tmp_path)
    promtool("test", "rules", "rules_test.yml", cwd=tmp_path)
