"""From probabilities to an alarm: the votes, and the conditions that must hold beside them."""

from __future__ import annotations

import numpy as np

from akeso_predictors.checks import Bools, Floats, Ints
from akeso_predictors.settings import DecisionSettings


def elected(recent: Floats, threshold: Floats | float, settings: DecisionSettings) -> Bools:
    """Whether enough of the last evaluations agree.

    `recent` (..., votes_of), oldest first, NaN where there was none; `threshold` broadcasts over
    the leading axes.
    """
    bar = np.asarray(threshold)[..., None]
    agree = np.greater_equal((recent >= bar).sum(axis=-1), settings.votes)
    sure = np.maximum(bar, settings.sure_probability)
    certain = (recent[..., -settings.sure_votes :] >= sure).all(axis=-1)
    decided: Bools = np.logical_or(agree, certain)
    return decided


def actionable(
    level: Floats,
    ttf: Floats,
    fresh: Ints,
    fresh_age: Ints,
    step: float,
    settings: DecisionSettings,
    repeated: Bools,
) -> Bools:
    """Whether acting now is justified beside the probability.

    `level` (N,) as share of the limit; `ttf` (N, 3) in rows; `fresh`, `fresh_age` (N,) samples and
    rows since the last restart or action; `step` in seconds; `repeated` (N,) whether former rises alike
    reached the limit: then no level needs to be waited for.
    """
    help_takes = settings.action + settings.slack
    soon = ttf[..., 0] * step < help_takes
    pressing = (level >= settings.act_level) | soon | repeated
    # Below the time that help takes it is all the same how much sooner it may be.
    narrow: Bools = ttf[..., 2] * step <= settings.max_spread * np.maximum(
        ttf[..., 0] * step, help_takes
    )
    settled = (fresh >= settings.min_new_samples) & (seconds(fresh_age, step) >= settings.min_age)
    return pressing & narrow & settled


def seconds(rows: Ints, step: float) -> Floats:
    """Time that a number of rows spans: n rows are n - 1 steps."""
    return (rows - 1) * step
