"""What earlier rises teach: false alarms of what repeats and lead of leaks that repeat, run by run.

    python bench/repeats.py [--each 20] [--seed 1]

Jobs, nightly jobs and starts that end below the limit, in one container and in a new one each time, with
peaks that hardly vary and that vary; leaks that are killed again and again. Levels are shares of
the limit, steps of 15 and 60 s. Constants are the bounds of draws; none was chosen by what Akeso says.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
_ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(_ROOT / name) for name in ("operator", "predictors", "tests")]

import numpy as np
from numpy.typing import NDArray

from akeso_predictors import replay
from unit.predictors.scoring import episodes

Array = NDArray[Any]
_HORIZON, _DAY = 3600.0, 86400.0
_HIGHEST = 0.955  # nothing that ends by itself comes nearer to the limit


@dataclass(frozen=True, slots=True)
class Runs:
    """One series (T,), the first rows of new containers, and which run each row belongs to."""

    values: Array
    restarts: Array
    run: Array


def _joined(random: np.random.Generator, parts: list[Array], restarted: bool) -> Runs:
    """Runs one after the other; between containers up to four rows are missing."""
    if restarted:
        parts = [np.append(part, np.full(random.integers(0, 5), np.nan)) for part in parts]
    values = np.concatenate(parts)
    begins = np.cumsum([0, *(len(part) for part in parts[:-1])])
    restarts = np.zeros(len(values), dtype=bool)
    restarts[begins[1:]] = restarted
    noise = random.normal(0, random.uniform(0.0005, 0.004), len(values))
    return Runs(values + noise, restarts, np.repeat(np.arange(len(parts)), [len(p) for p in parts]))


def _between(random: np.random.Generator, low: float, high: float) -> float:
    return float(np.exp(random.uniform(np.log(low), np.log(high))))


def _varied(random: np.random.Generator, value: float, by: float) -> float:
    return float(value * random.uniform(1 - by, 1 + by))


def jobs(random: np.random.Generator, step: float, vary: float, restarted: bool) -> Runs:
    rest, top, busy = random.uniform(0.15, 0.4), random.uniform(0.7, 0.95), random.uniform(0.3, 0.9)
    period = _between(random, 2400, 9000) / step
    parts: list[Array] = []
    for _ in range(8):
        rows, peak = int(period), min(_varied(random, top, vary), _HIGHEST)
        rises = max(int(rows * min(_varied(random, busy, vary), 0.95)), 2)
        idle = 0 if restarted else rows - rises
        parts.append(np.append(np.linspace(rest, peak, rises), np.full(idle, rest)))
    return _joined(random, parts, restarted)


def nights(random: np.random.Generator, step: float, vary: float) -> Runs:
    rest, top, takes = (
        random.uniform(0.25, 0.5),
        random.uniform(0.75, 0.95),
        _between(random, 2520, 10800),
    )
    into = np.arange(0, _DAY, step) - 8 * 3600
    parts: list[Array] = []
    for _ in range(6):
        peak, rows = min(_varied(random, top, vary), _HIGHEST), _varied(random, takes, vary)
        rising = (into >= 0) & (into < rows)
        parts.append(np.where(rising, rest + (peak - rest) * into / rows, rest))
    return _joined(random, parts, restarted=False)


def starts(random: np.random.Generator, step: float) -> Runs:
    low, top, takes = (
        random.uniform(0.1, 0.3),
        random.uniform(0.6, 0.9),
        _between(random, 300, 3600),
    )
    straight, age = random.random() < 0.5, np.arange(0, 7200, step)
    parts: list[Array] = []
    for _ in range(5):
        into = age / _varied(random, takes, 0.2)
        share = into.clip(max=1) if straight else -np.expm1(-3 * into)
        parts.append(low + (_varied(random, top, 0.05) - low) * share)
    return _joined(random, parts, restarted=True)


def killed(random: np.random.Generator, step: float, rested: bool) -> Runs:
    """Leaks to the limit in half an hour to four hours, each within 15 % of that."""
    low, takes = random.uniform(0.15, 0.4), _between(random, 1800, 14400) / step
    parts: list[Array] = []
    for _ in range(5):
        rows = int(_varied(random, takes, 0.15))
        rest = np.full(int(random.uniform(0.1, 0.5) * rows) if rested else 0, low)
        parts.append(np.append(rest, np.linspace(low, 0.999, rows)))
    return _joined(random, parts, restarted=True)


Maker = Callable[[np.random.Generator, float], Runs]
HEALTHY: dict[str, Maker] = {
    "jobs, peaks within 3 %": lambda r, s: jobs(r, s, 0.03, restarted=False),
    "jobs, peaks within 20 %": lambda r, s: jobs(r, s, 0.2, restarted=False),
    "jobs in new containers, 3 %": lambda r, s: jobs(r, s, 0.03, restarted=True),
    "jobs in new containers, 20 %": lambda r, s: jobs(r, s, 0.2, restarted=True),
    "nightly, 3 %": lambda r, s: nights(r, s, 0.03),
    "nightly, 15 %": lambda r, s: nights(r, s, 0.15),
    "starts that fill and hold": starts,
}
LEAKS: dict[str, Maker] = {
    "killed at the limit": lambda r, s: killed(r, s, rested=False),
    "killed, after a rest": lambda r, s: killed(r, s, rested=True),
}


def alarms(runs: Runs, step: float) -> Array:
    return replay(runs.values, 1.0, step, _HORIZON, restarts=runs.restarts).alarm[:, 0]


def false(runs: Runs, step: float) -> list[float]:
    """Whether an alarm began in each run."""
    begun = runs.run[episodes(alarms(runs, step), 600 / step)]
    return [float((begun == run).any()) for run in range(int(runs.run[-1]) + 1)]


def leads(runs: Runs, step: float) -> list[float]:
    """Minutes from the first alarm of each life to its last sample; 0 without one."""
    alarm, found = alarms(runs, step), []
    for run in range(int(runs.run[-1]) + 1):
        own = runs.run == run
        last = np.flatnonzero(own & np.isfinite(runs.values))[-1]
        raised = np.flatnonzero(own & alarm)
        found.append(float(last - raised[0]) * step / 60 if len(raised) else 0.0)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--each", type=int, default=20, help="series of each kind and step")
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    for title, makers, score, settle in (
        ("share of runs with a false alarm, first run first", HEALTHY, false, np.mean),
        ("minutes from alarm to limit, median, first life first", LEAKS, leads, np.median),
    ):
        print(title)
        for kind, make in makers.items():
            for step in (60.0,) if kind.startswith("nightly") else (15.0, 60.0):
                random = [
                    np.random.default_rng([given.seed, int(step), i]) for i in range(given.each)
                ]
                told = settle([score(make(r, step), step) for r in random], axis=0)
                print(f"  {kind:30}{step:3.0f} s  " + " ".join(f"{x:6.2f}" for x in told))


if __name__ == "__main__":
    main()
