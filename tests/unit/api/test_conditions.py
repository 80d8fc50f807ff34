from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from akeso.api.conditions import Condition, get_condition, is_true, set_condition

NOW = datetime(2026, 12, 1, 9, tzinfo=UTC)
LATER = NOW + timedelta(minutes=5)

ready = set_condition((), "Ready", True, "Watching", "12 targets", NOW, 1)


def test_a_new_condition_goes_to_the_end_and_leaves_the_others_alone():
    both = set_condition(ready, "Degraded", False, "AllThere", "nothing is missing", LATER, 1)
    assert [c.type for c in both] == ["Ready", "Degraded"]
    assert both[0] is ready[0]
    assert both[1].last_transition_time == LATER


def test_the_same_condition_again_is_the_same_tuple_so_that_nothing_is_written():
    assert set_condition(ready, "Ready", True, "Watching", "12 targets", LATER, 1) is ready


def test_the_time_stays_while_only_reason_message_or_generation_change():
    (after,) = set_condition(ready, "Ready", True, "Conflict", "2 targets", LATER, 2)
    assert after.last_transition_time == NOW
    assert (after.reason, after.message, after.observed_generation) == ("Conflict", "2 targets", 2)


@pytest.mark.parametrize(("status", "word"), [(False, "False"), (None, "Unknown")])
def test_the_time_moves_when_the_status_changes(status, word):
    (after,) = set_condition(ready, "Ready", status, "NoData", "no samples", LATER, 1)
    assert (after.status, after.last_transition_time) == (word, LATER)


def test_only_true_is_true():
    unknown = set_condition(ready, "Ready", None, "NoData", "no samples", LATER, 1)
    assert is_true(ready, "Ready")
    assert not is_true(unknown, "Ready")
    assert not is_true((), "Ready")
    assert get_condition((), "Ready") is None


def test_a_message_too_long_for_the_object_is_cut_and_does_not_cost_the_write():
    (after,) = set_condition((), "Ready", False, "Refused", "x" * 5000, NOW, 1)
    assert len(after.message) == 1024
    assert after.message.endswith("x…")


def test_a_reason_that_the_api_server_would_refuse_is_refused_at_once():
    with pytest.raises(ValidationError):
        set_condition((), "Ready", False, "two words", "", NOW, 1)


changes = st.tuples(
    st.sampled_from(["Ready", "Degraded", "Acting"]), st.sampled_from([True, False, None])
)


@given(st.lists(changes, max_size=20))
def test_whatever_is_set_there_is_one_condition_per_type_with_the_last_status(history):
    conditions: tuple[Condition, ...] = ()
    expected: dict[str, bool | None] = {}
    since: dict[str, datetime] = {}
    for minute, (kind, status) in enumerate(history):
        now = NOW + timedelta(minutes=minute)
        if kind not in expected or expected[kind] != status:
            since[kind] = now
        expected[kind] = status
        conditions = set_condition(conditions, kind, status, "Because", "", now, 1)
    words = {True: "True", False: "False", None: "Unknown"}
    assert {c.type: c.status for c in conditions} == {k: words[s] for k, s in expected.items()}
    assert {c.type: c.last_transition_time for c in conditions} == since
    assert len(conditions) == len(expected)
