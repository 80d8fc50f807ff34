"""Alerts on Akeso itself: each stands on metrics that exist, and has its place in the runbook."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from unit.telemetry.promql import metrics_in, mistakes

ROOT = Path(__file__).parents[3]
FILE = ROOT / "charts" / "akeso" / "files" / "alerts.yaml"
RULES: list[dict[str, Any]] = [
    rule for group in yaml.safe_load(FILE.read_text())["groups"] for rule in group["rules"]
]
PAGE = (ROOT / "docs" / "operations.md").read_text()
each_rule = pytest.mark.parametrize("rule", RULES, ids=lambda r: r["alert"])


def chapter() -> str:
    return PAGE.partition("\n## Alerts on Akeso itself\n")[2].partition("\n## ")[0]


def entries() -> dict[str, str]:
    """What the runbook says, by alert."""
    parts = re.split(r"^### ", chapter(), flags=re.MULTILINE)[1:]
    return {part.partition("\n")[0]: part.partition("\n")[2] for part in parts}


@each_rule
def test_an_alert_names_metrics_and_labels_that_akeso_exports(rule: dict[str, Any]) -> None:
    assert metrics_in(rule["expr"])
    assert list(mistakes(rule["expr"])) == []


def test_what_is_misspelt_is_seen() -> None:
    said = list(mistakes('sum by (who) (akeso_leder) > akeso_healings_blocked{why="x"}'))
    assert said == [
        "no metric akeso_leder",
        "akeso_healings_blocked has no label why",
        "nothing in it has a label who",
    ]


@each_rule
def test_an_alert_says_how_bad_what_and_where_to_read_on(rule: dict[str, Any]) -> None:
    assert rule["labels"] == {"severity": rule["labels"]["severity"]}
    assert rule["labels"]["severity"] in ("critical", "warning")
    said = rule["annotations"]
    assert said.keys() == {"summary", "description", "runbook"}
    assert said["summary"].endswith(".") and said["description"].endswith(".")
    assert said["runbook"] == f"docs/operations.md#{rule['alert'].lower()}"


def test_every_alert_has_its_entry_in_the_runbook_and_every_entry_its_alert() -> None:
    names = [rule["alert"] for rule in RULES]
    assert len(set(names)) == len(names)
    assert list(entries()) == names, "in the order of the file"


@pytest.mark.parametrize("name", [rule["alert"] for rule in RULES])
def test_an_entry_says_what_it_means_where_to_look_and_what_to_do(name: str) -> None:
    said = entries()[name]
    assert said.startswith("**Means**: ") and "\n**Do**: " in said
    assert "```console\n$ " in said


def test_links_within_the_runbook_lead_somewhere() -> None:
    headings = re.findall(r"^#+ (.*)$", PAGE, flags=re.MULTILINE)
    anchors = {re.sub(r"[^\w\- ]", "", h.lower()).replace(" ", "-") for h in headings}
    assert set(re.findall(r"\]\(#([^)]+)\)", chapter())) <= anchors
