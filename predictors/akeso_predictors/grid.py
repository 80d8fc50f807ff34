"""The points that a fit sees of the rows of a series: the newest one by one, older ones as means of few,
the oldest as means of many. What lies hours back tells how fast a series grows, not each of its steps."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from akeso_predictors.checks import Bools, Floats, Ints


@dataclass(frozen=True)
class Grid:
    """`fine` rows as they are; before them, for each of `scales`, so many points of so many rows."""

    fine: int
    scales: tuple[tuple[int, int], ...]  # (points, rows of each), newest first

    @cached_property
    def reach(self) -> int:
        """Rows that are seen."""
        return self.fine + sum(points * rows for points, rows in self.scales)

    @cached_property
    def width(self) -> int:
        """Points that they become."""
        return self.fine + sum(points for points, _ in self.scales)

    @cached_property
    def _needs(self) -> Ints:
        """The age in rows from which each point counts, newest first: half of its rows are there."""
        needs = [np.arange(1, self.fine + 1)]
        start = self.fine
        for points, rows in self.scales:
            needs.append(start + rows * np.arange(points) + (rows + 1) // 2)
            start += points * rows
        return np.concatenate(needs)

    def points(self, age: Floats) -> Ints:
        """How many points legs of `age` rows (N,) have."""
        found: Ints = np.searchsorted(self._needs, age, side="right").astype(np.int64)
        return found

    def rows(self, seen: int) -> int:
        """Rows that make up the points of the newest `seen` rows: up to the end of the last point."""
        end = self.fine
        for points, each in self.scales:
            if seen <= end:
                break
            end += each * min(points, -(-(seen - end) // each))
        return end

    def means(self, rows: Floats) -> Floats:
        """Of functions of the row (reach, K): their means at each point (width, K)."""
        parts, end = [rows[len(rows) - self.fine :]], len(rows) - self.fine
        for points, each in self.scales:
            block = rows[end - points * each : end]
            parts.append(block.reshape(points, each, -1).mean(axis=1))
            end -= points * each
        return np.concatenate(parts[::-1])

    def gathered(self, values: Floats, valid: Bools) -> tuple[Floats, Bools]:
        """Of windows of as many `rows` as were asked for, 0 where invalid, the means of what is valid (N, width),
        and which points count: those of which half of the rows are there."""
        count, end = values.shape
        some = np.zeros((count, self.width))
        sure = np.zeros((count, self.width), dtype=np.bool_)
        end -= self.fine
        newest = self.width - self.fine
        some[:, newest:], sure[:, newest:] = values[:, end:], valid[:, end:]
        for points, each in self.scales:
            there = min(points, end // each)
            start, place = end - there * each, slice(newest - there, newest)
            total = values[:, start:end].reshape(count, there, each).sum(axis=2)
            present = valid[:, start:end].reshape(count, there, each).sum(axis=2)
            some[:, place] = total / np.maximum(present, 1)
            sure[:, place] = 2 * present >= each
            end, newest = start, newest - points
        return some, sure
