"""Calibration: monotone, the identity until outcomes say otherwise, exact in JSON, blind to what nobody can know."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from akeso_predictors import Calibration, InputError, calibrate, replay
from unit.predictors import scenarios

STEP, HORIZON = 5.0, 600.0
P = np.linspace(0, 1, 401)


def taught(claims, metric_class="memory", times=()):
    times = np.array(times, dtype=float).reshape(-1, 6)
    claims = np.array(claims, dtype=float).reshape(-1, 3)
    return Calibration().learned(metric_class, claims, times)


@st.composite
def outcomes(draw):
    random = np.random.default_rng(draw(st.integers(0, 10_000)))
    count = draw(st.integers(0, 400))
    p = random.random(count)
    return np.stack(
        [p, random.random(count) < p**2, np.full(count, draw(st.floats(0.01, 1)))], axis=1
    )


def fleet(leaks=12, healthy=12):
    """Histories (T, S): leaks of two to ten minutes, and what only looks like them."""
    makers = list(scenarios.HEALTHY.values())
    series = [scenarios.leak(120 + 40 * i, i) for i in range(leaks)]
    series += [makers[i % len(makers)](260, i) for i in range(healthy)]
    rows = max(map(len, series))
    return np.stack([np.r_[s, np.full(rows - len(s), np.nan)] for s in series], axis=1)


@settings(max_examples=40, deadline=None)
@given(outcomes())
def test_a_map_is_monotone_and_leaves_nothing_at_nothing(claims):
    mapped = taught(claims).probability("memory", P)
    assert (np.diff(mapped) >= 0).all()
    assert mapped[0] == 0
    assert mapped[-1] == 1
    assert ((mapped >= 0) & (mapped <= 1)).all()


@settings(max_examples=40, deadline=None)
@given(outcomes())
def test_json_gives_back_an_equal_calibration(claims):
    known = taught(claims, times=[[60, 120, 240, 180, 0.5, 600]])
    assert Calibration.from_json(known.to_json()) == known


def test_without_outcomes_nothing_is_corrected():
    assert (Calibration().probability("memory", P) == P).all()
    ttf = np.array([[1.0, 2.0, np.inf]])
    assert (Calibration().ttf("memory", 60.0, ttf) == ttf).all()


def test_one_outcome_moves_little_and_many_move_all_the_way():
    one = taught([[0.8, 0, 1]]).probability("memory", np.array([0.8]))
    many = taught([[0.8, 0, 1]] * 400).probability("memory", np.array([0.75]))
    assert one > 0.5
    assert many < 0.05


def test_classes_do_not_teach_each_other():
    known = taught([[0.8, 0, 1]] * 400, metric_class="cpu")
    assert (known.probability("memory", P) == P).all()


def test_what_is_old_fades():
    wrong = taught([[0.8, 0, 1]] * 5_000)
    again = wrong.learned("memory", np.array([[0.8, 1.0, 1.0]] * 1_500), np.zeros((0, 6)))
    assert again.probability("memory", np.array([0.8])) > 0.7


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("", "no JSON"),
        ("[" * 100_000, "calibration"),
        ("[]", "akeso"),
        ('{"akeso": "calibration", "version": 2}', "version 2"),
        ('{"akeso": "calibration", "version": 1}', "classes"),
        ('{"akeso": "calibration", "version": 1, "classes": {"memory": 3}}', "classes.memory"),
    ],
)
def test_what_can_not_be_read_says_why(text, named):
    with pytest.raises(InputError, match=named):
        Calibration.from_json(text)


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_damaged_json_is_a_typed_error_or_a_calibration(data):
    whole = json.loads(taught([[0.3, 1, 1], [0.9, 1, 1]], times=[[1, 2, 3, 2, 1, 9]]).to_json())
    spot = data.draw(st.sampled_from(["claims", "times"]))
    junk = st.recursive(
        st.none() | st.booleans() | st.floats() | st.text(max_size=5),
        lambda inner: (
            st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3)
        ),
        max_leaves=6,
    )
    whole["classes"]["memory"][spot] = data.draw(
        junk | st.dictionaries(st.sampled_from("019"), junk)
    )
    try:
        known = Calibration.from_json(json.dumps(whole))
    except InputError as error:
        assert "calibration" in str(error)
    else:
        assert (np.diff(known.probability("memory", P)) >= 0).all()


def test_replay_takes_what_calibrate_gives():
    values = fleet()
    known = calibrate(values, 1.0, STEP, HORIZON)
    plain, told = (replay(values, 1.0, STEP, HORIZON, calibration=c) for c in (None, known))
    np.testing.assert_allclose(
        told.probability, known.probability("memory", plain.probability), atol=1e-6
    )
    assert (told.abstained == plain.abstained).all()
    assert (told.ttf[..., 0] <= told.ttf[..., 1]).all()
    assert (told.ttf[..., 1] <= told.ttf[..., 2]).all()


def test_a_longer_horizon_stays_no_less_likely():
    values = fleet()
    known = calibrate(values, 1.0, STEP, HORIZON)
    near, far = (replay(values, 1.0, STEP, h, calibration=known) for h in (300.0, 900.0))
    both = ~(near.abstained | far.abstained)
    assert (far.probability[both] >= near.probability[both] - 1e-6).all()


def test_units_do_not_matter():
    values = fleet()
    plain = calibrate(values, 1.0, STEP, HORIZON).probability("memory", P)
    scaled = calibrate(values * 2.0**30, 2.0**30, STEP, HORIZON).probability("memory", P)
    np.testing.assert_allclose(scaled, plain, atol=1e-3)


@pytest.mark.parametrize("mark", ["restarts", "breaks", "healed"])
def test_claims_with_an_unknown_end_teach_nothing(mark):
    """Leaks that are dealt with before they arrive: neither proofs nor false alarms."""
    values = np.stack([scenarios.leak(900, i)[:150] for i in range(6)], axis=1)
    after = np.full((40, 6), 0.1)
    marks = np.zeros(190)
    marks[150] = 1
    # A last sample is one of the healthy container's: 200 s later nothing of the claim is known.
    marked: dict[str, Any] = {mark: marks}
    known = calibrate(np.r_[values, after], 1.0, STEP, 600.0, **marked)
    mapped = known.probability("memory", P)
    claimed = replay(values, 1.0, STEP, 600.0).probability
    assert (claimed > 0.5).any()
    np.testing.assert_allclose(mapped[P > 0.5], P[P > 0.5], atol=1e-9)


def test_the_end_of_the_history_is_no_outcome():
    values = scenarios.leak(900, 0)[:150]
    assert calibrate(values, 1.0, STEP, 2_000.0) == Calibration(
        (("memory", Calibration().of("memory")),)
    )


def test_an_oom_kill_is_the_limit_reached_even_if_no_sample_shows_it():
    values = scenarios.leak(600, 0)[:115]
    restarts = np.zeros(len(values) + 20)
    restarts[len(values)] = 1
    whole = np.r_[values, np.full(20, 0.1)]
    known = calibrate(whole, 1.0, STEP, HORIZON, restarts, reached=restarts)
    truth = sum(row[2] for row in known.of("memory").claims)
    assert truth > 0
    assert truth == pytest.approx(known.of("memory").weight)


@pytest.mark.parametrize(
    "name",
    [
        "values",
        "limits",
        "step_seconds",
        "horizon_seconds",
        "restarts",
        "breaks",
        "healed",
        "reached",
    ],
)
def test_errors_name_the_argument(name):
    right: dict[str, Any] = {
        "values": np.full((60, 2), 0.5),
        "limits": 1.0,
        "step_seconds": 5.0,
        "horizon_seconds": 60.0,
    }
    wrong = {"step_seconds": 0.0, "horizon_seconds": np.nan}.get(name, np.zeros((2, 2, 2)))
    with pytest.raises(InputError, match=name):
        calibrate(**{**right, name: wrong})


@pytest.mark.parametrize("wrong", ["{}", 3, {"memory": 1}])
def test_what_is_no_calibration_is_refused_by_name(wrong):
    values: Any = np.full(60, 0.5)
    with pytest.raises(InputError, match="calibration"):
        replay(values, 1.0, STEP, HORIZON, calibration=wrong)
    with pytest.raises(InputError, match="known"):
        calibrate(values, 1.0, STEP, HORIZON, known=wrong)


@pytest.mark.parametrize(
    "values",
    [
        np.full(60, np.nan),
        np.array([0.5]),
        np.zeros(0),
        np.zeros((60, 0)),
        np.full(60, -np.inf),
        np.full(60, 1e30),
    ],
)
def test_a_history_that_says_nothing_teaches_nothing(values):
    known = calibrate(values, 1.0, STEP, HORIZON)
    assert (known.probability("memory", P) == P).all()
