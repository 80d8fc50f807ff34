"""Bad rollouts of real services: undone within 90 s of the first failing pod."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import pytest

from akeso_lab import Lab
from node.scene import Json, Scene

WITHIN_SECONDS = 90

BAD = {
    "errors": {"VERSION": "v2", "ERROR_RATIO": "0.6"},
    "crashing": {"VERSION": "v2", "EXIT_AFTER_SECONDS": "1"},
    "unready": {"VERSION": "v2", "UNREADY": "1"},
}


def _version(pod: Json) -> str:
    environment = pod["spec"]["containers"][0].get("env", [])
    return next((e["value"] for e in environment if e["name"] == "VERSION"), "")


def traffic(stage: Scene, lab: Lab) -> None:
    lab.apply(
        {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": {"name": "web", "namespace": stage.name},
            "spec": {"selector": {"app": "web"}, "ports": [{"port": 80, "targetPort": 8080}]},
        },
        {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {"name": "load", "namespace": stage.name},
            "spec": {
                "terminationGracePeriodSeconds": 1,
                "containers": [
                    {
                        "name": "load",
                        "image": lab.service_image,
                        "imagePullPolicy": "Never",
                        "args": [
                            "load",
                            "-url=http://web/",
                            "-rps=20",
                        ],
                    }
                ],
            },
        },
    )


def _healthy_revision_known(stage: Scene) -> bool:
    policy = stage.get("healingpolicies")[0]
    return bool(policy.get("status", {}).get("revisions"))


def _answered(lab: Lab, stage: Scene) -> int:
    """How many pods were asked for something in the last half minute."""
    rate = f'rate(http_requests_total{{namespace="{stage.name}"}}[30s])'
    return len(lab.query(f"sum by (pod) ({rate}) > 0"))


@pytest.mark.parametrize("kind", list(BAD))
def test_a_bad_rollout_is_undone_in_time(
    kind: str, lab: Lab, scene: Callable[[str], Scene]
) -> None:
    stage = scene(f"rollout-{kind}")
    stage.policy()
    stage.start_operator()
    stage.service("web", replicas=3, VERSION="v1")
    traffic(stage, lab)
    stage.wait(lambda: _healthy_revision_known(stage), 120, "v1 was not seen healthy")
    # Without requests nobody sees errors, and the bad release would count as a good one.
    stage.wait(lambda: _answered(lab, stage) == 3, 120, "no requests reached all pods of v1")

    stage.service("web", replicas=3, **BAD[kind])
    bad: dict[str, Any] = {}

    def gone() -> bool:
        pods = [p for p in stage.get("pods", "app=web") if _version(p) == "v2"]
        if pods and "first" not in bad:
            bad["first"] = time.monotonic()
        if not pods and "first" in bad:
            bad["last"] = time.monotonic()
        return "last" in bad

    stage.wait(gone, 240, "pods of the bad rollout were still there")
    took = bad["last"] - bad["first"]
    healing = stage.wait(
        lambda: next((h for h in stage.healings() if h.get("status", {}).get("verdict")), None),
        120,
        "the rollback had no verdict",
    )
    assert healing["status"]["verdict"] == "Verified", healing["status"]
    assert healing["status"]["attempts"][0]["healer"] == "Rollback"
    assert took <= WITHIN_SECONDS, f"{took:.0f} s\n{stage.last_lines()}"
    assert len(stage.healings()) == 1, [h["status"] for h in stage.healings()]
    pods = stage.get("pods", "app=web")
    assert {_version(p) for p in pods} == {"v1"}
