"""Healthy services with noise: nothing is done, and at rest nothing is written."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from datetime import UTC, datetime

from akeso_lab import Lab
from node.scene import Scene

SECONDS = float(os.environ.get("AKESO_SOAK_SECONDS", "300"))
SETTLE_SECONDS = 60


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
    time.sleep(SETTLE_SECONDS)
    before = {p["metadata"]["uid"] for p in stage.get("pods")}
    settled = datetime.now(UTC)
    end = time.monotonic() + SECONDS
    while time.monotonic() < end:
        assert operator.alive, stage.last_lines()
        time.sleep(5)
    assert stage.healings() == []
    assert {p["metadata"]["uid"] for p in stage.get("pods")} == before
    assert stage.writes(settled) == [], "at rest only the Lease is written"
