"""Healthy services with noise: nothing is done, and at rest nothing is written."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from akeso_lab import Lab
from node.scene import Scene

SECONDS = float(os.environ.get("AKESO_SOAK_SECONDS", "300"))
SERVICES = {"saw", "quick-saw", "full", "flat"}


def _settled(policy: dict[str, Any]) -> bool:
    """What runs has been seen healthy for long enough to be remembered, the last that Akeso writes
    of services that are left alone."""
    status = policy.get("status", {})
    ready = any(
        c["type"] == "Ready" and c["status"] == "True" for c in status.get("conditions", ())
    )
    return ready and {r["name"] for r in status.get("revisions", ())} == SERVICES


def test_healthy_services_with_noise_are_left_alone(
    lab: Lab, scene: Callable[[str], Scene]
) -> None:
    stage = scene("healthy")
    stage.service("saw", BASE_BYTES="20Mi", NOISE_BYTES="20Mi", NOISE_PERIOD_SECONDS="40")
    stage.service("quick-saw", BASE_BYTES="10Mi", NOISE_BYTES="30Mi", NOISE_PERIOD_SECONDS="13")
    stage.service("full", BASE_BYTES="52Mi", NOISE_BYTES="1Mi", NOISE_PERIOD_SECONDS="30")
    stage.service("flat", replicas=2, BASE_BYTES="30Mi")
    stage.policy()
    operator = stage.start_operator()
    # Containers start when the node gets to it: the services say when they are at rest.
    stage.wait(
        lambda: _settled(stage.get("healingpolicies")[0]),
        240,
        "healthy services were not remembered",
    )
    before = {p["metadata"]["uid"] for p in stage.get("pods")}
    settled = datetime.now(UTC)
    end = time.monotonic() + SECONDS
    while time.monotonic() < end:
        assert operator.alive, stage.last_lines()
        time.sleep(5)
    assert stage.healings() == []
    assert {p["metadata"]["uid"] for p in stage.get("pods")} == before
    assert stage.writes(settled) == [], f"at rest only the Lease: {stage.get('healingpolicies')}"
