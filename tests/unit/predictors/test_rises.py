"""Rises from a rest: most end below the limit, and the longer one has lasted, the less likely that is."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from akeso_predictors import replay
from akeso_predictors.checks import Floats
from akeso_predictors.settings import DecisionSettings

SEEDS = range(20)


def risen(seed: int, rest: int, rows: int, low: float, high: float, after: int = 60) -> Floats:
    """A rest, a straight rise, and what it reached."""
    random = np.random.default_rng(seed)
    level = np.concatenate([np.full(rest, low), np.linspace(low, high, rows), np.full(after, high)])
    return level + random.normal(0, 0.003, len(level))


@pytest.mark.parametrize("minutes", [15, 30, 60])
def test_a_step_that_ramps_over_half_of_the_way_raises_no_alarm(minutes: int) -> None:
    values = np.stack([risen(seed, 120, minutes, 0.3, 0.7) for seed in SEEDS], axis=1)
    assert replay(values, 1.0, 60.0, 3600.0).alarm.any(axis=0).mean() <= 0.1


@pytest.mark.parametrize("minutes", [30, 60, 180])
def test_the_same_rise_alarms_if_it_goes_on(minutes: int) -> None:
    values = np.stack([risen(seed, 120, minutes, 0.3, 1.0, 0) for seed in SEEDS], axis=1)
    alarm = replay(values, 1.0, 60.0, 3600.0).alarm
    ahead = len(values) - alarm.argmax(axis=0)
    assert alarm.any(axis=0).all()
    assert ahead.min() >= minutes / 5


def test_of_two_rises_of_one_form_the_longer_is_believed_more() -> None:
    values = np.stack([risen(seed, 60, 60, 0.3, 0.8, 0) for seed in SEEDS], axis=1)
    short = replay(values, 1.0, 30.0, 30 * 60.0).probability[-1]
    long = replay(values, 1.0, 240.0, 240 * 60.0).probability[-1]
    assert (long > short).all()


def test_what_fills_a_disk_within_an_hour_is_awaited_longer_than_what_fills_memory() -> None:
    values = np.stack([risen(seed, 240, 90, 0.4, 0.83) for seed in SEEDS], axis=1)
    said = [
        replay(values, 1.0, 60.0, 4 * 3600.0, metric_class=name).alarm.any(axis=0).mean()
        for name in ("memory", "volume")
    ]
    assert said[0] == 1
    assert said[1] <= 0.05


def test_a_disk_that_fills_for_a_day_is_told_hours_before() -> None:
    values = np.stack([risen(seed, 240, 1440, 0.3, 1.0, 0) for seed in SEEDS], axis=1)
    alarm = replay(values, 1.0, 60.0, 4 * 3600.0, metric_class="volume").alarm
    assert (len(values) - alarm.argmax(axis=0)).min() >= 120


def first_alarms(
    step: float, high: float, rows: int, *, begun: bool = False, rash: float | None = None
) -> Floats:
    """Rows (S,) into a rise after a rest of 240 at which memory raises its first alarm, inf without one;
    `begun`: its container began with it."""
    settings = DecisionSettings()
    if rash is not None:
        settings = replace(settings, trend=replace(settings.trend, rash=rash))
    values = np.stack([risen(seed, 240, rows, 0.2, high) for seed in SEEDS], axis=1)
    restarts = np.zeros(values.shape, dtype=np.bool_)
    restarts[239 if begun else 0] = True
    said = replay(values, 1.0, step, 1800.0, restarts=restarts, settings=settings).alarm
    return np.where(said.any(axis=0), said.argmax(axis=0) - 240.0, np.inf)


def test_a_rise_of_minutes_amid_a_life_is_a_ramp_to_another_level() -> None:
    assert np.isinf(first_alarms(15.0, 0.85, 24)).all()
    assert np.isfinite(first_alarms(15.0, 0.85, 24, rash=0.0)).all()


def test_a_rise_of_minutes_that_began_with_its_container_is_none() -> None:
    amid, begun = (first_alarms(15.0, 1.0, 40, begun=with_it) for with_it in (False, True))
    assert (begun + 4 <= amid).all()
    assert np.array_equal(begun, first_alarms(15.0, 1.0, 40, begun=True, rash=0.0))


def test_who_scrapes_every_five_seconds_hears_of_rises_of_minutes_as_ever() -> None:
    found = first_alarms(5.0, 1.0, 40)
    assert (found < 30).all()
    assert np.array_equal(found, first_alarms(5.0, 1.0, 40, rash=0.0))


@pytest.mark.parametrize("name", ["persistence", "patience", "lasting", "watched", "rash", "young"])
@pytest.mark.parametrize("factor", [0.5, 2.0])
def test_no_constant_is_on_an_edge(name: str, factor: float) -> None:
    settings = DecisionSettings()
    trend = replace(settings.trend, **{name: getattr(settings.trend, name) * factor})
    moved = replace(settings, trend=trend)
    ends = np.stack([risen(seed, 120, 30, 0.3, 0.6) for seed in SEEDS], axis=1)
    goes_on = np.stack([risen(seed, 120, 90, 0.3, 1.0, 0) for seed in SEEDS], axis=1)
    assert not replay(ends, 1.0, 60.0, 3600.0, settings=moved).alarm.any()
    alarm = replay(goes_on, 1.0, 60.0, 3600.0, settings=moved).alarm
    assert alarm.any(axis=0).all()
    assert (len(goes_on) - alarm.argmax(axis=0)).min() >= 5
