"""The dashboards as files: made by their generator, well formed, and showing every metric."""

import json
import re
import runpy
import subprocess
import sys
from itertools import combinations
from pathlib import Path
from typing import Any

import pytest
import yaml

from observability.expressions import (
    DASHBOARDS,
    DEPLOY,
    boards,
    named_in,
    panel_expressions,
    panels,
    rules,
)

ROOT = Path(__file__).parents[2]
PANEL_TYPES = {"timeseries", "stat", "bargauge", "state-timeline", "table"}
UNITS = {"short", "reqps", "ops", "percentunit", "percent", "s", "bytes", "currencyUSD"}
PRINTED_TITLES = {"Request Rate", "Error Rate", "P95 Latency"}


def test_dashboards_are_as_their_generator_makes_them(tmp_path: Path) -> None:
    script = ROOT / "scripts" / "render_dashboards.py"
    subprocess.run([sys.executable, str(script), str(tmp_path)], check=True)
    made = {path.name: path.read_text() for path in tmp_path.iterdir()}
    kept = {path.name: path.read_text() for path in DASHBOARDS.iterdir()}
    assert kept == made, "run make dashboards"


def test_dashboards_have_names_of_their_own_and_lead_to_each_other() -> None:
    found = boards()
    assert len(found) >= 5
    for name, board in found.items():
        assert board["uid"] == name
        assert len(board["uid"]) <= 40
        assert board["schemaVersion"] >= 39
        assert board["description"]
        (link,) = board["links"]
        assert link["type"] == "dashboards"
        assert set(link["tags"]) <= set(board["tags"])
    assert len({board["title"] for board in found.values()}) == len(found)
    overview = found["msil-overview"]
    assert overview["title"] == "MSIL MCP Server"
    assert {panel["title"] for panel in overview["panels"]} >= PRINTED_TITLES


@pytest.mark.parametrize(
    "panel", [pytest.param(panel, id=f"{board}: {panel['title']}") for board, panel in panels()]
)
def test_panel_says_what_it_shows(panel: dict[str, Any]) -> None:
    assert panel["type"] in PANEL_TYPES
    assert panel["title"]
    assert panel["description"].endswith(".")
    assert panel["fieldConfig"]["defaults"]["unit"] in UNITS
    assert panel["datasource"] == {"type": "prometheus", "uid": "${datasource}"}
    steps = panel["fieldConfig"]["defaults"]["thresholds"]["steps"]
    assert steps[0]["value"] is None
    assert [step["value"] for step in steps[1:]] == sorted(step["value"] for step in steps[1:])
    assert panel["targets"]
    letters = [target["refId"] for target in panel["targets"]]
    assert letters == sorted(set(letters))
    for target in panel["targets"]:
        assert target["datasource"] == panel["datasource"]
        assert target["instant"] != target["range"]


def test_panels_fill_the_grid_and_overlap_nowhere() -> None:
    for name, board in boards().items():
        places = [panel["gridPos"] for panel in board["panels"]]
        for unique in ("id", "title"):
            assert len({panel[unique] for panel in board["panels"]}) == len(places), name
        assert all(place["x"] + place["w"] <= 24 for place in places)
        for one, other in combinations(places, 2):
            apart = (
                one["x"] + one["w"] <= other["x"]
                or other["x"] + other["w"] <= one["x"]
                or one["y"] + one["h"] <= other["y"]
                or other["y"] + other["h"] <= one["y"]
            )
            assert apart, (name, one, other)
        for height in {place["y"] for place in places}:
            assert sum(place["w"] for place in places if place["y"] == height) == 24, (name, height)


def test_variables_of_expressions_are_there_to_be_chosen() -> None:
    for board in boards().values():
        offered = {variable["name"] for variable in board["templating"]["list"]}
        used = set(re.findall(r"\$(\w+)", json.dumps(board["panels"])))
        assert used - {"__rate_interval"} <= offered


def test_every_metric_is_shown_or_watched() -> None:
    render = runpy.run_path(str(ROOT / "scripts" / "render_reference.py"))
    metrics = {name.strip("`") for name, *_ in render["metric_rows"]()}
    expressions = [*panel_expressions().values(), *(rule["expr"] for rule in rules())]
    asked = {
        re.sub(r"\{.*", "", selector)
        for expression in expressions
        for selector in named_in(expression).selectors
    }
    shown = {re.sub(r"_(bucket|sum|count)$", "", name) for name in asked} | asked
    assert sorted(metrics - shown) == [], (
        "show it in scripts/dashboards.py, or watch it in rules.yml"
    )


def test_grafana_finds_its_data_source_and_the_dashboards() -> None:
    provisioning = DEPLOY / "grafana" / "provisioning"
    (source,) = yaml.safe_load((provisioning / "datasources" / "prometheus.yml").read_text())[
        "datasources"
    ]
    assert (source["type"], source["access"]) == ("prometheus", "proxy")
    assert not source["url"].endswith("/metrics")
    scraping = yaml.safe_load((DEPLOY / "prometheus" / "prometheus.yml").read_text())
    assert source["jsonData"]["timeInterval"] == scraping["global"]["scrape_interval"]
    (provider,) = yaml.safe_load((provisioning / "dashboards" / "msil.yml").read_text())[
        "providers"
    ]
    assert provider["type"] == "file"
    assert provider["options"]["path"].startswith("/")
