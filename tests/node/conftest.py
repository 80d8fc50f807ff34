"""The lab that the node tests share, and what they do on it."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from akeso_lab import Lab, Tier, up
from akeso_lab.machine import node_requirements
from node.scene import Scene

LAB_NAME = os.environ.get("AKESO_TEST_LAB", "test-node")


# Tests that wait longest begin first: the tier takes as long as what ends last. With 10 workers the
# eleventh test follows the first one, the twelfth the second; nothing follows the last few.
FIRST = (
    "test_installed_on_a_real_node_it_heals_is_killed_frozen_upgraded_and_leaves_nothing",
    "test_users_do_not_notice_a_surge_that_was_foreseen",
    "test_a_leak_lives_longer_by_what_was_promised_and_is_never_restarted",
    "test_forecasts_hold_against_the_kubelets_own_records",
    "test_ten_steady_leaks_are_all_healed_before_the_limit",
    "test_the_demo_proves_every_claim_also_after_one_that_was_killed",
    "test_a_bad_rollout_is_undone_in_time[errors]",
    "test_a_bad_rollout_is_undone_in_time[unready]",
    "test_healthy_services_with_noise_are_left_alone",
    "test_without_prometheus_a_slower_leak_is_healed_from_the_metrics_api",
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    order = {name: place for place, name in enumerate(FIRST)}
    items.sort(key=lambda item: order.get(item.name, len(FIRST)))


@pytest.fixture(scope="session")
def node_possible() -> None:
    """Whether this machine can run a node; where not, CI fails and others are told."""
    missing = node_requirements()
    if missing:
        what = "; ".join(f"{name}: {why}" for name, why in missing.items())
        if os.environ.get("CI"):
            pytest.fail(f"CI needs the node tier, and this machine can't run a node: {what}")
        pytest.skip(f"no real node here: {what}")


@pytest.fixture(scope="session")
def lab(node_possible: None) -> Lab:
    return up(LAB_NAME, Tier.NODE)


@pytest.fixture
def scene(lab: Lab, tmp_path: Path) -> Iterator[Callable[[str], Scene]]:
    """Makes a namespace with an operator of its own; all of it goes at the end."""
    made: list[Scene] = []

    def make(name: str) -> Scene:
        found = Scene(lab, name, tmp_path)
        made.append(found)
        found.prepare()
        return found

    yield make
    for found in made:
        found.close()
