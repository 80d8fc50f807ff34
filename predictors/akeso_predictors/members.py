"""The members of the ensemble: what each says at an origin, knowing the rows before it only.

First a season is taken off (or none: shapes of one or two cycles, made in several ways; a mean that
weighs newer cycles more is additive Holt-Winters' season), then every smoother runs on what is left.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from akeso_predictors import seasons, smoothing
from akeso_predictors.checks import Floats, Ints
from akeso_predictors.drift import drift, median

# Rows that smoothers look back: the slowest has nearly forgotten what is older.
_WINDOW = 160
# Cycles that a shape is made of, and the weight of a cycle against the next.
_CYCLES, _LONG_CYCLES, _KEEP = 10, 5, 0.8
# The same for a shape that changes from cycle to cycle.
_KEEP_LESS = 0.3
# Share of a cycle over which shapes are averaged where noise is the danger.
_SMOOTH = 0.04
# Rows that any member looks back: what a caller need not keep.
_PLAIN_ROWS, _MOST_ROWS = 4096, 1 << 19

_SHAPES = ("none", "mean", "recent", "median", "both", "both-smooth")
_NAMES = (*smoothing.GRID.names, "drift", "mean", "median", "ets")
# Members whose setting is the one that missed the next row least.
FITTED = ("ets", "seasonal-ets")


def needed(short: int, long: int) -> int:
    """Rows of history that members and back-test use."""
    return min(max(_PLAIN_ROWS, (_CYCLES + 2) * short, (_LONG_CYCLES + 1) * long), _MOST_ROWS)


def _kinds(short: int, long: int) -> tuple[str, ...]:
    return _SHAPES[: 6 if long else 4 if short else 1]


def names(short: int, long: int) -> list[str]:
    """What the members are called; those with a season begin with "seasonal"."""
    made = [
        name if kind == "none" else f"seasonal-{name}"
        for kind in _kinds(short, long)
        for name in _NAMES
    ]
    return made + ["seasonal-naive"] * ((short > 0) + (long > 0))


def count(short: int, long: int) -> int:
    """How many members there are."""
    return len(names(short, long))


@dataclass(frozen=True, slots=True)
class Told:
    """Forecasts (M, h, K, S) of the members. Of each fitted member, in order: its setting in the grid
    and its mean square error one row ahead (F, K, S)."""

    paths: Floats
    setting: Ints
    square: Floats

    def deviation(self, which: Ints, horizon: int) -> Floats:
        """Standard deviations (H, S) that fitted members (S,) have by their model at the last origin."""
        growth = smoothing.variance_growth(smoothing.GRID, horizon)
        at = np.arange(len(which))
        square = self.square[which, -1, at] * growth[self.setting[which, -1, at]].T
        deviation: Floats = np.sqrt(square)
        return deviation


def said(values: Floats, origins: list[int], rows: Floats, short: int, long: int) -> Told:
    """What members say of `rows` ahead (h,), 1 for the next, from each of K origins (number of rows
    known) of `values` (T, S). `short` and `long` are rows of cycles, 0 for none."""
    shape = (-1, len(rows), len(origins), values.shape[1])
    at = rows.astype(np.int64) - 1
    parts: list[Floats] = []
    settings: list[Ints] = []
    squares: list[Floats] = []
    shapes = [_shapes(values[:origin], short) for origin in origins]
    for kind in _kinds(short, long):
        rests: list[Floats] = []
        futures: list[Floats] = []
        for origin, shape_of in zip(origins, shapes, strict=True):
            back = min(_WINDOW, origin)
            rest: Floats = np.full((_WINDOW, values.shape[1]), np.nan)
            rest[_WINDOW - back :] = values[origin - back : origin]
            if kind != "none":
                season = _season(kind, shape_of, values[:origin], back, int(rows[-1]), long)
                rest[_WINDOW - back :] -= season[:back]
                futures.append(season[back:][at])
            rests.append(rest)
        flat = np.stack(rests, axis=1).reshape(_WINDOW, -1)
        recent = flat[-min(max(short, 12), _WINDOW) :]
        paths, missed = smoothing.fitted(flat, rows)
        best = missed.argmin(axis=0)
        settings.append(best.reshape(shape[2:]))
        squares.append(np.take_along_axis(missed, best[None], axis=0).reshape(shape[2:]))
        made = np.concatenate([
            paths,
            drift(flat, rows)[None],
            *(np.broadcast_to(level, (1, len(rows), len(level))) for level in (mean(recent), median(recent))),
            np.take_along_axis(paths, best[None, None], axis=0),
        ]).reshape(shape)  # fmt: skip
        parts.append(made + np.stack(futures, axis=1) if futures else made)
    for cycle in (short, long):
        if cycle:
            again = [_again(values[:origin], cycle)[at % cycle] for origin in origins]
            parts.append(np.stack(again, axis=1)[None])
    return Told(np.concatenate(parts), np.stack(settings), np.stack(squares))


def _shapes(past: Floats, cycle: int) -> dict[str, Floats]:
    """The shapes (m, S) of the shorter cycle, by kind."""
    if not cycle:
        return {}
    cycles = seasons.blocks(past, cycle, _CYCLES)
    middle = seasons.shaped(cycles, 1.0, middle=True)
    return {
        "mean": seasons.shaped(cycles, _KEEP, middle=False),
        "recent": seasons.shaped(cycles, _KEEP_LESS, middle=False),
        "median": seasons.smoothed(middle, round(_SMOOTH * cycle)),
    }


def _season(
    kind: str, shapes: dict[str, Floats], past: Floats, back: int, ahead: int, long: int
) -> Floats:
    """The season of the last `back` rows and of the next `ahead` (back + ahead, S)."""
    if kind in shapes:
        return seasons.tiled(shapes[kind], back, ahead)
    shape = shapes["mean"]
    season = seasons.tiled(shape, back, ahead)
    recent = past[-_LONG_CYCLES * long :]
    rest = recent - seasons.tiled(shape, len(recent), 0)
    extra = seasons.profile(rest, long, _LONG_CYCLES)
    if kind == "both-smooth":
        # Few cycles prove little: the fewer, the less is believed.
        cycles = min(len(past) / long, _LONG_CYCLES)
        extra = seasons.smoothed(extra, round(3 * _SMOOTH * len(shape))) * (cycles / (cycles + 0.5))
    return season + seasons.tiled(extra, back, ahead)


def _again(past: Floats, cycle: int) -> Floats:
    """The last cycle (m, S); what is missing in it from the one before, or else the mean."""
    last: Floats = np.full((cycle, past.shape[1]), np.nan)
    for back in (2, 1):
        part = past[max(len(past) - back * cycle, 0) : len(past) - (back - 1) * cycle]
        if len(part) == cycle:
            last = np.where(np.isfinite(part), part, last)
    return np.where(np.isfinite(last), last, mean(past[-2 * cycle :]))


def mean(values: Floats) -> Floats:
    """Mean (N,) of columns with NaN, 0 where all are."""
    known = np.isfinite(values)
    means: Floats = np.where(known, values, 0).sum(axis=0) / np.maximum(known.sum(axis=0), 1)
    return means
