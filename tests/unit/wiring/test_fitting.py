"""The process that fits models: there when it is wanted, harmless when it dies."""

from __future__ import annotations

import asyncio
import multiprocessing
import os
import signal
import sys
from collections.abc import Iterator

import numpy as np
import pytest

from akeso.settings import Settings
from akeso.wiring.fitting import InlineFitter, ProcessFitter, fitter
from akeso_predictors.ets import Job

DAY = 24
JOB = Job(np.sin(np.arange(10 * DAY) * 2 * np.pi / DAY) + 3, 6, DAY, "stl")


@pytest.fixture
def fits() -> Iterator[ProcessFitter]:
    made = ProcessFitter(60)
    yield made
    made.close()


def test_nobody_fits_unless_it_is_asked_for() -> None:
    assert fitter(Settings(), live=True) is None
    assert fitter(Settings(), live=False) is None
    wanted = Settings.model_validate({"fit_seconds": 1})
    assert isinstance(fitter(wanted, live=True), ProcessFitter)
    assert isinstance(fitter(wanted, live=False), InlineFitter)


def test_a_process_that_dies_is_replaced_and_says_what_a_replay_says(fits: ProcessFitter) -> None:
    assert not multiprocessing.active_children()
    had = "statsmodels" in sys.modules
    fits.submit([JOB])
    asyncio.run(fits.settled())
    [here] = fits.collect()
    assert here is not None
    assert ("statsmodels" in sys.modules) is had
    [worker] = multiprocessing.active_children()
    assert worker.pid is not None
    os.kill(worker.pid, signal.SIGKILL)
    worker.join()
    fits.submit([JOB])
    asyncio.run(fits.settled())
    assert not any(fits.collect())
    fits.submit([JOB, JOB])
    asyncio.run(fits.settled())
    again = fits.collect()
    replayed = InlineFitter()
    replayed.submit([JOB])
    [same] = replayed.collect()
    assert same is not None
    for found in (here, *again):
        assert found is not None
        assert found.model == same.model
        assert np.allclose(found.mean, same.mean)


async def test_the_loop_goes_on_while_models_are_fitted(fits: ProcessFitter) -> None:
    fits.submit([JOB])
    waiting = asyncio.create_task(fits.settled())
    await asyncio.sleep(0)  # a process takes longer than nothing to start
    assert not waiting.done()
    assert fits.collect() == [None]
    await waiting
    assert None not in fits.collect()


def test_what_is_late_is_given_up() -> None:
    slow = ProcessFitter(0.0)
    slow.submit([JOB])  # a process takes longer than nothing to start
    assert slow.collect() == [None]
    slow.close()
