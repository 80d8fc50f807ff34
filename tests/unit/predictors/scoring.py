"""What people use today, and how alarms are scored against the cases of `injected`.

A hit is an alarm that begins after the leak, at most two horizons and at least five minutes before the
limit; any other alarm is false. Precision counts series, false alarms count episodes.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from akeso_predictors.linear import NAKED, alarms
from unit.predictors.injected import STEP, Case

Array = NDArray[Any]
HOUR = 60  # rows
_LEAD = 300.0  # seconds that a hit must leave
_FORESEEN = 2  # an alarm more horizons before the crossing than this was luck, not foresight


def naked(values: Array) -> Array:
    return alarms(values, 1.0, STEP, HOUR * STEP, gate=NAKED)


def gated(values: Array) -> Array:
    """predict_linear with the usual gates: above 70 %, for six minutes."""
    return alarms(values, 1.0, STEP, HOUR * STEP)


def episodes(alarm: Array, apart: float = 10) -> Array:
    """Rows at which an alarm begins; one that is back within `apart` rows (ten minutes) is the same."""
    rows = np.flatnonzero(alarm)
    return rows[np.concatenate([[True], np.diff(rows) > apart])] if len(rows) else rows


def least_lead(case: Case) -> float:
    """Seconds that a hit must leave: five minutes, of faster leaks a quarter of what they take."""
    if case.crossing is None or case.onset is None:
        return _LEAD
    return min(_LEAD, (case.crossing - case.onset) * case.step / 4)


def judged(made: Sequence[Case], raised: Iterable[Array]) -> dict[str, Any]:
    """Precision, recall, lead and false alarms of what was `raised` (T,) on each case."""
    leads: list[float] = []
    hits, false, blamed, days = 0, 0, 0, 0.0
    by_kind: dict[str, list[tuple[int, int, float]]] = {}
    for case, column in zip(made, raised, strict=True):
        begun = episodes(column, 600 / case.step)
        end = len(column) if case.crossing is None else case.crossing
        healthy = begun < end
        watched = end
        if case.restart is not None:
            healthy |= begun >= case.restart
            watched += len(column) - case.restart
        good, lead = np.zeros(len(begun), dtype=bool), 0.0
        if case.crossing is not None and case.onset is not None:
            foreseen = case.crossing - _FORESEEN * case.horizon / case.step
            good = (begun > case.onset) & (begun >= foreseen) & (begun < case.crossing)
            lead = (case.crossing - begun[good][0]) * case.step if good.any() else 0
            hit = bool(good.any()) and lead >= least_lead(case)
            hits += hit
            leads += [lead] if hit else []
        else:
            hit = False
        wrong = int((~good & healthy).sum())
        false += wrong
        blamed += wrong > 0
        days += watched * case.step / 86400
        score = wrong > 0 if case.crossing is None else hit
        by_kind.setdefault(case.kind, []).append((int(score), wrong, watched * case.step / 86400))
    positives = sum(case.crossing is not None for case in made)
    precision, recall = hits / max(hits + blamed, 1), hits / max(positives, 1)
    return {
        "precision": precision,
        "recall": recall,
        "f1": 2 * precision * recall / max(precision + recall, 1e-9),
        "lead_median_min": float(np.median(leads)) / 60 if leads else 0.0,
        "lead_p10_min": float(np.percentile(leads, 10)) / 60 if leads else 0.0,
        "false_per_series_day": false / days,
        "kinds": {
            kind: round(float(np.mean([score for score, _, _ in scores])), 3)
            for kind, scores in sorted(by_kind.items())
        },
        "false_by_kind": {
            kind: round(sum(w for _, w, _ in scores) / sum(d for _, _, d in scores), 3)
            for kind, scores in sorted(by_kind.items())
        },
    }
