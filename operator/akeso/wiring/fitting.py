"""Who fits statsmodels' models for the predictor: a process of its own, or this one in a replay."""

from __future__ import annotations

import asyncio
import ctypes
import logging
import multiprocessing
import signal
import sys
from collections.abc import Sequence
from concurrent.futures import BrokenExecutor, Future, ProcessPoolExecutor, wait

from akeso.settings import Settings
from akeso_predictors.ets import Fit, Job, fit
from akeso_predictors.outlook import Fitter

log = logging.getLogger(__name__)

_PR_SET_PDEATHSIG = 1  # https://man7.org/linux/man-pages/man2/PR_SET_PDEATHSIG.2const.html


def fitter(settings: Settings, live: bool) -> Fitter | None:
    """None where nobody wants it."""
    if settings.fit_seconds <= 0:
        return None
    return ProcessFitter(settings.fit_seconds) if live else InlineFitter()


class ProcessFitter:
    """One process, started with the first job, that ends with this one. What it can't do in time is
    given up; a process that died is replaced with the next jobs."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._pool: ProcessPoolExecutor | None = None
        self._futures: list[Future[Fit]] = []

    def submit(self, jobs: Sequence[Job]) -> None:
        for late in self._futures:
            late.cancel()
        try:
            if self._pool is None:
                spawn = multiprocessing.get_context("spawn")
                self._pool = ProcessPoolExecutor(1, spawn, initializer=_end_with_parent)
            self._futures = [self._pool.submit(fit, job) for job in jobs]
        except (BrokenExecutor, OSError) as error:
            self._give_up(error)

    async def settled(self) -> None:
        if not all(future.done() for future in self._futures):
            await asyncio.to_thread(wait, tuple(self._futures), self._seconds)

    def collect(self) -> Sequence[Fit | None]:
        results: list[Fit | None] = []
        for future in self._futures:
            done = future.done() and not future.cancelled()
            error = future.exception() if done else None
            if error is not None:
                self._give_up(error)
                return []
            results.append(future.result() if done else None)
        if None in results:
            log.warning(
                "%d of %d fits took longer than a cycle and fit_seconds: a replay of this recording"
                " may differ",
                results.count(None),
                len(results),
            )
        return results

    def close(self) -> None:
        if self._pool is not None:
            self._pool.shutdown(wait=False, cancel_futures=True)
        self._pool, self._futures = None, []

    def _give_up(self, error: BaseException) -> None:
        log.warning("The process that fits models ended, the next jobs start another: %r", error)
        self.close()


class InlineFitter:
    """The same here and now: a replay waits for every fit."""

    def __init__(self) -> None:
        self._jobs: Sequence[Job] = ()

    def submit(self, jobs: Sequence[Job]) -> None:
        self._jobs = tuple(jobs)

    async def settled(self) -> None:
        return

    def collect(self) -> Sequence[Fit | None]:
        return [fit(job) for job in self._jobs]


def _end_with_parent() -> None:
    """A pool's process does not notice that its parent was killed: the kernel tells it."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's affair
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
