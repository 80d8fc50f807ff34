"""Whatever a file holds is judged or abstained from: no warning, no exception, JSON that is JSON."""

from __future__ import annotations

import json

import numpy as np
import pytest

from akeso.backtest.judge import Question, learned
from akeso.backtest.page import page
from akeso.backtest.regular import histories
from akeso.clients.tables.columns import Columns
from akeso.wiring.backtesting import Recorded, judge

VALUES = (0, 1, 50, 99, 100, 101, -5, np.nan, np.inf, -np.inf, 1e17, 1e19, 1e-300, 1e300)
LIMITS = (0, -1, 100, np.nan, np.inf, 90, 1e-9, 1e-30, 1e17)
CLASSES = ("memory", "cpu", "volume", "queue", "connections")


def hostile(rng: np.random.Generator) -> Columns:
    count, series = int(rng.integers(1, 300)), int(rng.integers(1, 4))
    pauses = rng.choice(
        [0, 1, 15, 60, 61, 3600, 1e6], count, p=[0.05, 0.1, 0.3, 0.4, 0.1, 0.04, 0.01]
    )
    time = 1.79e9 + np.cumsum(pauses)
    if rng.random() < 0.3:
        rng.shuffle(time)
    walk = np.abs(np.cumsum(rng.normal(0, 3, count)) + 40)
    return Columns(
        "file",
        tuple(f"a/{name}/c" for name in "xyz"[:series]),
        rng.integers(0, series, count),
        time,
        rng.choice(VALUES, count) if rng.random() < 0.5 else walk,
        rng.choice(LIMITS, count) if rng.random() < 0.7 else None,
        rng.choice([0, 1, 2, np.nan], count, p=[0.8, 0.1, 0.05, 0.05])
        if rng.random() < 0.5
        else None,
    )


@pytest.mark.parametrize("seed", range(12))
def test_anything_is_judged(seed: int):
    rng = np.random.default_rng(seed)
    for case in range(5):
        limit = None if rng.random() < 0.6 else float(rng.choice([1e-9, 90, 1e17]))
        step = None if rng.random() < 0.7 else float(rng.choice([1, 60, 3600]))
        found = histories(hostile(rng), limit, step)
        horizon = float(rng.choice([60, 1800, 86400 * 30]))
        asked = Question(horizon, float(rng.choice([0.01, 0.8, 0.99])), str(rng.choice(CLASSES)))
        judgement = judge(Recorded("file", found, limit=limit), asked)
        json.dumps(judgement.told.model_dump(mode="json", by_alias=True), allow_nan=False)
        for series in judgement.told.series:
            assert 0 <= series.abstained_percent <= 100
            score = series.akeso
            assert score.foreseen + score.late + score.missed == len(series.failures)
        learned(found, asked)
        if case == 0:
            page(judgement.told, judgement.drawn)
