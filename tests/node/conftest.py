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


@pytest.fixture(scope="session")
def lab() -> Lab:
    missing = node_requirements()
    if missing:
        what = "; ".join(f"{name}: {why}" for name, why in missing.items())
        if os.environ.get("CI"):
            pytest.fail(f"CI needs the node tier, and this machine can't run a node: {what}")
        pytest.skip(f"no real node here: {what}")
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
