"""Exponential smoothing of many series with many settings at once, in innovations form.

Additive error; a level that stays, follows a damped trend, or returns to its mean: ETS(A,Ad,N) and
what it contains (Hyndman, Koehler, Ord & Snyder 2008, Forecasting with Exponential Smoothing, ch. 2
and 6), and ARMA(1,1). Instead of maximising a likelihood, a grid of settings is run side by side.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from akeso_predictors.checks import Bools, Floats


@dataclass(frozen=True, slots=True)
class Grid:
    """G settings: smoothing of level, trend and season, damping of the trend (0: none), share of
    its distance from the mean that the level keeps per row (1: all), and a name each."""

    alpha: Floats
    beta: Floats
    gamma: Floats
    phi: Floats
    keep: Floats
    names: tuple[str, ...]


# Weight of a row against the next where a setting is fitted by what it missed.
_RECENT = 0.98
_TINY = 1e-300


def _grid() -> Grid:
    rows: list[tuple[float, float, float, float, float, str]] = [
        (1.0, 0.0, 0.0, 0.0, 1.0, "naive"),
        (0.0, 0.0, 0.0, 0.0, 1.0, "mean"),
    ]
    rows += [(a, 0.0, 0.0, 0.0, 1.0, "level") for a in (0.05, 0.15, 0.3, 0.6)]
    rows += [
        (a, a * b, 0.0, p, 1.0, "damped-trend")
        for a, b in ((0.2, 0.05), (0.5, 0.05), (0.5, 0.2), (0.9, 0.05), (0.9, 0.3))
        for p in (0.9, 0.98)
    ]
    rows += [
        (a, 0.0, 0.0, 0.0, 0.5 ** (1 / half), "reverting")
        for a in (0.4, 0.9)
        for half in (2, 8, 32, 128)
    ]
    alpha, beta, gamma, phi, keep, names = zip(*rows, strict=True)
    columns = [np.array(x) for x in (alpha, beta, gamma, phi, keep)]
    return Grid(columns[0], columns[1], columns[2], columns[3], columns[4], names)


GRID = _grid()


def ahead(values: Floats, rows: Floats, chosen: Grid = GRID) -> Floats:
    """Forecasts (G, h, N) of the given `rows` ahead (h,), 1 for the next, of columns (T, N); NaN is
    missing, a column without any value is 0."""
    return fitted(values, rows, chosen)[0]


def fitted(values: Floats, rows: Floats, chosen: Grid = GRID) -> tuple[Floats, Floats]:
    """The same, and how much each setting missed the next row by within the columns: mean squares
    (G, N), newer rows weighing more; infinite for levels that return to a mean, which are no ETS."""
    known = np.isfinite(values)
    filled = np.where(known, values, 0.0)
    mean = filled.sum(axis=0) / np.maximum(known.sum(axis=0), 1)
    level, trend, missed = _filtered(filled - mean, known, chosen)
    powers = _damped(chosen.phi, rows)
    forecasts: Floats = chosen.keep[:, None, None] ** rows[:, None] * level[:, None]
    forecasts += mean
    sloped = _span(chosen.phi > 0)
    forecasts[sloped] += powers[sloped, :, None] * trend[sloped, None]
    recency = _RECENT ** np.arange(len(values) - 1, -1, -1.0)
    missed /= np.maximum(recency @ known, _TINY)
    missed[chosen.keep < 1] = np.inf
    return forecasts, missed


def _filtered(values: Floats, known: Bools, chosen: Grid) -> tuple[Floats, Floats, Floats]:
    """Level and trend (G, N) after the last row of columns (T, N) that have mean 0, and the sum of
    squares of what they missed the next row by."""
    shape = (len(chosen.names), values.shape[1])
    level, error, step = np.zeros(shape), np.empty(shape), np.empty(shape)
    trend, missed = np.zeros(shape), np.zeros(shape)
    alpha, beta, phi, keep = (
        x[:, None] for x in (chosen.alpha, chosen.beta, chosen.phi, chosen.keep)
    )
    # Work is done on the settings that need it: views of the rows from the first to the last of them.
    sloped, fading, lasting = (
        _span(x) for x in (chosen.phi > 0, chosen.keep < 1, chosen.keep == 1)
    )
    phi, beta, keep = phi[sloped], beta[sloped], keep[fading]
    slope, drift, slanted = trend[sloped], np.empty_like(trend[sloped]), level[sloped]
    sloped_error, faded = error[sloped], level[fading]
    judged, missing, square = missed[lasting], error[lasting], step[lasting]
    whole = np.all(known, axis=1).tolist()
    for t in range(len(values)):
        np.multiply(phi, slope, out=drift)
        faded *= keep
        slanted += drift
        np.subtract(values[t], level, out=error)
        if not whole[t]:
            error *= known[t]
        np.multiply(missing, missing, out=square)
        judged *= _RECENT
        judged += square
        np.multiply(alpha, error, out=step)
        level += step
        sloped_error *= beta
        np.add(drift, sloped_error, out=slope)
    return level, trend, missed


def _span(chosen: Bools) -> slice:
    """From the first to the last that is true."""
    at = np.flatnonzero(chosen)
    return slice(int(at[0]), int(at[-1]) + 1) if len(at) else slice(0, 0)


def _damped(phi: Floats, rows: Floats) -> Floats:
    """phi + ... + phi^h (G, h)."""
    safe = np.where(phi > 0, phi, 0.5)[:, None]
    return np.where(phi[:, None] > 0, safe * (1 - safe**rows) / (1 - safe), 0.0)


def variance_growth(chosen: Grid, horizon: int, season: int | None = None) -> Floats:
    """Variance of the error h rows ahead in units of the one-step variance, (G, H): 1 + the sum of
    c_j^2 with c_j = alpha keep^(j-1) + beta (1 + phi + ... + phi^(j-1)) + gamma [j multiple of m]
    (ibid., 6.3)."""
    j = np.arange(1, horizon)
    phi = chosen.phi[:, None]
    damped = np.cumsum(phi ** (j[None, :] - 1), axis=1) * (phi > 0)
    c = chosen.alpha[:, None] * chosen.keep[:, None] ** (j - 1) + chosen.beta[:, None] * damped
    if season:
        c = c + chosen.gamma[:, None] * (j % season == 0)
    return np.concatenate([np.ones((len(phi), 1)), 1 + np.cumsum(c**2, axis=1)], axis=1)
