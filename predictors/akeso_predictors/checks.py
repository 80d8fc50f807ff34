"""What callers may pass in: coerced, or refused with an error that names the argument."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from akeso.errors import PermanentError

# Precision is a matter of cost, not of type: what is fitted in bulk is float32, times are float64.
Floats = NDArray[np.floating[Any]]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

# Far above any byte count, far below where squares overflow in float32.
HUGE = 1e18
# Far below any limit, far above where a share of it overflows in float32.
TINY = 1e-12


class InputError(PermanentError, ValueError):
    """An argument that no model can be fitted to. The message names it."""


def matrix(name: str, values: ArrayLike) -> Floats:
    """`values` as float64 (T, S); a 1-D argument is one series."""
    try:
        array = np.asarray(values, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise InputError(f"{name} must be numbers, NaN where missing: {error}") from error
    if array.ndim == 1:
        array = array[:, None]
    if array.ndim != 2:
        raise InputError(f"{name} must have shape (T,) or (T, S), got {array.shape}")
    return array


def cleaned(array: Floats) -> Floats:
    """Missing instead of garbage: NaN, infinite, negative or absurdly large values."""
    good = np.isfinite(array) & (array >= 0) & (array < HUGE)
    return np.where(good, array, np.nan)


def flags(name: str, marks: ArrayLike | None, rows: int, series: int) -> Bools:
    """Marks as bool (T, S): None is no mark, (T,) holds for every series, non-zero is True."""
    if marks is None:
        return np.zeros((rows, series), dtype=np.bool_)
    array = np.asarray(marks)
    if array.ndim == 1:
        array = array[:, None]
    try:
        return np.array(np.broadcast_to(array != 0, (rows, series)), dtype=np.bool_)
    except ValueError as error:
        raise InputError(
            f"{name} must have shape (T,) or (T, S) = {(rows, series)}, got {array.shape}"
        ) from error


def bounds(name: str, limits: ArrayLike, rows: int, series: int) -> Floats:
    """Limits as float64 (T, S) from a scalar, (S,) or (T, S); NaN where none is usable."""
    try:
        array = np.asarray(limits, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise InputError(f"{name} must be numbers, NaN where there is no limit: {error}") from error
    if array.ndim == 1 and array.shape[0] != series and array.shape[0] == rows and series == 1:
        array = array[:, None]
    try:
        whole = np.broadcast_to(array, (rows, series))
    except ValueError as error:
        raise InputError(
            f"{name} must be a scalar, (S,) or (T, S) = {(rows, series)}, got {array.shape}"
        ) from error
    usable = np.where(np.isfinite(whole) & (whole > TINY) & (whole < HUGE), whole, np.nan)
    # The operator keeps limits as float32; a back-test must not know them better.
    return usable.astype(np.float32).astype(np.float64)


def positive(name: str, value: float) -> float:
    """A finite number above zero."""
    if not np.isfinite(value) or value <= 0:
        raise InputError(f"{name} must be a finite number above zero, got {value!r}")
    return float(value)


def whole(name: str, value: int) -> int:
    """A whole number above zero."""
    if isinstance(value, bool) or int(value) != value or value < 1:
        raise InputError(f"{name} must be a whole number above zero, got {value!r}")
    return int(value)


def shares(name: str, levels: Sequence[float]) -> tuple[float, ...]:
    """Interval levels in per cent, each between 0 and 100."""
    if not levels or any(not 0 < level < 100 for level in levels):
        raise InputError(f"{name} must be per cent between 0 and 100, got {tuple(levels)!r}")
    return tuple(float(level) for level in levels)
