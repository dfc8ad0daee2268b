"""The Grafana dashboard in deploy/, made here: python -m tests.deploy.dashboard."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

FILE = Path(__file__).parents[2] / "deploy" / "grafana" / "perpwire.json"
SOURCE = {"type": "prometheus", "uid": "${source}"}
CHOSEN = 'connector=~"$connector"'

Query = tuple[str, str]
"""PromQL, and the legend."""


def quantile(share: float, name: str, by: str) -> str:
    return f"histogram_quantile({share}, sum by ({by}, le) (rate({name}_bucket{{{CHOSEN}}}[$__rate_interval])))"


def rate(name: str, by: str) -> str:
    return f"sum by ({by}) (rate({name}{{{CHOSEN}}}[$__rate_interval]))"


OUTAGES = "changes(perpwire_outages_total[1m]) > 0"
SIGNED = {"perpwire_clock_offset_seconds"}

YES_NO = [
    {"type": "value", "options": {"0": {"text": "no", "color": "red", "index": 0},
                                  "1": {"text": "yes", "color": "green", "index": 1}}}
]  # fmt: skip
BAD_FROM_ONE = {"mode": "absolute", "steps": [{"color": "green", "value": None}, {"color": "red", "value": 1}]}

ROWS: list[tuple[str, list[tuple[str, str, str, int, list[Query]]]]] = [
    ("Quality", [
        ("Bars that hold", "stat", "bool_yes_no", 8, [("perpwire_quality_holds", "{{bar}}")]),
        ("Live and in sync", "stat", "percentunit", 8,
         [(f"perpwire_live_ratio{{{CHOSEN}}}", "{{connector}} {{window}}")]),
        ("Outages open", "stat", "none", 4, [(f"perpwire_outages_open{{{CHOSEN}}}", "{{connector}}")]),
        ("Orders in doubt", "stat", "none", 4, [(f"perpwire_orders_in_doubt{{{CHOSEN}}}", "{{connector}}")]),
        ("Bars that are times", "timeseries", "s", 8, [('perpwire_quality{bar=~"response_time|latency"}', "{{bar}}")]),
        ("Bars that are shares", "timeseries", "percentunit", 8,
         [('perpwire_quality{bar!~"response_time|latency"}', "{{bar}}")]),
        ("Outages, and those that came right by themselves", "timeseries", "none", 8,
         [(f"perpwire_outages_total{{{CHOSEN}}}", "{{connector}} outages"),
          (f"perpwire_outages_recovered_total{{{CHOSEN}}}", "{{connector}} recovered")]),
    ]),
    ("Streams", [
        ("Live", "state-timeline", "none", 12, [(f"perpwire_connector_live{{{CHOSEN}}}", "{{connector}}")]),
        ("Events", "timeseries", "ops", 12, [(rate("perpwire_events_total", "connector"), "{{connector}}")]),
        ("Frame to handler, p99", "timeseries", "s", 8,
         [(quantile(0.99, "perpwire_handler_latency_seconds", "connector, stream"), "{{connector}} {{stream}}")]),
        ("Venue to here, p95", "timeseries", "s", 8,
         [(quantile(0.95, "perpwire_stream_lag_seconds", "connector, stream"), "{{connector}} {{stream}}")]),
        ("Time not live, by state", "timeseries", "s", 8,
         [('sum by (connection, state) (increase(perpwire_connection_state_seconds_total{state!="live", '
           f"{CHOSEN}}}[$__rate_interval]))", "{{connection}} {{state}}")]),
        ("Reconnects", "timeseries", "none", 8,
         [(f"increase(perpwire_connection_reconnects_total{{{CHOSEN}}}[$__rate_interval])", "{{connection}}")]),
        ("Holes, and those read back", "timeseries", "none", 8,
         [(f"perpwire_gaps_total{{{CHOSEN}}}", "{{connector}} holes"),
          (f"perpwire_gaps_repaired_total{{{CHOSEN}}}", "{{connector}} repaired")]),
        ("Topics by state", "timeseries", "none", 8,
         [(f"sum by (connector, state) (perpwire_topics{{{CHOSEN}}})", "{{connector}} {{state}}")]),
    ]),
    ("Calls", [
        ("Response time, p95", "timeseries", "s", 8,
         [(quantile(0.95, "perpwire_response_seconds", "connector, call"), "{{connector}} {{call}}")]),
        ("Requests", "timeseries", "reqps", 8,
         [(rate("perpwire_requests_total", "connector, call"), "{{connector}} {{call}}")]),
        ("Errors", "timeseries", "reqps", 8,
         [(rate("perpwire_request_errors_total", "connector, error"), "{{connector}} {{error}}")]),
        ("Rate limits spent", "timeseries", "percentunit", 12,
         [(f"perpwire_budget_used{{{CHOSEN}}} / perpwire_budget_limit{{{CHOSEN}}}", "{{connector}} {{limit}}")]),
        ("Banned, or stopped for", "timeseries", "s", 12,
         [(f"perpwire_banned{{{CHOSEN}}}", "{{connector}} banned"),
          (f"perpwire_budget_stopped_seconds{{{CHOSEN}}} > 0", "{{connector}} {{limit}}")]),
    ]),
    ("Account", [
        ("Open orders and positions", "timeseries", "none", 6,
         [(f"perpwire_orders_open{{{CHOSEN}}}", "{{connector}} orders"),
          (f"perpwire_positions_open{{{CHOSEN}}}", "{{connector}} positions")]),
        ("Events of orders that came late", "timeseries", "none", 6,
         [(f"increase(perpwire_order_events_late_total{{{CHOSEN}}}[$__rate_interval])", "{{connector}}")]),
        ("Nearest liquidation", "timeseries", "percentunit", 6,
         [(f"perpwire_liquidation_distance_ratio{{{CHOSEN}}}", "{{connector}}")]),
        ("Account's stream", "state-timeline", "none", 6, [(f"perpwire_account_live{{{CHOSEN}}}", "{{connector}}")]),
    ]),
    ("This program", [
        ("Event loop stood still", "timeseries", "s", 6,
         [(rate("perpwire_loop_stalled_seconds_total", "connector"), "{{connector}}")]),
        ("Handlers' share of the loop", "timeseries", "percentunit", 6,
         [(rate("perpwire_handler_busy_seconds_total", "connector, handler"), "{{handler}}")]),
        ("Events that wait in iterators", "timeseries", "none", 6,
         [(f"perpwire_queue_waiting{{{CHOSEN}}}", "{{connector}} {{stream}}")]),
        ("Incidents", "timeseries", "none", 6,
         [(f"sum by (connector, incident) (increase(perpwire_incidents_total{{{CHOSEN}}}[$__rate_interval]))",
           "{{connector}} {{incident}}")]),
        ("Redis takes what is heard", "stat", "bool_yes_no", 4, [("perpwire_fanout_up", "")]),
        ("Sent to Redis, waiting for it, and dropped", "timeseries", "none", 8,
         [("rate(perpwire_fanout_sent_total[$__rate_interval])", "sent a second"),
          ("perpwire_fanout_waiting", "waiting"),
          ("increase(perpwire_fanout_dropped_total[$__rate_interval])", "dropped, {{lane}}")]),
        ("Order journal: lines its database does not have yet", "timeseries", "none", 6,
         [(f"perpwire_journal_backlog{{{CHOSEN}}}", "{{connector}}")]),
        ("The venue's clock less this machine's", "timeseries", "s", 6,
         [(f"perpwire_clock_offset_seconds{{{CHOSEN}}}", "{{connector}}")]),
    ]),
]  # fmt: skip


def dashboard() -> dict[str, Any]:
    panels: list[dict[str, Any]] = []
    y = 0
    for title, row in ROWS:
        panels.append({"type": "row", "title": title, "collapsed": False, "panels": [], "id": len(panels) + 1,
                       "gridPos": {"x": 0, "y": y, "w": 24, "h": 1}})  # fmt: skip
        y += 1
        x = 0
        for name, kind, unit, width, queries in row:
            if x + width > 24:
                x, y = 0, y + 8
            panels.append(panel(len(panels) + 1, name, kind, unit, queries, {"x": x, "y": y, "w": width, "h": 8}))
            x += width
        y += 8
    return {
        "title": "perpwire",
        "uid": "perpwire",
        "tags": ["perpwire", "trading"],
        "schemaVersion": 39,
        "refresh": "5s",
        "time": {"from": "now-1h", "to": "now"},
        "templating": {
            "list": [
                {"name": "source", "type": "datasource", "query": "prometheus", "label": "Prometheus"},
                {
                    "name": "connector", "type": "query", "datasource": SOURCE, "label": "Connector",
                    "query": "label_values(perpwire_connector_live, connector)", "refresh": 2, "includeAll": True,
                    "multi": True, "current": {"text": "All", "value": "$__all"},
                },
            ]
        },
        "annotations": {
            "list": [
                {
                    # New versions of Grafana read the target alone, old ones what stands beside it alone.
                    "name": "Outages", "datasource": SOURCE, "enable": True, "iconColor": "red",
                    "target": {"refId": "Anno", "expr": OUTAGES}, "expr": OUTAGES,
                    "titleFormat": "{{connector}}: outage",
                }
            ]
        },
        "panels": panels,
    }  # fmt: skip


def panel(number: int, title: str, kind: str, unit: str, queries: list[Query], place: dict[str, int]) -> dict[str, Any]:
    defaults: dict[str, Any] = {"unit": unit}
    if not any(name in expr for name in SIGNED for expr, _ in queries):
        defaults["min"] = 0
    if kind == "state-timeline" or unit == "bool_yes_no":
        defaults["mappings"] = YES_NO
    elif (kind, unit) == ("stat", "none"):
        defaults["thresholds"] = BAD_FROM_ONE
    return {
        "id": number,
        "title": title,
        "type": kind,
        "datasource": SOURCE,
        "gridPos": place,
        "fieldConfig": {"defaults": defaults, "overrides": []},
        "targets": [
            {"refId": chr(ord("A") + at), "datasource": SOURCE, "expr": expr, "legendFormat": legend}
            for at, (expr, legend) in enumerate(queries)
        ],
    }


def written() -> str:
    return json.dumps(dashboard(), indent=1) + "\n"


if __name__ == "__main__":
    FILE.write_text(written(), encoding="utf-8")
