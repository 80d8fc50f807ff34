"""What a file of recorded series holds, column by column, and which columns it must have."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from akeso.errors import PermanentError

TIME, VALUE, SERIES, LIMIT, RESTART = "timestamp", "value", "series", "limit", "restart"
KNOWN = (TIME, SERIES, VALUE, LIMIT, RESTART)
HOW = (
    "Columns are timestamp and value, and as you have them series, limit (in the unit of value) and"
    " restart (1 in the first row of a new container, or a count of restarts)."
)
# From here on a number is milliseconds: as seconds it would be the year 5138.
MILLISECONDS = 1e11
# Beyond the year 9999 in milliseconds: what counts in micro- or nanoseconds.
LATEST = 253_402_300_800_000.0


@dataclass(frozen=True, slots=True)
class Columns:
    """N samples in the file's order: `series` (N,) indexes `names`, `time` in Unix seconds, `value`
    and `limit` NaN where missing, `restart` a mark or a count. None: there is no such column."""

    source: str
    names: tuple[str, ...]
    series: NDArray[np.int64]
    time: NDArray[np.float64]
    value: NDArray[np.float64]
    limit: NDArray[np.float64] | None = None
    restart: NDArray[np.float64] | None = None
    notes: tuple[str, ...] = ()


def places(source: str, header: Sequence[str]) -> tuple[dict[str, int], tuple[str, ...]]:
    """Where each known column stands, and what is to be told of the others. PermanentError names
    what is missing or there twice."""
    found = [name.strip().lower() for name in header]
    for name in KNOWN:
        if found.count(name) > 1:
            raise PermanentError(f"{source}: column {name} is there twice; rename one.")
    missing = [name for name in (TIME, VALUE) if name not in found]
    if missing:
        there = ", ".join(repr(name.strip()[:40]) for name in header[:8]) or "none"
        raise PermanentError(
            f"{source}: there is no column {' and no column '.join(missing)}; those there are:"
            f" {there}. The first line names the columns. {HOW}"
        )
    others = [name.strip()[:40] for name in header if name.strip().lower() not in KNOWN]
    notes = (f"{source}: not read: {_listed(others)}.",) if others else ()
    return {name: found.index(name) for name in KNOWN if name in found}, notes


def _listed(names: Sequence[str]) -> str:
    more = f" and {len(names) - 8} more" if len(names) > 8 else ""
    return f"column{'s' if len(names) > 1 else ''} {', '.join(names[:8])}{more}"


def empty(source: str) -> PermanentError:
    return PermanentError(f"{source} holds no sample. {HOW}")
