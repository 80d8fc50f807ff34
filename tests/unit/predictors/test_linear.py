"""The opponent says what PromQL would have said."""

from __future__ import annotations

import numpy as np
import pytest

from akeso_predictors import InputError
from akeso_predictors.linear import NAKED, Gate, alarms, predict_linear


def test_predict_linear_is_the_least_squares_line_through_the_window():
    rng = np.random.default_rng(3)
    values = rng.normal(50, 5, (90, 3))
    values[rng.random(values.shape) < 0.2] = np.nan
    found = predict_linear(values, 30, 12.5)
    for t in range(90):
        for s in range(3):
            window = values[max(0, t - 29) : t + 1, s]
            there = np.isfinite(window)
            if there.sum() < 2:
                assert np.isnan(found[t, s])
                continue
            k = np.arange(len(window)) - (len(window) - 1)
            slope, level = np.polyfit(k[there], window[there], 1)
            assert found[t, s] == pytest.approx(level + 12.5 * slope, rel=1e-9)


def test_a_window_far_into_a_long_history_is_as_exact_as_the_first():
    slow = 1e9 + np.arange(300_000) * 1e-3
    assert predict_linear(slow, 60, 60)[-1, 0] == pytest.approx(slow[-1] + 0.06, abs=1e-6)


def test_the_gate_wants_the_level_and_the_time():
    leak = np.linspace(0, 100, 201)  # half a per cent a minute
    naked = alarms(leak, 100, 60, 3600, gate=NAKED)
    gated = alarms(leak, 100, 60, 3600)
    # Sixty minutes ahead are thirty per cent: naked beyond 70 %, gated six minutes later.
    assert np.flatnonzero(naked)[0] == 141
    assert np.flatnonzero(gated)[0] == 147
    assert alarms(leak, 100, 60, 3600, gate=Gate(level=0.9)).argmax() == 187


def test_a_missed_scrape_resets_the_time_it_must_hold():
    leak = np.linspace(0, 100, 201)
    leak[144] = np.nan
    assert np.flatnonzero(alarms(leak, 100, 60, 3600))[0] == 151


def test_a_restart_begins_a_new_series():
    steps = np.concatenate([np.full(60, 10.0), np.full(60, 80.0)])
    marks = np.zeros(120, bool)
    marks[60] = True
    assert alarms(steps, 100, 60, 3600).any()
    assert not alarms(steps, 100, 60, 3600, restarts=marks).any()


def test_without_a_limit_or_samples_it_is_silent():
    leak = np.linspace(0, 100, 201)
    assert not alarms(leak, np.nan, 60, 3600).any()
    assert not alarms(np.full(50, np.nan), 100, 60, 3600).any()
    assert alarms(np.zeros((0, 2)), 100, 60, 3600).shape == (0, 2)
    with pytest.raises(InputError, match="step_seconds"):
        alarms(leak, 100, 0, 3600)
