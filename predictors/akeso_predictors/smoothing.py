"""Exponential smoothing of many series with many settings at once, in innovations form.

Additive error, optional damped trend, optional additive season: ETS(A,Ad,A) and what it contains
(Hyndman, Koehler, Ord & Snyder 2008, Forecasting with Exponential Smoothing, ch. 2-3 and 6).
Instead of maximising a likelihood per series, a grid of settings is run side by side.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from akeso_predictors.checks import Floats, Ints


@dataclass(frozen=True, slots=True)
class Grid:
    """G settings: smoothing of level, trend and season, damping (0: no trend), and a name each."""

    alpha: Floats
    beta: Floats
    gamma: Floats
    phi: Floats
    names: tuple[str, ...]


def grid(season: int | None) -> Grid:
    """The settings that are tried; seasonal ones only where there is a season."""
    rows: list[tuple[float, float, float, float, str]] = [(1.0, 0.0, 0.0, 0.0, "naive")]
    rows += [(a, 0.0, 0.0, 0.0, "level") for a in (0.02, 0.1, 0.3, 0.6)]
    rows += [
        (a, a * r, 0.0, p, "damped-trend")
        for a in (0.2, 0.5, 0.9)
        for r in (0.05, 0.2)
        for p in (0.9, 0.98)
    ]
    if season:
        rows += [(0.0, 0.0, 1.0, 0.0, "seasonal-naive")]
        rows += [
            (a, 0.0, g, 0.0, "seasonal-level") for a in (0.02, 0.1, 0.3, 0.6) for g in (0.05, 0.2)
        ]
        rows += [(a, a * 0.1, g, 0.95, "seasonal-trend") for a in (0.2, 0.6) for g in (0.05, 0.2)]
    alpha, beta, gamma, phi, names = zip(*rows, strict=True)
    return Grid(np.array(alpha), np.array(beta), np.array(gamma), np.array(phi), names)


@dataclass(frozen=True, slots=True)
class Smoothed:
    """Paths (G, H, S) from the newest row; variance of one-step errors (G, S); mean absolute and
    mean squared standardised errors of past origins (G, S), and how many there were (S,)."""

    paths: Floats
    variance: Floats
    absolute: Floats
    standardised: Floats
    origins: Ints


def smooth(
    values: Floats, horizon: int, season: int | None, chosen: Grid, origins: int
) -> Smoothed:
    """Filter `values` (T, S), NaN where missing, and test each setting from past origins."""
    rows = len(values)
    state = _State(values, season, chosen)
    growth = variance_growth(chosen, horizon, season)[:, :, None]
    starts = _origins(rows, horizon, season, origins)
    series: int = values.shape[1]
    squares: Floats = np.zeros((len(chosen.names), series))
    seen: Floats = np.zeros(series)
    counted: Floats = np.zeros(series)
    absolute: Floats = np.zeros_like(squares)
    standard: Floats = np.zeros_like(squares)
    warm = min(rows // 3, 2 * (season or 5))
    for t in range(rows):
        if t in starts:
            ahead = values[t : t + horizon]
            error = state.paths(t, horizon)[:, : len(ahead)] - ahead
            scale = (
                np.maximum(squares / np.maximum(seen, 1), 1e-300)[:, None] * growth[:, : len(ahead)]
            )
            absolute = absolute + np.nansum(np.abs(error), axis=1)
            standard = standard + np.nansum(error**2 / scale, axis=1)
            counted = counted + np.isfinite(ahead).sum(axis=0)
        news = state.step(t, values[t])
        if t >= warm:
            squares = squares + news**2
            seen = seen + np.isfinite(values[t])
    many = np.maximum(counted, 1)
    return Smoothed(
        state.paths(rows, horizon), squares / np.maximum(seen, 1), absolute / many, standard / many,
        counted.astype(np.int64),
    )  # fmt: skip


def _origins(rows: int, horizon: int, season: int | None, wanted: int) -> set[int]:
    """Rows from which past forecasts are judged: the latest ones, spread over the last half."""
    first = max(rows // 2, 2 * (season or 0), 4)
    last = rows - min(horizon, rows // 4)
    return set(np.linspace(first, last, wanted).astype(int).tolist()) if last >= first else set()


class _State:
    """Level, trend (G, S) and season (m, G, S) of all settings and series."""

    def __init__(self, values: Floats, season: int | None, chosen: Grid) -> None:
        shape = (len(chosen.names), values.shape[1])
        self._m = season or 1
        self._grid = chosen
        self._alpha, self._beta = chosen.alpha[:, None], chosen.beta[:, None]
        self._gamma, self._phi = chosen.gamma[:, None], chosen.phi[:, None]
        head = values[: self._m * 2]
        known = np.isfinite(head)
        start = np.where(known, head, 0).sum(axis=0) / np.maximum(known.sum(axis=0), 1)
        first = np.take_along_axis(values, np.isfinite(values).argmax(axis=0)[None], axis=0)[0]
        self.level = np.broadcast_to(start if season else first, shape).copy()
        self.trend = np.zeros(shape)
        self.season = np.zeros((self._m, *shape))
        for k in range(self._m if season else 0):
            spots = values[k : self._m * 2 : self._m]
            there = np.isfinite(spots)
            mean = np.where(there, spots - start, 0).sum(axis=0) / np.maximum(there.sum(axis=0), 1)
            self.season[k] = mean * (self._gamma > 0)

    def step(self, t: int, observed: Floats) -> Floats:
        """Take in one row (S,); returns the errors (G, S), 0 where it is missing."""
        k = t % self._m
        base = self.level + self._phi * self.trend
        error = np.where(np.isfinite(observed), observed - base - self.season[k], 0.0)
        self.level = base + self._alpha * error
        self.trend = self._phi * self.trend + self._beta * error
        self.season[k] += self._gamma * error
        return error

    def paths(self, t: int, horizon: int) -> Floats:
        """Forecasts (G, H, S) of the rows from t on."""
        powers = np.cumsum(self._phi ** np.arange(1, horizon + 1), axis=1)[:, :, None]
        seasons = self.season[(t + np.arange(horizon)) % self._m].transpose(1, 0, 2)
        return self.level[:, None] + powers * self.trend[:, None] + seasons


def variance_growth(chosen: Grid, horizon: int, season: int | None) -> Floats:
    """Variance of the error h rows ahead in units of the one-step variance, (G, H): 1 + the sum of
    c_j^2 with c_j = alpha + beta (phi + ... + phi^j) / phi + gamma [j multiple of m] (ibid., 6.3)."""
    j = np.arange(1, horizon)
    phi = chosen.phi[:, None]
    damped = np.cumsum(phi ** (j[None, :] - 1), axis=1) * (phi > 0)
    c = chosen.alpha[:, None] + chosen.beta[:, None] * damped
    if season:
        c = c + chosen.gamma[:, None] * (j % season == 0)
    return np.concatenate([np.ones((len(phi), 1)), 1 + np.cumsum(c**2, axis=1)], axis=1)
