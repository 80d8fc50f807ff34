"""First passage: how likely a series reaches its limit, and when.

Each shape that grows is extrapolated with the uncertainty of its amplitude and of the noise; its
path is monotone, so it has passed by h exactly when it stands above the limit at h. Shapes are
mixed by their weights. A trend may end before it gets there: the mixture is damped by the chance
that it lasts, a power of the share of its way that lies behind it, in time A / (A + h) (Gott 1993,
Nature 363) and in rise.
"""

from __future__ import annotations

import numpy as np

from akeso_predictors.checks import Bools, Floats, Ints
from akeso_predictors.fit import Posterior
from akeso_predictors.settings import TrendSettings
from akeso_predictors.shapes import AHEAD, Bank

QUANTILES = (0.1, 0.5, 0.9)
# A limit that is reached with less than this probability at any time is not foreseeable.
_FORESEEABLE = 0.1
# Shapes that are extrapolated for each series.
_LEADING = 8


def passage(
    posterior: Posterior, gap: Floats, age: Floats, seen: Floats, birth: Bools, shapes: Bank,
    settings: TrendSettings, step: float,
) -> tuple[Floats, Floats]:  # fmt: skip
    """Probability of having passed by `AHEAD` rows, (N, G) each: with the chance that the trend
    ends, and without. `gap` (N,) is the room left as share of the limit, `age` (N,) in rows of `step`
    seconds, of which `seen` (N,) were fitted; `birth` (N,) whether a container began with it."""
    chosen = _leading(posterior, shapes)
    each = np.arange(len(gap))[:, None]
    rise = np.ascontiguousarray(shapes.rise.T)[chosen]
    amplitude = posterior.amplitude[each, chosen][:, :, None]
    memory = np.exp(np.log(np.maximum(posterior.correlation, 1e-3))[:, None] * (2 * AHEAD))
    noise = posterior.noise[:, None] * (1 - memory) + np.float32(settings.noise_floor**2)
    spread = np.sqrt(posterior.variance[each, chosen][:, :, None] * rise**2 + noise[:, None])
    passed = normal((amplitude * rise - gap[:, None, None]) / spread)
    passed *= _weights(posterior, shapes, chosen)[:, :, None]
    lasts = _lasts(posterior, chosen, rise, gap, age, seen, birth, shapes, settings, step)
    lasting, going_on = (passed * lasts).sum(axis=1), passed.sum(axis=1)
    # Damping may fall faster than the rest rises; what has passed stays passed.
    return (
        np.maximum.accumulate(lasting, axis=1).clip(0, 1),
        np.maximum.accumulate(going_on, axis=1).clip(0, 1),
    )


def _lasts(
    posterior: Posterior, chosen: Ints, rise: Floats, gap: Floats, age: Floats, seen: Floats, birth: Bools, shapes: Bank,
    settings: TrendSettings, step: float,
) -> Floats:  # fmt: skip
    """How likely each trend goes on until every `AHEAD`, (N, M, G): a power of how much of its way lies
    behind us, the geometric mean of the shares of its time and of its rise in which the lesser weighs
    thrice: a straight rise has both alike, an exponential much time and little rise."""
    whole = age[:, None]
    since = np.where(shapes.since[chosen] > 0, np.minimum(shapes.since[chosen], whole), whole)
    of_time = since[:, :, None] / (since[:, :, None] + AHEAD)
    risen = np.maximum(-shapes.past[_first(seen, shapes)[:, None], chosen], 1e-6)
    of_rise = risen[:, :, None] / (risen[:, :, None] + rise)
    lesser, greater = np.minimum(of_time, of_rise), np.maximum(of_time, of_rise)
    behind = np.sqrt(lesser * np.sqrt(lesser * greater))
    amplitude = np.take_along_axis(posterior.amplitude, chosen, axis=1)
    start = 1 - gap[:, None] - amplitude * risen
    rested = (settings.rested * (whole - since) / since).clip(0, 1)
    # Where a leg is older than the window its start is not seen; where a container began it, nothing was
    # before.
    amid = (
        ((start - settings.born) / settings.born).clip(0, 1)
        * (whole <= seen[:, None])
        * ~birth[:, None]
    )
    aged = since * np.float32(step)
    ends = settings.patience / (1 + (aged / settings.lasting) ** 2)
    ends += settings.cyclic * (1 - rested) * amid
    ends *= (aged / settings.watched).clip(0, 1)
    # What has grown for most of what is known of it is no ramp to another level: nobody has seen another.
    later = since < settings.newborn * whole
    ends += later * settings.learned(step) * settings.rash / (1 + (aged / settings.young) ** 2)
    power = settings.persistence + ends
    lasts: Floats = behind ** power[:, :, None].astype(np.float32)
    return lasts


def _growing(posterior: Posterior, shapes: Bank) -> Floats:
    """Weights (N, K) of the shapes that rise towards the limit, 0 for the others."""
    rising = np.isfinite(shapes.since) & (posterior.amplitude > 0)
    return np.where(rising, posterior.weight, 0)


def pace(
    posterior: Posterior, age: Floats, seen: Floats, shapes: Bank
) -> tuple[Floats, Floats, Floats]:
    """Of the shapes that grow: rise in the next row (N,) as share of the limit, for how many rows they have
    grown, and how far within the rows that were `seen` (N,)."""
    weight = _growing(posterior, shapes)
    total = np.maximum(weight.sum(axis=1), 1e-9)
    since = np.nan_to_num(shapes.since)
    whole = weight @ (since == 0).astype(np.float32)
    lasted: Floats = (weight @ since + whole * age) / total
    weight *= posterior.amplitude
    speed: Floats = weight @ shapes.rise[1] / total
    risen: Floats = -(weight * shapes.past[_first(seen, shapes)]).sum(axis=1) / total
    return speed, lasted, np.maximum(risen, 0)


def _first(seen: Floats, shapes: Bank) -> Ints:
    """The oldest point (N,) of so many rows."""
    first: Ints = shapes.grid.width - shapes.grid.points(seen)
    return first


def _leading(posterior: Posterior, shapes: Bank) -> Ints:
    """The heaviest growing shapes (N, M): the rest of the bank has hardly any weight."""
    weight = _growing(posterior, shapes)
    each = np.arange(len(weight))
    chosen: Ints = np.empty((len(weight), _LEADING), dtype=np.int64)
    # Few of many, most of them 0: a partition takes twenty times as long.
    for i in range(_LEADING):
        chosen[:, i] = weight.argmax(axis=1)
        weight[each, chosen[:, i]] = -1
    return chosen


def _weights(posterior: Posterior, shapes: Bank, chosen: Ints) -> Floats:
    """Weights (N, M) of the leading shapes, which speak for all that grow."""
    weight = _growing(posterior, shapes)
    leading: Floats = np.take_along_axis(weight, chosen, axis=1)
    share: Floats = weight.sum(axis=1) / np.maximum(leading.sum(axis=1), 1e-9)
    spoken_for: Floats = leading * share[:, None]
    return spoken_for


def at(curve: Floats, rows: Floats) -> Floats:
    """A curve (N, G) over `AHEAD`, read at `rows` (N,) by linear interpolation."""
    right = np.searchsorted(AHEAD, rows).clip(1, len(AHEAD) - 1)
    share: Floats = ((rows - AHEAD[right - 1]) / (AHEAD[right] - AHEAD[right - 1])).clip(0, 1)
    each = np.arange(len(rows))
    low: Floats = curve[each, right - 1]
    high: Floats = curve[each, right]
    read: Floats = low + share * (high - low)
    return read


def quantiles(going_on: Floats) -> Floats:
    """Rows until the limit, (N, 3), at 10, 50 and 90 %, given that the limit is reached; inf where
    it hardly ever is."""
    ever = going_on[:, -1]
    found = np.full((len(ever), len(QUANTILES)), np.inf, dtype=np.float32)
    some = np.flatnonzero(ever > _FORESEEABLE)
    curve = going_on[some] / ever[some, None]
    each = np.arange(len(some))
    for i, share in enumerate(QUANTILES):
        right = (curve < share).sum(axis=1).clip(1, len(AHEAD) - 1)
        low, high = curve[each, right - 1], curve[each, right]
        part = ((share - low) / np.maximum(high - low, 1e-9)).clip(0, 1)
        found[some, i] = AHEAD[right - 1] + part * (AHEAD[right] - AHEAD[right - 1])
    return found


def normal(score: Floats) -> Floats:
    """Cumulative normal distribution by a logistic with a cubic term (error below 2e-4; Bowling
    et al. 2009, J. Ind. Eng. Manag. 2): no special functions, float32, overflow-free."""
    z = score.clip(-6, 6)
    odds: Floats = 1.0 + np.exp(-z * (1.5976 + 0.07056 * z * z))
    probability: Floats = np.reciprocal(odds)
    return probability
