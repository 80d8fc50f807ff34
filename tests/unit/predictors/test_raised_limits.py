"""A limit that is raised, and series that would not grow into one."""

from __future__ import annotations

import numpy as np
import pytest

from akeso.domain.forecast import Forecast, Readiness, Sample, SeriesKey
from akeso_predictors import ExhaustionPredictor, replay
from unit.predictors import scenarios
from unit.predictors.scenarios import leak

STEP, HORIZON, START = 5.0, 600.0, 1_700_000_000.0
KEY = SeriesKey("shop", "cart-1", "app")


def judged(values, limits=1.0) -> list[Forecast]:
    """One forecast per row, as the operator makes them."""
    predictor = ExhaustionPredictor(STEP)
    found = []
    for t, (value, limit) in enumerate(np.broadcast(values, limits)):
        now = START + STEP * t
        predictor.ingest([Sample(KEY, now, float(value), float(limit), "a")])
        found.append(predictor.evaluate(now, HORIZON)[KEY])
    return found


def raised(rows: int, at: int, to: float) -> np.ndarray:
    return np.where(np.arange(rows) < at, 1.0, to)


def test_a_raised_limit_ends_the_alarm_at_once_and_the_trend_is_not_forgotten():
    values = leak(300, 1)
    at = next(t for t, f in enumerate(judged(values)) if f.alarm)
    later = judged(values, raised(len(values), at + 1, 3.0))
    assert later[at].alarm and not later[at + 1].alarm
    assert later[at + 1].readiness is Readiness.READY  # nothing begins anew
    assert later[at + 1].samples == later[at].samples + 1


def test_a_leak_that_goes_on_alarms_again_below_the_raised_limit():
    values = leak(300, 1)
    at = next(t for t, f in enumerate(judged(values, 0.7)) if f.alarm)
    again = judged(values, 0.7 * raised(len(values), at + 1, 1.4))
    assert not again[at + 1].alarm
    later = list(zip(again, values, strict=True))[at + 1 :]
    assert any(f.alarm for f, value in later if value < 0.95)


def test_a_lowered_limit_begins_a_leg():
    values = leak(300, 1)
    assert judged(values[:31], raised(31, 30, 0.7))[-1].samples == 1


@pytest.mark.parametrize("to", [0.8, 1.3])
def test_cycle_by_cycle_it_decides_as_replay_does_across_a_change_of_the_limit(to: float):
    values = leak(300, 4)
    limits = raised(len(values), 35, to)
    said = replay(values, limits, STEP, HORIZON)
    for t, forecast in enumerate(judged(values, limits)):
        assert forecast.alarm == said.alarm[t, 0], t
        assert (forecast.readiness is Readiness.READY) == (not said.abstained[t, 0]), t


@pytest.mark.parametrize("seed", range(5))
def test_a_heap_that_is_collected_again_and_again_has_levelled_off(seed: int):
    last = judged(scenarios.sawtooth(240, seed))[-1]
    assert last.levelled_off or last.readiness is Readiness.BURSTY


@pytest.mark.parametrize("seed", range(5))
def test_a_heap_that_has_filled_up_has_levelled_off_and_only_then(seed: int):
    values = scenarios.warm_up(240, seed)
    found = judged(values)
    assert found[-1].levelled_off
    assert not any(f.levelled_off for f in found[:20])


@pytest.mark.parametrize("seconds", [300, 900, 1800])
@pytest.mark.parametrize("seed", range(5))
def test_what_alarms_has_never_levelled_off(seed: int, seconds: int):
    quiet = scenarios.sawtooth(120, seed) if seed % 2 else np.full(120, 0.3)
    values = np.concatenate([quiet, leak(seconds, seed)])
    alarms = [f for f in judged(values) if f.alarm]
    assert alarms and not any(f.levelled_off for f in alarms)
