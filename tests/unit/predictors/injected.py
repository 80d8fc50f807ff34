"""Exhaustion injected into real pod memory (Nezha, tests/data/nezha), and what only looks like it.

One-minute samples, eight hours. Kinds and shares follow the forecasting bench: 40 % leaks in five
forms, 60 % healthy in seven. Series of a service are either for development or held out, never both.
"""

from __future__ import annotations

import csv
import json
import zlib
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

Series = NDArray[np.float64]

DATA = Path(__file__).parents[2] / "data" / "nezha"
STEP = 60.0
ROWS = 480
LEAKS = ("linear", "ripple", "accelerating", "staircase", "fast")
HEALTHY = ("none", "warm-up", "periodic", "step", "saw-tooth", "bursts", "plateau")
_LOST = 0.01  # scrapes that are missing
# Rows for which a fault that was injected into a pod may move it: most take five, none above ten.
_FAULT = 10


@dataclass(frozen=True, slots=True)
class Case:
    """One series (T,); `onset` and `crossing` of its limit are rows, None without a leak. After the
    crossing nothing was measured until `restart`, the first row of a new container. `limit` is a
    number or one per row (T,); `rollout` is the first row after one; `step`, `horizon` in seconds."""

    kind: str
    values: Series
    onset: int | None = None
    crossing: int | None = None
    restart: int | None = None
    limit: float | Series = 1.0
    rollout: int | None = None
    metric: str = "memory"
    step: float = STEP
    horizon: float = 3600.0


def pods(metric: str = "mem", held_out: bool = False, day: str = "*") -> dict[str, Series]:
    """Real series (T,) in per cent by pod, of the half that is asked for."""
    found: dict[str, Series] = {}
    for path in sorted(DATA.glob(f"{day}_{metric}_rate.csv")):
        with path.open() as file:
            names, *rows = list(csv.reader(file))
        table = np.array([[float(cell) for cell in row[1:]] for row in rows])
        for name, column in zip(names[1:], table.T, strict=True):
            service = name.rsplit("-", 2)[0]
            if (zlib.crc32(service.encode()) % 2 == 1) == held_out:
                found[f"{path.name[:10]}/{name}"] = column
    return found


def faulted(name: str, rows: int) -> NDArray[np.bool_]:
    """Rows (T,) of a pod of `pods` that a fault was injected into: what it shows then is not healthy."""
    day, pod = name.split("/")
    with (DATA / f"{day}_mem_rate.csv").open() as file:
        began = datetime.fromisoformat(list(csv.reader(file))[1][0])
    marked = np.zeros(rows, dtype=bool)
    hours = json.loads((DATA / f"{day}-fault_list.json").read_text())
    for fault in (fault for hour in hours.values() for fault in hour):
        first = int((datetime.fromisoformat(fault["inject_time"]) - began).total_seconds() // STEP)
        if fault["inject_pod"] == pod and first >= 0:
            marked[first : first + _FAULT] = True
    return marked


def cases(count: int, seed: int, held_out: bool = False) -> list[Case]:
    """`count` cases, 40 % of them leaks; the same for the same seed."""
    random = np.random.default_rng([seed, int(held_out)])
    real = [x for x in pods(held_out=held_out).values() if x.max() > 1 and len(x) >= ROWS]
    return [_case(random, real, i) for i in range(count)]


def _case(random: np.random.Generator, real: list[Series], i: int) -> Case:
    whole = real[random.integers(len(real))]
    start = random.integers(0, len(whole) - ROWS + 1)
    background = whole[start : start + ROWS] / np.median(whole[start : start + ROWS])
    if i % 5 < 2:
        kind = LEAKS[i // 5 % len(LEAKS)] if i % 5 == 0 else LEAKS[(i // 5 + 2) % len(LEAKS)]
        case = _leaking(kind, random, background)
    else:
        kind = HEALTHY[random.integers(len(HEALTHY))]
        case = Case(kind, _healthy(kind, random, background))
    lost = random.random(ROWS) < _LOST
    return Case(case.kind, np.where(lost, np.nan, case.values), case.onset, case.crossing)


def _leaking(kind: str, random: np.random.Generator, background: Series) -> Case:
    base = random.uniform(0.15, 0.55)
    takes = int(random.uniform(25, 70) if kind == "fast" else random.uniform(90, 330))
    onset = int(random.integers(20, ROWS - takes - 5))
    t = ((np.arange(ROWS) - onset) / takes).clip(0, None)
    grown = 1.02 - base
    if kind == "accelerating":
        rise = grown * np.expm1(2.5 * t.clip(max=3)) / np.expm1(2.5)
    elif kind == "staircase":
        steps = random.integers(6, 20)
        rise = grown * np.floor(t * steps) / steps
    else:
        rise = grown * t
    level = base * background + rise
    if kind == "ripple":
        height, period = random.uniform(0.04, 0.12), random.uniform(8, 35)
        level += height * ((np.arange(ROWS) / period) % 1) - height
    level += random.normal(0, random.uniform(0.0005, 0.004), ROWS)
    late = np.flatnonzero((level >= 1) & (np.arange(ROWS) > onset))
    crossing = int(late[0]) if len(late) else None
    values = np.where(np.arange(ROWS) > (ROWS if crossing is None else crossing), np.nan, level)
    early = np.flatnonzero(level[:onset] >= 1)
    if crossing is None or len(early):
        return _leaking(kind, random, np.ones(ROWS))
    return Case(kind, np.maximum(values, 0), onset, crossing)


def _healthy(kind: str, random: np.random.Generator, background: Series) -> Series:
    t = np.arange(ROWS, dtype=np.float64)
    top = random.uniform(0.55, 0.95)
    onset = random.integers(0, ROWS // 2)
    if kind == "none":
        shape = np.ones(ROWS)
    elif kind == "warm-up":
        shape = 0.2 + 0.8 * (1 - np.exp(-(t - onset).clip(0) / random.uniform(5, 60)))
    elif kind == "periodic":
        depth = random.uniform(0.1, 0.4)
        shape = 1 - depth / 2 * (1 - np.sin(2 * np.pi * t / random.uniform(60, 300)))
    elif kind == "step":
        shape = np.where(t < onset, random.uniform(0.3, 0.8), 1.0)
    elif kind == "saw-tooth":
        shape = 1 - random.uniform(0.1, 0.5) * (1 - (t / random.uniform(10, 90)) % 1)
    elif kind == "bursts":
        hit = np.convolve(random.random(ROWS) < 0.01, np.ones(random.integers(3, 15)))[:ROWS] > 0
        shape = np.where(hit, 1.0, random.uniform(0.4, 0.7))
    else:
        shape, top = np.ones(ROWS), random.uniform(0.88, 0.97)
    level = background * shape + random.normal(0, random.uniform(0.0005, 0.004), ROWS)
    return np.maximum(top * level / level.max(), 0)
