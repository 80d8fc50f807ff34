"""Ring buffers of samples, by sample time, for thousands of series at once.

Rows are a step apart and belong to a series of their own: two scrapes of two pods need not fall
together. Memory is 17 bytes per row and series: 245 MB for 10,000 series of 1,440 rows.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Sequence
from math import nan

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import ArrayLike, NDArray

from akeso.domain.forecast import Sample, SeriesKey
from akeso_predictors import checks
from akeso_predictors.checks import HUGE, Bools, Floats, Ints
from akeso_predictors.legs import ACTED, KILLED, REPLACED

_FIRST_COLUMNS = 64
# Series of a block that are inserted at once: bounds what a back-fill takes beside the rings.
_BLOCK = 256


class SeriesRings:
    """The last `capacity` rows of every series, one row per `step` seconds.

    Samples may come in any order and more than once; late ones fill the row they belong to. What
    cannot be a measurement (NaN, infinite, negative) is missing, never zero. `resets` marks the
    first row of a new instance (`REPLACED`; `KILLED` where `kill`
    told so) and the first row after `mark` (`ACTED`).
    """

    def __init__(self, step: float, capacity: int) -> None:
        self.step = checks.positive("step_seconds", step)
        self.capacity = checks.whole("capacity_rows", capacity)
        self.column: dict[SeriesKey, int] = {}
        self._free: list[int] = []
        self._around = np.tile(np.arange(self.capacity), 2)
        self._allocate(_FIRST_COLUMNS)

    def _allocate(self, columns: int) -> None:
        shape = (columns, self.capacity)
        self.values: Floats = np.full(shape, np.nan, dtype=np.float32)
        self.times: Floats = np.full(shape, np.nan)
        self.limits: Floats = np.full(shape, np.nan, dtype=np.float32)
        self.resets: NDArray[np.uint8] = np.zeros(shape, dtype=np.uint8)
        # Number of the newest row (-1: no data) and of the oldest, time of the newest; rows are
        # stored modulo the capacity and begin there, so that history may still come before them.
        self.row: Ints = np.full(columns, -1, dtype=np.int64)
        self.oldest: Ints = np.full(columns, -1, dtype=np.int64)
        self.newest: Floats = np.full(columns, -np.inf)
        # Hash of the newest row's instance (-1: none, no string has it), time after which the next
        # row is marked, whether history changed.
        self.instance: Ints = np.full(columns, -1, dtype=np.int64)
        self.marked: Floats = np.full(columns, np.nan)
        # When the running instance's predecessor was killed at its limit, as far as we were told.
        self.killed: Floats = np.full(columns, np.nan)
        self.changed: Bools = np.zeros(columns, dtype=np.bool_)

    _ARRAYS = (
        "values", "times", "limits", "resets", "row", "oldest", "newest", "instance", "marked", "killed", "changed",
    )  # fmt: skip

    def columns(self, keys: Sequence[SeriesKey]) -> Ints:
        """The columns of the series, made where there are none yet."""
        return np.fromiter((self._column(key) for key in keys), dtype=np.int64, count=len(keys))

    def _column(self, key: SeriesKey) -> int:
        found = self.column.get(key)
        if found is None:
            found = self._free.pop() if self._free else self._next_column()
            self.column[key] = found
        return found

    def _next_column(self) -> int:
        used = len(self.column)
        if used == len(self.row):
            old = {name: getattr(self, name) for name in self._ARRAYS}
            self._allocate(used + max(used // 4, _FIRST_COLUMNS))
            for name, array in old.items():
                getattr(self, name)[:used] = array
        return used

    def ingest(self, samples: Iterable[Sample]) -> None:
        """Add samples in any order; those already known, or too old for the ring, change nothing."""
        columns, instances = array("q"), array("q")
        times, values, limits = array("d"), array("d"), array("d")
        key, column = None, -1
        for sample in samples:
            # Those of a series usually come together.
            if sample.key is not key:
                key = sample.key
                column = self._column(key)
            columns.append(column)
            times.append(sample.time)
            values.append(sample.value)
            limits.append(nan if sample.limit is None else sample.limit)
            instances.append(hash(sample.instance))
        if columns:
            self._insert(
                np.frombuffer(columns, np.int64), np.frombuffer(times), np.frombuffer(values),
                np.frombuffer(limits), np.frombuffer(instances, np.int64),
            )  # fmt: skip

    def ingest_columns(
        self, keys: Sequence[SeriesKey], times: ArrayLike, values: ArrayLike, limits: ArrayLike,
        instances: Sequence[str],
    ) -> None:  # fmt: skip
        """Add a block, as a range query answers: `times` (T,) Unix seconds, `values` (T, S) with NaN
        where there is none, `limits` scalar, (S,) or (T, S), one instance per series."""
        at = np.asarray(times, dtype=np.float64)
        block = checks.matrix("values", values)
        if block.shape != (len(at), len(keys)) or len(instances) != len(keys):
            raise checks.InputError(f"values must have shape (times, keys), got {block.shape}")
        own = np.array([hash(name) for name in instances], dtype=np.int64)
        bound = checks.bounds("limits", limits, *block.shape)
        columns = self.columns(keys)
        for start in range(0, len(keys), _BLOCK):
            part = slice(start, start + _BLOCK)
            some = columns[part]
            self._insert(
                np.repeat(some, len(at)), np.tile(at, len(some)), block[:, part].T.ravel(),
                bound[:, part].T.ravel(), np.repeat(own[part], len(at)),
            )  # fmt: skip

    def _insert(
        self, column: Ints, time: Floats, value: Floats, limit: Floats, instance: Ints
    ) -> None:
        good = np.isfinite(value) & (value >= 0) & (value < HUGE) & (time > 0) & (time < HUGE)
        usable = np.isfinite(limit) & (limit > 0) & (limit < HUGE)
        limit = np.where(usable, limit, np.nan)
        late = good & (time <= self.newest[column])
        if late.any():
            self._fill(column[late], time[late], value[late], limit[late], instance[late])
        fresh = np.flatnonzero(good & ~late)
        if len(fresh):
            order = fresh[np.lexsort((time[fresh], column[fresh]))]
            order = order[self._apart(column[order], time[order])]
            self._append(column[order], time[order], value[order], limit[order], instance[order])

    def _apart(self, column: Ints, time: Floats) -> Bools:
        """Which sorted samples are at least half a step after the one kept before them."""
        head = np.concatenate([[True], column[1:] != column[:-1]])
        before = np.where(head, self.newest[column], np.roll(time, 1))
        near = time - before < self.step / 2
        kept = ~near
        # Rare (a scrape faster than the step): a sequential question, asked only where it arises.
        last: dict[int, float] = {}
        for i in np.flatnonzero(np.isin(column, column[near])):
            own = int(column[i])
            kept[i] = time[i] - last.get(own, self.newest[own]) >= self.step / 2
            if kept[i]:
                last[own] = time[i]
        return kept

    def _append(
        self, column: Ints, time: Floats, value: Floats, limit: Floats, instance: Ints
    ) -> None:
        """Add samples newer than all known ones, sorted by column and time, each a row of its own."""
        if not len(column):
            return
        head = np.concatenate([[True], column[1:] != column[:-1]])
        tail = np.concatenate([head[1:], [True]])
        at = column[tail]
        group = np.cumsum(head) - 1
        row = self._rows(column, time, head)
        last = row[tail]
        earlier = np.where(head, self.instance[column], np.roll(instance, 1))
        due = (time > self.marked[column]) & (head | ~(np.roll(time, 1) > self.marked[column]))
        replaced = (earlier != instance) & (earlier != -1)
        before = np.where(head, self.newest[column], np.roll(time, 1))
        killed = self.killed[column]
        at_limit = (killed <= time) & (killed > before - 2 * self.step)
        begun = np.where(replaced, np.where(at_limit, KILLED, REPLACED), 0)
        resets = np.where(due, ACTED, begun)
        self._clear(at, last)
        kept = row > last[group] - self.capacity
        where = column[kept], row[kept] % self.capacity
        self.values[where], self.times[where] = value[kept], time[kept]
        self.limits[where], self.resets[where] = limit[kept], resets[kept]
        self.oldest[at] = np.where(self.row[at] < 0, row[head], self.oldest[at])
        self.row[at], self.newest[at], self.instance[at] = last, time[tail], instance[tail]
        self.marked[at] = np.where(time[tail] > self.marked[at], np.nan, self.marked[at])

    def _rows(self, column: Ints, time: Floats, head: Bools) -> Ints:
        """Row numbers of sorted samples: the whole steps since the sample before, at least one."""
        before = np.where(head, self.newest[column], np.roll(time, 1))
        first = ~np.isfinite(before)
        gap = np.where(first, 0, time - np.where(first, 0, before)) / self.step
        steps = np.rint(gap).clip(1, self.capacity + 1).astype(np.int64)
        total = np.cumsum(steps)
        base: Ints = (total - steps)[head][np.cumsum(head) - 1]
        known = self.row[column]
        return np.where(known < 0, self.capacity - 1, known) + total - base

    def _clear(self, column: Ints, last: Ints) -> None:
        """Empty the rows that a series steps over or into."""
        used = self.row[column] >= 0
        column, last = column[used], last[used]
        steps = np.minimum(last - self.row[column], self.capacity)
        owner = np.repeat(column, steps)
        offset = np.arange(len(owner)) - np.repeat(np.cumsum(steps) - steps, steps)
        spot = (np.repeat(last, steps) - offset) % self.capacity
        self.values[owner, spot] = np.nan
        self.times[owner, spot] = np.nan
        self.limits[owner, spot] = np.nan
        self.resets[owner, spot] = 0

    def _fill(
        self, column: Ints, time: Floats, value: Floats, limit: Floats, instance: Ints
    ) -> None:
        """Put late samples of the running instance into the rows that miss them."""
        back = (
            np.rint((self.newest[column] - time) / self.step)
            .clip(0, self.capacity)
            .astype(np.int64)
        )
        spot = (self.row[column] - back) % self.capacity
        room = (back < self.capacity) & (back > 0) & (instance == self.instance[column])
        room &= ~np.isfinite(self.values[column, spot])
        column, spot = column[room], spot[room]
        np.minimum.at(self.oldest, column, (self.row[column] - back[room]))
        self.values[column, spot] = value[room]
        self.times[column, spot] = time[room]
        self.limits[column, spot] = limit[room]
        self.changed[column] = True

    def mark(self, column: Ints, time: float) -> None:
        """The next row after `time` is the first after an action."""
        self.marked[column] = time

    def kill(self, column: int, time: float) -> None:
        """An instance was killed at its limit at `time`."""
        self.killed[column] = time

    def spots(self, column: Ints, rows: int, back: int = 0) -> tuple[Ints, Ints]:
        """Where the `rows` rows lie that end `back` rows before the newest: an index (N, rows)."""
        return column[:, None], self._places(column, rows, back)

    def recent(self, column: Ints, rows: int, back: int = 0) -> Floats:
        """Values (N, rows) of these rows."""
        flat = self._places(column, rows, back)
        flat += (column * self.capacity)[:, None]
        return self.values.reshape(-1).take(flat)

    def _places(self, column: Ints, rows: int, back: int) -> Ints:
        """The rows (N, rows) modulo the capacity: a stretch of 0, 1, ... capacity - 1, 0, 1, ... each."""
        first = (self.row[column] - (back + rows - 1)) % self.capacity
        found: Ints = sliding_window_view(self._around, rows)[first]
        return found

    def forget(self, keys: Iterable[SeriesKey]) -> None:
        """Drop series and free their columns."""
        for key in keys:
            column = self.column.pop(key, None)
            if column is not None:
                self.values[column], self.times[column], self.limits[column] = (
                    np.nan,
                    np.nan,
                    np.nan,
                )
                self.resets[column], self.changed[column] = 0, False
                self.row[column], self.oldest[column], self.newest[column] = -1, -1, -np.inf
                self.instance[column], self.marked[column] = -1, np.nan
                self.killed[column] = np.nan
                self._free.append(column)
