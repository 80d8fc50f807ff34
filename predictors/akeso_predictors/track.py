"""What is remembered between cycles: the legs and the last votes of every series.

All of it can be computed again from the rings; it is kept because a cycle usually adds one row.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np

from akeso_predictors.checks import Bools, Floats, Ints
from akeso_predictors.legs import Carry, fresh_carry, trace
from akeso_predictors.series import SeriesRings
from akeso_predictors.settings import DecisionSettings
from akeso_predictors.turns import Turns, handed_on, known

# Rows times series that are traced at once: bounds what a back-fill takes beside the rings.
_CELLS = 1 << 19
# Series at once: their intermediate arrays should stay in the processor's cache.
SERIES = 1 << 11


@dataclass(frozen=True, slots=True)
class Pending:
    """Rows to evaluate, one of each series, `back` rows before its newest; all arrays (N,)."""

    column: Ints
    back: int
    limit: Floats
    safe: Floats
    age: Ints
    samples: Ints
    fresh: Ints
    fresh_age: Ints
    turns: Turns

    def blocks(self) -> Iterator[tuple[slice, Pending]]:
        """Blocks of at most `SERIES`."""
        for start in range(0, len(self.column), SERIES):
            part = slice(start, start + SERIES)
            yield (
                part,
                Pending(
                    self.column[part], self.back, self.limit[part], self.safe[part], self.age[part],
                    self.samples[part], self.fresh[part], self.fresh_age[part],
                    self.turns.take(part),
                ),
            )  # fmt: skip


class Track:
    """Legs, votes and alarms by column of the rings."""

    def __init__(self, rings: SeriesRings, settings: DecisionSettings) -> None:
        self._rings = rings
        self._settings = settings
        self._carry = fresh_carry(0)
        # Number of the last row traced and voted on (-1: none).
        self._seen = np.zeros(0, dtype=np.int64)
        self._voted = np.zeros(0, dtype=np.int64)
        # The limit that the last vote was about.
        self._bound: Floats = np.zeros(0)
        self.votes: Floats = np.zeros((0, settings.votes_of), dtype=np.float32)
        # Whether an alarm is on; what was before the first row that is seen is not known, so it may have been.
        self.alarm: Bools = np.zeros(0, dtype=np.bool_)
        # Rises that a series was told of when it began, by column.
        self._told: dict[int, Floats] = {}

    def _grow(self) -> None:
        missing = len(self._rings.row) - len(self._seen)
        if missing > 0:
            self._carry = self._carry.joined(fresh_carry(missing))
            self._seen = np.concatenate([self._seen, np.full(missing, -1)])
            self._voted = np.concatenate([self._voted, np.full(missing, -1)])
            self._bound = np.concatenate([self._bound, np.full(missing, np.nan)])
            empty = np.full((missing, self._settings.votes_of), np.nan, dtype=np.float32)
            self.votes = np.concatenate([self.votes, empty])
            self.alarm = np.concatenate([self.alarm, np.ones(missing, dtype=np.bool_)])

    def forget(self, column: Ints) -> None:
        """These columns are another series', or nobody's."""
        for one in column.tolist():
            self._told.pop(one, None)
        self._again(column)

    def tell(self, column: int, rises: Floats) -> None:
        """A series begins with what `rises` (KEPT, 6) of others taught."""
        self._told[column] = rises
        self._again(np.array([column], dtype=np.int64))

    def taught(self, column: Ints) -> Floats:
        """What (N, KEPT, 6) these series would tell others, with rows before their newest for rows."""
        self._grow()
        swing = self._carry.take(column).swing
        rises = handed_on(swing)
        rises[..., 0] -= swing.clock[:, None] - 1
        return rises

    def _start(self, column: Ints) -> None:
        """Nothing of these columns was traced yet."""
        fresh = fresh_carry(len(column))
        for i, one in enumerate(column.tolist()):
            if one in self._told:
                fresh.swing.peaks[i] = self._told[one]
        self._carry.put(column, fresh)

    def _again(self, column: Ints) -> None:
        """Trace these columns anew."""
        self._grow()
        self._start(column)
        self._seen[column], self._voted[column], self.votes[column] = -1, -1, np.nan
        self._bound[column], self.alarm[column] = np.nan, True

    def advance(self, column: Ints) -> Iterator[Pending]:
        """Trace the rows that came since the last time; gives those before the newest that have
        a vote, some series after others, each oldest first."""
        self._grow()
        rings = self._rings
        late = column[rings.changed[column]]
        self._again(late)
        rings.changed[late] = False
        since = np.maximum(self._seen[column], rings.oldest[column] - 1)
        new = np.minimum(rings.row[column] - since, rings.capacity)
        # What was traced lies too far back to be continued.
        self._start(column[new == rings.capacity])
        for rows in np.unique(new[new > 0]).tolist():
            some = column[new == rows]
            size = min(max(_CELLS // rows, 1), SERIES)
            for start in range(0, len(some), size):
                yield from self._traced(some[start : start + size], rows)

    def _traced(self, column: Ints, rows: int) -> list[Pending]:
        rings, settings = self._rings, self._settings
        where = rings.spots(column, rows)
        values = rings.values[where].astype(np.float64)
        limits = rings.limits[where].astype(np.float64)
        legs, after = trace(values, limits, rings.resets[where], self._carry.take(column), settings)
        self._carry.put(column, after)
        self._seen[column] = rings.row[column]
        furthest = min(rows - 1, settings.furthest)
        pending: list[Pending] = []
        for back in range(furthest, 0, -1):
            at = rows - 1 - back
            some = np.flatnonzero(np.isfinite(values[:, at]) & np.isfinite(legs.limit[:, at]))
            if len(some):
                row: Ints = np.full(len(some), at)
                pending.append(
                    Pending(
                        column[some], back, legs.limit[some, at], legs.safe[some, at],
                        legs.age[some, at], legs.samples[some, at], legs.fresh[some, at],
                        legs.fresh_age[some, at], legs.turns.at(some, row),
                    )
                )  # fmt: skip
        return pending

    def newest(self, column: Ints) -> Pending:
        """The newest row of each series, as traced."""
        c = self._carry.take(column)
        turns = known(c.swing, c.fresh_age)
        return Pending(column, 0, c.limit, c.safe, c.age, c.samples, c.fresh, c.fresh_age, turns)

    def count(self, pending: Pending, probability: Floats) -> None:
        """Count the evaluations as votes; a new leg forgets those of the leg before it, a gap those before
        it, a raised limit those about the lower one, and a row that has voted votes again instead of once
        more."""
        column = pending.column
        row = self._rings.row[column] - pending.back
        self.votes[column[self._voted[column] <= row - pending.age]] = np.nan
        late = row - self._voted[column] > self._settings.missed_scrapes + 1
        self.votes[column[late]] = np.nan
        raised = pending.limit > self._bound[column] * (1 + self._settings.limit_change)
        self.votes[column[raised]] = np.nan
        self._bound[column] = pending.limit
        more = column[self._voted[column] < row]
        self.votes[more] = np.roll(self.votes[more], -1, axis=1)
        self.votes[column, -1] = probability
        self._voted[column] = row

    @contextmanager
    def preview(self, column: Ints) -> Generator[None]:
        """Whatever is traced or counted of these columns inside is undone at the end."""
        self._grow()
        carry: Carry = self._carry.take(column)
        kept = (
            self._seen[column],
            self._voted[column],
            self.votes[column],
            self._bound[column],
            self.alarm[column],
            self._rings.changed[column],
        )
        try:
            yield
        finally:
            self._carry.put(column, carry)
            (
                self._seen[column],
                self._voted[column],
                self.votes[column],
                self._bound[column],
                self.alarm[column],
                self._rings.changed[column],
            ) = kept
