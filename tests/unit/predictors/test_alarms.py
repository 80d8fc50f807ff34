"""What must alarm in time, and what must not alarm at all, at a scrape of 5 s and of 1 min."""

from __future__ import annotations

import numpy as np
import pytest

from akeso.domain.forecast import Sample, SeriesKey
from akeso_predictors import DecisionSettings, ExhaustionPredictor, replay
from unit.predictors import scenarios
from unit.predictors.injected import pods
from unit.predictors.scenarios import LIMIT, STEP, leak, stairs

SEEDS = range(10)
START = 1_700_000_000.0


def leads(values, step=STEP, horizon=1800.0):
    """Seconds from the first alarm of each series (T, S) to its last row; -1 without one."""
    alarm = replay(values * LIMIT, LIMIT, step, horizon).alarm
    rows = len(values) - 1
    return [(rows - np.flatnonzero(a)[0]) * step if a.any() else -1 for a in alarm.T]


@pytest.mark.parametrize("horizon", [300.0, 600.0, 1800.0, 3600.0])
def test_a_leak_of_three_minutes_alarms_at_least_75_s_before_the_limit(horizon):
    values = np.stack([leak(180, seed) for seed in SEEDS], axis=1)
    assert min(leads(values, horizon=horizon)) >= 75


@pytest.mark.parametrize("start", [0.05, 0.10, 0.15])
def test_a_fast_leak_alarms_in_time_wherever_it_starts(start):
    values = np.stack([leak(180, seed, start) for seed in SEEDS], axis=1)
    assert min(leads(values)) >= 75


def test_kills_a_little_below_the_limit_come_within_the_quantiles_of_the_first_alarm():
    """As the kernel does it; other limits are as exact as they say."""
    takes = [180 + 15 * seed for seed in SEEDS]
    values = np.full((round(max(takes) / STEP) + 1, len(takes)), np.nan)
    for i, seconds in enumerate(takes):
        path = leak(seconds, i)
        values[: len(path), i] = path
    memory, exact = (
        replay(values * LIMIT, LIMIT, STEP, 1800.0, metric_class=name)
        for name in ("memory", "connections")
    )
    for i, seconds in enumerate(takes):
        at = int(np.flatnonzero(memory.alarm[:, i])[0])
        for share in (0.98, 0.99, 1.0):
            killed = seconds * (share - 0.1) / 0.9 - at * STEP
            assert memory.ttf[at, i, 0] <= killed <= memory.ttf[at, i, 2]
    told = np.isfinite(exact.ttf) & (exact.ttf > 0)
    assert (memory.ttf[..., 0] < exact.ttf[..., 0])[told[..., 0]].all()
    assert np.array_equal(memory.ttf[..., 1:][told[..., 1:]], exact.ttf[..., 1:][told[..., 1:]])


@pytest.mark.parametrize("idle", [3, 12, 60, 300])
def test_a_leak_that_begins_after_a_rest_alarms_at_least_75_s_before_the_limit(idle):
    random = np.random.default_rng(idle)
    rests = 0.1 + random.normal(0, 0.003, (idle, 10))
    values = np.concatenate([rests, np.stack([leak(180, seed) for seed in SEEDS], axis=1)])
    assert min(leads(values)) >= 75


@pytest.mark.parametrize(("minutes", "lead"), [(4, 90), (10, 200), (30, 600), (60, 900)])
def test_slower_leaks_alarm_with_minutes_left(minutes, lead):
    values = np.stack([leak(minutes * 60, seed) for seed in SEEDS], axis=1)
    assert min(leads(values)) >= lead


@pytest.mark.parametrize("minutes", [3, 4, 10, 30, 60])
def test_leaks_that_allocate_in_large_steps_alarm_before_the_limit(minutes):
    values = np.stack([stairs(minutes * 60, seed) for seed in SEEDS], axis=1)
    assert min(leads(values)) >= 45


@pytest.mark.parametrize("hours", [2, 6, 20])
def test_leaks_of_hours_at_a_minute_alarm_half_an_hour_ahead(hours):
    values = np.stack([leak(hours * 3600, seed, step=60.0) for seed in SEEDS], axis=1)
    found = leads(values, step=60.0, horizon=3600.0)
    assert min(found) >= 1800
    assert max(found) <= 2 * 3600


@pytest.mark.parametrize("kind", scenarios.HEALTHY)
def test_healthy_pods_raise_no_alarm_in_five_minutes(kind):
    values = np.stack([scenarios.HEALTHY[kind](60, seed) for seed in range(200)], axis=1)
    assert not replay(values * LIMIT, LIMIT, STEP, 1800.0).alarm.any()


def test_a_lost_scrape_in_ten_does_not_delay_the_alarm_of_a_fast_leak():
    values = np.stack([leak(180, seed) for seed in SEEDS], axis=1)
    values[np.random.default_rng(0).random(values.shape) < 0.1] = np.nan
    assert min(leads(values)) >= 75


def test_a_restarted_pod_that_leaks_again_alarms_again():
    first, second = leak(180, 1), leak(180, 2)
    values = np.concatenate([first, second])
    restarts = np.zeros(len(values))
    restarts[len(first)] = 1
    alarm = replay(values * LIMIT, LIMIT, STEP, 600.0, restarts=restarts).alarm[:, 0]
    fresh = alarm[len(first) :]
    assert alarm[: len(first)].any()
    assert not fresh[:10].any()
    assert (len(second) - 1 - np.flatnonzero(fresh)[0]) * STEP >= 75


def test_after_an_action_ten_new_samples_are_awaited():
    values = leak(600, 3)
    undisturbed = replay(values, 1.0, STEP, 600.0).alarm[:, 0]
    at = int(np.flatnonzero(undisturbed)[0]) + 2
    breaks = np.zeros(len(values))
    breaks[at] = 1
    alarm = replay(values, 1.0, STEP, 600.0, breaks=breaks).alarm[:, 0]
    assert alarm[at - 1]
    assert not alarm[at : at + 10].any()
    assert alarm[at + 10 :].any()


def test_no_alarm_comes_from_a_level_that_was_survived_before():
    tooth = np.concatenate([np.linspace(0.4, 0.85, 40), np.linspace(0.4, 0.85, 40)])
    random = np.random.default_rng(0)
    values = np.tile(tooth, 4) + random.normal(0, 0.003, 320)
    alarm = replay(values, 1.0, 60.0, 3600.0).alarm[:, 0]
    assert not alarm[40:].any()


def test_peaks_that_grow_under_a_saw_tooth_alarm():
    t = np.arange(240)
    values = 0.3 + 0.7 * t / 240 - 0.10 * (1 - (t / 20) % 1)
    crossing = int(np.flatnonzero(values >= 0.98)[0])
    alarm = replay(values, 1.0, 60.0, 3600.0).alarm[:crossing, 0]
    assert crossing - np.flatnonzero(alarm)[0] >= 15


def test_real_memory_of_healthy_pods_is_almost_silent():
    days = false = 0.0
    for x in pods(held_out=True, day="2023-01-30").values():
        if x.max() == 0:
            continue
        alarm = replay(x / (1.3 * x.max()), 1.0, 60.0, 3600.0).alarm[:, 0]
        false += alarm.any()
        days += len(x) / 1440
    assert false / days <= 0.05


def test_bursty_cpu_is_left_alone():
    random = np.random.default_rng(0)
    values = np.abs(random.normal(0.5, 0.2, (300, 20))).clip(0, 0.99)
    said = replay(values, 1.0, 60.0, 3600.0, metric_class="cpu")
    assert not said.alarm.any()
    assert said.abstained[60:].mean() > 0.5


def surge(rows, begins=200, base=0.2):
    """A pool that doubles its way to the limit within so many rows."""
    t = np.arange(begins + rows + 20)
    grown = (1.02 - base) * np.expm1((t - begins).clip(0, rows) * (6 / rows)) / np.expm1(6.0)
    return base + grown + np.random.default_rng(0).normal(0, 0.002, len(t))


def first_beyond(values):
    return int(np.flatnonzero(values >= 1)[0])


@pytest.mark.parametrize("rows", [30, 36])
def test_no_alarm_begins_where_help_comes_too_late_until_the_limit_is_reached(rows):
    values = surge(rows)
    beyond = first_beyond(values)
    said, hasty = (
        replay(
            values, 1.0, 15.0, 1800.0, metric_class="connections",
            settings=DecisionSettings(too_late_rows=late),
        ).alarm[:, 0]
        for late in (4, 0)
    )  # fmt: skip
    assert hasty[beyond - 1] and not said[:beyond].any()
    assert said[beyond + 4 :].all()


def test_of_load_an_alarm_may_begin_late_because_its_bound_may_be_passed_for_a_moment():
    values = surge(30)
    said, hasty = (
        replay(
            values, 1.0, 15.0, 1800.0, metric_class="load",
            settings=DecisionSettings(too_late_rows=late),
        ).alarm
        for late in (4, 0)
    )  # fmt: skip
    assert hasty[: first_beyond(values)].any() and np.array_equal(said, hasty)


def test_an_alarm_that_began_in_time_goes_on_to_the_limit():
    values = leak(180, 0)
    alarm = replay(values * LIMIT, LIMIT, STEP, 1800.0).alarm[:, 0]
    begins = int(np.flatnonzero(alarm)[0])
    assert len(alarm) - begins > 8 and alarm[begins:].all()


def test_the_operator_begins_no_late_alarm_either_nor_does_one_that_starts_then():
    values, key = surge(30), SeriesKey("shop", "cart-0", "pool")
    beyond = first_beyond(values)

    def samples(first, last):
        return [
            Sample(key, START + 15.0 * t, values[t], 1.0, instance="one")
            for t in range(first, last)
        ]

    always, late = (ExhaustionPredictor(15.0, metric_class="connections") for _ in range(2))
    for t in range(beyond):
        always.ingest(samples(t, t + 1))
        assert not always.evaluate(START + 15.0 * t, 1800.0)[key].alarm
    late.ingest(samples(0, beyond))
    now = START + 15.0 * (beyond - 1)
    assert late.evaluate(now, 1800.0) == always.evaluate(now, 1800.0)
