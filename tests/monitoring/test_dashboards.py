"""Dashboards: Grafana's own types read them, and Prometheus' own parser their queries."""

import json
from itertools import combinations
from pathlib import Path
from typing import Any

import pytest
import yaml
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.cog.plugins import register_default_plugins
from grafana_foundation_sdk.models.dashboard import Dashboard

from monitoring.__main__ import GENERATED
from monitoring.operations import operations
from monitoring.panels import Board
from monitoring.portfolios import portfolios
from monitoring.surroundings import Surroundings
from tests.monitoring.dashboards import questions
from tests.monitoring.promtool import promtool

BOARDS = {"operations.json": operations(Surroundings()), "portfolios.json": portfolios()}


def read(name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((GENERATED / name).read_text())
    return found


@pytest.mark.parametrize("name", BOARDS)
def test_grafanas_types_read_it(name: str):
    """Read into its types and written again it is the same: no field is unknown, none is of another kind."""
    register_default_plugins()
    written = read(name)
    assert json.loads(JSONEncoder().encode(Dashboard.from_json(written))) == written


@pytest.mark.parametrize("name", BOARDS)
def test_panels_are_told_apart_and_explained(name: str):
    panels = read(name)["panels"]
    numbers = [panel["id"] for panel in panels]
    assert len(set(numbers)) == len(numbers)
    for panel in panels:
        if panel["type"] != "row":
            assert panel["description"].endswith(".")
            assert panel["targets"]
            assert {one["datasource"]["uid"] for one in panel["targets"]} == {"${datasource}"}


@pytest.mark.parametrize("name", BOARDS)
def test_panels_do_not_overlap(name: str):
    places = [panel["gridPos"] for panel in read(name)["panels"]]
    assert all(one["x"] + one["w"] <= 24 for one in places)
    for one, other in combinations(places, 2):
        beside = one["x"] + one["w"] <= other["x"] or other["x"] + other["w"] <= one["x"]
        below = one["y"] + one["h"] <= other["y"] or other["y"] + other["h"] <= one["y"]
        assert beside or below, (one, other)


@pytest.mark.parametrize("board", BOARDS.values(), ids=BOARDS)
def test_queries_can_be_read(board: Board, tmp_path: Path):
    rules = [{"record": f"query:{number}", "expr": expr} for number, (_, expr) in enumerate(questions([board]))]
    path = tmp_path / "queries.yaml"
    path.write_text(yaml.safe_dump({"groups": [{"name": "queries", "rules": rules}]}))
    assert f"{len(rules)} rules found" in promtool("check", "rules", "--lint=none", str(path))
