"""An ensemble of many simple models, weighted by how each did from past origins of the same series,
with intervals from what the ensemble itself missed there (split conformal, by horizon).

Nothing is shared between series: what one is forecast does not depend on which stand beside it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from akeso_predictors import members, shifts
from akeso_predictors.checks import Floats, Ints

# Past origins, and rows ahead that each is judged at: more cost much and say little that is new.
_ORIGINS, _KNOTS = 24, 40
# Weight of an origin against the next, newer one.
_FORGET = 0.95
# A member weighs (least error / its error) to this power: near the best many, far from it none.
_POWER = 14.0
# What a member whose smoothing was fitted weighs more than one of a fixed setting as good.
_FITTED = 3.0
# Seasonal members must bring the error down to this share of the best without a season.
_GAIN = 0.98
# Origins that the prior of the width is worth (errors of a Laplace distribution, growing with the
# root of the horizon), and origins that prove as much as one independent one would.
_PRIOR = 8.0
_ALIKE = 2.5
# What few origins do not show: variance that is added, times the horizon over the rows tested.
_UNSEEN = 0.6
# Share of the model's width at 100 %, what is added there because what came seldom has hardly been
# seen, and the power of the level with which both fall.
_MODEL, _TAIL, _SELDOM = 0.4, 0.15, 10
# Relative width of the kernel that smooths the width over horizons.
_KERNEL = 0.15
# Cells of the back-test held at once, and rows ahead that are forecast at once.
_CELLS, _AHEAD = 1_000_000, 1024
_TINY = 1e-9


@dataclass(frozen=True, slots=True)
class Blend:
    """Mean (H, S), bounds (L, H, S) and name of the heaviest kind of model (S,)."""

    mean: Floats
    lower: Floats
    upper: Floats
    model: NDArray[np.str_]


def blended(
    values: Floats, horizon: int, levels: tuple[float, ...], short: int, long: int
) -> Blend:
    """Forecast columns (T, S), NaN where missing, each with at least one value; `short` and `long`
    are rows of the cycles to try, 0 for none."""
    past = origins(len(values), horizon, short, long)
    knots: Floats = np.unique(np.linspace(1, horizon, min(horizon, _KNOTS)).round())
    cells = members.count(short, long) * len(knots) * max(len(past), 1)
    at_once = max(_CELLS // cells, 1)
    parts = [
        _blended(values[:, s : s + at_once], horizon, levels, (short, long), past, knots)
        for s in range(0, values.shape[1], at_once)
    ]
    return Blend(
        np.concatenate([part.mean for part in parts], axis=1),
        np.concatenate([part.lower for part in parts], axis=2),
        np.concatenate([part.upper for part in parts], axis=2),
        np.concatenate([part.model for part in parts]),
    )


def origins(rows: int, horizon: int, short: int, long: int) -> list[int]:
    """Rows known at each past origin, oldest first: spread over the recent past, as far as there is
    enough before them to forecast from and something behind to compare with."""
    cycle = long or short
    span = max(12 * horizon, 3 * cycle, 192)
    first = max(min(2 * cycle, rows // 2) if cycle else rows // 3, rows - span, 3)
    last = rows - max(1, min(horizon // 2, rows // 8))
    if last < first:
        return []
    return sorted(set(np.linspace(first, last, _ORIGINS).astype(int).tolist()))


def _blended(
    values: Floats, horizon: int, levels: tuple[float, ...], cycles: tuple[int, int],
    past: list[int], knots: Floats,
) -> Blend:  # fmt: skip
    centre, scale = _standard(values)
    x = (values - centre) / scale
    jumped = shifts.offsets(x, cycles[0])
    x += jumped
    names = members.names(*cycles)
    if past:
        told = members.said(x, past, knots, *cycles).paths
        truth, each = _truth(x, past, knots)
        misses = np.abs(told - truth) * each
        weight, others = _weights(
            misses.sum(axis=1), each.sum(axis=0), names, _apart(past, horizon)
        )
        fitted = np.array([name in members.FITTED for name in names])
        nearest = misses[fitted].sum(axis=(1, 2)).argmin(axis=0)
        # An origin is judged with weights that do not know it.
        # It did not know of a jump to come either.
        missed = truth + _unknown(jumped, past, knots) - np.einsum("mks,mhks->hks", others, told)
        error = np.abs(missed) * (each > 0)
    else:
        weight = np.zeros((len(names), x.shape[1]))
        weight[0] = 1.0
        error = each = np.zeros((len(knots), 1, x.shape[1]))
        nearest = np.zeros(x.shape[1], dtype=np.int64)
    ahead = [
        members.said(x, [len(x)], part, *cycles)
        for part in np.split(np.arange(1.0, horizon + 1), range(_AHEAD, horizon, _AHEAD))
    ]
    mean = np.concatenate([np.einsum("ms,mhs->hs", weight, one.paths[:, :, 0]) for one in ahead])
    deviation = ahead[0].deviation(nearest, horizon)
    prior = _prior(error, each, deviation[knots.astype(np.int64) - 1], _restless(x), knots)
    width = _widths(error, each, prior, knots, horizon, levels)
    if past:
        width *= math.sqrt(1 + _UNSEEN * horizon / (len(x) - past[0]))
        width = _drawn(width, deviation, levels)
    middle = mean * scale + centre
    return Blend(middle, middle - width * scale, middle + width * scale, _heaviest(weight, names))


def _standard(values: Floats) -> tuple[Floats, Floats]:
    """Mean and deviation (S,); deviation 1 where a column is constant but for rounding."""
    known = np.isfinite(values)
    filled = np.where(known, values, 0)
    count = np.maximum(known.sum(axis=0), 1)
    # The difference to a value keeps the digits that a sum of large numbers would lose.
    base = np.take_along_axis(filled, known.argmax(axis=0)[None], axis=0)[0]
    rest = np.where(known, values - base, 0)
    mean = rest.sum(axis=0) / count
    spread = np.sqrt((np.where(known, rest - mean, 0) ** 2).sum(axis=0) / count)
    flat = spread <= 1e-12 * np.abs(filled).max(axis=0)
    return base + np.where(flat, 0.0, mean), np.where(flat, 1.0, spread)


def _truth(x: Floats, past: list[int], knots: Floats) -> tuple[Floats, Floats]:
    """What came (h, K, S), 0 where it is missing, and its weight: that of the origin, or 0."""
    rows = _rows(past, knots)
    there = x[np.minimum(rows, len(x) - 1)]
    known = np.isfinite(there) & (rows < len(x))[:, :, None]
    recency = _FORGET ** np.arange(len(past) - 1, -1, -1.0)
    return np.where(known, there, 0.0), known * recency[None, :, None]


def _unknown(jumped: Floats, past: list[int], knots: Floats) -> Floats:
    """Jumps (h, K, S) between an origin and the row it is judged at."""
    rows = np.minimum(_rows(past, knots), len(jumped) - 1)
    between: Floats = jumped[np.array(past) - 1] - jumped[rows]
    return between


def _rows(past: list[int], knots: Floats) -> Ints:
    """Rows (h, K) that origins are judged at; some are not there yet."""
    rows: Ints = np.array(past)[None, :] + knots.astype(np.int64)[:, None] - 1
    return rows


def _weights(
    misses: Floats, each: Floats, names: list[str], apart: Floats
) -> tuple[Floats, Floats]:
    """Weights of the members (M, S) and, for each origin, from those apart from it (M, K, S)."""
    total, seen = misses.sum(axis=1), each.sum(axis=0)
    weight = _shares(total / np.maximum(seen, _TINY), names)
    others: Floats = np.einsum("mks,kj->mjs", misses, apart)
    known: Floats = np.einsum("ks,kj->js", each, apart)
    other: Floats = np.where(known > 0, others, total[:, None]) / np.maximum(
        np.where(known > 0, known, seen), _TINY
    )
    flat = _shares(other.reshape(len(other), -1), names)
    return weight, flat.reshape(other.shape)


def _apart(past: list[int], horizon: int) -> Floats:
    """Which origins (K, K) have no row of their horizons in common."""
    at = np.array(past)
    apart: Floats = (np.abs(at[:, None] - at[None, :]) >= horizon).astype(np.float64)
    return apart


def _shares(score: Floats, names: list[str]) -> Floats:
    """Weights (M, N) that sum to 1 from mean absolute errors (M, N) in units of the spread."""
    best = score.min(axis=0)
    weight = ((best + _TINY) / (np.maximum(score, best) + _TINY)) ** _POWER
    # Many settings of one kind are not as many opinions.
    weight /= np.sqrt([names.count(name) for name in names])[:, None]
    weight[[name in members.FITTED for name in names]] *= _FITTED
    seasonal = np.array([name.startswith("seasonal") for name in names])
    if seasonal.any():
        gained = score[seasonal].min(axis=0) < _GAIN * score[~seasonal].min(axis=0)
        weight = np.where(seasonal[:, None] & ~gained, 0.0, weight)
    shares: Floats = weight / weight.sum(axis=0)
    return shares


def _heaviest(weight: Floats, names: list[str]) -> NDArray[np.str_]:
    kinds = list(dict.fromkeys(names))
    sums = np.stack([
        weight[[name == kind for name in names]].sum(axis=0) for kind in kinds
    ])  # fmt: skip
    heaviest: NDArray[np.str_] = np.array(kinds)[sums.argmax(axis=0)]
    return heaviest


def _restless(x: Floats) -> Floats:
    """Mean absolute difference of neighbours (S,), 1 where there are none."""
    moves = np.abs(np.diff(x, axis=0))
    known = np.isfinite(moves)
    count = known.sum(axis=0)
    return np.where(count > 0, np.where(known, moves, 0).sum(axis=0) / np.maximum(count, 1), 1.0)


def _prior(
    error: Floats, each: Floats, deviation: Floats, restless: Floats, knots: Floats
) -> Floats:
    """Mean absolute error (h, S) to expect where few were seen: that of all (h, K, S), growing with the
    horizon as the deviation (h, S) of a model does."""
    seen = each.sum(axis=1)
    known = seen.sum(axis=0)
    overall = (each * error).sum(axis=(0, 1)) / np.maximum(known, _TINY)
    usual = (seen * deviation).sum(axis=0) / np.maximum(known, _TINY)
    growth = np.where(usual > 0, deviation / np.where(usual > 0, usual, 1.0), 1.0)
    # Where nothing could be tested: what neighbours differ by, growing as a random walk does.
    prior: Floats = np.where(known > 0, overall * growth, restless * np.sqrt(knots[:, None]))
    return prior


def _widths(
    error: Floats, each: Floats, prior: Floats, knots: Floats, horizon: int,
    levels: tuple[float, ...],
) -> Floats:  # fmt: skip
    """Distances (L, H, S) of the bounds from the mean, from absolute errors (h, K, S)."""
    h = knots[:, None]
    near = np.exp(-0.5 * ((h - h.T) / (_KERNEL * np.maximum(h, h.T) + 1)) ** 2)
    mass, seen = (each * error).sum(axis=1), each.sum(axis=1)
    count = near @ seen
    scale = (near @ mass + _PRIOR * prior) / (count + _PRIOR)
    ratio = error / np.maximum(scale, 1e-300)[:, None]
    flat, weights = (a.reshape(-1, ratio.shape[-1]) for a in (ratio, each))
    origins_seen = (each > 0).any(axis=0).sum(axis=0)
    rows = np.arange(1.0, horizon + 1)
    columns: list[Floats] = [np.interp(rows, knots, column) for column in scale.T]
    wide = np.stack(columns, axis=1)
    share = origins_seen / (origins_seen + _PRIOR)
    widths: list[Floats] = []
    for level in levels:
        correction = 1 + 1 / (_ALIKE * np.maximum(origins_seen, 1))
        met = _quantile(flat, weights, np.minimum(level / 100 * correction, 0.9999))
        widths.append((share * met - (1 - share) * math.log1p(-level / 100)) * wide)
    return np.stack(widths)


def _drawn(width: Floats, deviation: Floats, levels: tuple[float, ...]) -> Floats:
    """Widths (L, H, S), the widest drawn to those of a model with normal errors of `deviation` (H, S),
    which knows how errors grow."""
    drawn = np.empty_like(width)
    least: Floats = np.zeros_like(deviation)
    for at in sorted(range(len(levels)), key=levels.__getitem__):
        model = NormalDist().inv_cdf(0.5 + levels[at] / 200) * deviation
        seldom = (levels[at] / 100) ** _SELDOM
        share = _MODEL * seldom
        wide = (1 + _TAIL * seldom) * width[at] ** (1 - share) * model**share
        least = np.maximum(least, wide)
        drawn[at] = least
    return drawn


def _quantile(values: Floats, weights: Floats, share: Floats) -> Floats:
    """Weighted quantiles (S,) of columns (n, S)."""
    order = np.argsort(values, axis=0)
    mass = np.cumsum(np.take_along_axis(weights, order, axis=0), axis=0)
    at = np.minimum((mass < share * mass[-1]).sum(axis=0), len(values) - 1)
    found: Floats = np.take_along_axis(values, np.take_along_axis(order, at[None], axis=0), axis=0)[
        0
    ]
    return found
