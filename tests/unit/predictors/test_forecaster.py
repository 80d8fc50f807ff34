"""Two classes of metrics behind one door: a limit of memory must not be touched, one of load not
be stayed above."""

from __future__ import annotations

import numpy as np
import pytest

from akeso.domain.forecast import LoadKey, Readiness, Sample, SeriesKey
from akeso.protocols import Predictor
from akeso_predictors import Forecaster

STEP, START = 15.0, 1_700_000_000.0
MEMORY = SeriesKey("shop", "web-1", "app")
LOAD = LoadKey("shop", "", "", "CPU 90", "uid-web")
QUEUE = LoadKey("shop", "", "", "above 1000 by deployment: queue", "uid-web")


def fed(values: np.ndarray, *keys: SeriesKey) -> Forecaster:
    forecaster = Forecaster(STEP)
    forecaster.ingest(
        Sample(key, START + STEP * t, float(v), 1.0, "a")
        for t, v in enumerate(values)
        for key in keys
    )
    return forecaster


def end(values: np.ndarray) -> float:
    return START + STEP * (len(values) - 1)


def test_it_is_the_predictor_that_the_engine_asks_for():
    predictor: Predictor = Forecaster(STEP)
    assert predictor.evaluate(START, 600.0) == {}


def test_each_series_is_forecast_under_its_own_key():
    values = np.linspace(0.2, 0.9, 60)
    forecaster = fed(values, MEMORY, LOAD, QUEUE)
    found = forecaster.evaluate(end(values), {MEMORY: 600.0, LOAD: 600.0})
    assert set(found) == {MEMORY, LOAD}
    for key in found:
        assert found[key].alarm
        assert forecaster.peek(key, end(values), 600.0).probability == found[key].probability
        assert len(forecaster.history(key)[0]) == 60


def test_what_is_forgotten_or_acted_on_is_known_no_more_of_both_classes():
    values = np.linspace(0.2, 0.9, 60)
    forecaster = fed(values, MEMORY, LOAD, QUEUE)
    forecaster.forget([MEMORY, LOAD])
    forecaster.mark_action(QUEUE, end(values))
    forecaster.ingest([Sample(QUEUE, end(values) + STEP, 0.91, 1.0, "a")])
    found = forecaster.evaluate(end(values) + STEP, 600.0)
    assert set(found) == {QUEUE}
    assert not found[QUEUE].alarm
    assert forecaster.peek(LOAD, end(values), 600.0).readiness is Readiness.NO_DATA


def test_a_swinging_series_reaches_its_bound_with_a_peak_for_memory_and_as_a_whole_for_load():
    t = np.arange(150)
    values = 0.5 + 0.002 * t + 0.08 * np.sin(2 * np.pi * t / 24)
    found = fed(values, MEMORY, LOAD).evaluate(end(values), 1_800.0)
    memory, load = found[MEMORY].ttf, found[LOAD].ttf
    assert memory is not None
    assert load is not None
    assert memory[1] < load[1]
    assert load[1] == pytest.approx(STEP * 0.2 / 0.002, rel=0.5)
