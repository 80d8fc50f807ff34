"""What docs/security.md claims is shown by tests that exist, and its rights are the chart's."""

from __future__ import annotations

import ast
import re
from functools import cache
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "security.md").read_text()
NAMED = re.compile(r"`((?:unit|cluster|chart|node|rights)/[\w/]+\.py)::(test_\w+)`")


def chapter(heading: str) -> str:
    return PAGE.partition(f"\n{heading}\n")[2].partition("\n#")[0]


def rows(heading: str) -> list[str]:
    lines = [line for line in chapter(heading).splitlines() if line.startswith("| ")]
    return lines[1:]


@cache
def functions_of(file: str) -> frozenset[str]:
    tree = ast.parse((ROOT / "tests" / file).read_text())
    functions = (ast.FunctionDef, ast.AsyncFunctionDef)
    return frozenset(node.name for node in ast.walk(tree) if isinstance(node, functions))


@pytest.mark.parametrize(("file", "test"), sorted(set(NAMED.findall(PAGE))))
def test_every_test_that_is_named_exists(file: str, test: str) -> None:
    assert test in functions_of(file)


@pytest.mark.parametrize("heading", ["### Threats", "### Faults"])
def test_every_line_names_a_test_or_says_that_there_is_none(heading: str) -> None:
    found = rows(heading)
    assert len(found) > 10
    for row in found:
        *_, shown, _ = row.split("|")
        assert NAMED.search(shown) or "no test yet" in shown, row
        assert len(re.findall(r"::", shown)) == len(NAMED.findall(shown)), (
            "in the form that is checked"
        )


def test_every_right_of_the_chart_is_in_the_table_with_its_reason() -> None:
    rights = yaml.safe_load((ROOT / "charts" / "akeso" / "files" / "rights.yaml").read_text())
    healers = rights.pop("healers")
    rules = [r for group in (*rights.values(), *healers.values()) for r in group]
    table = PAGE.partition("<!-- rights -->")[2].partition("<!-- /rights -->")[0]
    lines = [line for line in table.splitlines() if line.startswith("| ")][2:]
    assert len(lines) == len(rules)
    for rule in rules:
        assert any(rule["why"] in line and rule["resources"][0] in line for line in lines), rule
    assert all(any(f"`{healer}`" in line for line in lines) for healer in healers)
