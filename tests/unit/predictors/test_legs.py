"""Legs computed row by row are those computed at once."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from akeso_predictors.legs import fresh_carry, trace
from akeso_predictors.settings import DecisionSettings

SETTINGS = DecisionSettings()


def traced(values, limits=None, resets=None, cuts=()):
    """Legs (S, T) of values (S, T), in one piece or cut into several."""
    limits = np.ones_like(values) if limits is None else limits
    resets = np.zeros(values.shape, dtype=bool) if resets is None else resets
    carry, parts = fresh_carry(len(values)), []
    for part in np.split(np.arange(values.shape[1]), sorted(set(cuts))):
        if len(part):
            legs, carry = trace(values[:, part], limits[:, part], resets[:, part], carry, SETTINGS)
            parts.append(legs)
    names = ("age", "samples", "fresh", "fresh_age", "safe", "limit")
    return {name: np.concatenate([getattr(p, name) for p in parts], axis=1) for name in names}


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10_000), st.lists(st.integers(1, 59), max_size=8))
def test_cutting_the_history_changes_no_leg(seed, cuts):
    random = np.random.default_rng(seed)
    values = np.abs(np.cumsum(random.normal(0, 0.1, (3, 60)), axis=1)) % 1.2
    values[random.random(values.shape) < 0.2] = np.nan
    resets = (random.random(values.shape) < 0.03) & np.isfinite(values)
    limits = np.where(random.random(values.shape) < 0.1, np.nan, 1.0 + (np.arange(60) > 40))
    whole, pieces = traced(values, limits, resets), traced(values, limits, resets, cuts)
    for name, array in whole.items():
        np.testing.assert_allclose(array, pieces[name], err_msg=name)


def test_a_peak_that_was_followed_by_a_fall_is_safe_and_a_restart_forgets_it():
    values = np.array([[0.3, 0.5, 0.7, 0.74, 0.74, 0.5, 0.5, 0.5, 0.52, 0.52]])
    assert traced(values)["safe"][0, -1] == 0.74
    resets = np.zeros((1, 10), dtype=bool)
    resets[0, 6] = True
    assert traced(values, resets=resets)["safe"][0, -1] == 0


def test_a_restart_does_not_inherit_the_peak_of_the_one_that_died():
    values = np.array([[0.8, 0.9, 0.97, 0.1, 0.11, 0.12, 0.13]])
    resets = np.zeros((1, 7), dtype=bool)
    resets[0, 3] = True
    assert (traced(values, resets=resets)["safe"][0, 3:] == 0).all()


def test_one_odd_sample_starts_no_leg():
    values = np.full((1, 20), 0.6)
    values[0, 10] = 0.0
    assert traced(values)["samples"][0, -1] == 20
