"""First passage: how likely a series reaches its limit, and when.

Each shape that grows is extrapolated with the uncertainty of its amplitude and of the noise; its
path is monotone, so it has passed by h exactly when it stands above the limit at h. Shapes are
mixed by their weights. A trend may end before it gets there: the mixture is damped by the chance
that it lasts, (A / (A + h)) ** persistence after it has lasted A (Gott 1993, Nature 363).
"""

from __future__ import annotations

import numpy as np

from akeso_predictors.checks import Floats
from akeso_predictors.fit import Posterior
from akeso_predictors.settings import TrendSettings
from akeso_predictors.shapes import AHEAD, Bank

QUANTILES = (0.1, 0.5, 0.9)
# A limit that is reached with less than this probability at any time is not foreseeable.
_FORESEEABLE = 0.1


def passage(
    posterior: Posterior, gap: Floats, age: Floats, shapes: Bank, settings: TrendSettings
) -> tuple[Floats, Floats]:
    """Probability of having passed by `AHEAD` rows, (N, G) each: with the chance that the trend
    ends, and without. `gap` (N,) is the room left as share of the limit, `age` (N,) in rows."""
    steps = AHEAD[None, :]
    memory = np.exp(np.log(np.maximum(posterior.correlation, 1e-3))[:, None] * (2 * steps))
    noise = posterior.noise[:, None] * (1 - memory) + np.float32(settings.noise_floor**2)
    lasting = np.zeros((len(gap), len(AHEAD)), dtype=np.float32)
    going_on = np.zeros_like(lasting)
    for j in np.flatnonzero(np.isfinite(shapes.since)):
        weight = posterior.weight[:, j]
        some = np.flatnonzero((weight > 1e-4) & (posterior.amplitude[:, j] > 0))
        if not len(some):
            continue
        rise = shapes.rise[None, :, j]
        spread = np.sqrt(posterior.variance[some, j, None] * rise**2 + noise[some])
        score = (posterior.amplitude[some, j, None] * rise - gap[some, None]) / spread
        passed = weight[some, None] * normal(score)
        since = np.minimum(shapes.since[j], age[some]) if shapes.since[j] > 0 else age[some]
        lasts = (since[:, None] / (since[:, None] + steps)) ** np.float32(settings.persistence)
        going_on[some] += passed
        lasting[some] += passed * lasts
    # Damping may fall faster than the rest rises; what has passed stays passed.
    return (
        np.maximum.accumulate(lasting, axis=1).clip(0, 1),
        np.maximum.accumulate(going_on, axis=1).clip(0, 1),
    )


def at(curve: Floats, rows: Floats) -> Floats:
    """A curve (N, G) over `AHEAD`, read at `rows` (N,) by linear interpolation."""
    right = np.searchsorted(AHEAD, rows).clip(1, len(AHEAD) - 1)
    share = ((rows - AHEAD[right - 1]) / (AHEAD[right] - AHEAD[right - 1])).clip(0, 1)
    each = np.arange(len(rows))
    low: Floats = curve[each, right - 1]
    high: Floats = curve[each, right]
    return low + share * (high - low)


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
    return np.reciprocal(odds)
