"""The step of the ladder that costs milliseconds: maximum likelihood, elsewhere and within a budget."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import BrokenExecutor, Executor, wait

from akeso_predictors.ets import Fit, Job, fit


def refine(jobs: Sequence[Job], executor: Executor, seconds: float) -> list[Fit | None]:
    """Fit `jobs` by `executor` (a pool of processes, to keep statsmodels out of this one), for at
    most `seconds`: a `Fit` per job in their order, None where the time was over. What waits then is
    cancelled; what runs is left to end, so a pool is busy a fit longer (.01-2 s) at most.

    Put first what matters most. Raises `BrokenExecutor` when the pool has died: make a new one.
    """
    futures = [executor.submit(fit, job) for job in jobs]
    done, late = wait(futures, timeout=max(seconds, 0.0))
    for future in late:
        future.cancel()
    results: list[Fit | None] = []
    for future in futures:
        error = future.exception() if future in done else None
        if isinstance(error, BrokenExecutor):
            raise error
        results.append(future.result() if future in done and error is None else None)
    return results
