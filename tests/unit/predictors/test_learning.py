"""Learning while it runs: what `calibrate` learns of the same history, and never in the middle of a cycle."""

from __future__ import annotations

import numpy as np
import pytest

from akeso.domain.forecast import Sample, SeriesKey
from akeso_predictors import (
    Calibration,
    ExhaustionPredictor,
    Forecaster,
    calibrate,
    follower,
    replay,
)  # fmt: skip
from unit.predictors import scenarios

STEP, HORIZON, START = 5.0, 300.0, 1_700_000_000.0
P = np.linspace(0, 1, 201)


def fleet(seed=0):
    """Eight histories (T, S) with holes: leaks, some dealt with halfway, and what looks like them."""
    random = np.random.default_rng(seed)
    leaks = [scenarios.leak(400 + 90 * i, i)[: 60 + 30 * i] for i in range(5)]
    others = [scenarios.sawtooth(200, 1), scenarios.warm_up(200, 2), scenarios.step_up(200, 3)]
    whole = [np.r_[s, np.full(200 - len(s), 0.2)] for s in (*leaks, *others)]
    values = np.stack(whole, axis=1)
    values[random.random(values.shape) < 0.03] = np.nan
    values[150:157, 4] = np.nan  # longer than what is masked
    restarts = np.zeros(values.shape, dtype=bool)
    for i, s in enumerate(leaks):
        restarts[len(s), i] = True
    return values, restarts


def keys(values):
    return [SeriesKey("shop", f"pod-{s}", "app") for s in range(values.shape[1])]


def run(values, restarts, predictor, acted_on=(), skip=0, reached=None):
    """Every cycle's forecasts; `skip`: every so many cycles none takes place."""
    named = keys(values)
    instances = np.cumsum(restarts, axis=0)
    told = []
    for t, row in enumerate(values):
        now = START + STEP * t
        for s, key in enumerate(named):
            if reached is not None and reached[t, s]:
                predictor.mark_reached(key, now - STEP / 2)
        predictor.ingest(
            Sample(key, now, row[s], 1.0, str(instances[t, s])) for s, key in enumerate(named)
        )
        if not skip or t % skip:
            told.append(predictor.evaluate(now, HORIZON, acted_on=acted_on))
    return told


def taken(predictor):
    """All that has matured so far."""
    predictor._claims.refresh()
    return predictor.calibration


@pytest.mark.parametrize("skip", [0, 3])
def test_it_learns_what_calibrate_learns_of_the_same_history(skip):
    values, restarts = fleet()
    predictor = ExhaustionPredictor(STEP)
    run(values, restarts, predictor, skip=skip)
    learned, known = taken(predictor), calibrate(values, 1.0, STEP, HORIZON, restarts)
    assert learned.of("memory").weight > 1
    assert learned.of("memory").weight == pytest.approx(known.of("memory").weight, rel=1e-3)
    np.testing.assert_allclose(
        learned.probability("memory", P), known.probability("memory", P), atol=2e-3
    )
    ttf = np.full((1, 3), 100.0)
    np.testing.assert_allclose(
        learned.ttf("memory", HORIZON, ttf), known.ttf("memory", HORIZON, ttf), rtol=2e-2
    )


def test_an_oom_kill_that_no_sample_shows_counts_as_the_limit_reached():
    values, restarts = fleet()
    predictor = ExhaustionPredictor(STEP)
    run(values, restarts, predictor, reached=restarts)
    learned = taken(predictor)
    known = calibrate(values, 1.0, STEP, HORIZON, restarts, reached=restarts)
    truth = [sum(row[2] for row in c.of("memory").claims) for c in (learned, known)]
    assert truth[0] > 0
    assert truth[0] == pytest.approx(truth[1], rel=1e-3)
    assert predictor.matured["Reached"] > 0


def test_with_a_calibration_it_decides_as_replay_does_row_by_row():
    values, restarts = fleet(1)
    known = calibrate(values, 1.0, STEP, HORIZON, restarts)
    said = replay(values, 1.0, STEP, HORIZON, restarts, calibration=known)
    predictor = ExhaustionPredictor(STEP, calibration=known)
    named = keys(values)
    told = run(values, restarts, predictor, acted_on=named)
    for t, forecasts in enumerate(told):
        for s, key in enumerate(named):
            if key not in forecasts:
                assert said.abstained[t, s]
                continue
            forecast = forecasts[key]
            assert (forecast.probability is None) == said.abstained[t, s]
            assert forecast.probability == pytest.approx(said.probability[t, s], abs=1e-5) or (
                forecast.probability is None
            )
            assert forecast.alarm == said.alarm[t, s]
            if forecast.ttf is not None:
                np.testing.assert_allclose(forecast.ttf, said.ttf[t, s], rtol=1e-4)
    assert said.alarm.any()
    assert predictor.calibration == known


def test_where_alarms_are_answered_nothing_is_learned():
    values, restarts = fleet()
    predictor = ExhaustionPredictor(STEP)
    run(values, restarts, predictor, acted_on=keys(values))
    assert taken(predictor) == Calibration()


def test_what_was_acted_upon_is_censored():
    values = scenarios.leak(900, 0)[:150]
    predictor = ExhaustionPredictor(STEP)
    no = np.zeros((150, 1), dtype=bool)
    run(values[:, None], no, predictor)
    open_claims = predictor._claims.open
    assert open_claims
    predictor.mark_action(SeriesKey("shop", "pod-0", "app"), START + STEP * 149.5)
    for t in range(150, 230):
        predictor.ingest(
            [Sample(SeriesKey("shop", "pod-0", "app"), START + STEP * t, 0.1, 1.0, "0")]
        )
        predictor.evaluate(START + STEP * t, HORIZON)
    assert predictor.matured["Censored"] > 0
    assert "Reached" not in {k for k, n in predictor.matured.items() if n}


def test_a_container_that_is_gone_leaves_no_claims():
    values = scenarios.leak(900, 0)[:150, None]
    predictor = ExhaustionPredictor(STEP)
    run(values, np.zeros(values.shape, bool), predictor)
    predictor.forget(keys(values))
    assert predictor._claims.open == 0
    # Its column is another's from now on.
    run(np.full((40, 1), 0.2), np.zeros((40, 1), bool), predictor)
    assert predictor._claims.open == 0


def test_the_correction_changes_between_cycles_and_not_with_every_claim(monkeypatch):
    monkeypatch.setattr(follower, "REFRESH", 20)
    values, restarts = (np.tile(part[:140], 2) for part in fleet())
    predictor, named = ExhaustionPredictor(STEP), keys(values)
    instances, used = np.cumsum(restarts, axis=0), [predictor.calibration]
    for t, row in enumerate(values):
        now = START + STEP * t
        predictor.ingest(
            Sample(key, now, row[s], 1.0, str(instances[t, s])) for s, key in enumerate(named)
        )
        told = predictor.evaluate(now, HORIZON)
        # The same history twice over: whoever is judged first or last, all by the same map.
        for s in range(8):
            assert (
                len({told[named[i]].probability for i in range(s, 16, 8) if named[i] in told}) < 2
            )
        if predictor.calibration is not used[-1]:
            used.append(predictor.calibration)
    matured = predictor.matured["Reached"] + predictor.matured["NotReached"]
    assert 2 <= len(used) <= 1 + matured / follower.REFRESH


def test_a_peek_teaches_nothing():
    values, restarts = fleet()
    predictor = ExhaustionPredictor(STEP)
    run(values[:100], restarts[:100], predictor)
    before = predictor._claims.open
    for key in keys(values):
        predictor.peek(key, START + STEP * 99, 60.0)
    assert predictor._claims.open == before


def test_the_forecaster_hands_out_what_all_classes_learned_and_takes_it_back():
    values, restarts = fleet()
    forecaster = Forecaster(STEP)
    foreign = Calibration().learned("quota", np.array([[0.5, 1.0, 1.0]]), np.zeros((0, 6)))
    forecaster.calibration = foreign
    run(values, restarts, forecaster)
    forecaster._memory._claims.refresh()
    known = forecaster.calibration
    assert known.of("memory").weight > 1
    assert known.only("quota") == foreign
    again = Forecaster(STEP, known)
    assert again.calibration == known
    assert forecaster.matured["memory", "NotReached"] > 0
