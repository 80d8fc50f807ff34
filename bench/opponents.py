"""What people use instead: thresholds and straight lines. Alarms (T,) of a case, as rules would give."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from akeso_predictors.linear import GATE, NAKED, Gate, alarms
from unit.predictors.injected import Case

Array = NDArray[Any]
DISK = Gate(6 * 3600.0, 0.85, 3600.0)


def share(case: Case) -> Array:
    """Values as share of the limit."""
    return case.values / case.limit


def static(case: Case) -> Array:
    """Above 90 % for five minutes."""
    return lasting(np.nan_to_num(share(case)) > 0.9, 300, case)


def naked(case: Case) -> Array:
    """predict_linear over one hour, as far ahead as the horizon."""
    return _straight(case, NAKED)


def gated(case: Case) -> Array:
    """The same above 70 % for six minutes; disks as kube-prometheus does: over six hours, with less than
    15 % free, for an hour."""
    return _straight(case, DISK if case.metric == "volume" else GATE)


def holt(case: Case, alpha: float = 0.2, beta: float = 0.05) -> Array:
    """Level and trend by double exponential smoothing (PromQL's double_exponential_smoothing), gated."""
    x = share(case)
    level, trend = np.nan, 0.0
    ahead = case.horizon / case.step
    forecast = np.full(len(x), np.nan)
    for i in np.flatnonzero(np.isfinite(x)).tolist():
        if np.isnan(level):
            level = x[i]
        before, level = level, alpha * x[i] + (1 - alpha) * (level + trend)
        trend = beta * (level - before) + (1 - beta) * trend
        forecast[i] = level + ahead * trend
    return lasting((forecast > 1) & (np.nan_to_num(x) > 0.7), 360, case)


def _straight(case: Case, gate: Gate) -> Array:
    restarts = np.zeros(len(case.values), dtype=bool)
    if case.restart is not None:
        restarts[case.restart] = True
    return alarms(share(case), 1.0, case.step, case.horizon, restarts, gate)[:, 0]


def lasting(raised: Array, seconds: float, case: Case) -> Array:
    """True where a condition has held for so long, as `for` in a rule."""
    need = round(seconds / case.step) + 1
    total = np.cumsum(raised)
    total[need:] = total[need:] - total[:-need]
    return total >= need


OPPONENTS = {"gated": gated, "naked": naked, "holt": holt, "static": static}
