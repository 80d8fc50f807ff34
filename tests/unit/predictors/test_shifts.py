"""Jumps to a level for good are found; what only looks like one is none."""

from __future__ import annotations

import numpy as np
import pytest

from akeso_predictors import forecast, shifts
from unit.predictors.injected import Series

ROWS = 240


def noise(seed: int, rows: int = ROWS, keep: float = 0.4) -> Series:
    moves = np.random.default_rng(seed).normal(0, 1, rows)
    x = np.zeros(rows)
    for t in range(1, rows):
        x[t] = keep * x[t - 1] + moves[t]
    return x


def day(rows: int = ROWS) -> Series:
    t = 2 * np.pi * np.arange(rows) / 24
    return 3 * np.sin(t) + np.sin(2 * t + 1)


def added(x: Series, cycle: int = 0) -> Series:
    scale = np.nanstd(x)
    return shifts.offsets((x / scale)[:, None], cycle)[:, 0] * scale


@pytest.mark.parametrize("since", [4, 12, 30, 100])
@pytest.mark.parametrize("cycle", [0, 24])
def test_what_came_before_a_jump_is_moved_to_its_level(since, cycle):
    x = noise(since) + (day() if cycle else 0)
    x[-since:] += 7
    moved = added(x, cycle)
    assert moved[-since:] == pytest.approx(0)
    assert moved[: -since - 2] == pytest.approx(7, abs=1.6)
    assert np.ptp(moved[: -since - 2]) < 1e-9


def test_two_jumps_are_two_steps():
    x = noise(3)
    x[-150:] += 6
    x[-40:] += 12
    moved = added(x)
    assert moved[[0, 120, -1]] == pytest.approx([18, 12, 0], abs=1.5)


def test_holes_hide_no_jump():
    x = noise(5)
    x[-20:] -= 8
    x[np.random.default_rng(0).random(ROWS) < 0.15] = np.nan
    assert added(x)[100] == pytest.approx(-8, abs=1.6)


@pytest.mark.parametrize(
    "x",
    [
        np.zeros(ROWS),
        np.full(ROWS, np.nan),
        np.arange(float(ROWS)) + noise(6),
        np.cumsum(noise(7)),
        np.floor(np.arange(ROWS) / 20.0),
        noise(8) + 8 * (np.arange(ROWS) // 30 % 2),
        noise(9) + 8 * ((np.arange(ROWS) >= 150) & (np.arange(ROWS) < 200)),
        noise(1, 5),
    ],
    ids=["constant", "unknown", "trend", "walk", "stairs", "comes-and-goes", "burst", "short"],
)
def test_what_is_no_jump_moves_nothing(x):
    assert not shifts.offsets(
        (x / (np.nanstd(x) or 1.0) if np.isfinite(x).any() else x)[:, None], 0
    ).any()


def test_noise_has_no_jumps():
    x = np.random.default_rng(2).normal(0, 1, (ROWS, 200))
    assert shifts.offsets(x, 0).any(axis=0).mean() <= 0.02


@pytest.mark.parametrize("step", [None, 3600.0])
def test_a_forecast_starts_from_the_new_level(step):
    rows, ahead = 192, 24
    x = np.stack([noise(s, rows + ahead) + day(rows + ahead) for s in range(12)], axis=1)
    for s in range(12):
        x[rows - 5 - 3 * s :, s] += 8
    band = forecast(x[:rows], ahead, step_seconds=step)
    known = np.abs(x[rows:] - day(rows + ahead)[rows:, None] - 8).mean()
    assert np.abs(band.mean - x[rows:]).mean() < 1.35 * known


def test_a_series_that_jumped_may_jump_again():
    x = np.stack([noise(s) for s in range(10)], axis=1)
    calm = forecast(x, 24)
    x[120:] += 30
    jumped = forecast(x, 24)
    assert np.abs(jumped.mean - calm.mean - 30).mean() < 1
    assert (jumped.upper[1] - jumped.lower[1]).mean() > 1.05 * (
        calm.upper[1] - calm.lower[1]
    ).mean()
