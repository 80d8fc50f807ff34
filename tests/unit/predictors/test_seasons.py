"""Seasons are found: days, weeks, any clear cycle; and none where there is none."""

from __future__ import annotations

import numpy as np
import pytest

from akeso_predictors import InputError, seasons

_RANDOM = np.random.default_rng(5)


def cycle(rows: int, length: float, noise: float = 0.3):
    t = np.arange(rows)
    shape = np.sin(2 * np.pi * t / length) + 0.5 * np.sin(4 * np.pi * t / length + 1)
    return shape + _RANDOM.normal(0, noise, rows)


@pytest.mark.parametrize(("step", "day"), [(3600.0, 24), (1800.0, 48), (300.0, 288), (60.0, 1440)])
def test_a_day_is_found_by_the_step(step, day):
    found = seasons.found(cycle(4 * day, day), step)
    assert (found.short[0], found.long[0]) == (day, 0)


@pytest.mark.parametrize("length", [7, 24, 37, 48, 288])
def test_any_clear_cycle_is_found_without_a_step(length):
    found = seasons.found(cycle(max(6 * length, 120), length))
    assert abs(found.short[0] - length) <= 1


def test_a_week_is_found_above_a_day():
    t = np.arange(24 * 7 * 4)
    load = np.where(t // 24 % 7 < 5, 1.0, 0.4) * (1.5 + np.sin(2 * np.pi * t / 24))
    for step in (3600.0, None):
        found = seasons.found(load + _RANDOM.normal(0, 0.05, len(t)), step)
        assert (found.short[0], found.long[0]) == (24, 168)


def test_trend_and_holes_hide_no_cycle():
    values = cycle(24 * 8, 24) + 0.1 * np.arange(24 * 8)
    values[40:60] = np.nan
    values[_RANDOM.random(len(values)) < 0.1] = np.nan
    assert seasons.found(values, 3600.0).short.tolist() == [24]


def test_slow_moves_hide_no_day():
    t = np.arange(24 * 8)
    moves = np.random.default_rng(3).normal(0, 0.5, (len(t), 12)).cumsum(axis=0)
    day = 1.5 * np.sin(2 * np.pi * t / 24)[:, None]
    found = seasons.found(20 * np.cos(t / 60)[:, None] + moves + day, 3600.0)
    assert (found.short == 24).mean() >= 0.9


@pytest.mark.parametrize("step", [None, 3600.0])
def test_slow_moves_are_no_cycle(step):
    walks = np.random.default_rng(4).normal(0, 1, (300, 60)).cumsum(axis=0)
    assert (seasons.found(walks, step).short > 0).mean() <= 0.07


def test_a_cycle_is_followed_over_a_long_history():
    assert seasons.found(cycle(100_000, 1440), 60.0).short.tolist() == [1440]


@pytest.mark.parametrize("step", [None, 60.0, 3600.0])
def test_what_has_no_cycle_is_given_none(step):
    still = np.stack([np.full(400, 3.0), np.arange(400.0), np.full(400, np.nan)], axis=1)
    assert seasons.found(still, step).short.tolist() == [0, 0, 0]
    noise = np.random.default_rng(5).normal(0, 1, (400, 1000))
    assert (seasons.found(noise, step).short > 0).mean() <= 0.1


def test_a_single_cycle_is_none():
    assert seasons.found(cycle(30, 24), 3600.0).short.tolist() == [0]


def test_a_named_day_brings_its_week():
    t = np.arange(24 * 7 * 4)
    load = np.where(t // 24 % 7 < 5, 1.0, 0.4) * (1.5 + np.sin(2 * np.pi * t / 24))
    for named in (24, 168):
        found = seasons.beside(load[:, None], named)
        assert (found.short[0], found.long[0]) == (24, 168)


@pytest.mark.parametrize("step", [0.0, -1.0, float("nan")])
def test_a_wrong_step_is_refused(step):
    with pytest.raises(InputError, match="step_seconds"):
        seasons.found(np.arange(50.0), step)
