"""From arrays to the domain's forecasts: readiness, the decision, one value per series."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import isnan

import numpy as np
from numpy.typing import NDArray

from akeso.domain.forecast import Forecast, Readiness, SeriesKey
from akeso_predictors.calibration import Calibration
from akeso_predictors.checks import Bools, Floats
from akeso_predictors.decision import actionable, elected, in_time
from akeso_predictors.engine import Assessment
from akeso_predictors.series import SeriesRings
from akeso_predictors.settings import DecisionSettings
from akeso_predictors.track import Pending

# Weakest claim last: where several hold, the last one named wins.
_ORDER = (
    Readiness.READY, Readiness.BURSTY, Readiness.INSUFFICIENT_HISTORY, Readiness.NO_LIMIT,
    Readiness.STALE, Readiness.NO_DATA,
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Verdicts:
    """Decided evaluations of N series: index into `_ORDER`, alarm (N,), what it rests on, and whether
    they have levelled off (N,)."""

    readiness: NDArray[np.int64]
    alarm: Bools
    pending: Pending
    found: Assessment
    levelled: Bools


def corrected_by(
    calibration: Calibration, metric_class: str, found: Assessment, spans: Floats
) -> Assessment:
    """Evaluations with what outcomes have taught; `spans` (N,) are their horizons in seconds."""
    return replace(
        found,
        probability=calibration.probability(metric_class, found.probability),
        ttf=calibration.ttf(metric_class, spans, found.ttf),
    )


def alarming(
    pending: Pending, found: Assessment, votes: Floats, bars: Floats, before: Bools, step: float,
    settings: DecisionSettings,
) -> Bools:  # fmt: skip
    """Whether the evaluated rows (N,) raise an alarm, or hold one that was on `before` (N,) them. `votes`
    (N, votes_of) and `found` are corrected, `bars` (N,) are p*."""
    alarm = ~(found.bursty | found.short | found.unbounded | np.isnan(pending.limit))
    alarm &= elected(votes, bars, settings)
    alarm &= actionable(
        found.level, found.ttf, pending.fresh, pending.fresh_age, step, settings, found.repeated
    )
    return alarm & (in_time(found.level, found.ttf, settings) | before)


def decide(
    rings: SeriesRings, pending: Pending, found: Assessment, levelled: Bools, alarm: Bools,
    now: float, settings: DecisionSettings,
) -> Verdicts:  # fmt: skip
    """Readiness of the newest rows at `now`, and with it whether their `alarm` (N,) is one; `found` is
    corrected."""
    newest = rings.newest[pending.column]
    # By then one scrape more than may be missed has been due.
    patience = (settings.missed_scrapes + 1) * rings.step
    claims = (
        found.bursty,
        found.short,
        np.isnan(pending.limit) | found.unbounded,
        now - newest >= patience,
        rings.row[pending.column] < 0,
    )
    readiness = np.zeros(len(newest), dtype=np.int64)
    for code, holds in enumerate(claims, start=1):
        readiness[holds] = code
    raised = (readiness == 0) & alarm
    return Verdicts(readiness, raised, pending, found, levelled & ~raised)


def levelled_off(values: Floats, pending: Pending, settings: DecisionSettings) -> Bools:
    """Which series (N,) no longer grow: the newer half of what is seen of their instance reaches
    hardly higher than the older half. So a heap of a fixed size is known, whatever its limit.
    `values` (N, W), the newest row last."""
    width: int = values.shape[1]
    seen = np.minimum(pending.fresh_age, width)
    highest, higher = np.zeros(len(values), np.float32), np.zeros(len(values), np.float32)
    samples = np.zeros(len(values), dtype=np.int64)
    # Most are older than the window, the others have few ages between them.
    for rows in np.unique(seen[seen >= settings.level_rows]).tolist():
        some = np.flatnonzero(seen == rows)
        own = values if len(some) == len(values) else values[some]
        half = width - (rows + 1) // 2
        older, newer = own[:, width - rows : half], own[:, half:]
        highest[some] = np.fmax.reduce(older, axis=1, initial=0)
        higher[some] = np.fmax.reduce(newer, axis=1, initial=0)
        samples[some] = np.isfinite(older).sum(axis=1)
    margin = np.where(pending.safe > 0, settings.turned_margin, settings.level_margin)
    enough = (seen >= settings.level_rows) & (2 * samples >= settings.level_rows / 2)
    levelled: Bools = enough & (higher - highest < margin * pending.limit)
    return levelled


def forecasts(
    verdicts: Verdicts, rings: SeriesRings, keys: Sequence[SeriesKey], spans: Floats
) -> list[Forecast]:
    """One Forecast per series, `spans` (N,) its horizon in seconds."""
    pending, found = verdicts.pending, verdicts.found
    column = pending.column
    spot = column, rings.row[column] % rings.capacity
    rows = zip(
        keys, verdicts.readiness.tolist(), spans.tolist(), found.probability.tolist(),
        (found.ttf.astype(np.float64) * rings.step).tolist(), verdicts.alarm.tolist(),
        rings.values[spot].tolist(), pending.limit.tolist(), rings.newest[column].tolist(),
        pending.samples.tolist(), verdicts.levelled.tolist(), strict=True,
    )  # fmt: skip
    return [_forecast(*row) for row in rows]


def _forecast(
    key: SeriesKey, code: int, horizon: float, probability: float, ttf: list[float], alarm: bool,
    value: float, limit: float, sampled_at: float, samples: int, levelled: bool,
) -> Forecast:  # fmt: skip
    readiness = _ORDER[code]
    bound = None if isnan(limit) else limit
    if readiness is Readiness.READY:
        passage = (ttf[0], ttf[1], ttf[2])
        return Forecast(
            key, readiness, horizon, probability, passage, alarm, value, bound, sampled_at, samples,
            levelled,
        )  # fmt: skip
    if readiness is Readiness.NO_DATA:
        return Forecast(key, readiness, horizon)
    return Forecast(
        key, readiness, horizon, value=value, limit=bound, sampled_at=sampled_at, samples=samples
    )
