"""Up the ladder, each rung once, and at its end a person."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from akeso.domain.finding import Outcome
from akeso.policy.ladder import next_rung

LADDER = ("RestartPods", "Rollback")


def test_the_first_rung_comes_first() -> None:
    assert next_rung(LADDER, []) == 0


@pytest.mark.parametrize("outcome", [Outcome.FAILED, Outcome.ERROR])
def test_the_next_rung_follows_one_that_did_not_help(outcome: Outcome) -> None:
    assert next_rung(LADDER, [(0, outcome)]) == 1


@pytest.mark.parametrize("outcome", [Outcome.VERIFIED, Outcome.CLEARED, Outcome.INCONCLUSIVE])
def test_no_rung_follows_one_that_helped_or_may_have_helped(outcome: Outcome) -> None:
    assert next_rung(LADDER, [(0, outcome)]) is None


def test_after_the_last_rung_and_on_an_empty_ladder_a_person_is_next() -> None:
    assert next_rung(LADDER, [(0, Outcome.FAILED), (1, Outcome.FAILED)]) is None
    assert next_rung((), []) is None


@given(
    st.lists(st.sampled_from(LADDER), max_size=4),
    st.lists(st.tuples(st.integers(0, 5), st.sampled_from(Outcome)), max_size=6),
)
def test_no_rung_is_tried_twice(ladder: list[str], attempts: list[tuple[int, Outcome]]) -> None:
    following = next_rung(ladder, attempts)
    assert following is None or (
        0 <= following < len(ladder) and following not in {index for index, _ in attempts}
    )
