"""How alarms are scored on the cases by other authors, and the rule that is scored beside Akeso.

A hit is an episode of alarm that is on at a row two horizons to five minutes (two rows) before the
crossing; a run of under a quarter of an hour leaves a minute. What is on only after the crossing counts
for nothing, any other episode is false.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from foreign_cases import Case, Mask
from opponents import DISK

from akeso_predictors.linear import GATE, predict_linear

_APART = 600.0  # seconds; an alarm that is back sooner is the same episode
_STALE = 300.0  # seconds that Prometheus looks back for a sample
_LEAD = 300.0  # seconds that a hit must leave
_FAST, _FAST_LEAD = 900.0, 60.0  # of runs from onset to limit below the first: the second
_FORESEEN = 2  # horizons


@dataclass(frozen=True, slots=True)
class Score:
    """Of one case: whether it ends, was hit, how early in seconds; false alarms and days watched."""

    ends: bool
    hit: bool
    lead: float
    false: int
    days: float


def gated(case: Case) -> Mask:
    """Where predict_linear over the limit and a level near it have lasted (T,): of an hour, above 70 %,
    for six minutes; of disks six hours, 85 %, an hour. A new container begins anew."""
    gate = DISK if case.metric_class == "volume" else GATE
    rows = round(gate.window_seconds / case.step)
    starts = [0, *np.flatnonzero(case.restarts).tolist(), len(case.values)]
    found = np.zeros(len(case.values), dtype=np.bool_)
    for first, last in pairwise(starts):
        own, limit = case.values[first:last], case.limit[first:last]
        ahead = predict_linear(own, rows, case.horizon / case.step)[:, 0]
        present = np.isfinite(own)
        index = np.arange(len(own))
        seen = np.maximum.accumulate(np.where(present, index, -1))
        fresh = (seen >= 0) & ((index - seen) * case.step <= _STALE)
        near = own[np.maximum(seen, 0)] > gate.level * limit
        beyond = np.nan_to_num(ahead, nan=-np.inf) > limit
        since = np.maximum.accumulate(np.where(fresh & near & beyond, -1, index))
        found[first:last] = (index - since - 1) * case.step >= gate.hold_seconds
    return found


def episodes(alarm: Mask, step: float) -> list[Any]:
    """Rows of each episode of alarm."""
    rows = np.flatnonzero(alarm)
    return np.split(rows, np.flatnonzero(np.diff(rows) * step >= _APART) + 1) if len(rows) else []


def scored(case: Case, alarm: Mask) -> Score:
    end = len(case.values) if case.crossing is None else case.crossing
    least = max(_LEAD, 2 * case.step)
    if case.onset is not None and (end - case.onset) * case.step < _FAST:
        least = _FAST_LEAD
    leads: list[float] = []
    false = 0
    for rows in episodes(alarm, case.step):
        ahead = (end - rows[rows < end]) * case.step
        good = ahead[(ahead >= least) & (ahead <= _FORESEEN * case.horizon)]
        if case.crossing is not None and len(good):
            leads.append(float(good[0]))
        elif len(ahead):
            false += 1
    days = end * case.step / 86400
    return Score(case.crossing is not None, bool(leads), leads[0] if leads else 0.0, false, days)


def judged(scores: Sequence[Score]) -> dict[str, Any]:
    """What the scores of some cases come to; by rates, and in numbers."""
    hits, false = sum(one.hit for one in scores), sum(one.false for one in scores)
    leads = [one.lead for one in scores if one.hit]
    ends, days = sum(one.ends for one in scores), sum(one.days for one in scores)
    return {
        "precision": hits / max(hits + false, 1),
        "recall": hits / max(ends, 1),
        "lead_median_min": float(np.median(leads)) / 60 if leads else 0.0,
        "false_per_series_day": false / days,
        "cases": len(scores),
        "ends": ends,
        "hits": hits,
        "false": false,
    }
