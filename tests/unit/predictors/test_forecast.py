"""Forecasts of values: shapes, intervals, seasons, and what cannot be forecast."""

from __future__ import annotations

import os
import subprocess
import sys

import numpy as np
import pytest

from akeso_predictors import InputError, forecast
from unit.predictors.injected import DATA, Series, pods


def test_shapes_follow_series_horizon_and_levels():
    band = forecast(np.random.default_rng(0).normal(0, 1, (50, 3)), 7, levels=(50, 80, 95))
    assert band.mean.shape == (7, 3)
    assert band.lower.shape == band.upper.shape == (3, 7, 3)
    assert band.model.shape == (3,)
    assert (np.diff(band.upper, axis=0) >= 0).all()
    assert (band.lower <= band.mean).all()


def test_one_dimension_is_one_series():
    assert forecast(np.arange(30.0), 5).mean.shape == (5, 1)


def test_a_trend_goes_on_and_a_constant_stays():
    rising = forecast(np.arange(100.0), 5).mean[:, 0]
    assert rising[-1] > 101
    assert forecast(np.full(50, 3.0), 5).mean[:, 0] == pytest.approx(3.0)


def test_a_season_is_found_where_it_is_named():
    t = np.arange(240)
    wave = 10 + 3 * np.sin(2 * np.pi * t / 24) + np.random.default_rng(0).normal(0, 0.1, 240)
    band = forecast(wave[:216], 24, season=24)
    assert band.model[0].startswith("seasonal")
    assert np.abs(band.mean[:, 0] - wave[216:]).mean() < 0.5


def test_a_day_is_tried_where_the_step_tells_its_length():
    t = np.arange(24 * 6)
    wave = 10 + 3 * np.sin(2 * np.pi * t / 24)
    assert forecast(wave, 24, step_seconds=3600.0).model[0].startswith("seasonal")


def test_holes_are_not_filled_but_skipped():
    values = np.full(60, 5.0)
    values[20:30] = np.nan
    assert forecast(values, 5).mean[:, 0] == pytest.approx(5.0)


def test_intervals_of_white_noise_cover_what_they_say():
    noise = np.random.default_rng(0).normal(0, 1, (220, 60))
    band = forecast(noise[:200], 20)
    inside = (band.lower <= noise[200:]) & (noise[200:] <= band.upper)
    assert 0.75 <= inside[0].mean() <= 0.87
    assert 0.92 <= inside[1].mean() <= 0.99


ROWS, AHEAD, SERIES = 240, 24, 60


def kept(noise: Series, keep: float) -> Series:
    x = noise.copy()
    for t in range(1, len(x)):
        x[t] += keep * x[t - 1]
    return x


def regime(name: str) -> Series:
    """Series (ROWS + AHEAD, SERIES) of one kind."""
    rng = np.random.default_rng(11)
    shape = (ROWS + AHEAD, SERIES)
    noise = rng.normal(0, 1, shape)
    match name:
        case "walk":
            return np.cumsum(noise, axis=0)
        case "slow":
            return kept(noise, 0.97)
        case "heavy tails":
            return rng.standard_t(2, shape)
        case "jumps":
            jumps = (rng.random(shape) < 1 / 100) * rng.normal(0, 8, shape)
            return kept(noise, 0.3) + np.cumsum(jumps, axis=0)
        case "share":
            return np.clip(92 + 4 * kept(noise, 0.9), 0, 100)
        case _:
            t = np.arange(ROWS + AHEAD)[:, None]
            return rng.poisson(np.exp(1 + np.sin(2 * np.pi * t / 24)), shape).astype(np.float64)


def test_intervals_cover_what_they_say_in_every_regime():
    covered: list[float] = []
    for name in ("walk", "slow", "heavy tails", "jumps", "share", "counts"):
        x = regime(name)
        band = forecast(x[:ROWS], AHEAD, step_seconds=3600.0)
        inside = (band.lower <= x[ROWS:]) & (x[ROWS:] <= band.upper)
        assert 0.75 <= inside[0].mean() <= 0.88, name
        assert inside[1].mean() >= 0.89, name
        covered.append(inside[1].mean())
    assert 0.93 <= np.mean(covered) <= 0.98


@pytest.mark.parametrize("name", ["walk", "slow", "jumps"])
def test_where_the_last_value_is_hard_to_beat_it_is_hardly_worse(name):
    x = regime(name)
    ours = np.abs(forecast(x[:ROWS], AHEAD).mean - x[ROWS:]).mean()
    assert ours <= 1.06 * np.abs(x[ROWS - 1] - x[ROWS:]).mean()


def test_short_histories_have_wide_intervals():
    x = regime("slow")
    short, long = forecast(x[ROWS - 20 : ROWS], AHEAD), forecast(x[:ROWS], AHEAD)
    inside = (short.lower[1] <= x[ROWS:]) & (x[ROWS:] <= short.upper[1])
    assert inside.mean() >= 0.85
    assert (short.upper[1] - short.lower[1]).mean() > 0.8 * (long.upper[1] - long.lower[1]).mean()


def test_what_was_never_negative_is_not_forecast_to_be():
    x = regime("counts")
    band = forecast(x[:ROWS], AHEAD, step_seconds=3600.0)
    assert band.lower.min() == 0
    assert forecast(x[:ROWS] - 3, AHEAD, step_seconds=3600.0).lower.min() < -3


def test_real_memory_is_forecast_no_worse_than_its_last_value():
    some = [x for x in pods(held_out=True).values() if x.max() > 1][:20]
    past = np.stack([x[:300] for x in some], axis=1)
    future = np.stack([x[300:330] for x in some], axis=1)
    scale = np.maximum(np.abs(np.diff(past, axis=0)).mean(axis=0), 0.01)
    ours = np.abs(forecast(past, 30).mean - future).mean(axis=0) / scale
    assert np.mean(ours) <= 1.05 * np.mean(np.abs(past[-1] - future).mean(axis=0) / scale)


@pytest.mark.parametrize("values", [np.full(20, np.nan), np.array([1.0]), np.full(20, np.inf)])
def test_series_that_say_nothing_are_not_forecast(values):
    band = forecast(values, 5)
    assert band.model.tolist() == ["none"]
    assert np.isnan(band.mean).all()


def walk(seed: int = 0, rows: int = 150, series: int = 1) -> Series:
    return np.cumsum(np.random.default_rng(seed).normal(0.05, 1, (rows, series)), axis=0)


def waves(rows: int, cycle: int, series: int = 1, noise: float = 0.2) -> Series:
    t = np.arange(rows)[:, None]
    jitter = np.random.default_rng(1).normal(0, noise, (rows, series))
    return 10 + 3 * np.sin(2 * np.pi * t / cycle + np.arange(series)) + jitter


@pytest.mark.parametrize(
    ("method", "season", "model"),
    [("ets", None, "ETS(A,Ad,N)"), ("ets", 12, "ETS(A,Ad,A)"), ("stl", 12, "STL")],
)
def test_maximum_likelihood_is_there_when_asked_for(method, season, model):
    values = walk() if season is None else waves(150, 12)
    band = forecast(values, 5, season, method=method)
    assert band.model.tolist() == [model]
    assert (band.lower < band.upper).all()


@pytest.mark.parametrize("values", [walk(), waves(240, 24), np.abs(walk(3)) ** 3])
@pytest.mark.parametrize(("factor", "offset"), [(1000.0, -5.0), (1e-6, 3.0), (7.0, 1e6)])
def test_unit_and_zero_of_the_values_do_not_matter(values, factor, offset):
    plain = forecast(values, 12, step_seconds=3600.0)
    moved = forecast(values * factor + offset, 12, step_seconds=3600.0)
    size = np.ptp(values) * factor
    for name in ("mean", "lower", "upper"):
        expected = getattr(plain, name) * factor + offset
        assert np.abs(getattr(moved, name) - expected).max() < 1e-6 * size
    assert moved.model.tolist() == plain.model.tolist()


@pytest.mark.parametrize("seed", range(3))
def test_bounds_are_in_order_whatever_the_levels(seed):
    values = np.concatenate([walk(seed, 90, 5), waves(90, 10, 3)], axis=1)
    values[np.random.default_rng(seed).random(values.shape) < 0.1] = np.nan
    band = forecast(values, 20, levels=(99, 50, 80))
    assert (band.lower <= band.mean).all()
    assert (band.mean <= band.upper).all()
    assert (np.diff(band.upper[[1, 2, 0]], axis=0) >= 0).all()
    assert (np.diff(band.lower[[1, 2, 0]], axis=0) <= 0).all()


def test_what_stands_beside_a_series_does_not_matter():
    values = np.concatenate([walk(1, 240, 3), waves(240, 24, 3)], axis=1)
    values[100:110, 2] = np.nan
    together = forecast(values, 10, step_seconds=3600.0)
    for s in range(values.shape[1]):
        alone = forecast(values[:, s], 10, step_seconds=3600.0)
        assert alone.mean[:, 0] == pytest.approx(together.mean[:, s], rel=1e-9)
        assert alone.upper[:, :, 0] == pytest.approx(together.upper[:, :, s], rel=1e-9)
        assert alone.model[0] == together.model[s]


def test_the_same_again_is_the_same_again():
    values = waves(240, 24, 3)
    one, two = forecast(values, 30), forecast(values, 30)
    assert (one.mean == two.mean).all()
    assert (one.upper == two.upper).all()


def test_a_shorter_horizon_is_asked_for_by_itself_and_a_long_one_is_whole():
    band = forecast(waves(100, 10), 3000)
    assert band.mean.shape == (3000, 1)
    assert np.isfinite(band.upper).all()


def test_weekdays_and_weekends_are_told_apart():
    hours = np.arange(24 * 7 * 6)
    busy = np.where(hours // 24 % 7 < 5, 1.0, 0.3)
    load = 50 * busy * (1.2 + np.sin(2 * np.pi * hours / 24))
    load = load + np.random.default_rng(0).normal(0, 2, len(load))
    for told in ({"season": 24}, {"step_seconds": 3600.0}, {}):
        band = forecast(load[: -48 - 24 * 5], 48, **told)
        error = np.abs(band.mean[:, 0] - load[-48 - 24 * 5 :][:48]).mean()
        assert error < 4, told


def test_real_days_and_weeks_are_forecast_better_than_by_yesterday():
    lines = (DATA.parent / "nab" / "nyc_taxi.csv").read_text().splitlines()[1:]
    hourly = np.array([float(line) for line in lines]).reshape(-1, 2).mean(axis=1)
    origins = np.arange(504, len(hourly) - 48, 411)
    past = np.stack([hourly[o - 504 : o] for o in origins], axis=1)
    future = np.stack([hourly[o : o + 48] for o in origins], axis=1)
    band = forecast(past, 48, step_seconds=3600.0)
    yesterday = np.abs(past[np.arange(-24, 24) % 24 - 24] - future).mean()
    assert np.abs(band.mean - future).mean() < 0.6 * yesterday
    inside = (band.lower <= future) & (future <= band.upper)
    assert 0.7 <= inside[0].mean() <= 0.92
    assert 0.88 <= inside[1].mean() <= 0.99


def test_noise_is_not_given_a_season():
    noise = np.random.default_rng(0).normal(0, 1, (300, 20))
    band = forecast(noise, 24, step_seconds=3600.0)
    mean = np.abs(band.mean).mean()
    assert mean < 0.25


def test_negative_values_are_values():
    assert forecast(np.full(40, -7.0), 3).mean[:, 0] == pytest.approx(-7.0)


def test_a_constant_is_certain():
    band = forecast(np.full(100, 0.1), 10, step_seconds=60.0)
    assert band.upper == pytest.approx(0.1)
    assert band.lower == pytest.approx(0.1)


@pytest.mark.parametrize(
    "values",
    [
        np.array([1.0, 2.0, 3.0, 4.0]),
        np.array([np.nan] * 50 + [1.0, 2.0, 1.0, 3.0]),
        np.array([1.0, 2.0, 1.0, 3.0] + [np.nan] * 50),
        np.array([1.0, np.nan] * 30),
        np.array([1e38, 1.1e38, 0.9e38, 1e38, 1.2e38] * 4, dtype=np.float32),
        np.array([1.0, np.inf, 2.0, -np.inf, 3.0, 2.0, 1e300] * 4),
        np.array([0.0] * 99 + [5.0]),
        1e15 + np.arange(40.0),
        np.full(40, 5e-324),
    ],
)
@pytest.mark.parametrize("season", [None, 1, 2, 4, 10_000])
def test_odd_series_get_finite_bands(values, season):
    band = forecast(values, 6, season)
    assert np.isfinite(band.mean).all()
    assert (band.lower <= band.mean).all()
    assert (band.mean <= band.upper).all()


def test_series_that_say_nothing_leave_the_others_alone():
    values = np.full((60, 3), np.nan)
    values[:, 1] = np.arange(60)
    values[:3, 2] = 1.0
    band = forecast(values, 4)
    assert (band.model != "none").tolist() == [False, True, False]
    assert np.isfinite(band.upper[:, :, 1]).all()


def test_a_million_rows_are_taken():
    day = np.sin(2 * np.pi * np.arange(1_000_000) / 1440)
    band = forecast(day + 5, 720, step_seconds=60.0)
    assert (
        np.abs(
            band.mean[:, 0] - 5 - np.sin(2 * np.pi * np.arange(1_000_000, 1_000_720) / 1440)
        ).max()
        < 0.1
    )


def test_importing_and_forecasting_loads_no_statsmodels():
    code = (
        "import sys, numpy, akeso_predictors as p; p.forecast(numpy.arange(50.0), 5);"
        "sys.exit(any(m.split('.')[0] in ('statsmodels', 'scipy', 'pandas') for m in sys.modules))"
    )
    path = {"PYTHONPATH": os.pathsep.join(sys.path), "OPENBLAS_NUM_THREADS": "1"}
    assert subprocess.run([sys.executable, "-c", code], env=path, check=False).returncode == 0


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        ({"values": np.zeros((2, 2, 2))}, "values"),
        ({"values": np.zeros((0, 3))}, "values"),
        ({"horizon": 0}, "horizon"),
        ({"season": -3}, "season"),
        ({"levels": (120,)}, "levels"),
        ({"step_seconds": 0.0}, "step_seconds"),
        ({"method": "magic"}, "method"),
    ],
)
def test_errors_name_the_argument(arguments, named):
    with pytest.raises(InputError, match=named):
        forecast(**{"values": np.arange(20.0), "horizon": 3, **arguments})
