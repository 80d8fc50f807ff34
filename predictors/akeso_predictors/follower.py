"""Follows claims until they have matured, for as long as the predictor runs.

The correction in use changes only between evaluations, when enough outcomes have come together: all
series of one cycle are judged by the same one.
"""

from __future__ import annotations

from collections import Counter
from math import ceil

import numpy as np

from akeso_predictors.calibration import Calibration
from akeso_predictors.checks import Bools, Floats, Ints
from akeso_predictors.engine import Assessment
from akeso_predictors.outcomes import (
    NEVER,
    PER_HORIZON,
    TIMES_WITHIN,
    Claims,
    Outcomes,
    crossing,
    events,
    first_after,
    followed,
    judged,
    lessons,
)  # fmt: skip
from akeso_predictors.series import SeriesRings
from akeso_predictors.settings import DecisionSettings
from akeso_predictors.track import Pending

# Claims that must have matured before the correction changes: those of five horizons.
REFRESH = 5 * PER_HORIZON
# Rows times claims that are looked at together: after an outage it is hours of thousands.
_CELLS = 1 << 19
REACHED, NOT_REACHED, CENSORED, MISSED = "Reached", "NotReached", "Censored", "Missed"


class ClaimFollower:
    """The claims of one class that are still open. `calibration` is the correction in use; `counts`
    says how many claims matured so far, by what became of them, and how many limits were reached
    that nothing had claimed."""

    def __init__(
        self, rings: SeriesRings, settings: DecisionSettings, metric_class: str,
        calibration: Calibration,
    ) -> None:  # fmt: skip
        self._rings = rings
        self._settings = settings
        self._class = metric_class
        self.calibration = calibration
        self.counts: Counter[str] = Counter()
        self._column: Ints = np.zeros(0, dtype=np.int64)
        self._claims = _no_claims()
        self._limit: Floats = np.zeros(0)
        # Rows up to which each claim has been looked at, and whether its outcome was counted.
        self._looked: Ints = np.zeros(0, dtype=np.int64)
        self._counted: Bools = np.zeros(0, dtype=np.bool_)
        self._lessons: list[tuple[Floats, Floats]] = []
        # By column: the newest row that was considered, whether it was over the limit and is learned
        # from, and when we were last told that the limit was reached.
        self._considered: Ints = np.zeros(0, dtype=np.int64)
        self._over: Bools = np.zeros(0, dtype=np.bool_)
        self._learns: Bools = np.zeros(0, dtype=np.bool_)
        self._told: Floats = np.zeros(0)

    @property
    def open(self) -> int:
        """How many claims are followed now."""
        return len(self._column)

    # -- what comes in ---------------------------------------------------------------------------

    def consider(self, pending: Pending, found: Assessment, spans: Floats, learn: Bools) -> None:
        """Follow those of the evaluations (N,) that are claims and may `learn`; `spans` in seconds."""
        self._grow()
        column = pending.column
        row = self._rings.row[column] - pending.back
        new = row > self._considered[column]
        self._considered[column] = np.maximum(row, self._considered[column])
        self._learns[column] = learn
        self._count_missed(column[new], found, np.flatnonzero(new), learn)
        horizon = spans / self._rings.step
        chosen = new & learn & ~found.bursty & ~found.unbounded
        chosen &= pending.samples >= self._settings.min_samples
        chosen &= followed(found.probability, found.level, pending.age, horizon)
        if not chosen.any():
            return
        more = Claims(
            row[chosen], horizon[chosen], found.probability[chosen].astype(np.float64),
            found.ttf[chosen].astype(np.float64),
        )  # fmt: skip
        self._column = np.concatenate([self._column, column[chosen]])
        self._claims = _joined(self._claims, more)
        self._limit = np.concatenate([self._limit, pending.limit[chosen]])
        self._looked = np.concatenate([self._looked, more.row])
        self._counted = np.concatenate([self._counted, np.zeros(len(more.row), np.bool_)])

    def reached(self, column: int, time: float) -> None:
        """The limit was reached at `time` though no sample shows it: the container was OOM-killed."""
        self._grow()
        newest = float(self._rings.newest[column])
        if not np.isfinite(newest) or time <= self._told[column]:
            return
        self._told[column] = time
        mine = np.flatnonzero(self._column == column)
        self.counts[MISSED] += int(not len(mine) and self._learns[column])
        at = int(self._rings.row[column]) + ceil((time - newest) / self._rings.step)
        mine = mine[(self._claims.row[mine] < at) & (self._looked[mine] <= at)]
        passed = np.full(len(mine), at, dtype=np.int64)
        self._settle(mine, passed, np.full(len(mine), NEVER), passed)

    def forget(self, column: Ints) -> None:
        """What these columns held is gone: nobody will know."""
        self._grow()
        self._considered[column], self._told[column] = -1, -np.inf
        self._over[column], self._learns[column] = False, False
        gone = np.isin(self._column, column)
        self.counts[CENSORED] += int((gone & ~self._counted).sum())
        self._keep(~gone)

    # -- what comes of it ------------------------------------------------------------------------

    def look(self) -> None:
        """Settle the claims that the newest rows decide, and change the correction when enough are."""
        new = self._rings.row[self._column] - self._looked
        for rows in np.unique(new[new > 0]).tolist():
            seen = min(rows, self._rings.capacity - 1)
            # Those that are settled are gone, the others have been looked at: none comes twice.
            while len(some := self._looked_at_before(rows)[: max(_CELLS // seen, 1)]):
                self._look(some, seen)
        if sum(len(claims) for claims, _ in self._lessons) >= REFRESH:
            self.refresh()

    def _looked_at_before(self, rows: int) -> Ints:
        """The claims that were looked at so many rows ago."""
        which: Ints = np.flatnonzero(self._rings.row[self._column] - self._looked == rows)
        return which

    def refresh(self) -> None:
        """Take what has matured into the correction."""
        if self._lessons:
            claims, times = (np.concatenate(part) for part in zip(*self._lessons, strict=True))
            self._lessons = []
            self.calibration = self.calibration.learned(
                self._class, claims, times, self._rings.step
            )

    def _look(self, some: Ints, rows: int) -> None:
        """Look at the newest rows (the same number for all) of some claims."""
        column = self._column[some]
        where = self._rings.spots(column, rows + 1)
        values = self._rings.values[where].astype(np.float64)
        limits = self._rings.limits[where].astype(np.float64)
        resets = self._rings.resets[where] > 0
        # The first of them was looked at; only what came since is news.
        values[:, 0], resets[:, 0], limits[:, 0] = 0.0, False, self._limit[some]
        seen = events(values, _filled(limits), resets, self._settings)
        base = self._rings.row[column] - rows
        ends = _numbered(first_after(seen.censored)[:, 0], base)
        passed = _numbered(crossing(seen, np.zeros_like(seen.reached))[:, 0], base)
        self._settle(some, passed, ends, self._rings.row[column])

    def _settle(self, some: Ints, passed: Ints, ends: Ints, last: Ints) -> None:
        claims = self._claims.take(some)
        found = judged(claims, passed, ends, last)
        fresh = ~self._counted[some]
        self.counts[REACHED] += int((found.within & fresh).sum())
        self.counts[NOT_REACHED] += int((found.silent & fresh).sum())
        known = found.within | found.silent
        over = (passed < NEVER) | (ends < NEVER)
        self.counts[CENSORED] += int((over & ~known & fresh).sum())
        news = Outcomes(found.within & fresh, found.silent & fresh, found.rows)
        told = lessons(claims, news)
        if len(told[0]) or len(told[1]):
            self._lessons.append(told)
        self._looked[some] = last
        self._counted[some] |= known
        old = last - claims.row > TIMES_WITHIN * claims.horizon
        kept = np.ones(len(self._column), dtype=np.bool_)
        kept[some] = ~(over | old)
        self._keep(kept)

    def _count_missed(self, column: Ints, found: Assessment, which: Ints, learn: Bools) -> None:
        over = (found.level[which] >= 1) & ~found.unbounded[which]
        newly = over & ~self._over[column] & learn[which]
        self._over[column] = over
        if newly.any():
            self.counts[MISSED] += int((~np.isin(column[newly], self._column)).sum())

    def _keep(self, kept: Bools) -> None:
        if not kept.all():
            self._column, self._claims = self._column[kept], self._claims.take(kept)
            self._limit, self._looked = self._limit[kept], self._looked[kept]
            self._counted = self._counted[kept]

    def _grow(self) -> None:
        missing = len(self._rings.row) - len(self._over)
        if missing > 0:
            self._considered = np.concatenate([self._considered, np.full(missing, -1)])
            self._over = np.concatenate([self._over, np.zeros(missing, np.bool_)])
            self._learns = np.concatenate([self._learns, np.zeros(missing, np.bool_)])
            self._told = np.concatenate([self._told, np.full(missing, -np.inf)])


def _no_claims() -> Claims:
    return Claims(np.zeros(0, np.int64), np.zeros(0), np.zeros(0), np.zeros((0, 3)))


def _joined(one: Claims, other: Claims) -> Claims:
    return Claims(
        np.concatenate([one.row, other.row]),
        np.concatenate([one.horizon, other.horizon]),
        np.concatenate([one.probability, other.probability]),
        np.concatenate([one.ttf, other.ttf]),
    )


def _filled(limits: Floats) -> Floats:
    """A missing limit keeps the one before; the first column has one."""
    rows: Ints = np.arange(limits.shape[1], dtype=np.int64)
    at = np.maximum.accumulate(np.where(np.isfinite(limits), rows, 0), axis=1)
    filled: Floats = np.take_along_axis(limits, at, axis=1)
    return filled


def _numbered(column: Ints, base: Ints) -> Ints:
    """A column of a window as a row number; never stays never."""
    return np.where(column < NEVER, base + column, NEVER)
