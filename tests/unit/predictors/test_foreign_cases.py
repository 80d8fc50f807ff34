"""The generators by other authors keep what they promise: the same cases for the same seed, clean labels."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

sys.path.append(str(Path(__file__).parents[3] / "bench"))

import grafana_cases
import postmortem_cases
import queueing_cases
from foreign_cases import Case

PARTS = {
    "grafana core": grafana_cases.core,
    "grafana stress": grafana_cases.stress,
    "queueing core": queueing_cases.core,
    "queueing stress": queueing_cases.stress,
    "postmortem core": postmortem_cases.core,
    "postmortem stress": postmortem_cases.stress,
}
SEED, COUNT = 5, 120


@pytest.fixture(scope="module", params=list(PARTS))
def part(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def made(part: str) -> list[Case]:
    return PARTS[part](SEED, COUNT)


def watched(case: Case) -> np.ndarray:
    """Values as shares of the limit, until it is crossed."""
    return (case.values / case.limit)[: case.crossing]


def test_cases_are_the_same_for_the_same_seed(part: str, made: list[Case]):
    again, other = PARTS[part](SEED, COUNT), PARTS[part](SEED + 1, COUNT)
    for one, two in zip(made, again, strict=True):
        assert (one.kind, one.crossing, one.onset) == (two.kind, two.crossing, two.onset)
        np.testing.assert_array_equal(one.values, two.values)
        np.testing.assert_array_equal(one.limit, two.limit)
    assert [case.crossing for case in made] != [case.crossing for case in other]


def test_rows_agree_and_labels_lie_inside(part: str, made: list[Case]):
    for case in made:
        rows = {len(x) for x in (case.values, case.limit, case.restarts, case.breaks)}
        assert rows == {len(case.values)}
        assert case.stress is part.endswith("stress")
        assert case.crossing is None or 0 < case.crossing < len(case.values)
        assert case.onset is None or (case.crossing is not None and case.onset < case.crossing)
        assert case.step in (15.0, 30.0, 60.0) and np.nanmin(case.values) >= 0


def test_no_value_is_beyond_the_limit_before_it_is_crossed(made: list[Case]):
    for case in made:
        highest = np.nanmax(watched(case))
        assert highest < 1 if case.crossing is None else highest <= 1, case.kind


def test_two_in_five_cases_end_and_one_scrape_in_a_hundred_is_lost(made: list[Case]):
    ends = np.mean([case.crossing is not None for case in made])
    lost = np.mean(np.isnan(np.concatenate([case.values for case in made])))
    assert ends == pytest.approx(0.4, abs=0.03)
    assert lost == pytest.approx(0.01, abs=0.003)
