"""The lab that the cluster tests share: a real API server, started when it is not there."""

from __future__ import annotations

import itertools
import logging
import os
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest

from akeso.clients import shipped
from akeso.clients.kubernetes.rights import roles
from akeso.settings import Settings
from akeso_lab import Lab, Tier, up
from akeso_lab.locks import exclusive
from akeso_lab.parts import NEWEST
from cluster.exporter import exporting
from cluster.harness import USERS, Stage, World, binding, role_of, world

# A killed operator leaves answers that nobody reads; the proxy's server would log each.
logging.getLogger("aiohttp.server").setLevel(logging.CRITICAL)

# Now and then the garbage collector finds a TLS connection that asyncio (CPython 3.11) has lost while
# an operator was killed, in whichever test runs then. What loses it is not known: cancelled
# requests alone do not. Only these two are let pass; the operator is another process.
LOST_CONNECTIONS = (
    r"ignore:Exception ignored in. <socket\.socket :pytest.PytestUnraisableExceptionWarning",
    r"ignore:Exception ignored in. <function _SelectorT:pytest.PytestUnraisableExceptionWarning",
)

CRDS = Path(__file__).parents[2] / "crds"
USER = "akeso-tests"


# What takes minutes begins first: most of it waits, and nothing long is left for the end.
FIRST = (
    "test_load_that_is_coming_is_told_before_it_is_there",
    "test_pods_are_added_before_the_load_and_taken_away_after_it",
    "test_killed_at_any_write_it_ends_the_same_and_does_all_once",
    "test_a_verified_raise_is_proposed_for_good_and_made_so_when_a_person_asks",
    "test_a_limit_is_raised_and_brought_back_when_a_person_asks_and_usage_allows",
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    here = Path(__file__).parent
    for item, lost in itertools.product(items, LOST_CONNECTIONS):
        if here in item.path.parents:
            item.add_marker(pytest.mark.filterwarnings(lost))
    order = {name: place for place, name in enumerate(FIRST)}
    items.sort(key=lambda item: order.get(item.name.partition("[")[0], len(FIRST)))


@pytest.fixture(scope="session")
def lab() -> Lab:
    name = os.environ.get("AKESO_TEST_LAB", "test-cluster")
    return up(name, Tier.CONTROL_PLANE, kubernetes=os.environ.get("AKESO_TEST_KUBERNETES", NEWEST))


@pytest.fixture(scope="session")
def stage(lab: Lab, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """Nodes, custom resources, a user for operators, and metrics; once, whoever comes first."""
    with exclusive(lab.state / ".cluster-tests.lock"):
        lab.add_kwok_nodes(2)
        lab.apply_crds(CRDS)
        lab.apply(*_operators())
        kubeconfig = lab.user_kubeconfig(USER, (USERS,))
    with exporting(lab) as exporter:
        yield Stage(lab, exporter, kubeconfig, USER, tmp_path_factory.mktemp("operators"))


@pytest.fixture
async def here(stage: Stage) -> AsyncIterator[World]:
    """A world of this test's own."""
    async with world(stage) as made:
        yield made


def _operators() -> list[dict[str, Any]]:
    """What an installation with every healer allows in the whole cluster, and no more: so every
    healer's rights are tried. The rights in an operator's own namespace come with its world.
    """
    rights = shipped.rights()
    rules = roles(rights, Settings(), rights["healers"])[None]
    # The worlds' operators watch one namespace each.
    inside = roles(rights, Settings(watch_namespaces=("any",)), ())["any"]
    rules += [rule for rule in inside if rule not in rules]
    role = role_of(rules, {"name": "akeso-operator"})
    return [role, binding(role, {"name": USERS})]
