"""Replay: causal, equivariant, and deaf to garbage."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from akeso.errors import PermanentError
from akeso_predictors import InputError, replay
from unit.predictors import scenarios

STEP, HORIZON = 5.0, 900.0


def history(seed, rows=90):
    """A series (rows,) of one to three stretches, with holes."""
    random = np.random.default_rng(seed)
    makers = [*scenarios.HEALTHY.values(), lambda n, s: scenarios.leak(n * STEP, s)[:n]]
    parts = [makers[random.integers(len(makers))](40, seed + i) for i in range(3)]
    values = np.concatenate(parts)[:rows].clip(0)
    return np.where(random.random(len(values)) < 0.05, np.nan, values)


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 10_000), st.integers(10, 89))
def test_what_was_decided_does_not_change_when_more_is_known(seed, cut):
    values = history(seed)
    whole = replay(values, 1.0, STEP, HORIZON)
    part = replay(values[:cut], 1.0, STEP, HORIZON)
    np.testing.assert_allclose(part.probability, whole.probability[:cut], atol=1e-6)
    assert (part.abstained == whole.abstained[:cut]).all()
    apart = part.alarm != whole.alarm[:cut]
    assert not apart.any()


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 10_000), st.floats(1e-3, 1e12))
def test_units_do_not_matter(seed, unit):
    values = history(seed)
    plain = replay(values, 1.0, STEP, HORIZON)
    scaled = replay(values * unit, unit, STEP, HORIZON)
    np.testing.assert_allclose(plain.probability, scaled.probability, atol=5e-3)


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 10_000))
def test_quantiles_are_ordered_and_a_longer_horizon_is_never_less_likely(seed):
    values = history(seed)
    near = replay(values, 1.0, STEP, 300.0)
    far = replay(values, 1.0, STEP, 900.0)
    assert (near.ttf[..., 0] <= near.ttf[..., 1]).all()
    assert (near.ttf[..., 1] <= near.ttf[..., 2]).all()
    both = ~(near.abstained | far.abstained)
    assert (far.probability[both] >= near.probability[both] - 1e-6).all()


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 10_000))
def test_probabilities_are_probabilities_and_alarms_need_them(seed):
    said = replay(history(seed), 1.0, STEP, HORIZON)
    assert ((said.probability >= 0) & (said.probability <= 1)).all()
    assert not (said.alarm & said.abstained).any()
    assert (said.probability[said.abstained] == 0).all()


def test_series_do_not_influence_each_other():
    values = np.stack([history(seed) for seed in range(6)], axis=1)
    together = replay(values, 1.0, STEP, HORIZON)
    for s in range(6):
        alone = replay(values[:, s], 1.0, STEP, HORIZON)
        np.testing.assert_allclose(alone.probability[:, 0], together.probability[:, s], atol=2e-3)


def test_one_dimension_is_one_series():
    said = replay(history(1), 1.0, STEP, HORIZON)
    assert said.probability.shape == said.alarm.shape == said.abstained.shape == (90, 1)
    assert said.ttf.shape == (90, 1, 3)


def test_a_limit_raised_midway_clears_the_alarm():
    values = scenarios.leak(600, 0)
    limits = np.ones((len(values), 1))
    alarmed = int(np.flatnonzero(replay(values, limits, STEP, 600.0).alarm[:, 0])[0])
    limits[alarmed + 1 :] = 4.0
    said = replay(values, limits, STEP, 600.0)
    assert said.alarm[alarmed, 0]
    assert not said.alarm[alarmed + 1 :].any()


@pytest.mark.parametrize(
    "values",
    [
        np.full(60, np.nan), np.array([0.5]), np.zeros(0), np.full(60, np.inf), np.full(60, -1.0),
        np.full(60, 1e300), np.zeros((60, 0)), np.full(5, 0.5),
    ],
)  # fmt: skip
def test_series_that_say_nothing_are_abstained_from(values):
    said = replay(values, 1.0, STEP, HORIZON)
    assert said.abstained.all()
    assert not said.alarm.any()


@pytest.mark.parametrize("limit", [np.nan, 0.0, -1.0, np.inf, 0.1])
def test_a_limit_that_bounds_nothing_is_abstained_from(limit):
    said = replay(np.linspace(0.5, 0.6, 60), limit, STEP, HORIZON)
    assert said.abstained.all()


def test_a_constant_is_certain_not_to_get_anywhere():
    said = replay(np.full(60, 0.9), 1.0, STEP, HORIZON)
    assert not said.abstained[10:].any()
    assert (said.probability == 0).all()


def test_huge_values_survive_single_precision():
    values = scenarios.leak(600, 0) * 1e17
    assert replay(values, 1e17, STEP, HORIZON).alarm.any()


def test_a_long_history_is_decided_in_bounded_memory_and_time():
    random = np.random.default_rng(0)
    values = 0.5 + random.normal(0, 0.001, 20_000)
    assert not replay(values, 1.0, 60.0, 3600.0).alarm.any()


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        ({"values": np.zeros((2, 2, 2))}, "values"),
        ({"values": ["many"]}, "values"),
        ({"limits": np.ones(7)}, "limits"),
        ({"limits": "much"}, "limits"),
        ({"step_seconds": 0.0}, "step_seconds"),
        ({"horizon_seconds": np.nan}, "horizon_seconds"),
        ({"restarts": np.zeros(3)}, "restarts"),
        ({"breaks": np.zeros(3)}, "breaks"),
    ],
)
def test_errors_name_the_argument(arguments, named):
    right = {
        "values": np.full((60, 2), 0.5),
        "limits": 1.0,
        "step_seconds": 5.0,
        "horizon_seconds": 60.0,
    }
    with pytest.raises(InputError, match=named) as caught:
        replay(**{**right, **arguments})
    assert isinstance(caught.value, PermanentError)
