"""Rings keep what was measured, once, in its row, and nothing else."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from akeso.domain.forecast import Sample, SeriesKey
from akeso_predictors.checks import InputError
from akeso_predictors.series import SeriesRings

KEY = SeriesKey("shop", "cart-1", "app")


def sample(t, value=0.5, key=KEY, instance="a", limit=1.0):
    return Sample(key, float(t), value, limit, instance)


def rows(rings, key=KEY):
    """Values of the ring, oldest row first, up to its newest."""
    column = np.array([rings.column[key]])
    return rings.values[rings.spots(column, rings.capacity)][0]


def kept(rings, key=KEY):
    values = rows(rings, key)
    return values[np.isfinite(values)].tolist()


@settings(max_examples=40, deadline=None)
@given(st.permutations(range(12)), st.lists(st.integers(1, 11), max_size=4))
def test_any_order_in_any_portions_gives_the_same_ring(order, cuts):
    rings = SeriesRings(5.0, 32)
    batch = [sample(100 + 5 * i, float(i)) for i in order]
    for part in np.split(np.arange(12), sorted(set(cuts))):
        rings.ingest([batch[i] for i in part])
    assert kept(rings) == [float(i) for i in range(12)]


@settings(max_examples=40, deadline=None)
@given(st.lists(st.floats(-0.2, 0.2), min_size=20, max_size=20))
def test_jitter_of_a_fifth_of_a_step_moves_no_sample_to_another_row(jitter):
    rings = SeriesRings(5.0, 32)
    rings.ingest([sample(100 + 5 * (i + j), float(i)) for i, j in enumerate(jitter)])
    assert rows(rings)[-20:].tolist() == [float(i) for i in range(20)]


def test_garbage_is_missing_and_not_zero():
    rings = SeriesRings(5.0, 8)
    bad = (float("nan"), float("inf"), -1.0, 1e300)
    rings.ingest(
        [sample(5, 1.0), *(sample(10 + 5 * i, v) for i, v in enumerate(bad)), sample(30, 2.0)]
    )
    assert rows(rings)[-6:].tolist()[0::5] == [1.0, 2.0]
    assert np.isnan(rows(rings)[-5:-1]).all()
    rings.ingest([sample(float("nan")), sample(-5.0), sample(float("inf"))])
    assert kept(rings) == [1.0, 2.0]


def test_only_the_newest_rows_are_kept():
    rings = SeriesRings(5.0, 8)
    rings.ingest([sample(5 * i, float(i)) for i in range(1, 101)])
    assert kept(rings) == [float(i) for i in range(93, 101)]
    rings.ingest([sample(10_000, 7.0)])
    assert kept(rings) == [7.0]


def test_a_scrape_faster_than_the_step_is_thinned_alike_at_once_and_one_by_one():
    at_once, singly = SeriesRings(5.0, 32), SeriesRings(5.0, 32)
    batch = [sample(100 + 2 * i, float(i)) for i in range(20)]
    at_once.ingest(batch)
    for one in batch:
        singly.ingest([one])
    assert kept(at_once) == kept(singly)
    assert 8 <= len(kept(singly)) <= 14


def test_a_new_instance_marks_its_first_row():
    rings = SeriesRings(5.0, 8)
    rings.ingest([sample(5), sample(10), sample(15, instance="b"), sample(20, instance="b")])
    marks = rings.resets[rings.spots(np.array([rings.column[KEY]]), 4)][0]
    assert marks.tolist() == [False, False, True, False]
    rings.ingest([sample(12, 9.0, instance="a")])
    assert 9.0 not in kept(rings)


def test_a_block_is_what_its_samples_are():
    keys = [SeriesKey("shop", f"pod-{i}", "app") for i in range(300)]
    values = np.random.default_rng(0).uniform(0, 1, (10, 300))
    values[3, :50] = np.nan
    times = 100 + 5.0 * np.arange(10)
    block, single = SeriesRings(5.0, 16), SeriesRings(5.0, 16)
    block.ingest_columns(keys, times, values, np.full(300, 2.0), ["a"] * 300)
    single.ingest(
        sample(t, float(v), key, limit=2.0)
        for t, row in zip(times, values, strict=True) for key, v in zip(keys, row, strict=True)
    )  # fmt: skip
    for key in keys:
        np.testing.assert_array_equal(rows(block, key), rows(single, key))


def test_a_block_of_the_wrong_shape_is_refused():
    with pytest.raises(InputError, match="values"):
        SeriesRings(5.0, 16).ingest_columns([KEY], np.arange(3.0), np.zeros((2, 1)), 1.0, ["a"])
