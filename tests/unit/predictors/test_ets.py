"""Maximum likelihood: what is fitted elsewhere, and what can't be fitted."""

from __future__ import annotations

import pickle

import numpy as np
import pytest

from akeso_predictors import ets

WALK = np.cumsum(np.random.default_rng(0).normal(0, 1, 80))


def test_jobs_and_fits_travel_between_processes():
    job = ets.Job(WALK, 3)
    made = pickle.loads(pickle.dumps(ets.fit))(pickle.loads(pickle.dumps(job)))
    assert pickle.loads(pickle.dumps(made)).mean.tolist() == ets.fit(job).mean.tolist()


@pytest.mark.parametrize(
    ("series", "model"),
    [
        (np.full(50, np.nan), "none"),
        (np.arange(5.0), "none"),
        (np.full(50, 3.0), "ETS(A,Ad,N)"),
        (WALK * 1e12, "ETS(A,Ad,N)"),
    ],
)
def test_odd_series_are_answered(series, model):
    made = ets.fit(ets.Job(series, 4))
    assert made.model == model
    assert np.isfinite(made.mean).all() == (model != "none")


def test_long_seasons_are_left_to_stl():
    t = np.arange(240)
    wave = np.sin(2 * np.pi * t / 60) + np.random.default_rng(0).normal(0, 0.05, 240)
    made = ets.fit(ets.Job(wave, 60, 60))
    assert made.model == "STL"
    assert np.abs(made.mean - np.sin(2 * np.pi * np.arange(240, 300) / 60)).mean() < 0.1
