"""What earlier rises teach: leaks that repeat are foreseen earlier, rises that end are let be."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from akeso.domain.forecast import Sample, SeriesKey
from akeso_predictors import DecisionSettings, ExhaustionPredictor, replay
from akeso_predictors.ends import lessons

STEP, HORIZON = 60.0, 3600.0


def lives(*parts, gap=2, seed=0):
    """Lives of one container (T,), each followed by rows without a sample, and where they begin."""
    random = np.random.default_rng(seed)
    noisy = [part + random.normal(0, 0.002, len(part)) for part in parts]
    values = np.concatenate([np.append(part, np.full(gap, np.nan)) for part in noisy])
    begins = [0, *np.cumsum([len(part) + gap for part in parts])[:-1].tolist()]
    marks = np.zeros(len(values), dtype=bool)
    marks[begins[1:]] = True
    return values, marks, begins


def leads(values, alarm, begins):
    """Rows from the first alarm of each life to its last sample; -1 without one."""
    found = []
    for begin, end in zip(begins, [*begins[1:], len(values)], strict=True):
        last = begin + np.flatnonzero(np.isfinite(values[begin:end]))[-1]
        raised = begin + np.flatnonzero(alarm[begin:end])
        found.append(int(last - raised[0]) if len(raised) else -1)
    return found


def leak(rows, start=0.3, end=0.995):
    return np.linspace(start, end, rows)


def job(rows, top, start=0.3):
    return np.linspace(start, top, rows)


def test_a_leak_that_killed_twice_is_foreseen_earlier_the_third_time():
    values, marks, begins = lives(leak(80), leak(75), leak(85))
    alarm = replay(values, 1.0, STEP, HORIZON, restarts=marks).alarm[:, 0]
    first, _, third = leads(values, alarm, begins)
    assert first >= 15
    assert third >= first + 15
    assert third * STEP <= HORIZON * 1.1


def test_a_healthy_life_after_two_that_were_killed_raises_no_alarm():
    quiet = np.full(200, 0.6)
    warm = 0.2 + 0.5 * -np.expm1(-np.arange(200) / 8)
    for healthy in (quiet, warm):
        values, marks, begins = lives(leak(150), leak(140), healthy)
        alarm = replay(values, 1.0, STEP, HORIZON, restarts=marks).alarm[:, 0]
        assert not alarm[begins[2] :].any()


@pytest.mark.parametrize("name", ["breaks", "restarts"])
def test_lives_that_an_action_cut_short_teach_nothing(name):
    """A leak that is answered at 80 % each time is no rise that ends by itself."""
    cut = leak(110, end=0.8)
    values, marks, begins = lives(cut, cut, cut, leak(150))
    said = replay(values, 1.0, STEP, HORIZON, **{name: marks}).probability[begins[3] :, 0]
    # The same life after one in which nothing rose.
    quiet = np.append(np.full(20, 0.3), values[begins[3] :])
    begun = {name: np.arange(len(quiet)) == 20}
    alone = replay(quiet, 1.0, STEP, HORIZON, **begun).probability[20:, 0]
    assert (np.abs(said - alone).max() < 1e-6) == (name == "breaks")


def test_a_limit_reached_counts_although_a_rollout_followed():
    values, marks, _ = lives(leak(150), leak(140), leak(155))
    by_restart = replay(values, 1.0, STEP, HORIZON, restarts=marks)
    by_rollout = replay(values, 1.0, STEP, HORIZON, breaks=marks)
    np.testing.assert_array_equal(by_restart.probability, by_rollout.probability)


def test_jobs_that_run_in_new_containers_alarm_at_most_the_first_two_times():
    tops = (0.88, 0.9, 0.87, 0.89, 0.88, 0.9)
    values, marks, begins = lives(*(job(50, top) for top in tops))
    alarm = replay(values, 1.0, STEP, HORIZON, restarts=marks).alarm[:, 0]
    assert not alarm[begins[2] :].any()
    alone = [replay(job(50, top), 1.0, STEP, HORIZON).alarm.any() for top in tops]
    assert all(alone)


def test_starts_that_fill_and_hold_are_known_the_next_time():
    def start(rows):
        return 0.2 + 0.6 * (np.arange(200) / rows).clip(max=1)

    values, marks, begins = lives(*(start(rows) for rows in (40, 44, 38, 42)))
    alarm = replay(values, 1.0, STEP, HORIZON, restarts=marks).alarm[:, 0]
    assert alarm[: begins[1]].any()
    assert not alarm[begins[1] :].any()


def test_jobs_whose_peaks_vary_are_known_by_how_much_they_vary():
    new = known = 0
    for seed in range(12):
        random = np.random.default_rng(seed)
        runs = [
            np.concatenate([job(45, random.uniform(0.6, 0.93)), np.full(40, 0.3)]) for _ in range(8)
        ]
        values = np.concatenate(runs) + random.normal(0, 0.003, 85 * 8)
        alarm = replay(values, 1.0, STEP, HORIZON).alarm[:, 0].reshape(8, 85)
        told = [bool(run.any()) for run in alarm]
        known += sum(told[3:])
        new += told[0]
    assert new >= 3
    assert known <= 2  # of sixty


def test_a_leak_beside_jobs_still_alarms():
    random = np.random.default_rng(1)
    runs = [np.concatenate([job(45, top), np.full(40, 0.3)]) for top in (0.6, 0.7, 0.65, 0.68)]
    values = np.concatenate([*runs, leak(180)])
    values += random.normal(0, 0.003, len(values))
    alarm = replay(values, 1.0, STEP, HORIZON).alarm[:, 0]
    assert len(values) - 1 - np.flatnonzero(alarm)[0] >= 15


def test_the_operator_learns_the_same_from_earlier_lives():
    columns = [
        lives(leak(90), leak(85), leak(95)),
        lives(job(90, 0.9), job(85, 0.88), job(95, 0.91), seed=1),
    ]
    values = np.stack([column[0] for column in columns], axis=1)
    marks = np.stack([column[1] for column in columns], axis=1)
    breaks = np.zeros_like(marks)
    breaks[120] = True
    said = replay(values, 1.0, STEP, HORIZON, restarts=marks, breaks=breaks)
    predictor = ExhaustionPredictor(STEP)
    keys = [SeriesKey("shop", f"pod-{s}", "app") for s in range(2)]
    instances = np.cumsum(marks, axis=0)
    for t, row in enumerate(values):
        now = 1e9 + STEP * t
        if breaks[t].any():
            for key in keys:
                predictor.mark_action(key, now - 1)
        predictor.ingest(
            Sample(key, now, float(row[s]), 1.0, str(instances[t, s]))
            for s, key in enumerate(keys) if np.isfinite(row[s])
        )  # fmt: skip
        for key, found in predictor.evaluate(now, HORIZON).items():
            s = keys.index(key)
            assert found.alarm == said.alarm[t, s]
            assert (found.probability or 0) == pytest.approx(said.probability[t, s], abs=5e-3)


def pods_in_turn(runs, related=True):
    """Whether each of these runs, in pods of one workload, one after the other, raised an alarm."""
    predictor = ExhaustionPredictor(STEP)
    told, now = [], 1e9
    for i, run in enumerate(runs):
        key = SeriesKey("shop", f"job-{i}", "app")
        if related:
            predictor.belong({key: "workload/app"})
        alarms = []
        for value in run:
            predictor.ingest([Sample(key, now, float(value), 1.0, f"uid-{i}/0")])
            alarms.append(predictor.evaluate(now, HORIZON)[key].alarm)
            now += STEP
        told.append(any(alarms))
        predictor.forget([key])
    return told


def test_pods_of_a_workload_begin_with_what_those_before_them_learned():
    random = np.random.default_rng(0)
    runs = []
    for top in (0.88, 0.9, 0.87):
        run = np.concatenate([job(50, top), np.full(5, 0.3)])
        runs.append(run + random.normal(0, 0.002, len(run)))
    assert pods_in_turn(runs, related=False) == [True, True, True]
    assert pods_in_turn(runs) == [True, False, False]


def test_a_pod_that_was_taken_away_while_it_leaked_teaches_nothing():
    random = np.random.default_rng(0)
    runs = [leak(120, end=0.93) + random.normal(0, 0.002, 120) for _ in range(3)]
    assert pods_in_turn(runs) == [True, True, True]


def test_what_a_series_was_told_survives_late_samples_and_is_not_handed_on_twice():
    key, other = SeriesKey("shop", "job-0", "app"), SeriesKey("shop", "job-1", "app")
    run = np.concatenate([job(50, 0.88), np.full(5, 0.3)])
    predictor = ExhaustionPredictor(STEP)
    predictor.belong({key: "workload/app"})
    predictor.ingest(Sample(key, 1e9 + STEP * t, float(v), 1.0, "a/0") for t, v in enumerate(run))
    predictor.evaluate(1e9 + STEP * 54, HORIZON)
    predictor.belong({other: "workload/app"})
    later = [Sample(other, 1e9 + STEP * (60 + t), float(v), 1.0, "b/0") for t, v in enumerate(run)]
    predictor.ingest(s for s in later[:40] if s is not later[20])
    before = predictor.evaluate(1e9 + STEP * 99, HORIZON)[other].probability
    predictor.ingest([later[20]])
    after = predictor.evaluate(1e9 + STEP * 99, HORIZON)[other].probability
    assert before is not None
    assert after is not None
    assert abs(after - before) < 0.1
    assert max(before, after) < 0.7
    predictor.forget([key])
    assert len(predictor._kin._left["workload/app"]) == 1
    predictor.forget([other])
    assert len(predictor._kin._left["workload/app"]) == 1


rise = st.tuples(
    st.floats(1, 500), st.floats(0.1, 1.2), st.floats(0.05, 0.9), st.floats(1e-4, 0.2),
    st.sampled_from([0.0, 1.0]),
)  # fmt: skip


@settings(max_examples=60, deadline=None)
@given(
    st.lists(rise, max_size=8), st.floats(0.05, 0.99), st.floats(1e-4, 0.2), st.floats(1e-6, 1e9)
)
def test_lessons_are_counts_of_rises_in_any_unit(rises, level, pace, limit):
    told = np.full((1, 8, 5), np.nan)
    for i, one in enumerate(rises):
        told[0, i] = one
    one = lessons(
        told, np.array([level]), np.array([pace]), np.array([20.0]), np.ones(1), DecisionSettings()
    )
    assert 0 <= one.at_limit[0] <= len(rises) + 1e-6
    assert 0 <= one.below[0] <= len(rises) + 1e-6
    scaled = told.copy()
    scaled[..., 1:4] *= limit
    other = lessons(
        scaled, np.array([level]), np.array([pace]), np.array([20.0]), np.array([limit]),
        DecisionSettings(),
    )  # fmt: skip
    np.testing.assert_allclose(one.at_limit, other.at_limit, atol=1e-4)
    np.testing.assert_allclose(one.below, other.below, atol=1e-4)


@settings(max_examples=60, deadline=None)
@given(st.lists(rise, min_size=1, max_size=8), st.floats(0.05, 0.9), st.floats(0.01, 0.09))
def test_the_higher_a_rise_has_come_the_fewer_had_ended_further_up(rises, level, more):
    told = np.full((2, 8, 5), np.nan)
    told[:, : len(rises)] = np.array(rises)
    levels = np.array([level, level + more])
    both = lessons(told, levels, np.full(2, 0.01), np.full(2, 20.0), np.ones(2), DecisionSettings())
    assert both.below[1] <= both.below[0] + 1e-9
    assert both.at_limit[1] == pytest.approx(both.at_limit[0])


def test_a_kill_that_samples_do_not_show_is_told_by_the_container_s_state():
    """The last sample of a life may be old: 88 % is all that was seen of these two."""
    values, _, begins = lives(leak(110, end=0.88), leak(105, end=0.88), leak(130))
    found = {}
    for told in (True, False):
        predictor, key = ExhaustionPredictor(STEP), SeriesKey("shop", "pod", "app")
        life, found[told] = 0, 0.0
        for t, value in enumerate(values):
            now = 1e9 + STEP * t
            life = sum(t >= begin for begin in begins) - 1
            if told and t in begins[1:]:
                predictor.mark_reached(key, now - STEP)
            if np.isfinite(value):
                predictor.ingest([Sample(key, now, float(value), 1.0, f"a/{life}")])
            said = predictor.evaluate(now, HORIZON)
            if life == 2 and value < 0.8:
                found[told] = max(found[told], said[key].probability or 0)
    assert found[True] > 0.8
    assert found[False] < 0.6
