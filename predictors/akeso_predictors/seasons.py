"""Seasons are found, not configured: cycles that a series has shown, and what they look like.

A day, a week and an hour are tried where the time of a row is known; any other cycle shows as a
peak of the autocorrelation that its multiples confirm. A cycle found here is a proposal: whether it
is used is decided by back-test (ensemble.py).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from akeso_predictors import checks
from akeso_predictors.checks import Bools, Floats, Ints
from akeso_predictors.drift import median

# Cycles that a history must hold before one is believed.
CYCLES = 2
# Seconds of the cycles that people and their machines live by.
_DAY, _WEEK, _HOUR = 86_400.0, 604_800.0, 3_600.0
# The same for a cycle of a length that nobody names, but for days.
_SHOWN = 3
# Rows that a search looks at; longer histories are averaged to that many for the named cycles.
_ROWS = 1 << 15
# Rows of a day, week or hour at common steps: without a step, lengths that need less proof.
_USUAL = (7, 12, 24, 48, 60, 96, 144, 168, 240, 288, 336, 720, 1440, 2016, 2880, 5760)
_DAYS = (24, 48, 96, 144, 288, 1440)
# Autocorrelation of what a straight line leaves, at the cycle and at twice the cycle, and how far a
# peak must stand out over the valley before it.
_FIRST, _SECOND, _STANDS_OUT = 0.25, 0.1, 0.15
# A cycle of known length needs less, but more than noise has.
_NAMED, _SIGMAS = 0.1, 3.0
# Share of the greatest peak that a shorter one must have, and how far a peak may be from its name.
_NEARLY, _NEAR = 0.85, 0.05
# The same for a usual cycle: a day within a week is seldom as clear as the week.
_MOSTLY = 0.5
# Times its deviation by chance (of noise as slow as the series) that an autocorrelation must have: a
# cycle that nobody names, one of a usual length, and one that is named but slow moves hide.
_PROOF, _USUAL_PROOF, _HIDDEN_PROOF = 3.0, 1.8, 2.0
# A peak so near a named cycle is that cycle.
_ABOUT = 0.13
# A shorter cycle within one that the caller names is there this often, or it is a part of its shape.
_INSIDE = 4
# Far above any measurement, far below where squares overflow.
HUGE = 1e100
# The longest cycle that is looked for where the step is unknown: a week of minutes.
WEEK = 10_080
_SHORTEST = 4


@dataclass(frozen=True, slots=True)
class Seasons:
    """Rows of the shorter and of the longer cycle of each series (S,), 0 for none. Where there is
    one only, it is the shorter."""

    short: Ints
    long: Ints


def found(values: ArrayLike, step_seconds: float | None = None) -> Seasons:
    """Cycles in `values` (T, S) or (T,), oldest first, NaN where missing; `step_seconds` is the time
    of a row. Constant series, noise and trends have none. Raises `InputError`."""
    given = checks.matrix("values", values)
    step = None if step_seconds is None else checks.positive("step_seconds", step_seconds)
    rows, series = given.shape
    short, long = np.zeros(series, dtype=np.int64), np.zeros(series, dtype=np.int64)
    if rows >= CYCLES * _SHORTEST:
        for s in range(series):
            short[s], long[s] = _of_one(usable(given[:, s]), step)
    return Seasons(short, long)


def usable(values: Floats) -> Floats:
    """NaN where nothing was measured: what is infinite or absurd too."""
    return np.where(np.abs(values) < HUGE, values, np.nan)


def beside(values: Floats, season: int) -> Seasons:
    """The same where one cycle is named by the caller: a week beside a day, a day beside a week, or a
    shorter cycle within it."""
    rows, series = values.shape
    short = np.full(series, season, dtype=np.int64)
    long = np.zeros(series, dtype=np.int64)
    for s in range(series):
        if CYCLES * 7 * season <= rows and _recurs(_without(values[:, s], season), 7 * season):
            long[s] = 7 * season
        elif season % 7 == 0 and season // 7 >= _SHORTEST and _recurs(values[:, s], season // 7):
            short[s], long[s] = season // 7, season
        else:
            inner = _of_one(_without(values[:, s], season), None)[0]
            if inner and season % inner == 0 and season >= _INSIDE * inner:
                short[s], long[s] = inner, season
    return Seasons(short, long)


def _of_one(series: Floats, step: float | None) -> tuple[int, int]:
    rows = len(series)
    recent = series[-_ROWS:]
    similar = autocorrelation(recent, len(recent) // CYCLES + 1)
    noise = _SIGMAS / math.sqrt(len(recent))
    short, cycles = 0, list[int]()
    if step is not None:
        cycles = [round(seconds / step) for seconds in (_DAY, _WEEK, _HOUR)]
        cycles = [c for c in cycles if c >= _SHORTEST]
        short = next((c for c in cycles if _recurs(series, c)), 0)
    if not short:
        chance = _chance(similar, len(recent))
        peak = _clearest(similar[: len(recent) // _SHOWN + 1])
        if similar[peak] < _PROOF * chance:
            peak = 0
        usual = [
            c for c in (_USUAL if step is None else ())
            if (CYCLES if c in _DAYS else _SHOWN) * c <= rows and (not peak or _divides(c, peak))
            and _at(similar, c) > max(_NAMED, noise, _MOSTLY * _at(similar, peak))
            and similar[c] > _USUAL_PROOF * chance
        ]  # fmt: skip
        best = max((_at(similar, c) for c in usual), default=0.0)
        short = next((c for c in usual if _at(similar, c) >= _MOSTLY * best), peak)
        short = next((c for c in cycles if abs(c - short) <= _ABOUT * c), short)
    if not short and step is not None:
        short = next((c for c in cycles if _recurs(series, c, hidden=True)), 0)
    if not short:
        return 0, 0
    longer = [round(_DAY / step), round(_WEEK / step)] if step is not None else [7 * short]
    rest = _without(series, short)
    return short, next((c for c in longer if c > short and _recurs(rest, c)), 0)


def _chance(similar: Floats, rows: int) -> float:
    """Standard deviation of the autocorrelation far out, of slow noise with what it has near 0
    (Bartlett)."""
    below = np.flatnonzero(similar <= 0)
    near = similar[1 : below[0]] if len(below) else similar[1:]
    return math.sqrt((1 + 2 * float(near @ near)) / rows)


def _divides(cycle: int, peak: int) -> bool:
    """Is a peak about a multiple of a cycle?"""
    times = max(round(peak / cycle), 1)
    return abs(peak - times * cycle) <= _NEAR * cycle


def _recurs(series: Floats, cycle: int, hidden: bool = False) -> bool:
    """Is a cycle of known length there, or in what moves faster than its moving average?"""
    if cycle < 1 or CYCLES * cycle > len(series):
        return False
    fold = -(-len(series) // _ROWS)
    if fold > 1:
        series, cycle = _averaged(series, fold), round(cycle / fold)
    if hidden:
        column = series[:, None]
        series = (column - moving_average(column, max(cycle, 1)))[:, 0]
    similar = autocorrelation(series, len(series) // CYCLES + 1)
    if hidden:
        return float(similar[cycle]) > max(_NAMED, _HIDDEN_PROOF * _chance(similar, len(series)))
    return _at(similar, cycle) > max(_NAMED, _SIGMAS / math.sqrt(len(series)))


def _averaged(series: Floats, fold: int) -> Floats:
    """Means of `fold` rows (T // fold,), the newest whole; NaN where none is known."""
    blocks = series[len(series) % fold :].reshape(-1, fold)
    known = np.isfinite(blocks)
    count = known.sum(axis=1)
    mean = np.where(known, blocks, 0).sum(axis=1) / np.maximum(count, 1)
    return np.where(count > 0, mean, np.nan)


def _at(similar: Floats, lag: int) -> float:
    """Autocorrelation about a lag above its mean half a cycle off: trends and slow noise are alike at
    all lags, cycles are not."""
    if not 0 < lag < len(similar):
        return 0.0
    off = similar[max(lag // 2, 1)]
    return float(min(similar[lag], similar[lag] - off))


def _clearest(similar: Floats) -> int:
    """The shortest of the clear peaks of an autocorrelation (lags from 0), 0 for none."""
    inner = similar[1:-1]
    peaks = np.flatnonzero((inner >= similar[:-2]) & (inner > similar[2:])) + 1
    lowest = np.minimum.accumulate(similar)
    good: Bools = (
        (peaks >= _SHORTEST)
        & (similar[peaks] > _FIRST)
        & (similar[peaks] - lowest[peaks] > _STANDS_OUT)
    )
    peaks = peaks[good]
    if not len(peaks):
        return 0
    lag = int(peaks[similar[peaks] >= _NEARLY * similar[peaks].max()][0])
    twice = 2 * lag
    if twice < len(similar):
        about = max(lag // 20, 1)
        near = similar[max(twice - about, 1) : twice + about + 1]
        if near.max() < _SECOND:
            return 0
    return lag


def autocorrelation(series: Floats, lags: int) -> Floats:
    """Autocorrelation at lags 0 ... lags - 1 of one series (T,) less its straight line, holes left
    out; zeros where the series is constant or unknown."""
    known = np.isfinite(series)
    t = np.arange(len(series), dtype=np.float64)
    if known.sum() < _SHORTEST:
        return np.zeros(lags)
    level = series[known].mean()
    about = t[known] - t[known].mean()
    slope = float(about @ (series[known] - level)) / float(about @ about)
    rest = np.where(known, series - level - slope * (t - t[known].mean()), 0.0)
    spread = float(np.sqrt(np.mean(rest[known] ** 2)))
    if spread <= 1e-9 * float(np.abs(series[known]).max()):
        return np.zeros(lags)
    # Single spikes are no cycle, and would drown one.
    rest = np.clip(rest / spread, -4, 4)
    size = 1 << int(2 * len(series) - 1).bit_length()
    there = known.astype(np.float64)
    products = np.fft.irfft(np.abs(np.fft.rfft(rest, size)) ** 2, size)[:lags]
    pairs = np.fft.irfft(np.abs(np.fft.rfft(there, size)) ** 2, size)[:lags]
    similar: Floats = products / np.maximum(pairs, 1.0)
    return similar / max(float(similar[0]), 1e-12)


def _without(series: Floats, cycle: int) -> Floats:
    """A series (T,) less the mean of its cycles."""
    column = series[:, None]
    return (column - tiled(profile(column, cycle, len(series) // cycle + 1), len(series), 0))[:, 0]


def profile(
    values: Floats, cycle: int, most: int, keep: float = 1.0, middle: bool = False
) -> Floats:
    """The shape (m, S) of a cycle that ends with the last row of `values` (T, S): mean (older cycles
    weigh `keep` times the next) or median of at most `most` cycles, each less its moving average."""
    return shaped(blocks(values, cycle, most), keep, middle)


def blocks(values: Floats, cycle: int, most: int) -> Floats:
    """The last cycles (n, m, S) of columns (T, S), at most so many, each less its moving average."""
    rows, series = values.shape
    cycles = min(most, -(-rows // cycle))
    recent = values[-cycles * cycle :]
    lead = np.full((cycles * cycle - len(recent), series), np.nan)
    level = moving_average(recent, cycle)
    return np.concatenate([lead, recent - level]).reshape(cycles, cycle, series)


def shaped(cycles: Floats, keep: float, middle: bool) -> Floats:
    """The shape of cycles (n, m, S) that are cut already."""
    if middle:
        shape: Floats = median(cycles)
    else:
        known = np.isfinite(cycles)
        weight = keep ** np.arange(len(cycles) - 1, -1, -1.0)[:, None, None] * known
        total = weight.sum(axis=0)
        shape = (weight * np.where(known, cycles, 0)).sum(axis=0) / np.where(total > 0, total, 1)
    centred: Floats = shape - shape.mean(axis=0)
    return centred


def tiled(shape: Floats, past: int, ahead: int) -> Floats:
    """A shape (m, S) that ends with the last past row, over `past` rows and `ahead` more."""
    rows: Floats = shape[np.arange(-past, ahead) % len(shape)]
    return rows


def smoothed(shape: Floats, width: int) -> Floats:
    """A shape (m, S) averaged over `width` neighbours around the circle."""
    if width <= 1:
        return shape
    half = width // 2
    wide = np.concatenate([shape[-half:], shape, shape[:half]])
    summed = np.cumsum(np.concatenate([np.zeros((1, shape.shape[1])), wide]), axis=0)
    span = 2 * half + 1
    averaged: Floats = (summed[span:] - summed[:-span]) / span
    return averaged


def moving_average(values: Floats, width: int) -> Floats:
    """Centred mean over `width` rows of (T, S), holes left out; held where the window does not fit."""
    known = np.isfinite(values)
    rows, series = values.shape
    width = min(width, rows)
    zero = np.zeros((1, series))
    total = np.cumsum(np.concatenate([zero, np.where(known, values, 0)]), axis=0)
    count = np.cumsum(np.concatenate([zero, known]), axis=0)
    means = (total[width:] - total[:-width]) / np.maximum(count[width:] - count[:-width], 1)
    centred: Ints = np.arange(rows, dtype=np.int64) - width // 2
    held: Floats = means[np.minimum(np.maximum(centred, 0), rows - width)]
    return held
