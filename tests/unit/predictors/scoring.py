"""What people use today, and how alarms are scored against the cases of `injected`.

A hit is an alarm that begins after the leak, at most two hours and at least five minutes before the
limit; any other alarm is false. Precision counts series, false alarms count episodes.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from akeso_predictors.linear import NAKED, alarms
from unit.predictors.injected import STEP, Case

Array = NDArray[Any]
HOUR = 60  # rows
_LEAD = 5  # rows that a hit must leave
_FORESEEN = 2 * HOUR  # an alarm longer before the crossing than this was luck, not foresight


def naked(values: Array) -> Array:
    return alarms(values, 1.0, STEP, HOUR * STEP, gate=NAKED)


def gated(values: Array) -> Array:
    """predict_linear with the usual gates: above 70 %, for six minutes."""
    return alarms(values, 1.0, STEP, HOUR * STEP)


def episodes(alarm: Array) -> Array:
    """Rows at which an alarm begins; one that is back within ten minutes is the same."""
    rows = np.flatnonzero(alarm)
    return rows[np.concatenate([[True], np.diff(rows) > 10])] if len(rows) else rows


def judged(made: list[Case], alarm: Array) -> dict[str, Any]:
    """Precision, recall, lead and false alarms of alarms (T, S) on cases."""
    hits, leads, false, blamed, days = 0, [], 0, 0, 0.0
    by_kind: dict[str, list[int]] = {}
    for case, column in zip(made, alarm.T, strict=True):
        begun = episodes(column)
        end = len(column) if case.crossing is None else case.crossing
        days += end * STEP / 86400
        good, lead = np.zeros(len(begun), dtype=bool), 0
        if case.crossing is not None and case.onset is not None:
            good = (
                (begun > case.onset)
                & (begun >= case.crossing - _FORESEEN)
                & (begun < case.crossing)
            )
            lead = int(case.crossing - begun[good][0]) if good.any() else 0
            hits += lead >= _LEAD
            leads += [lead] if lead >= _LEAD else []
        wrong = int((~good & (begun < end)).sum())
        false += wrong
        blamed += wrong > 0
        score = wrong > 0 if case.crossing is None else lead >= _LEAD
        by_kind.setdefault(case.kind, []).append(int(score))
    positives = sum(case.crossing is not None for case in made)
    precision, recall = hits / max(hits + blamed, 1), hits / positives
    return {
        "precision": precision,
        "recall": recall,
        "f1": 2 * precision * recall / max(precision + recall, 1e-9),
        "lead_median_min": float(np.median(leads)) if leads else 0.0,
        "lead_p10_min": float(np.percentile(leads, 10)) if leads else 0.0,
        "false_per_series_day": false / days,
        "kinds": {
            kind: round(float(np.mean(scores)), 3) for kind, scores in sorted(by_kind.items())
        },
    }
