"""Maximum likelihood within a budget, by an executor from outside."""

from __future__ import annotations

import pickle
from concurrent.futures import BrokenExecutor, Executor, Future, ThreadPoolExecutor
from threading import Event

import numpy as np
import pytest

from akeso_predictors import ets, ladder

WALK = np.cumsum(np.random.default_rng(0).normal(0, 1, 80))


class Idle(Executor):
    """Takes jobs and never begins them."""

    def submit(self, fn, /, *args, **kwargs):
        return Future()


class Dead(Executor):
    """A pool whose worker was killed."""

    def submit(self, fn, /, *args, **kwargs):
        future: Future[None] = Future()
        future.set_exception(BrokenExecutor("killed"))
        return future


def test_jobs_come_back_in_their_order():
    jobs = [ets.Job(WALK + 100 * i, 3) for i in range(4)]
    with ThreadPoolExecutor(2) as pool:
        made = ladder.refine(jobs, pool, 60.0)
    first = [float(one.mean[0]) for one in made if one]
    assert np.round(np.subtract(first, first[0])).tolist() == [0, 100, 200, 300]


def test_what_is_not_begun_in_time_is_cancelled():
    block, jobs = Event(), [ets.Job(WALK, 3)] * 3
    with ThreadPoolExecutor(1) as pool:
        pool.submit(block.wait)
        assert ladder.refine(jobs, pool, 0.01) == [None] * 3
        block.set()
    assert ladder.refine(jobs, Idle(), 0.0) == [None] * 3


def test_a_dead_pool_is_told():
    with pytest.raises(BrokenExecutor, match="killed"):
        ladder.refine([ets.Job(WALK, 3)], Dead(), 1.0)


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
