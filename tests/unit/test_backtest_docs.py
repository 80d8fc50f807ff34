"""docs/backtest.md tells every field of the JSON, and its example runs."""

from __future__ import annotations

import runpy
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from akeso.api.meta import Model, wire_name
from akeso.backtest import model

DOCS = Path(__file__).parents[2] / "docs"


@pytest.fixture(scope="module")
def example() -> dict[str, Any]:
    return runpy.run_path(str(DOCS / "backtest_example.py"), run_name="example")


@pytest.mark.parametrize(
    "part", [model.BackTest, model.WorkloadResult, model.SeriesResult, model.Score, model.Failure,
             model.Alarm, model.Abstention]
)  # fmt: skip
def test_every_field_is_documented(part: type[Model]):
    page = (DOCS / "backtest.md").read_text().partition("## The JSON")[2]
    missing = [n for n in part.model_fields if f"`{wire_name(n)}" not in page]
    assert missing == []


def test_the_example_is_judged_and_drawn(example: dict[str, Any], tmp_path: Path):
    file = tmp_path / "pods.csv"
    example["write"](file)
    drawn = example["picture"](file)
    assert ElementTree.fromstring(drawn).tag.endswith("svg")
    assert "prefers-color-scheme: dark" in drawn and "http://" not in drawn.replace(
        "http://www.w3.org/", ""
    )
