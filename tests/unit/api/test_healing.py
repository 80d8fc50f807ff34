from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from akeso.api.control import Paused
from akeso.api.healing import Guard
from akeso.domain.verdict import allow, deny

NOW = datetime(2026, 12, 1, 9, tzinfo=UTC)


@pytest.mark.parametrize(
    ("wait", "seconds"), [(None, None), (0.0, 0), (0.2, 1), (59.9, 60), (-3, 0)]
)
def test_a_guards_wait_is_rounded_up_so_that_nobody_asks_too_early(wait, seconds):
    guard = Guard.of(deny("cooldown", "CoolingDown", "healed 2 minutes ago", wait))
    assert guard.retry_after_seconds == seconds
    assert not guard.allowed


def test_a_guard_that_allows_is_on_record_as_well():
    guard = Guard.of(allow("mode", "mode is Heal"))
    assert (guard.guard, guard.allowed, guard.reason) == ("mode", True, "Allowed")


def test_a_pause_ends_at_its_time_and_one_without_time_does_not_end_by_itself():
    until = Paused(reason="stocktaking", until=NOW)
    assert until.holds(NOW - timedelta(seconds=1))
    assert not until.holds(NOW)
    assert Paused(reason="stocktaking").holds(NOW + timedelta(days=1000))
