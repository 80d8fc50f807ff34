"""Samples as they come become series on a grid: nothing is filled in, and what was done is told."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from akeso.backtest.regular import HOLE, History, batches, histories, stacked
from akeso.clients.tables.columns import Columns


def columns(times, values, limit=None, restart=None, series=None, names=("a",)) -> Columns:
    count = len(times)
    return Columns(
        "file",
        names,
        np.zeros(count, np.int64) if series is None else np.array(series, np.int64),
        np.array(times, float),
        np.array(values, float),
        None if limit is None else np.array(limit, float),
        None if restart is None else np.array(restart, float),
    )


def one(*args, **more) -> History:
    return histories(columns(*args, **more))[0]


def test_even_samples_stay_as_they_are():
    found = one([0, 60, 120], [1, 2, 3], limit=[9, 9, 9])
    assert found.step == 60 and found.notes == ()
    assert found.value.tolist() == [1, 2, 3] and found.limit.tolist() == [9, 9, 9]
    assert found.time.tolist() == [0, 60, 120]


def test_a_hole_stays_a_hole():
    found = one([0, 60, 240, 300], [1, 2, 3, 4])
    np.testing.assert_array_equal(found.value, [1, 2, np.nan, np.nan, 3, 4])
    assert found.time.tolist() == [0, 60, 120, 180, 240, 300]
    assert found.notes == ()


def test_disorder_and_duplicates_are_put_right_and_told():
    found = one([120, 0, 60, 60, 60], [3, 1, 7, 8, 2])
    assert found.value.tolist() == [1, 2, 3]
    assert found.notes == (
        "its times were not in order: sorted",
        "2 duplicate times: the last sample of each counts",
    )


def test_what_is_no_measurement_is_missing_and_told():
    found = one(range(0, 360, 60), [1, math.nan, math.inf, -3, 1e30, 2])
    np.testing.assert_array_equal(found.value, [1] + 4 * [np.nan] + [2])
    assert found.notes == (
        "1 without a value, 1 infinite, 1 negative, 1 absurdly large: counted as missing",
    )


def test_uneven_steps_take_the_newest_sample_of_each_and_are_told():
    found = one([0, 45, 60, 120, 180, 240], [1, 5, 2, 3, 4, 6])
    assert found.step == 60
    assert "uneven" in found.notes[0] and "1 sample fell together" in found.notes[0]
    assert found.value[-1] == 6
    jittered = one([0, 59.8, 120.3, 180.1], [1, 2, 3, 4])
    assert jittered.step == 60 and jittered.notes == ()


def test_a_limit_of_nothing_is_none_and_one_given_holds_for_all():
    data = columns([0, 60, 120], [1, 2, 3], limit=[0, -5, math.inf])
    assert np.isnan(histories(data)[0].limit).all()
    assert histories(data, limit=4)[0].limit.tolist() == [4, 4, 4]


@pytest.mark.parametrize(
    ("restart", "marked"),
    [([0, 0, 1, 0, 0], [2]), ([3, 3, 4, 4, 5], [2, 4]), ([0, 0, 1, 1, 1], [2]), ([0] * 5, [])],
)
def test_restarts_are_marks_or_a_count(restart: list[int], marked: list[int]):
    found = one(range(0, 300, 60), [1] * 5, restart=restart)
    assert np.flatnonzero(found.restart).tolist() == marked


def test_the_mark_of_a_duplicate_is_not_lost():
    found = one([0, 60, 60, 120], [1, 2, 3, 4], restart=[0, 1, 0, 0])
    assert np.flatnonzero(found.restart).tolist() == [1]


def test_one_sample_has_no_step():
    found = one([60], [1])
    assert found.step is None and found.samples == 1


def test_samples_that_are_years_apart_take_no_room_for_the_years():
    times = [*range(0, 600, 1), *range(10**9, 10**9 + 600)]
    found = one(times, np.ones(1200))
    assert found.rows == 1200 + HOLE - 1
    assert found.time[-1] == 10**9 + 599
    assert "far between" in found.notes[-1]


def test_series_are_told_apart_and_come_by_name():
    found = histories(columns([0, 0, 60, 60], [1, 2, 3, 4], series=[1, 0, 1, 0], names=("a", "b")))
    assert [(h.name, h.value.tolist()) for h in found] == [("a", [2, 4]), ("b", [1, 3])]


def test_blocks_hold_series_of_one_step_and_no_more_than_fits():
    made = [
        one(np.arange(n) * step, np.ones(n)) for n, step in [(9, 60), (5, 60), (7, 15), (8, 60)]
    ]
    blocks = list(batches(made, 18))
    assert [[h.rows for h in b] for b in blocks] == [[7], [5, 8], [9]]
    values, limits, marks = stacked(blocks[1])
    assert values.shape == limits.shape == marks.shape == (8, 2)
    assert np.isnan(values[5:, 0]).all()


def test_times_that_differ_by_less_than_a_millisecond_are_one():
    found = one([0.0, 5e-324, 6e-15, 56056.0], [1.0, 2.0, 3.0, 4.0])
    assert found.time.tolist() == [0.0, 56056.0]
    assert found.value.tolist() == [3.0, 4.0]
    assert "2 duplicate times" in found.notes[0]


samples = st.lists(
    st.tuples(
        st.floats(0, 4e9, allow_nan=False),
        st.floats(allow_nan=True, allow_infinity=True),
        st.floats(allow_nan=True, allow_infinity=True),
    ),
    min_size=1,
    max_size=60,
)


@given(samples)
def test_any_samples_become_a_grid_of_bounded_size(rows: list[tuple[float, float, float]]):
    times, values, limits = zip(*rows, strict=True)
    found = one(times, values, limit=limits)
    assert found.rows <= 4 * len(rows) + 1000 + HOLE * len(rows)
    good = found.value[np.isfinite(found.value)]
    assert (good >= 0).all() and np.isin(good, values).all()
    assert len(found.time) == len(found.limit) == len(found.restart) == found.rows
    assert (np.diff(found.time) > 0).all()
    assert not np.any(found.limit <= 0)
