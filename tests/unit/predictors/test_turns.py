"""Turns: found once, whatever way the rows come; and what their growth means."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from akeso.domain.forecast import Sample, SeriesKey
from akeso_predictors import ExhaustionPredictor, replay
from akeso_predictors.turns import CUT, ENDED, REACHED, fresh_swing, known, scan

SWING = 0.08


def scanned(values, resets=None):
    """The history of turns of a series (T,), and the swing after it."""
    rows = np.asarray(values, dtype=float)[None, :]
    marks = np.zeros(rows.shape, dtype=int) if resets is None else resets[None, :].astype(int)
    age = np.arange(rows.shape[1])[None, :] + 1
    at = np.maximum.accumulate(np.where(marks > 0, age, 1), axis=1)
    return scan(rows, np.full(rows.shape, SWING), marks, age - at + 1, fresh_swing(1))


def heap(rows, young=8, full=60, live=0.3, ceiling=0.95):
    """A heap that swings up to its ceiling; `live` is a level or one per row."""
    t = np.arange(rows)
    garbage = 0.6 * (t % full / full) ** 0.5 + 0.4 * (t % young / young)
    return live + (ceiling - live) * garbage


def test_peaks_and_their_heights_are_told_newest_last():
    values = [0.2, 0.5, 0.8, 0.4, 0.3, 0.6, 0.9, 0.5]
    history, swing = scanned(values)
    turns = history.at(np.array([0]), np.array([7]))
    assert turns.level[0, -2:].tolist() == [0.8, 0.9]
    assert turns.ago[0, -2:].tolist() == [5, 1]
    assert turns.height[0, -2:] == pytest.approx([0.6, 0.6])
    assert np.isnan(turns.level[0, :-2]).all()
    assert history.at(np.array([0]), np.array([6])).level[0, -1] == 0.8
    assert known(swing, np.array([8])).level[0, -1] == 0.9


def test_swings_that_are_too_small_are_no_turns():
    history, _ = scanned(0.5 + 0.03 * np.sin(np.arange(50)))
    assert np.isnan(history.at(np.array([0]), np.array([49])).level).all()


def test_floors_are_what_full_collections_leave():
    values = heap(300)
    history, _ = scanned(values)
    floors = history.at(np.array([0]), np.array([299])).floor_level[0]
    assert np.nanmax(floors) < 0.45


def test_another_instance_has_no_turns_yet():
    values = np.tile([0.3, 0.6, 0.9, 0.6], 10)
    resets = np.zeros(40, dtype=bool)
    resets[30] = True
    history, _ = scanned(values, resets)
    assert np.isfinite(history.at(np.array([0]), np.array([29])).level).any()
    assert np.isnan(history.at(np.array([0]), np.array([30])).level).all()


def test_a_rise_is_told_with_its_pace_and_outlives_its_instance():
    values = np.concatenate([np.full(20, 0.2), np.linspace(0.2, 0.8, 31), np.full(3, 0.3)])
    resets = np.zeros(len(values), dtype=int)
    resets[-3] = ENDED
    rises = scanned(values, resets)[0].at(np.array([0]), np.array([len(values) - 1])).rises()[0, -1]
    ago, top, height, pace, reached = rises
    assert (ago, top, height, reached) == (3, pytest.approx(0.8), pytest.approx(0.6), 0)
    assert pace == pytest.approx(0.02, rel=0.1)


@pytest.mark.parametrize(("held", "told"), [(0, 0), (40, 1)])
def test_a_rise_cut_short_is_told_only_if_it_was_over_by_itself(held, told):
    values = np.concatenate([np.linspace(0.2, 0.8, 31), np.full(held, 0.8), np.full(3, 0.3)])
    resets = np.zeros(len(values), dtype=int)
    resets[-3] = CUT
    turns = scanned(values, resets)[0].at(np.array([0]), np.array([len(values) - 1]))
    assert np.isfinite(turns.rises()[0, :, 0]).sum() == told
    assert np.isnan(turns.level).all()


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 10_000))
def test_row_by_row_the_same_turns_are_found(seed):
    random = np.random.default_rng(seed)
    rows = 120
    values = np.cumsum(random.normal(0, 0.06, (3, rows)), axis=1) + 3
    values[random.random(values.shape) < 0.05] = np.nan
    begun = (random.random(values.shape) < 0.05) & np.isfinite(values)
    resets = np.where(begun, random.integers(ENDED, REACHED + 1, values.shape), 0)
    age = np.broadcast_to(np.arange(1, rows + 1), values.shape)
    swings = np.full(values.shape, SWING)
    whole, end = scan(values, swings, resets, age, fresh_swing(3))
    swing = fresh_swing(3)
    for t in range(rows):
        one = slice(t, t + 1)
        part, swing = scan(values[:, one], swings[:, one], resets[:, one], age[:, one], swing)
        here = part.at(np.arange(3), np.zeros(3, dtype=np.int64))
        # Turns of instances that have ended are not asked for.
        own = begun[:, : t + 1].any(axis=1)
        there = whole.at(np.arange(3), np.full(3, t)).take(np.flatnonzero(~own))
        mine = here.take(np.flatnonzero(~own))
        for name in (
            "ago", "level", "height", "summit_ago", "summit_level", "floor_ago", "floor_level", "trough_ago", "trough_level", "trough_top",
            "peaks",
        ):  # fmt: skip
            np.testing.assert_array_equal(getattr(mine, name), getattr(there, name))
    np.testing.assert_array_equal(end.peaks, swing.peaks)
    np.testing.assert_array_equal(end.summits, swing.summits)
    np.testing.assert_array_equal(end.floors, swing.floors)
    np.testing.assert_array_equal(end.troughs, swing.troughs)


def test_a_heap_whose_floor_holds_is_silent_and_one_whose_floor_creeps_is_not():
    rows = 720
    random = np.random.default_rng(0)
    noise = random.normal(0, 0.003, rows)
    silent = replay(heap(rows) + noise, 1.0, 60.0, 3600.0)
    assert not silent.alarm[120:].any()
    live = 0.3 + 0.7 * np.maximum(np.arange(rows) - 200, 0) / 400
    creeping = heap(rows, live=live, ceiling=np.maximum(0.97, live)) + noise
    crossing = int(np.flatnonzero(creeping >= 1)[0])
    alarm = replay(creeping, 1.0, 60.0, 3600.0).alarm[:crossing, 0]
    assert crossing - np.flatnonzero(alarm[300:])[0] - 300 >= 15


def collected(live, pace=0.02, ceiling=0.9):
    """A heap that fills by `pace` a row and is collected at its ceiling down to what `live` (T,) holds."""
    level, rows = float(live[0]), []
    for least in live:
        level = max(level + pace, least)
        if level > ceiling:
            level = least
        rows.append(level)
    return np.array(rows)


def crept(rows=480, since=200, takes=220):
    """What lives, flat at first, and then on its way from .3 to the limit and beyond."""
    return 0.3 + 0.7 * np.maximum(np.arange(rows) - since, 0) / takes


def test_troughs_that_climb_although_every_collection_is_a_full_one_alarm():
    noise = np.random.default_rng(0).normal(0, 0.003, 480)
    holding = replay(collected(np.full(480, 0.3)) + noise, 1.0, 60.0, 3600.0)
    assert not holding.alarm[60:].any()
    values = collected(crept()) + noise
    crossing = int(np.flatnonzero(values >= 1)[0])
    alarm = replay(values, 1.0, 60.0, 3600.0).alarm[:crossing, 0]
    assert crossing - np.flatnonzero(alarm[200:])[0] - 200 >= 15


def test_troughs_that_climbed_before_a_full_collection_are_no_news():
    """Collections of the young only, whose troughs climb, and a full one after eight of them: again and
    again."""
    tops = np.linspace(0.5, 0.9, 8)
    cycle = np.concatenate([np.linspace(top - 0.15, top, 6) for top in tops])
    noise = np.random.default_rng(0).normal(0, 0.003, 10 * len(cycle))
    said = replay(np.tile(cycle, 10) + noise, 1.0, 60.0, 3600.0)
    assert not said.alarm[2 * len(cycle) :].any()


def test_troughs_that_climbed_say_nothing_once_the_level_stays_below_their_line():
    live = np.minimum(crept(takes=150), 0.78)
    settled = int(live.argmax())
    values = np.where(np.arange(len(live)) < settled, collected(live), 0.78)
    values += np.random.default_rng(0).normal(0, 0.002, len(live))
    said = replay(values, 1.0, 60.0, 3600.0)
    assert said.probability[settled - 30 : settled].max() > 0.5
    assert said.probability[settled + 20 : settled + 60].max() < 0.3


def test_deep_bursts_hide_a_trend_but_not_that_the_peaks_of_a_saw_tooth_grow():
    """Each tooth is deeper than what ends a leg, and its fall a burst that no fit could foresee."""
    t = np.arange(300)
    noise = np.random.default_rng(0).normal(0, 0.003, len(t))
    tooth = t % 8 / 7
    same = replay(0.35 * (1 + tooth) + noise, 1.0, 60.0, 3600.0)
    assert same.abstained[100:].mean() > 0.9 and not same.alarm.any()
    live = 0.35 + 0.3 * np.maximum(t - 150, 0) / 150
    values = live * (1 + tooth) + noise
    crossing = int(np.flatnonzero(values >= 1)[0])
    said = replay(values, 1.0, 60.0, 3600.0)
    alarm = said.alarm[:crossing, 0]
    assert crossing - np.flatnonzero(alarm)[0] >= 20
    assert not said.abstained[crossing - 20 : crossing].any()


@pytest.mark.parametrize("seed", range(3))
def test_where_teeth_are_many_their_summits_tell_what_the_last_peaks_do_not(seed):
    """Peaks scatter by more than they grow from one to the next; eight of them span 40 minutes, their
    summits hours."""
    t = np.arange(400)
    scatter = np.repeat(np.random.default_rng(seed).normal(0, 0.012, 80), 5)
    top = 0.6 + 0.4 * np.maximum(t - 100, 0) / 210 + scatter
    values = top - 0.2 + 0.2 * (t % 5 / 4)
    history, _ = scanned(values)
    known_of = history.at(np.array([0]), np.array([300]))
    assert known_of.summit_ago[0, 0] > 3 * known_of.ago[0, 0]
    crossing = int(np.flatnonzero(values >= 1)[0])
    alarm = replay(values, 1.0, 60.0, 3600.0).alarm[:crossing, 0]
    assert crossing - np.flatnonzero(alarm)[0] >= 20


def test_peaks_that_grow_with_what_lives_alarm_before_one_passes():
    t = np.arange(600)
    live = 0.25 + 0.25 * np.maximum(t - 100, 0) / 400
    values = live * (1 + (t % 25) / 25)
    crossing = int(np.flatnonzero(values >= 1)[0])
    alarm = replay(values, 1.0, 60.0, 3600.0).alarm[:crossing, 0]
    assert crossing - np.flatnonzero(alarm)[0] >= 20


def test_peaks_that_were_not_seen_to_begin_to_grow_are_believed_less():
    """Young collections grow until the first full one: that is news only after they had not."""
    tops = np.linspace(0.62, 0.86, 8)
    growing = np.concatenate([np.linspace(top - 0.2, top, 12) for top in tops])
    level = np.tile(np.linspace(0.4, 0.6, 12), 25)
    noise = np.random.default_rng(0).normal(0, 0.002, len(level) + len(growing))
    young = replay(growing + noise[: len(growing)], 1.0, 60.0, 3600.0).probability[:, 0]
    rested = replay(np.concatenate([level, growing]) + noise, 1.0, 60.0, 3600.0)
    assert rested.probability[-20:, 0].max() > young[-20:].max() + 0.05


def test_the_operator_knows_the_same_turns():
    """Longer than the window, so that only what is carried can tell."""
    t = np.arange(420)
    live = 0.25 + 0.25 * np.maximum(t - 60, 0) / 400
    values = np.stack([live * (1 + (t % 25) / 25), heap(420, live=live, ceiling=0.97)], axis=1)
    values[np.random.default_rng(0).random(values.shape) < 0.02] = np.nan
    said = replay(values, 1.0, 60.0, 3600.0)
    predictor = ExhaustionPredictor(60.0)
    keys = [SeriesKey("shop", f"pod-{s}", "app") for s in range(2)]
    for row in range(len(t)):
        now = 1e9 + 60.0 * row
        predictor.ingest(
            Sample(key, now, float(v), 1.0, "a")
            for key, v in zip(keys, values[row], strict=True) if np.isfinite(v)
        )  # fmt: skip
        found = predictor.evaluate(now, 3600.0)
        for s, key in enumerate(keys):
            if key in found:
                assert found[key].alarm == said.alarm[row, s]
                assert (found[key].probability or 0) == pytest.approx(
                    said.probability[row, s], abs=5e-3
                )


def test_a_job_that_comes_again_alarms_at_most_the_first_time():
    random = np.random.default_rng(3)
    rises = [np.linspace(0.3, top, 50) for top in (0.86, 0.88, 0.85, 0.89, 0.87, 0.88)]
    days = np.concatenate([np.concatenate([rise, np.full(60, 0.3)]) for rise in rises])
    alarm = replay(days + random.normal(0, 0.003, len(days)), 1.0, 60.0, 3600.0).alarm[:, 0]
    assert not alarm[110:].any()


def test_a_rise_that_was_not_seen_to_begin_is_believed_less_than_one_from_a_rest():
    random = np.random.default_rng(1)
    rise = np.linspace(0.5, 0.8, 40)
    noise = random.normal(0, 0.002, 140)
    bare = replay(rise + noise[100:], 1.0, 60.0, 3600.0).probability[-1, 0]
    rested = np.concatenate([np.full(100, 0.5), rise]) + noise
    assert replay(rested, 1.0, 60.0, 3600.0).probability[-1, 0] > bare + 0.05


def test_disks_wait_until_little_is_free():
    filling = np.concatenate([np.full(80, 0.5), np.linspace(0.5, 0.84, 120)])
    assert replay(filling, 1.0, 60.0, 4 * 3600.0).alarm.any()
    assert not replay(filling, 1.0, 60.0, 4 * 3600.0, metric_class="disk").alarm.any()
