"""What the generators by other authors share: the shape of a case, its clock and real series.

`grafana_cases`, `queueing_cases` and `postmortem_cases` are each by another author, who knew only the list
of kinds and the opponent's figures. Their backgrounds are the pods of tests/data/nezha and load of
tests/data/nab.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

Series = NDArray[np.float64]
Mask = NDArray[np.bool_]
Random = np.random.Generator

DATA = Path(__file__).resolve().parents[1] / "tests" / "data"
HORIZONS = {"memory": 3600.0, "connections": 1800.0, "volume": 14400.0}
HOUR, DAY = 3600.0, 86400.0


@dataclass(frozen=True, slots=True)
class Case:
    """One series (T,), NaN = lost scrape, and its limit (T,) in a unit of its own.

    `crossing` is the first row at which the clean level is at the limit, None if it never is; a little
    may follow. `restarts` and `breaks` (T,) mark first rows of a new container and after a rollout.
    `onset` is the row at which the run to the limit begins, where that is told."""

    kind: str
    stress: bool
    values: Series
    limit: Series
    step: float
    horizon: float
    metric_class: str
    crossing: int | None
    restarts: Mask
    breaks: Mask
    onset: int | None = None


@dataclass(frozen=True, slots=True)
class Scene:
    """What every kind draws from: `random`, and `rows` that are `step` seconds apart."""

    random: Random
    step: float
    rows: int

    @property
    def t(self) -> Series:
        """Seconds (T,) from the start."""
        return np.arange(self.rows, dtype=np.float64) * self.step

    @property
    def lasts(self) -> float:
        return self.rows * self.step

    def since(self, seconds: float) -> Series:
        """Seconds (T,) that have passed since then, 0 before."""
        gone: Series = np.maximum(0, self.t - seconds)
        return gone

    def draw(self, low: float, high: float) -> float:
        return float(self.random.uniform(low, high))

    def scale(self, low: float, high: float) -> float:
        """Log-uniform: as likely to be small as to be large."""
        return log_uniform(self.random, low, high)

    def chance(self, share: float) -> bool:
        return bool(self.random.random() < share)

    def pick(self, *choices: float) -> float:
        return float(self.random.choice(choices))


def log_uniform(random: Random, low: float, high: float) -> float:
    return float(np.exp(random.uniform(float(np.log(low)), float(np.log(high)))))


def marked(rows: int, *at: int | None) -> Mask:
    """True (T,) at the rows that are given, as far as there are such rows."""
    found = np.zeros(rows, dtype=np.bool_)
    for row in at:
        if row is not None and row < rows:
            found[row] = True
    return found


def recursion(first: float, keep: float, shocks: Series) -> Series:
    """x[i] = keep * x[i-1] + shocks[i], with `first` before all of them; (T + 1,)."""
    steps = accumulate(shocks.tolist(), lambda x, shock: keep * x + shock, initial=first)
    return np.fromiter(steps, np.float64, len(shocks) + 1)


def drawn(makers: Iterable[Callable[[Random], Case | None]], random: Random) -> list[Case]:
    """A case of each maker; a draw that contradicts its kind (None) is made again."""
    found: list[Case] = []
    for make in makers:
        case = None
        while case is None:
            case = make(random)
        found.append(case)
    return found


def pods(metric: str) -> list[Series]:
    """Per cent (T,) of a pod's limit each, one-minute rows: all of tests/data/nezha."""
    found: list[Series] = []
    for path in sorted((DATA / "nezha").glob(f"*_{metric}_rate.csv")):
        lines = path.read_text().splitlines()[1:]
        table = np.array([line.split(",")[1:] for line in lines], dtype=np.float64)
        found += [np.ascontiguousarray(column) for column in table.T]
    return found


def measured(name: str) -> tuple[Series, float]:
    """A series of tests/data/nab without what was not measured, and its step in seconds."""
    head, *lines = (DATA / "nab" / f"{name}.csv").read_text().splitlines()
    values = np.array([float(line) for line in lines if line])
    return values, float(head.rpartition("step ")[2])
