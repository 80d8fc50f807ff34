"""Who does not answer is asked less and less often, but never forgotten for long."""

from __future__ import annotations

import pytest

from akeso.policy.retry import LONGEST_ASKED_SECONDS, LONGEST_SECONDS, pause


def test_the_pause_doubles_up_to_five_minutes():
    pauses = [pause(n, None, 0.0) for n in range(1, 12)]
    assert pauses == [1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300]
    assert pause(10_000, None, 0.0) == LONGEST_SECONDS


def test_chance_takes_away_up_to_half():
    assert [pause(5, None, chance) for chance in (0.0, 0.5, 1.0)] == [16, 12, 8]


@pytest.mark.parametrize(("asked", "wait"), [(0.0, 4), (3.0, 4), (90.0, 90), (1e9, 3600)])
def test_what_the_other_side_asks_for_is_the_least_and_at_most_an_hour(asked, wait):
    assert pause(3, asked, 0.0) == wait <= LONGEST_ASKED_SECONDS
