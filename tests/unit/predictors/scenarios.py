"""Synthetic pod memory at a scrape of 5 s: what must alarm, and what must not.

Levels are shares of the limit; every maker takes a seed and returns one series, oldest first.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Series = NDArray[np.float64]

STEP = 5.0
LIMIT = 512 * 2.0**20
PAGE = 1 / 1024  # allocation granularity as share of the limit: half a MiB of 512


def leak(
    seconds: float, seed: int, start: float = 0.10, noise: float = 0.005, step: float = STEP
) -> Series:
    """Steady growth from `start` to the limit in `seconds`, page by page, with noise."""
    random = np.random.default_rng(seed)
    rows = round(seconds / step) + 1
    path = np.linspace(start, 1.0, rows)
    measured = np.floor(path / PAGE) * PAGE + random.uniform(-noise, noise, rows)
    return np.minimum(measured, 1.0)


def stairs(seconds: float, seed: int, start: float = 0.10) -> Series:
    """A leak that allocates 3 % of the limit at a time."""
    path = leak(seconds, seed, start, noise=0.0)
    random = np.random.default_rng(seed)
    stairs = start + np.floor((path - start) / 0.03) * 0.03
    return np.minimum(stairs + random.uniform(-0.005, 0.005, len(path)), 1.0)


def flat(rows: int, seed: int) -> Series:
    random = np.random.default_rng(seed)
    return random.uniform(0.2, 0.8) + random.normal(0, random.uniform(0.001, 0.01), rows)


def sawtooth(rows: int, seed: int) -> Series:
    """Garbage collection: rises by 5-35 % of the limit within 20-60 s and falls back."""
    random = np.random.default_rng(seed)
    height = random.uniform(0.05, 0.35)
    period = random.uniform(4, 12)
    base = random.uniform(0.2, 0.85 - height)
    phase = (np.arange(rows) + random.uniform(0, period)) / period
    cycle = np.floor(phase).astype(int)
    heights = height * random.uniform(0.9, 1.1, cycle.max() + 1)
    return base + heights[cycle] * (phase % 1) + random.normal(0, 0.004, rows)


def warm_up(rows: int, seed: int) -> Series:
    """A start-up that fills the heap to 30-85 % of the limit in 30-60 s: bent, straight or in phases."""
    random = np.random.default_rng(seed)
    top, took = random.uniform(0.30, 0.85), random.uniform(30, 60)
    start = random.uniform(0.02, 0.10)
    t = np.arange(rows) * STEP
    form = seed % 4
    if form == 0:
        share = 1 - np.exp(-3 * t / took)
    elif form == 1:
        share = np.minimum(t / took, 1)
    elif form == 2:
        share = 1 / (1 + np.exp(-10 * (t / took - 0.5)))
    else:
        share = np.minimum(np.floor(t / took * 4) / 4, 1)
    creep = random.uniform(0, 0.02) * (1 - np.exp(-t / 120))
    return start + (top - start) * share + creep + random.normal(0, 0.004, rows)


def step_up(rows: int, seed: int) -> Series:
    """A cache is loaded: the level jumps within one to three samples and stays."""
    random = np.random.default_rng(seed)
    low, high = random.uniform(0.1, 0.4), random.uniform(0.45, 0.85)
    at, took = random.integers(5, rows - 5), random.integers(1, 4)
    share = ((np.arange(rows) - at) / took).clip(0, 1)
    return low + (high - low) * share + random.normal(0, 0.005, rows)


def plateau(rows: int, seed: int) -> Series:
    random = np.random.default_rng(seed)
    return 0.9 + random.normal(0, 0.005, rows)


HEALTHY = {
    "flat": flat, "sawtooth": sawtooth, "warm_up": warm_up, "step_up": step_up, "plateau": plateau,
}  # fmt: skip
