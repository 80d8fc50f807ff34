"""The dashboards stand on metrics that exist, work with any data source and explain themselves."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from itertools import combinations
from pathlib import Path
from typing import Any

import pytest

from unit.telemetry.promql import metrics_in, mistakes

FOLDER = Path(__file__).parents[3] / "charts" / "akeso" / "dashboards"
BOARDS: dict[str, Any] = {file.stem: json.loads(file.read_text()) for file in FOLDER.glob("*.json")}
each_board = pytest.mark.parametrize("board", BOARDS.values(), ids=BOARDS)
OF_GRAFANA = {"__rate_interval", "__range"}
SOURCE = {"type": "prometheus", "uid": "${datasource}"}


def shown(board: dict[str, Any]) -> list[dict[str, Any]]:
    return [panel for panel in board["panels"] if panel["type"] != "row"]


def queries(board: dict[str, Any]) -> Iterator[str]:
    for panel in shown(board):
        yield from (target["expr"] for target in panel["targets"])
    yield from (a["expr"] for a in board["annotations"]["list"] if "expr" in a)


def sources(thing: Any) -> Iterator[Any]:
    """Every `datasource` at any depth."""
    if isinstance(thing, dict):
        if "datasource" in thing:
            yield thing["datasource"]
        for value in thing.values():
            yield from sources(value)
    if isinstance(thing, list):
        for value in thing:
            yield from sources(value)


def test_there_is_one_for_operations_and_one_for_healing_each_with_an_address_that_stays() -> None:
    assert {name: board["uid"] for name, board in BOARDS.items()} == {
        "operations": "akeso-operations",
        "healing": "akeso-healing",
    }
    assert all(board["id"] is None for board in BOARDS.values())


@each_board
def test_every_query_names_metrics_and_labels_that_akeso_exports(board: dict[str, Any]) -> None:
    for query in queries(board):
        assert metrics_in(query), query
        assert list(mistakes(query)) == [], query


@each_board
def test_every_query_is_of_the_installation_that_was_chosen(board: dict[str, Any]) -> None:
    chosen = 'namespace=~"$namespace", job=~"$job"'
    for query in queries(board):
        assert query.count(chosen) == len(re.findall(r"\b(?:akeso|process)_\w+\{", query)), query
        assert len(re.findall(r"\b(?:akeso|process)_\w+(?!\w|\{)", query)) == 0, query


@each_board
def test_only_variables_that_are_there_are_used(board: dict[str, Any]) -> None:
    made = {variable["name"] for variable in board["templating"]["list"]}
    assert made == {"datasource", "namespace", "job"}
    used = set(re.findall(r"\$\{?(\w+)", json.dumps(board)))
    assert used - OF_GRAFANA <= made | {"__all"}


@each_board
def test_the_data_source_is_the_one_that_is_chosen(board: dict[str, Any]) -> None:
    found = list(sources(board))
    grafanas_own = {"type": "grafana", "uid": "-- Grafana --"}
    assert found and all(source in (SOURCE, grafanas_own) for source in found)
    assert all(panel["datasource"] == SOURCE for panel in shown(board))
    assert all(t["datasource"] == SOURCE for panel in shown(board) for t in panel["targets"])


@each_board
def test_every_panel_says_what_it_shows_and_in_what_unit(board: dict[str, Any]) -> None:
    for panel in shown(board):
        assert panel["title"] and panel["description"].endswith("."), panel["title"]
        assert panel["fieldConfig"]["defaults"]["unit"], panel["title"]


@each_board
def test_panels_have_names_and_places_of_their_own(board: dict[str, Any]) -> None:
    panels = board["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels)
    titles = [panel["title"] for panel in shown(board)]
    assert len(set(titles)) == len(titles)
    for panel in shown(board):
        refs = [target["refId"] for target in panel["targets"]]
        assert len(set(refs)) == len(refs)
    for one, other in combinations((panel["gridPos"] for panel in panels), 2):
        beside = one["x"] + one["w"] <= other["x"] or other["x"] + other["w"] <= one["x"]
        below = one["y"] + one["h"] <= other["y"] or other["y"] + other["h"] <= one["y"]
        assert beside or below
    assert all(p["gridPos"]["x"] + p["gridPos"]["w"] <= 24 for p in panels)


@each_board
def test_the_link_to_the_other_board_leads_there(board: dict[str, Any]) -> None:
    uids = {other["uid"] for other in BOARDS.values()} - {board["uid"]}
    assert {link["url"].removeprefix("/d/") for link in board["links"]} == uids
