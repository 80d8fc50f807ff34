"""Traits of a rise, by which the odds that it reaches its limit are revised.

First passage says when a trend is through if it goes on. Whether it does is a matter of experience: trees (see `trees`)
say how often rises with such traits came true. Traits are shares of the limit, rows and ratios; neither the
horizon nor the class is one, and more odds before never give less after, so that a longer horizon stays no less likely.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from akeso_predictors.checks import Bools, Floats
from akeso_predictors.fit import Posterior
from akeso_predictors.shapes import Bank

# Traits, in the order of the columns.
TRAITS = (
    "odds",  # log-odds within the horizon, as first passage has them
    "behind",  # share of the way from where the rise began to the limit
    "risen",  # the way so far, as share of the limit
    "lowest",  # the lowest level that the fit saw
    "near",  # the level above 70 %
    "lag",  # how far the newest row lies below what passes the limit first
    "recent",  # growth over the last twelve rows as multiple of what the trend has
    "newest",  # the same of the last four
    "climbed",  # growth over the last twelve rows, as share of the limit
    "lasted",  # log of the seconds that it has lasted for
    "whole",  # that as share of the leg
    "left",  # log of the median of the rows left, as multiple of those it has lasted for
    "spread",  # log of the 90 % quantile of the rows left over the 10 % one
    "stopped",  # weight of the shapes that rose since the leg began and ended
    "ramped",  # weight of those that rose from a rest and ended
    "independent",  # log of the number of independent samples
    "correlation",  # of neighbouring residuals
    "innovation",  # log of what one row adds that the rows before could not tell
    "turned",  # whether the series has turned before
)
_EDGE = 1e-6
_NEAR = 0.7
_LAG = 0.02
_FURTHEST = 4096.0


@dataclass(frozen=True, slots=True)
class Rise:
    """What is known of N rises: `likely` (N,) within the horizon; `level`, `gap` to the limit and `top` (what passes
    it first, above the newest row) as shares of it; `risen` (N,) so far; `speed` (N,) per row; rows that each has
    `lasted` for, of a leg of so many rows' `age`; `values` (N, W) as shares of the limit, the newest last, and
    the `lowest` (N,) that was fitted; `ttf` (N, 3) rows left; whether the series `turned` (N,)."""

    likely: Floats
    level: Floats
    gap: Floats
    top: Floats
    risen: Floats
    speed: Floats
    lasted: Floats
    age: Floats
    values: Floats
    lowest: Floats
    ttf: Floats
    turned: Bools


def traits(rise: Rise, posterior: Posterior, shapes: Bank, step: float) -> Floats:
    """`TRAITS` (N, K) of rises in rows `step` seconds apart."""
    likely = rise.likely.clip(_EDGE, 1 - _EDGE)
    low, middle, high = (rise.ttf[:, i].clip(1, _FURTHEST) for i in range(3))
    lasted = rise.lasted.clip(1, _FURTHEST)
    recent = _grown(rise, 12)
    columns = (
        np.log(likely / (1 - likely)),
        rise.risen / np.maximum(rise.risen + rise.gap, 1e-3),
        rise.risen,
        rise.lowest,
        np.maximum(rise.level - _NEAR, 0),
        rise.top / _LAG,
        _against(rise, recent, 12),
        _against(rise, _grown(rise, 4), 4),
        np.nan_to_num(recent).clip(-1, 1),
        np.log(lasted * step),
        rise.lasted / np.maximum(rise.age, 1),
        np.log(middle / lasted),
        np.log(high / low),
        posterior.weight[:, shapes.stops].sum(axis=1),
        posterior.weight[:, shapes.ramps].sum(axis=1),
        np.log(posterior.independent),
        posterior.correlation,
        np.log(np.maximum(posterior.innovation, 1e-4)),
        rise.turned,
    )
    return np.column_stack(columns).astype(np.float32)


def _grown(rise: Rise, rows: int) -> Floats:
    """Growth over the last rows as share of the limit (N,); NaN where the leg is shorter."""
    grown = rise.values[:, -1] - rise.values[:, -1 - rows]
    found: Floats = np.where(rise.age > rows, grown, np.nan)
    return found


def _against(rise: Rise, grown: Floats, rows: int) -> Floats:
    """That growth as multiple of what the trend says; 1 where it is not known."""
    share = grown / (rows * np.maximum(rise.speed, 1e-7))
    multiple: Floats = np.nan_to_num(share, nan=1).clip(-2, 3)
    return multiple
