"""Least squares of every shape of the bank on every series at once, and their weights."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from akeso_predictors.checks import Bools, Floats
from akeso_predictors.settings import TrendSettings
from akeso_predictors.shapes import Bank, Moments, moments

# Bounds of the autocorrelation that is believed: it is estimated from a window, with error.
_MOST_CORRELATED = 0.98
# Independent samples that are assumed at least, so that the arithmetic stays defined.
_FEWEST = 3.0
# Newest rows whose peaks above the fit tell how high the next one will stand: near its ceiling a heap
# swings less than it did below.
_RIPPLE = 64
# Share of the rows up to which lone spikes count as accidents.
_RARE = 0.1


@dataclass(frozen=True, slots=True)
class Posterior:
    """What a window says, N evaluations, K shapes; levels as share of the limit, 0 = newest value.

    `weight` (N, K) sums to one; `amplitude` and `variance` (N, K) of the shape's factor; `anchor`
    (N,) the level that forecasts start from; `ripple` (N,) how far peaks stand above the fit;
    `noise` (N,) the variance of residuals; `correlation` (N,) of neighbours; `independent` (N,)
    the effective number of samples.
    """

    weight: Floats
    amplitude: Floats
    variance: Floats
    anchor: Floats
    ripple: Floats
    noise: Floats
    correlation: Floats
    independent: Floats

    @property
    def innovation(self) -> Floats:
        """Standard deviation of what one row adds that the rows before could not tell, (N,)."""
        return np.sqrt(self.noise * (1 - self.correlation**2))


def despiked(values: Floats, valid: Bools, spike: float) -> Bools:
    """`valid` (N, W) without lone rows far above or below both neighbours.

    The newest row has no neighbour yet and stays: a vote decides about it, not a filter. Where
    spikes are common they are the nature of the series and stay as well.
    """
    middle = values[:, 1:-1]
    high = np.maximum(values[:, :-2], values[:, 2:])
    low = np.minimum(values[:, :-2], values[:, 2:])
    neighbours = valid[:, :-2] & valid[:, 2:]
    lone = neighbours & ((middle - high > spike) | (low - middle > spike))
    rare = lone.sum(axis=1) <= _RARE * valid.sum(axis=1)
    kept = valid.copy()
    kept[:, 1:-1] &= ~(lone & rare[:, None])
    return kept


def fit(
    values: Floats, valid: Bools, age: Floats, seen: Floats, shapes: Bank, settings: TrendSettings
) -> Posterior:
    """Fit all shapes to windows (N, W) of points whose invalid ones hold anything finite; `age` (N,) in
    rows, older points are invalid."""
    # Sums of squares less the square of the mean cancel, and 32-bit products differ in their last
    # digits with how many windows are fitted at once: a decision would depend on its neighbours.
    w = valid.astype(np.float64)
    y = values * w
    n = w.sum(axis=1)[:, None]
    of = _moments(w, n[:, 0], seen, shapes)
    mean = y.sum(axis=1)[:, None] / n
    joint = y @ shapes.wide
    joint -= n * of.mean * mean
    total = np.maximum((y * y).sum(axis=1)[:, None] - n * mean**2, 0)
    usable = of.moves & (age[:, None] >= shapes.least_age)
    amplitude = np.where(usable, joint / of.spread, 0).astype(np.float32)
    left = joint
    left *= amplitude
    np.subtract(total, left, out=left)
    np.maximum(left, 0, out=left)
    left /= n
    usable[:, 0] = True  # nothing happens: always possible
    floor = np.float32(settings.noise_floor**2)
    best = np.where(usable, left, np.inf).argmin(axis=1)
    level, correlation, independent, ripple = _residuals(
        values, valid, mean, of.mean, amplitude, best, shapes, floor
    )
    prior = shapes.log_prior - shapes.spread * np.log(age)[:, None]
    left += floor
    weight = _weights(left, usable, independent, prior)
    noise = np.take_along_axis(left, best[:, None], axis=1)[:, 0]
    inflate = np.minimum(independent / np.maximum(independent - 2, 1), 3)
    left /= of.spread
    variance = np.where(usable, left, 0)
    variance *= (n[:, 0] / independent * inflate)[:, None]
    return Posterior(
        weight, amplitude, variance.astype(np.float32), level * (1 - correlation),
        level + ripple, noise, correlation, independent,
    )  # fmt: skip


def _moments(w: Floats, n: Floats, age: Floats, shapes: Bank) -> Moments:
    """Of the shapes over windows (N, W) of `n` rows: known beforehand where none is missing."""
    whole = n >= shapes.grid.points(age)
    place = n.astype(np.int64) - 1
    known = shapes.recent
    if whole.all():
        return known.take(place)
    found = known.take(np.where(whole, place, 0))
    found.put(~whole, moments(w[~whole], shapes.wide))
    return found


def _residuals(
    values: Floats, valid: Bools, mean: Floats, f: Floats, amplitude: Floats,
    best: np.ndarray, shapes: Bank, floor: np.float32,
) -> tuple[Floats, Floats, Floats, Floats]:  # fmt: skip
    """Of the best shape: its level at the newest row; the residuals' autocorrelation from row to row, the
    independent samples that there are, and their maximum."""
    each = np.arange(len(best))
    a = amplitude[each, best]
    start = mean[:, 0] - a * f[each, best]
    past = np.ascontiguousarray(shapes.past.T)
    residual = (values - start[:, None] - a[:, None] * past[best]) * valid
    fine = slice(shapes.past.shape[0] - shapes.grid.fine, None)
    correlation, independent = _correlated(residual[:, fine], valid[:, fine], floor)
    _, older = _correlated(residual[:, : fine.start], valid[:, : fine.start], floor)
    independent = np.maximum(independent + older, _FEWEST)
    return start + a * past[best, -1], correlation, independent, residual[:, -_RIPPLE:].max(axis=1)


def _correlated(residual: Floats, valid: Bools, floor: np.float32) -> tuple[Floats, Floats]:
    """Autocorrelation of neighbours (N,), and how many independent samples (N,) points alike are."""
    power = np.einsum("nw,nw->n", residual, residual)
    lagged = np.einsum("nw,nw->n", residual[:, 1:], residual[:, :-1])
    count = valid.sum(axis=1)
    # + 1 / n: the estimate is biased low by about that (Kendall 1954).
    found = lagged / np.maximum(power + count * floor, 1e-12) + 1.0 / np.maximum(count, 1)
    found = found.clip(0, _MOST_CORRELATED).astype(np.float32)
    return found, count * (1 - found) / (1 + found)


def _weights(left: Floats, usable: Bools, independent: Floats, prior: Floats) -> Floats:
    """Posterior weights (N, K) by BIC with the effective number of samples."""
    score = np.log(left)
    score *= -0.5 * independent[:, None]
    score += prior
    score[:, 1:] -= 0.5 * np.log(independent)[:, None]
    np.copyto(score, -np.inf, where=~usable)
    score -= score.max(axis=1, keepdims=True)
    weight: Floats = np.exp(score, out=score).astype(np.float32)
    weight /= weight.sum(axis=1, keepdims=True)
    return weight
