"""What rises taught, kept for the pods that come after: of a workload, whose pods run the same."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping

import numpy as np

from akeso.domain.forecast import SeriesKey
from akeso_predictors.checks import Floats
from akeso_predictors.series import SeriesRings
from akeso_predictors.track import Track
from akeso_predictors.turns import KEPT

# What nobody of a kin could be told of for so long, in seconds, is forgotten: three nights.
KEEP = 3 * 86_400.0


class Kin:
    """Series that run the same, and the newest rises of each such group. A series is told once, when it
    begins; what it learns itself comes on top."""

    def __init__(self, rings: SeriesRings, track: Track) -> None:
        self._rings = rings
        self._track = track
        self._group: dict[SeriesKey, str] = {}
        self._new: dict[SeriesKey, None] = {}
        # Rises of series that are gone, with times for rows.
        self._left: dict[str, Floats] = {}
        self._now = -np.inf

    def belong(self, groups: Mapping[SeriesKey, str]) -> None:
        """Series that begin now, and their groups."""
        for key, group in groups.items():
            if self._group.get(key) != group:
                self._group[key] = group
                self._new[key] = None

    def adopt(self, now: float) -> None:
        """Tell those that began what the others of their group know."""
        self._now = now
        column = self._rings.column
        new = [key for key in self._new if key in column]
        groups = {self._group[key] for key in new}
        known: defaultdict[str, list[SeriesKey]] = defaultdict(list)
        for key, group in self._group.items() if new else ():
            if group in groups and key not in self._new and key in column:
                known[group].append(key)
        for key in new:
            del self._new[key]
            group = self._group[key]
            rises = _newest([*self._left_of(group), *self._of(known[group])])
            if len(rises):
                told = np.full((KEPT, rises.shape[1]), np.nan)
                told[-len(rises) :] = rises
                # Before all rows of its own.
                told[-len(rises) :, 0] = -np.inf
                self._track.tell(column[key], told)

    def leave(self, keys: Iterable[SeriesKey]) -> None:
        """These series are about to be forgotten; what they know is kept for `KEEP` seconds."""
        gone: defaultdict[str, list[SeriesKey]] = defaultdict(list)
        for key in keys:
            group = self._group.pop(key, None)
            if group is not None and key not in self._new and key in self._rings.column:
                gone[group].append(key)
            self._new.pop(key, None)
        for group, some in gone.items():
            self._left[group] = _newest([*self._left_of(group), *self._of(some)])
        old = [g for g, rises in self._left.items() if not (rises[:, 0] > self._now - KEEP).any()]
        for group in old:
            del self._left[group]

    def _left_of(self, group: str) -> list[Floats]:
        return [self._left[group]] if group in self._left else []

    def _of(self, keys: list[SeriesKey]) -> list[Floats]:
        """Rises of some series, with times for rows."""
        column = np.array([self._rings.column[key] for key in keys], dtype=np.int64)
        rises = self._track.taught(column)
        rises[..., 0] = rises[..., 0] * self._rings.step + self._rings.newest[column][:, None]
        return list(rises)


def _newest(parts: list[Floats]) -> Floats:
    """The newest KEPT of rises, oldest first; those that a series was told itself are not handed on."""
    every = np.concatenate(parts) if parts else np.zeros((0, 1))
    every = every[np.isfinite(every[:, 0])]
    kept: Floats = every[np.argsort(every[:, 0], kind="stable")][-KEPT:]
    return kept
