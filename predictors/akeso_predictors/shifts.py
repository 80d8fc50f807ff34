"""Levels that a series has jumped to for good: rows before such a jump say how it moves, not where."""

from __future__ import annotations

import numpy as np

from akeso_predictors import seasons
from akeso_predictors.checks import Bools, Floats, Ints
from akeso_predictors.drift import median

# Rows on each side that are compared: few tell where a jump was, many that there was one.
_SIDES = (3, 6, 12)
# A jump is so many times what three quarters of all places show.
_CLEAR = 3.5
# Where many rows show that share of it, stairs are the way of the series: for each row of a side.
_ALIKE, _SELDOM = 0.7, 2.0
# Rows on each side whose medians are the levels.
_LEVEL = 48
# Share of the rows since a jump that are beyond its middle, and of those before: more was there before.
_STAYED, _SEEN = 0.85, 0.05
# Rows beyond the middle before it, for each since: a level that was there for longer is not new.
_BEFORE = 0.5
_FEWEST = 12
# Jumps that are looked for, in so many rows, with a season of so many cycles taken off.
_MOST, _ROWS, _CYCLES = 3, 4096, 10
_TINY = 1e-3


def offsets(values: Floats, cycle: int) -> Floats:
    """What to add to each row of columns (T, S) with deviation 1, NaN where missing, so that rows
    before a jump stand at the level after it. `cycle` is the season in rows, 0 for none.

    A jump is sharp, leads to where the series hardly was before, and has lasted. Trends, bursts that
    ended and levels that come and go have none.
    """
    added = np.zeros_like(values)
    rest = values[-_ROWS:]
    if len(rest) < 4 * _SIDES[0]:
        return added
    if cycle and len(rest) >= 3 * cycle:
        shape = seasons.profile(rest, cycle, _CYCLES, middle=True)
        rest = rest - seasons.tiled(shape, len(rest), 0)
    known = np.isfinite(rest)
    rest = np.where(known, rest, 0.0)
    recent = added[-len(rest) :]
    row = np.arange(len(rest))[:, None]
    for _ in range(_MOST):
        at, jump = _clearest(rest + recent, known)
        if not jump.any():
            break
        recent += np.where(row < at, jump, 0.0)
    added[: -len(rest)] = recent[0]
    return added


def _clearest(x: Floats, known: Bools) -> tuple[Ints, Floats]:
    """The first row (S,) after the clearest jump of each column (T, S), and its size, 0 for none."""
    rows, series = x.shape
    zero = np.zeros((1, series))
    total = np.cumsum(np.concatenate([zero, np.where(known, x, 0.0)]), axis=0)
    count = np.cumsum(np.concatenate([zero, known.astype(np.float64)]), axis=0)
    clear, at = np.full(series, _CLEAR), np.zeros(series, dtype=np.int64)
    sides = [side for side in _SIDES if 4 * side <= rows]
    sizes = [_steps(total, count, side) for side in sides]
    for side, size in zip(sides, sizes, strict=True):
        quarter = 3 * len(size) // 4
        usual = np.maximum(np.partition(size, quarter, axis=0)[quarter], _TINY)
        top = size.max(axis=0)
        rare = (size >= _ALIKE * top).sum(axis=0) <= _SELDOM * side
        better = rare & (top / usual > clear)
        at = np.where(better, size.argmax(axis=0), at)
        clear = np.where(better, top / usual, clear)
    near = at + np.arange(-sides[-1], sides[-1] + 1)[:, None]
    fine = np.take_along_axis(sizes[0], np.clip(near, 0, rows - 1), axis=0).argmax(axis=0)
    at = np.where(at > 0, np.clip(at - sides[-1] + fine, 0, rows - 1), 0)
    return at, np.where(at > 0, _lasting(x, known, at), 0.0)


def _steps(total: Floats, count: Floats, side: int) -> Floats:
    """How far the means of `side` rows before and from each row on differ (T, S), less where there
    are fewer at the end; 0 where one is not known."""
    rows = len(total) - 1
    here = np.arange(side, rows - 1)
    end = np.minimum(here + side, rows)
    after, before = count[end] - count[here], count[here] - count[here - side]
    step = (total[end] - total[here]) / np.maximum(after, 1.0)
    step -= (total[here] - total[here - side]) / np.maximum(before, 1.0)
    exact = np.sqrt(2 / side / (1 / np.maximum(after, 1.0) + 1 / np.maximum(before, 1.0)))
    steps = np.zeros((rows, total.shape[1]))
    steps[side : rows - 1] = np.where((after >= 2) & (before >= 2), np.abs(step) * exact, 0.0)
    return steps


def _lasting(x: Floats, known: Bools, at: Ints) -> Floats:
    """Size (S,) of the jump before row `at`; 0 where its level was there before or was left."""
    row = np.arange(len(x))[:, None]
    after, before = known & (row >= at), known & (row < at)
    old = median(np.where(before & (row >= at - _LEVEL), x, np.nan))
    jump = median(np.where(after & (row < at + _LEVEL), x, np.nan)) - old
    beyond = (x - old - jump / 2) * np.sign(jump) > 0
    since, stayed = after.sum(axis=0), (after & beyond).sum(axis=0)
    earlier, seen = before.sum(axis=0), (before & beyond).sum(axis=0)
    new = (seen <= _SEEN * earlier) & (seen <= _BEFORE * since) & (earlier >= _FEWEST)
    return np.where(new & (stayed >= _STAYED * since), jump, 0.0)
