"""Each class on a series that a lab's kubelet, Prometheus and API server gave (tests/data/recorded)."""

from __future__ import annotations

import csv
from collections import defaultdict
from functools import cache
from pathlib import Path

import numpy as np
import pytest

from akeso_predictors import replay
from akeso_predictors.checks import Floats
from akeso_predictors.classes import class_of

RECORDED = Path(__file__).parents[2] / "data" / "recorded" / "series.csv"
STEP = 5.0
BOUNDS = {
    "throttling": 25.0, "volume": 90.0, "inodes": 95.0, "connections": 90.0, "errors": 0.05,
    "replicas": 99.0,
}  # fmt: skip


@cache
def recorded() -> dict[str, Floats]:
    found: defaultdict[str, list[float]] = defaultdict(list)
    with RECORDED.open() as file:
        for row in csv.DictReader(file):
            found[row["series"]].append(float(row["value"]))
    return {name: np.array(values) for name, values in found.items()}


def test_every_class_that_has_a_series_is_known() -> None:
    assert recorded().keys() == BOUNDS.keys()
    for name in recorded():
        assert class_of(name).name == name


@pytest.mark.parametrize("name", ["volume", "inodes", "connections"])
def test_what_fills_is_foreseen_minutes_before_and_stays_so(name: str) -> None:
    values = recorded()[name]
    crossed = int(np.argmax(values > BOUNDS[name])) or len(values)
    said = replay(values, BOUNDS[name], STEP, 900.0, metric_class=name)
    alarms = np.flatnonzero(said.alarm[:crossed, 0])
    assert len(alarms) > 0
    assert (crossed - alarms[0]) * STEP >= 200
    left = (crossed - alarms[0]) * STEP
    early, _, late = said.ttf[alarms[0], 0]
    assert early <= 1.3 * left
    assert late >= 0.7 * left


@pytest.mark.parametrize("name", ["throttling", "errors"])
def test_what_stays_below_its_bound_raises_no_alarm(name: str) -> None:
    values = recorded()[name]
    below = values <= BOUNDS[name]  # a share of errors may touch it for a moment
    assert below.mean() > 0.95
    said = replay(values, BOUNDS[name], STEP, 900.0, metric_class=name)
    assert not said.alarm[below, 0].any()
    assert not said.abstained[20:].all()


def test_a_staircase_of_replicas_raises_no_alarm_before_most_of_it_is_climbed() -> None:
    values = recorded()["replicas"]
    said = replay(values, BOUNDS["replicas"], STEP, 900.0, metric_class="replicas")
    assert not said.alarm[values < 60, 0].any()
    assert values[-1] > BOUNDS["replicas"]
