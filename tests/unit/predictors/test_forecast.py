"""Forecasts of values: shapes, intervals, seasons, and what cannot be forecast."""

from __future__ import annotations

import numpy as np
import pytest

from akeso_predictors import InputError, forecast
from unit.predictors.injected import pods


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


def test_maximum_likelihood_is_there_when_asked_for():
    values = np.cumsum(np.random.default_rng(0).normal(0.1, 1, 120))
    band = forecast(values, 5, method="ets")
    assert band.model.tolist() == ["ETS(A,Ad,N)"]
    assert (band.lower < band.upper).all()


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
