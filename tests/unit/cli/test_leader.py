"""Whether an operator runs, as its Lease tells."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from akeso.cli.leader import leader_of
from unit.cli.objects import NOW

SECONDS = 15.0


def lease(age: float, holder: str = "pod-a") -> dict[str, Any]:
    renewed = (NOW - timedelta(seconds=age)).strftime("%Y-%m-%dT%H:%M:%S.123456Z")
    return {"spec": {"holderIdentity": holder, "renewTime": renewed}}


def test_a_lease_that_is_kept_is_a_running_operator():
    found = leader_of(lease(5), SECONDS, NOW)
    assert (found.running, found.holder) == (True, "pod-a")


def test_clocks_that_differ_a_little_make_no_dead_operator():
    assert leader_of(lease(-20), SECONDS, NOW).running
    assert leader_of(lease(SECONDS + 20), SECONDS, NOW).running


def test_a_lease_that_ran_out_is_no_running_operator():
    found = leader_of(lease(3600), SECONDS, NOW)
    assert found.running is False
    assert found.heard_at is not None


def test_a_lease_that_was_given_back_is_no_running_operator():
    assert leader_of(lease(1, holder=""), SECONDS, NOW).running is False


@pytest.mark.parametrize("renewed", ["", "soon"])
def test_a_lease_without_a_time_is_not_taken_for_life(renewed: str):
    broken = {"spec": {"holderIdentity": "pod-a", "renewTime": renewed}}
    assert not leader_of(broken, SECONDS, NOW).running
