"""What a back-test calls a failure, a hit, a false alarm, and what it does not judge."""

from __future__ import annotations

import numpy as np
import pytest

from akeso.domain.forecast import Readiness
from akeso_predictors.backtest import Failure, backtest, failures, judge
from unit.predictors.injected import pods

STEP, HORIZON = 60.0, 3600.0


def row_of(values, limit=100.0, restarts=None):
    found = np.asarray(values, dtype=float)
    marks = np.zeros(len(found), bool)
    for at in restarts or ():
        marks[at] = True
    return failures(found, np.full(len(found), limit), marks, STEP)


def test_a_failure_is_where_the_limit_is_reached_and_once_while_it_lasts():
    up = [50.0] * 20 + [100.0, 101, 99, 105] + [50.0] * 20 + [120.0] + [50.0] * 5
    assert row_of(up) == (Failure(20, False), Failure(44, False))


def test_a_restart_right_after_a_sample_near_the_limit_is_a_failure():
    killed = [50.0] * 20 + [80, 92] + [10.0] * 20
    assert row_of(killed, restarts=[22]) == (Failure(22, True),)
    assert row_of([50.0] * 22 + [10.0] * 20, restarts=[22]) == ()
    # Nothing is known of the time between: it failed after the last sample.
    gap = [50.0] * 20 + [80, 92] + [np.nan] * 5 + [10.0] * 20
    assert row_of(gap, restarts=[27]) == (Failure(22, True),)


def test_a_crossing_that_ends_in_a_restart_is_one_failure():
    crossed = [50.0] * 20 + [99, 101] + [10.0] * 20
    assert row_of(crossed, restarts=[22]) == (Failure(21, False),)


def test_a_series_that_begins_above_its_limit_has_not_failed():
    assert row_of([120.0] * 20 + [50.0] * 20) == ()
    assert row_of([120.0] * 20 + [50.0] * 20 + [101.0]) == (Failure(40, False),)


def judged(alarm_rows, failed=(), ends=(480,), total=481):
    alarm = np.zeros(total, bool)
    for begin, end in alarm_rows:
        alarm[begin : end + 1] = True
    below = np.ones(total, bool)
    fails = [Failure(row, False) for row in failed]
    return judge(alarm, fails, np.array(ends, dtype=np.int64), below, STEP, HORIZON)


def test_an_alarm_counts_from_two_horizons_to_five_minutes_before():
    assert judged([(280, 300)], [300]).leads == (1200.0,)
    assert judged([(280, 300)], [300]).foreseen() == 1
    late = judged([(297, 300)], [300])
    assert (late.foreseen(), late.late(), late.missed, late.false) == (0, 1, 0, 0)
    luck = judged([(170, 175)], [300])
    assert (luck.foreseen(), luck.missed, luck.false) == (0, 1, 1)


def test_an_alarm_that_flickers_is_one_and_a_failure_parts_two():
    assert judged([(100, 105), (112, 120)]).false == 1
    assert judged([(100, 105), (117, 120)]).false == 2
    parted = judged([(290, 320)], [300])
    assert parted.foreseen() == 1 and len(parted.alarms) == 1
    again = judged([(290, 299), (302, 305)], [300])
    assert [a.failure for a in again.alarms] == [0, None]


def test_what_nobody_can_know_is_not_judged():
    assert judged([(430, 480)]).false == 0  # the history ends within the horizon
    assert judged([(400, 410)]).false == 1
    assert judged([(100, 110)], ends=(130, 480)).false == 0  # somebody restarted or acted
    assert judged([(100, 110)], ends=(90, 161, 480)).false == 1


def test_on_a_leak_both_methods_are_judged_and_akeso_foresees_it():
    values = np.concatenate([np.full(240, 40.0), 40 + 60 * np.arange(181) / 180, np.full(30, 5.0)])
    values += np.random.default_rng(1).normal(0, 0.2, len(values))
    marks = np.zeros(len(values), bool)
    marks[421] = True
    found = backtest(values, 100.0, STEP, HORIZON, restarts=marks)
    outcome = found.outcomes[0]
    assert len(outcome.failures) == 1
    assert outcome.akeso.foreseen() == 1 and outcome.akeso.false == 0
    assert outcome.linear.foreseen() == 1
    assert outcome.days == pytest.approx(450 / 1440, abs=0.01)


def test_the_reasons_account_for_every_row_that_claims_nothing():
    values = np.full((200, 4), 50.0)
    values[100:150, 1] = np.nan
    values[:, 2] = 120.0
    values[:, 3] = 50 + 30 * np.random.default_rng(0).choice([-1, 1], 200)
    limits = np.array([np.nan, 100.0, 100.0, 100.0])
    found = backtest(values, limits, STEP, HORIZON)
    for s, outcome in enumerate(found.outcomes):
        assert sum(outcome.abstained.values()) == found.replay.abstained[:, s].sum()
    none, gap, over, wild = (o.abstained for o in found.outcomes)
    assert none == {Readiness.NO_LIMIT: 200}
    assert gap == {Readiness.INSUFFICIENT_HISTORY: 14, Readiness.STALE: 47}
    # Fewer than eight samples, too, but that it bounds nothing is what a person can change.
    assert over == {Readiness.NO_LIMIT: 200}
    assert wild[Readiness.BURSTY] > 20


def test_healthy_real_memory_is_watched_all_the_time_and_fails_nowhere():
    series = [x / (1.3 * x.max()) for x in pods("mem", False).values() if x.max() > 0][:8]
    rows = min(map(len, series))
    found = backtest(np.stack([x[:rows] for x in series], axis=1), 1.0, STEP, HORIZON)
    assert not any(o.failures for o in found.outcomes)
    assert sum(o.days for o in found.outcomes) == pytest.approx(8 * rows / 1440)


def test_nothing_is_judged_without_complaint():
    assert backtest(np.zeros((0, 2)), 1.0, STEP, HORIZON).outcomes[1].days == 0
    assert backtest(np.full(9, np.nan), 1.0, STEP, HORIZON).outcomes[0].rows == 0
