"""Least privilege, seen: what operators did in all tiers is what rights.yaml grants, and no less.

The last step of `tests/run all`, which tells with AKESO_TEST_RIGHTS where each tier has left what
its audit log held, and with AKESO_TEST_RIGHTS_OF which tiers there were.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
import yaml

from rights.compare import grants, never_seen, not_granted
from rights.harvest import RIGHTS, Harvest

FOLDER = os.environ.get("AKESO_TEST_RIGHTS")
# Verb, group and resource that are allowed by something else than rights.yaml, or that no test is to
# need; each with why.
GRANTED_ELSEWHERE = {
    ("create", "coordination.k8s.io", "leases"): "examples/rbac.yaml: no chart has made the Lease",
    ("create", "authorization.k8s.io", "selfsubjectaccessreviews"): "system:basic-user",
    ("create", "authentication.k8s.io", "selfsubjectreviews"): "system:basic-user",
}
UNUSED: dict[tuple[str, str, str], str] = {}

Tiers = dict[str, Harvest]


@pytest.fixture(scope="module")
def tiers() -> Tiers:
    if FOLDER is None:
        pytest.skip("tests/run all runs it, after the tiers that it is about")
    names = os.environ["AKESO_TEST_RIGHTS_OF"].split()
    missing = [name for name in names if not (Path(FOLDER) / f"{name}.json").exists()]
    assert not missing, f"no record of {', '.join(missing)}: its audit log was not read"
    return {name: Harvest.read(Path(FOLDER) / f"{name}.json") for name in names}


@pytest.fixture(scope="module")
def rights() -> Any:
    return yaml.safe_load(RIGHTS.read_text())


def test_every_tier_had_operators_at_work(tiers: Tiers) -> None:
    without_node = not tiers["node"].node and not os.environ.get("CI")
    for name, found in tiers.items():
        if not (name == "node" and without_node):  # skipped there, out loud
            assert found.seen, f"no operator's request is in the audit log of {name}"


def test_nothing_was_done_that_is_not_granted(tiers: Tiers, rights: Any) -> None:
    seen = {
        request
        for found in tiers.values()
        for request in found.seen
        if (request.verb, request.group, request.resource) not in GRANTED_ELSEWHERE
    }
    too_much = not_granted(seen, grants(rights))

    assert not too_much, "\n" + "\n".join(map(str, too_much))


def test_nothing_is_granted_that_was_never_done(tiers: Tiers, rights: Any) -> None:
    if not any(found.node for found in tiers.values()):
        assert not os.environ.get("CI"), "CI needs the node tier"
        pytest.skip("no real node here, and some rights are used only there")
    seen = {request for found in tiers.values() for request in found.seen}
    unused = never_seen(seen, grants(rights))
    known = {(g.verb, g.group, g.resource) for g in unused} & UNUSED.keys()

    spare = [str(g) for g in unused if (g.verb, g.group, g.resource) not in UNUSED]
    assert not spare, "\n" + "\n".join(spare)
    assert known == UNUSED.keys(), "an exception that is none any more: take it out"
