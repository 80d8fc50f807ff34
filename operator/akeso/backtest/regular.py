"""Recorded samples, in any order and with any holes, as series on a grid: what `replay` takes. Pure.

Nothing is filled in. A row takes the newest sample of its step; what is no measurement (NaN,
infinite, negative) counts as missing, and is counted.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from akeso.clients.tables.columns import Columns
from akeso_predictors.checks import HUGE

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

# A step that is off by less than this share is a clock's jitter, not another step.
JITTER = 0.1
# A median step this near to whole seconds is whole seconds.
WHOLE = 0.01
# Holes beyond this are shortened where the rows would outnumber the samples by as much: any hole of
# more than a few rows ends what is fitted, however long it is.
HOLE = 60
SPARSE = 4


@dataclass(frozen=True, slots=True)
class History:
    """One series on its grid: `time` (T,) of each row in Unix seconds, `value` and `limit` (T,) NaN
    where missing, `restart` (T,). `step` None: one sample has none. `notes`: what was done to it."""

    name: str
    step: float | None
    time: Floats
    value: Floats
    limit: Floats
    restart: NDArray[np.bool_]
    samples: int
    notes: tuple[str, ...] = ()

    @property
    def rows(self) -> int:
        return len(self.time)


def histories(
    columns: Columns,
    limit: float | None = None,
    step: float | None = None,
    signed: bool = False,
) -> list[History]:
    """The series in the order of their names. `limit` holds for all, whatever the columns say;
    `step` in seconds takes the place of the median of each. `signed`: values may be negative."""
    order = np.argsort(columns.series, kind="stable")
    ends = np.searchsorted(columns.series[order], np.arange(len(columns.names) + 1))
    found = [
        _history(columns, order[ends[i] : ends[i + 1]], name, (limit, step, signed))
        for i, name in enumerate(columns.names)
        if ends[i + 1] > ends[i]
    ]
    return sorted(found, key=lambda h: h.name)


def _history(
    columns: Columns, own: Ints, name: str, asked: tuple[float | None, float | None, bool]
) -> History:
    limit, step, signed = asked
    notes: list[str] = []
    # To the millisecond, as Prometheus keeps times: what differs by less is the same moment.
    time, value = np.round(columns.time[own], 3), columns.value[own]
    limits = np.full(len(own), np.nan) if columns.limit is None else columns.limit[own]
    if limit is not None:
        limits = np.full(len(own), float(limit))
    marks = np.zeros(len(own)) if columns.restart is None else columns.restart[own]
    if np.any(np.diff(time) < 0):
        notes.append("its times were not in order: sorted")
    order = np.argsort(time, kind="stable")
    time, value, limits, marks = time[order], value[order], limits[order], marks[order]
    begun = _restarts(marks)
    last = np.append(time[1:] != time[:-1], True)
    if not last.all():
        notes.append(f"{_many((~last).sum(), 'duplicate time')}: the last sample of each counts")
    begun = _kept(begun, last)
    time, value, limits = time[last], value[last], limits[last]
    value = _measured(value, notes, signed)
    usual = _step(time, step)
    if usual is None:
        return History(name, None, time, value, _bounds(limits), begun, len(time), tuple(notes))
    rows = _rows(time, usual, notes, given=step is not None)
    keep = np.append(rows[1:] != rows[:-1], True)
    at = rows[keep]
    count = int(at[-1]) + 1
    grid = np.full(count, np.nan)
    grid[at] = value[keep]
    bound = np.full(count, np.nan)
    bound[at] = _bounds(limits)[keep]
    restart = np.zeros(count, np.bool_)
    restart[at] = _kept(begun, keep)
    return History(
        name, usual, _times(at, time[keep], usual, count), grid, bound, restart, len(time),
        tuple(notes),
    )  # fmt: skip


def _many(count: int, noun: str) -> str:
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def _restarts(marks: Floats) -> NDArray[np.bool_]:
    """Marks as they are, or where a count of restarts has risen."""
    known = np.nan_to_num(marks)
    if known.max(initial=0.0) <= 1 and not _counts(known):
        return known > 0
    return np.diff(known, prepend=known[:1]) > 0


def _counts(known: Floats) -> bool:
    """Whether zeros and ones are a count that rose to 1 and stayed there: two restarts in a row
    of samples would be no series."""
    return bool(np.any((known[1:] == 1) & (known[:-1] == 1)))


def _kept(marks: NDArray[np.bool_], keep: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Marks of the rows that are kept; that of a dropped one goes to the next."""
    total = np.cumsum(marks)[keep]
    return np.diff(total, prepend=0) > 0


def _measured(value: Floats, notes: list[str], signed: bool) -> Floats:
    with np.errstate(invalid="ignore"):
        kinds = (
            ("without a value", np.isnan(value)),
            ("infinite", np.isinf(value)),
            ("negative", (value < 0) & np.isfinite(value) & (not signed)),
            (
                "absurdly large",
                (np.abs(value) >= HUGE) & np.isfinite(value) & (signed | (value > 0)),
            ),
        )
    told = [f"{count} {said}" for said, which in kinds if (count := int(which.sum()))]
    if told:
        notes.append(f"{', '.join(told)}: counted as missing")
    bad = np.logical_or.reduce([which for _, which in kinds])
    return np.where(bad, np.nan, value)


def _bounds(limits: Floats) -> Floats:
    usable = np.isfinite(limits) & (limits > 0) & (limits < HUGE)
    return np.where(usable, limits, np.nan)


def _step(time: Floats, given: float | None) -> float | None:
    if len(time) < 2:
        return None
    if given is not None:
        return given
    middle = float(np.median(np.diff(time)))
    whole = round(middle)
    return float(whole) if whole >= 1 and abs(middle - whole) <= WHOLE * middle else middle


def _rows(time: Floats, step: float, notes: list[str], given: bool) -> Ints:
    steps = (time - time[0]) / step
    pauses = np.diff(steps)
    nearest: Floats = np.rint(pauses)
    uneven = np.abs(pauses - np.maximum(1, nearest)) > JITTER
    rows: Ints = np.floor(steps + 0.5 + 1e-9).astype(np.int64)
    merged = int((np.diff(rows) == 0).sum())
    if given and merged:
        notes.append(f"put on the step given, {step:g} s: {_many(merged, 'sample')} fell together")
    elif uneven.mean() > JITTER or merged:
        notes.append(
            f"its steps are uneven: put on the median step, {step:g} s, nothing filled in"
            + (f", {_many(merged, 'sample')} fell together" if merged else "")
        )
    if rows[-1] > SPARSE * len(rows) + 1000:
        short = np.minimum(np.diff(rows), HOLE)
        notes.append("its samples are far between: long holes are not counted in rows")
        rows = np.concatenate([[0], np.cumsum(short)]).astype(np.int64)
    return rows


def _times(at: Ints, time: Floats, step: float, count: int) -> Floats:
    """Each row's time; one without a sample stands so many steps after the one before."""
    rows = np.arange(count)
    before = np.maximum(np.searchsorted(at, rows, side="right") - 1, 0)
    return time[before] + (rows - at[before]) * step


def batches(found: Sequence[History], cells: int) -> Iterator[list[History]]:
    """Series of one step that are about as long, in blocks of at most so many cells (or one)."""
    block: list[History] = []
    usable = (h for h in found if h.step is not None)
    for history in sorted(usable, key=lambda h: (h.step or 0.0, h.rows)):
        same = block and block[0].step == history.step
        if block and (not same or history.rows * (len(block) + 1) > cells):
            yield block
            block = []
        block.append(history)
    if block:
        yield block


def stacked(block: Sequence[History]) -> tuple[Floats, Floats, NDArray[np.bool_]]:
    """Values, limits and restarts (T, S), each series from row 0 on; what is short ends in NaN."""
    rows = max(h.rows for h in block)
    values, limits = np.full((rows, len(block)), np.nan), np.full((rows, len(block)), np.nan)
    marks = np.zeros((rows, len(block)), np.bool_)
    for s, history in enumerate(block):
        values[: history.rows, s] = history.value
        limits[: history.rows, s] = history.limit
        marks[: history.rows, s] = history.restart
    return values, limits, marks
