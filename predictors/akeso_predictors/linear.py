"""What people use today, to be compared with: PromQL's predict_linear, naked and gated.

    predict_linear(x[1h], horizon) > limit and x > 0.7 * limit     for: 6m

Pure. Every bench and `akeso backtest` take it from here.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import ArrayLike

from akeso_predictors import checks
from akeso_predictors.checks import Bools, Floats

# Windows at once, so that a long history needs no more memory than a short one.
_BATCH = 1 << 16


@dataclass(frozen=True, slots=True)
class Gate:
    """The rule's own numbers: the range looked at and how long it must hold in seconds, the level
    from which it counts as a share of the limit. As good as people make them (predict.md)."""

    window_seconds: float = 3600.0
    level: float = 0.7
    hold_seconds: float = 360.0


GATE = Gate()
NAKED = Gate(level=0.0, hold_seconds=0.0)


def predict_linear(values: ArrayLike, rows: int, ahead: float) -> Floats:
    """PromQL's predict_linear over the last `rows` rows, `ahead` rows on; (T, S), NaN where fewer
    than two samples are there. `values` (T, S) or (T,), NaN = missing."""
    given = checks.matrix("values", values)
    width = checks.whole("rows", rows)
    valid = np.isfinite(given)
    # The newest row is 0 and the others lie before it, so that no sum grows with the history.
    k = np.arange(1 - width, 1, dtype=np.float64)
    n, k1, k2 = _sums(valid.astype(np.float64), np.stack([np.ones(width), k, k * k]))
    y, ky = _sums(np.where(valid, given, 0.0), np.stack([np.ones(width), k]))
    spread = n * k2 - k1**2
    slope = np.where(spread > 0, (n * ky - k1 * y) / np.where(spread > 0, spread, 1.0), 0.0)
    mean = (y - slope * k1) / np.maximum(n, 1)
    return np.where(n >= 2, mean + slope * ahead, np.nan)


def alarms(
    values: ArrayLike,
    limits: ArrayLike,
    step_seconds: float,
    horizon_seconds: float,
    restarts: ArrayLike | None = None,
    gate: Gate = GATE,
) -> Bools:
    """Whether the rule fires at each row, (T, S); arguments as those of `replay`.

    A restart begins a new series, as in Prometheus, where a container's id is a label. A row
    without a sample resets `for`, as a failed scrape does (it makes the series stale at once).
    """
    given = checks.matrix("values", values)
    step = checks.positive("step_seconds", step_seconds)
    ahead = checks.positive("horizon_seconds", horizon_seconds) / step
    known = checks.bounds("limits", limits, *given.shape)
    marks = checks.flags("restarts", restarts, *given.shape)
    share = checks.cleaned(given) / known
    rows = max(2, round(gate.window_seconds / step))
    hold = ceil(gate.hold_seconds / step) + 1
    out = np.zeros(given.shape, dtype=np.bool_)
    whole = ~marks[1:].any(axis=0)
    out[:, whole] = _fires(share[:, whole], rows, ahead, hold, gate.level)
    for column in np.flatnonzero(~whole):
        ends = [*np.flatnonzero(marks[:, column]), len(given)]
        for start, end in zip([0, *ends[:-1]], ends, strict=True):
            part = share[start:end, column : column + 1]
            out[start:end, column] = _fires(part, rows, ahead, hold, gate.level)[:, 0]
    return out


def _fires(share: Floats, rows: int, ahead: float, hold: int, level: float) -> Bools:
    if share.size == 0:
        return np.zeros(share.shape, dtype=np.bool_)
    predicted = predict_linear(share, rows, ahead)
    beyond = np.nan_to_num(predicted) > 1
    raised = beyond & (np.nan_to_num(share) > level) if level > 0 else beyond
    lasted = np.cumsum(raised, axis=0, dtype=np.int64)
    lasted[hold:] -= lasted[:-hold].copy()
    fires: Bools = lasted >= hold
    return fires


def _sums(values: Floats, kernels: Floats) -> tuple[Floats, ...]:
    """Sums (T, S) over the rows up to each, weighted by each of the kernels (K, W)."""
    width = kernels.shape[1]
    head = np.zeros((width - 1, values.shape[1]))
    views = sliding_window_view(np.concatenate([head, values]), width, axis=0)
    out = np.empty((*values.shape, len(kernels)))
    some = max(1, _BATCH // max(1, values.shape[1]))
    for start in range(0, len(values), some):
        out[start : start + some] = views[start : start + some] @ kernels.T
    return tuple(out[..., k] for k in range(len(kernels)))
