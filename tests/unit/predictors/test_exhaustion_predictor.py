"""The stateful predictor: the same decisions as `replay`, whatever way the samples came."""

from __future__ import annotations

import subprocess
import sys
from itertools import pairwise

import numpy as np
import pytest

from akeso.domain.forecast import Readiness, Sample, SeriesKey
from akeso_predictors import DecisionSettings, ExhaustionPredictor, InputError, replay
from unit.predictors import scenarios
from unit.predictors.scenarios import leak

STEP, HORIZON, START = 5.0, 600.0, 1_700_000_000.0
KEY = SeriesKey("shop", "cart-1", "app")


def samples(values, key=KEY, limit=1.0, instance="a", start=START):
    return [
        Sample(key, start + STEP * t, float(v), limit, instance)
        for t, v in enumerate(values) if np.isfinite(v)
    ]  # fmt: skip


def fed(values, **kwargs):
    predictor = ExhaustionPredictor(STEP)
    predictor.ingest(samples(values, **kwargs))
    return predictor


def last(values):
    return START + STEP * (len(values) - 1)


def test_cycle_by_cycle_it_decides_as_replay_does():
    random = np.random.default_rng(1)
    columns = [leak(300, 1), scenarios.warm_up(61, 2), scenarios.sawtooth(61, 3), leak(300, 4)]
    values = np.stack(columns, axis=1)
    values[random.random(values.shape) < 0.05] = np.nan
    values[15:21, 0], values[30:35, 1] = np.nan, np.nan
    restarts = np.zeros(values.shape, dtype=bool)
    restarts[30, 3] = True
    said = replay(values, 1.0, STEP, HORIZON, restarts=restarts)
    instances = np.cumsum(restarts, axis=0)
    keys = [SeriesKey("shop", f"pod-{s}", "app") for s in range(4)]
    predictor = ExhaustionPredictor(STEP)
    for t, row in enumerate(values):
        now = START + STEP * t
        predictor.ingest(
            Sample(key, now, row[s], 1.0, str(instances[t, s])) for s, key in enumerate(keys)
        )
        if t % 7 == 3:
            continue  # a cycle that was skipped loses no vote
        for key, forecast in predictor.evaluate(now, HORIZON).items():
            s = keys.index(key)
            assert (forecast.readiness is Readiness.READY) == (not said.abstained[t, s])
            assert forecast.alarm == said.alarm[t, s]
            assert (forecast.probability or 0) == pytest.approx(said.probability[t, s], abs=5e-3)


def test_after_a_crash_a_back_fill_brings_the_alarm_back_at_once():
    values = leak(180, 1)
    alarmed = int(np.flatnonzero(replay(values, 1.0, STEP, HORIZON).alarm[:, 0])[0])
    history = values[: alarmed + 1]
    forecast = fed(history).evaluate(last(history), HORIZON)[KEY]
    assert forecast.alarm


def test_history_that_comes_after_the_first_live_sample_counts():
    values = leak(180, 1)[:24]
    every = samples(values)
    predictor = ExhaustionPredictor(STEP)
    predictor.ingest(every[-1:])
    predictor.evaluate(last(values), HORIZON)
    predictor.ingest(every[:-1])
    forecast = predictor.evaluate(last(values), HORIZON)[KEY]
    assert forecast.samples == 24
    assert forecast.alarm


def test_order_and_duplicates_change_nothing():
    values = leak(180, 2)[:24]
    every = samples(values)
    shuffled = [every[i] for i in np.random.default_rng(0).permutation(24)]
    predictor = ExhaustionPredictor(STEP)
    predictor.ingest(shuffled[:10] + shuffled + shuffled)
    plain = fed(values).evaluate(last(values), HORIZON)[KEY]
    assert predictor.evaluate(last(values), HORIZON)[KEY] == plain


def test_evaluating_twice_without_new_samples_is_not_a_second_vote():
    values = leak(180, 1)
    said = replay(values, 1.0, STEP, HORIZON)
    before = int(np.flatnonzero(said.alarm[:, 0])[0]) - 1
    predictor = fed(values[: before + 1])
    first = predictor.evaluate(last(values[: before + 1]), HORIZON)
    for _ in range(5):
        assert predictor.evaluate(last(values[: before + 1]) + 1, HORIZON) == first
    assert not first[KEY].alarm


def test_peek_changes_nothing_and_agrees_with_evaluate():
    values = leak(180, 1)
    watched, plain = ExhaustionPredictor(STEP), ExhaustionPredictor(STEP)
    for earlier, later in pairwise(range(0, len(values), 3)):
        part = samples(values[earlier:later], start=START + STEP * earlier)
        now = START + STEP * (later - 1)
        for predictor in (watched, plain):
            predictor.ingest(part)
        peeked = watched.peek(KEY, now, HORIZON)
        watched.peek(KEY, now, 60.0)
        assert watched.evaluate(now, HORIZON) == plain.evaluate(now, HORIZON) == {KEY: peeked}


def test_a_restarted_pod_starts_anew_and_alarms_again():
    first, second = leak(180, 1), leak(180, 2)
    predictor = fed(first)
    assert predictor.evaluate(last(first), HORIZON)[KEY].alarm
    begin = last(first) + STEP
    lead = None
    for t, sample in enumerate(samples(second, instance="b", start=begin)):
        predictor.ingest([sample])
        forecast = predictor.evaluate(sample.time, HORIZON)[KEY]
        assert forecast.samples == t + 1
        if forecast.alarm and lead is None:
            lead = (len(second) - 1 - t) * STEP
    assert lead is not None
    assert lead >= 75


def test_an_action_silences_until_ten_new_samples():
    values = leak(600, 3)
    at = int(np.flatnonzero(replay(values, 1.0, STEP, HORIZON).alarm[:, 0])[0])
    predictor = fed(values[: at + 1])
    predictor.mark_action(("shop", "cart-"), last(values[: at + 1]))
    quiet = []
    for sample in samples(values)[at + 1 : at + 11]:
        predictor.ingest([sample])
        quiet.append(predictor.evaluate(sample.time, HORIZON)[KEY].alarm)
    assert not any(quiet)


def test_each_abstention_has_its_reason():
    flat = np.full(30, 0.5)
    now = last(flat)
    assert (
        fed(flat[:4]).evaluate(START + 15, HORIZON)[KEY].readiness is Readiness.INSUFFICIENT_HISTORY
    )
    assert fed(flat, limit=None).evaluate(now, HORIZON)[KEY].readiness is Readiness.NO_LIMIT
    assert fed(flat, limit=0.4).evaluate(now, HORIZON)[KEY].readiness is Readiness.NO_LIMIT
    assert fed(flat).evaluate(now + 15, HORIZON)[KEY].readiness is Readiness.READY
    assert fed(flat).evaluate(now + 20, HORIZON)[KEY].readiness is Readiness.STALE
    assert fed(flat).peek(SeriesKey("a", "b", "c"), now, HORIZON).readiness is Readiness.NO_DATA
    broken = ExhaustionPredictor(STEP)
    broken.ingest([Sample(KEY, now, bad, 1.0, "a") for bad in (np.nan, np.inf, -1.0)])
    assert broken.evaluate(now, HORIZON)[KEY].readiness is Readiness.NO_DATA
    wild = np.random.default_rng(0).uniform(0.45, 0.69, 60)
    assert fed(wild).evaluate(last(wild), HORIZON)[KEY].readiness is Readiness.BURSTY


def test_a_forecast_tells_what_it_rests_on():
    values = leak(600, 1, start=0.1)[:60]
    forecast = fed(values * 1e9, limit=1e9).evaluate(last(values), HORIZON)[KEY]
    assert forecast.value == pytest.approx(values[-1] * 1e9, rel=1e-6)
    assert forecast.limit == pytest.approx(1e9)
    assert forecast.sampled_at == last(values)
    assert forecast.ttf is not None
    low, middle, high = forecast.ttf
    assert low <= middle <= high
    assert low <= 600 - 295 <= high + 60


@pytest.mark.parametrize(("missing", "samples"), [(3, 77), (4, 76), (39, 41), (40, 20)])
def test_only_a_long_gap_starts_a_leg(missing, samples):
    """Who is silent for some scrapes goes on growing; what replaced a container is told by its name."""
    values = np.full(80, 0.5)
    values[20 : 20 + missing] = np.nan
    assert fed(values).evaluate(last(values), HORIZON)[KEY].samples == samples


def test_a_leak_is_known_again_as_soon_as_it_is_seen_again():
    values = np.linspace(0.3, 0.99, 240)
    values[200:225] = np.nan
    said = replay(values, 1.0, STEP, HORIZON)
    assert said.alarm[199, 0]
    assert said.abstained[204:225].all()
    assert (said.probability[225:, 0] > 0.8).all()
    # But what was voted before the gap is old: an alarm takes fresh votes.
    assert not said.alarm[204:226].any()
    assert said.alarm[227:].all()


def test_horizon_and_threshold_may_differ_by_series():
    other = SeriesKey("shop", "cart-2", "app")
    values = leak(180, 1)[:22]
    predictor = fed(values)
    predictor.ingest(samples(values, key=other))
    both = predictor.evaluate(last(values), {KEY: 600.0, other: 600.0}, {KEY: 0.8, other: 0.9999})
    assert (both[KEY].alarm, both[other].alarm) == (True, False)
    assert set(predictor.evaluate(last(values), {KEY: 600.0})) == {KEY}


@pytest.mark.parametrize("horizon", [0.0, -1.0, np.nan, np.inf])
def test_a_horizon_without_sense_is_refused_by_name(horizon):
    with pytest.raises(InputError, match="horizon"):
        ExhaustionPredictor(STEP).evaluate(START, horizon)


def test_series_that_vanished_are_evicted_and_their_room_is_used_again():
    predictor = fed(np.full(20, 0.5))
    evict_after = DecisionSettings().evict_after
    assert KEY in predictor.evaluate(last(np.zeros(20)), HORIZON)
    assert KEY not in predictor.evaluate(last(np.zeros(20)) + evict_after + 1, HORIZON)
    for generation in range(50):
        key = SeriesKey("shop", f"pod-{generation}", "app")
        predictor.ingest(samples(np.full(20, 0.5), key=key))
        predictor.forget([key])
    assert len(predictor._rings.row) == 64
    assert predictor.history(KEY)[0].size == 0


def test_a_sample_from_the_future_does_not_blind_us():
    values = leak(180, 1)[:24]
    predictor = ExhaustionPredictor(STEP)
    predictor.ingest([Sample(KEY, START + 1e9, 0.5, 1.0, "a")])
    predictor.evaluate(START, HORIZON)
    predictor.ingest(samples(values))
    assert predictor.evaluate(last(values), HORIZON)[KEY].alarm


def test_history_gives_back_the_samples():
    values = np.array([0.1, np.nan, 0.3, 0.4])
    times, kept = fed(values).history(KEY)
    assert times.tolist() == [START, START + 10, START + 15]
    np.testing.assert_allclose(kept, [0.1, 0.3, 0.4], rtol=1e-6)


def test_importing_it_loads_neither_statsmodels_nor_pandas_nor_asyncio():
    code = (
        "import sys, akeso_predictors as p, numpy as np;"
        "p.replay(np.linspace(.1, .9, 60), 1.0, 5.0, 600.0); p.forecast(np.arange(60.0), 5);"
        "print([m for m in ('statsmodels', 'pandas', 'scipy', 'asyncio') if m in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True,
        env={"PYTHONPATH": ":".join(sys.path)},
    )  # fmt: skip
    assert done.stdout.strip() == "[]"
