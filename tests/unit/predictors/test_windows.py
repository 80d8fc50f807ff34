"""What a fit sees: hours at any interval, and what lies before a container's birth."""

from __future__ import annotations

import numpy as np
import pytest

from akeso_predictors import DecisionSettings, InputError, replay
from akeso_predictors.checks import Floats
from akeso_predictors.grid import Grid

SEEDS = range(8)


def stairs(seed: int, step: float) -> Floats:
    """A rest of 2 h and a leak of 5 h in stairs of about .05, each some 25 min long."""
    random = np.random.default_rng(seed)
    rest, rows = round(7200 / step), round(18_000 / step)
    ends = np.sort(random.uniform(0, rows, 12))
    level = np.full(rest + rows, 0.4)
    level[rest:] += 0.05 * np.searchsorted(ends, np.arange(rows))
    return level + random.normal(0, 0.002, len(level))


@pytest.mark.parametrize("step", [15.0, 60.0])
def test_a_leak_in_stairs_is_foreseen_at_any_interval(step: float) -> None:
    values = np.stack([stairs(seed, step) for seed in SEEDS], axis=1)
    alarm = replay(values, 1.0, step, 3600.0).alarm
    crossing = np.argmax(values >= 0.99, axis=0)
    ahead = (crossing - np.argmax(alarm, axis=0)) * step
    told = alarm.any(axis=0) & (ahead >= 300) & (ahead <= 7200)
    assert told.mean() >= 0.75


def test_a_slow_leak_alarms_although_its_time_is_never_narrow() -> None:
    """Of a slow leak under noise the earliest time to the limit is soon none at all, the latest is not."""
    random = np.random.default_rng(3)
    values = np.linspace(0.4, 0.995, 2400) + random.normal(0, 0.004, 2400)
    alarm = replay(values, 1.0, 60.0, 3600.0).alarm[:, 0]
    first = int(np.argmax(alarm))
    assert alarm.any()
    assert len(values) - first >= 20
    assert alarm[first:].mean() >= 0.9


def test_a_rise_that_began_with_a_container_is_believed_more_than_one_without_a_beginning() -> None:
    random = np.random.default_rng(1)
    leak = np.linspace(0.45, 0.99, 120) + random.normal(0, 0.002, 120)
    quiet = np.full(20, 0.45) + random.normal(0, 0.002, 20)
    born = np.arange(140) == 20
    seen = replay(np.append(quiet, leak), 1.0, 60.0, 3600.0, restarts=born)
    unseen = replay(leak, 1.0, 60.0, 3600.0)
    assert np.argmax(seen.alarm[20:, 0]) < np.argmax(unseen.alarm[:, 0])


def test_points_are_rows_and_means_of_rows_and_count_from_half_of_them_on() -> None:
    grid = Grid(4, ((2, 3), (1, 4)))
    assert (grid.reach, grid.width) == (14, 7)
    rows = np.arange(14.0)
    np.testing.assert_allclose(grid.means(rows[:, None])[:, 0], [1.5, 5, 8, 10, 11, 12, 13])
    valid = np.ones((1, 14), dtype=np.bool_)
    valid[0, :3] = False  # of the oldest four rows one is left
    valid[0, 4] = False
    values, counts = grid.gathered(np.where(valid, rows, 0.0), valid)
    np.testing.assert_allclose(values[0, 1:], [5.5, 8, 10, 11, 12, 13])
    assert counts[0].tolist() == [False, True, True, True, True, True, True]
    assert grid.points(np.array([1, 4, 5, 6, 9, 11, 12, 99])).tolist() == [1, 4, 4, 5, 6, 6, 7, 7]


def test_fewer_rows_give_the_same_points_and_none_beyond() -> None:
    grid = Grid(4, ((2, 3), (2, 4)))
    random = np.random.default_rng(0)
    valid = random.random((5, grid.reach)) < 0.8
    values = np.where(valid, random.random(valid.shape), 0.0)
    assert [grid.rows(seen) for seen in (1, 4, 5, 7, 8, 11, 14, 15, 99)] == [
        4, 4, 7, 7, 10, 14, 14, 18, 18,
    ]  # fmt: skip
    for seen in range(1, grid.reach + 1):
        old = np.arange(grid.reach) < grid.reach - seen
        rows = grid.rows(seen)
        whole = grid.gathered(np.where(old, 0, values), valid & ~old)
        part = grid.gathered(np.where(old, 0, values)[:, -rows:], (valid & ~old)[:, -rows:])
        for one, other in zip(whole, part, strict=True):
            np.testing.assert_array_equal(one, other)


def test_a_ring_must_hold_what_is_looked_at_for_every_series() -> None:
    with pytest.raises(InputError, match="capacity_rows"):
        DecisionSettings(capacity_rows=100)


def test_a_ring_must_hold_more_than_the_rows_that_vote() -> None:
    with pytest.raises(InputError, match=r"capacity_rows \(1440\) must exceed .* \(1600\)"):
        DecisionSettings(missed_scrapes=399)
