"""A limit raised under a running process: seen in its cgroup, and in when the kernel kills."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import datetime
from typing import Any

from akeso_healers.raise_memory import PROMISED
from akeso_lab import Lab
from node.cgroups import folders
from node.scene import Json, Scene

MIB = 2**20
LIMIT, CEILING = 64 * MIB, 96 * MIB
LEAK_SECONDS = 200  # from the start to the limit
RAISE = {"healer": "RaiseMemory", "ceiling": "96Mi", "timeoutSeconds": 120}


def limit_of(pod: Json) -> int:
    """What the kernel enforces on the pod's only container, in bytes."""
    identity = pod["status"]["containerStatuses"][0]["containerID"].rpartition("/")[2]
    files = ("memory.max", "memory.limit_in_bytes")  # cgroup v2, v1
    places = (f / name for f in folders(identity) for name in files)
    [found] = {int(place.read_text()) for place in places if place.exists()}
    return found


def pod_of(stage: Scene, name: str) -> Json:
    [pod] = stage.get("pods", f"app={name}")
    return pod


def container_of(pod: Json) -> Json:
    status: Json = pod["status"]["containerStatuses"][0]
    return status


def ended(stage: Scene, name: str) -> list[Json]:
    mine = [h for h in stage.healings() if h["spec"]["target"]["name"] == name]
    return [h for h in mine if h.get("status", {}).get("completedAt")]


def promised(healing: Json) -> float:
    """Seconds that the raise was to buy at least."""
    evidence, action = healing["spec"]["evidence"], healing["status"]["attempts"][0]["actions"][0]
    early = evidence["timeToThresholdSeconds"]["p10"]
    before, to, value = (float(x) for x in (action["from"], action["to"], evidence["value"]))
    return PROMISED * (to - before) * early / (before - value)


def test_a_leak_lives_longer_by_what_was_promised_and_is_never_restarted(
    lab: Lab, scene: Callable[[str], Scene], record_property: Callable[[str, object], None]
) -> None:
    stage = scene("raise")
    stage.policy(
        signals=[{"name": "memory", "builtin": "MemoryExhaustion", "ladder": [RAISE]}],
        targets=[{"name": "all", "selector": {"matchLabels": {"app": "raised"}}}],
    )
    stage.start_operator()
    for name in ("raised", "twin"):
        stage.service(name, LEAK_BYTES_PER_SECOND=f"{LIMIT / LEAK_SECONDS:.0f}")
    stage.wait(lambda: ended(stage, "raised"), LEAK_SECONDS + 120, "the leak had no verdict")
    [healing, *_] = ended(stage, "raised")
    assert healing["status"]["verdict"] == "Verified", healing["status"]
    pod = pod_of(stage, "raised")
    assert limit_of(pod) == CEILING
    assert container_of(pod)["resources"]["limits"]["memory"] == "96Mi"
    assert container_of(pod)["restartCount"] == 0
    assert pod["metadata"]["uid"] == healing["spec"]["evidence"]["pods"][0]["uid"]
    assert pod["spec"]["containers"][0]["resources"]["requests"]["memory"] == "64Mi"
    stage.wait(lambda: len(stage.deaths.oom) == 2, 240, "no OOM kill")
    lived = first_lives(stage)
    gained, least = lived["raised"] - lived["twin"], promised(healing)
    record_property(
        "a leak's life",
        f"{lived['raised']:.0f} s with RaiseMemory, {lived['twin']:.0f} s without it;"
        f" promised were {least:.0f} s more",
    )
    # The kubelet tells four times in whole seconds.
    assert gained >= least - 2, f"gained {gained:.0f} s, promised {least:.0f} s"


def first_lives(stage: Scene) -> dict[str, float]:
    """Seconds that the first container of each service lived, from the kubelet's records of its end: where
    they stand in a pod's status changes with the restart, which may be still to come."""
    lives: dict[str, float] = {}
    for (pod, started), died in sorted(stage.deaths.lives.items()):
        took = datetime.fromisoformat(died) - datetime.fromisoformat(started)
        lives.setdefault(pod.partition("-")[0], took.total_seconds())
    return lives


def test_a_person_asks_for_room_and_gives_it_back(lab: Lab, scene: Callable[[str], Scene]) -> None:
    stage = scene("room")
    stage.policy(signals=[{"name": "memory", "builtin": "MemoryExhaustion", "ladder": [RAISE]}])
    stage.service("slow", LEAK_BYTES_PER_SECOND=f"{LIMIT / 600:.0f}")
    stage.start_operator()
    stage.wait(lambda: ready(stage, "slow"), 60, "the service is not ready")
    time.sleep(12 * lab.scrape_interval_seconds)  # until there is something to forecast from
    lab.apply(request(stage, "slow"))
    [healing] = stage.wait(lambda: ended(stage, "slow"), 120, "the request had no verdict")
    assert healing["status"]["verdict"] == "Verified", healing["status"]
    assert limit_of(pod_of(stage, "slow")) == CEILING
    undo = '{"spec":{"undo":{"requestedBy":"alice","reason":"an exercise"}}}'
    name = healing["metadata"]["name"]
    lab.kubectl("-n", stage.name, "patch", "heal", name, "--type=merge", "-p", undo)
    stage.wait(lambda: limit_of(pod_of(stage, "slow")) == LIMIT, 60, "the limit came not back")
    assert container_of(pod_of(stage, "slow"))["restartCount"] == 0


def ready(stage: Scene, name: str) -> bool:
    found = stage.get("pods", f"app={name}")
    return bool(found) and all(
        c["ready"] for p in found for c in p["status"].get("containerStatuses", [{"ready": False}])
    )


def request(stage: Scene, name: str) -> dict[str, Any]:
    """A Healing that a person asks for: RaiseMemory of all pods of a Deployment."""
    target = stage.get("deployments", f"app={name}")[0]["metadata"]
    [policy] = [p["metadata"] for p in stage.get("healingpolicies")]
    pod = pod_of(stage, name)["metadata"]
    now = datetime.now().astimezone().isoformat(timespec="seconds")
    return {
        "apiVersion": "akeso.dev/v1alpha1",
        "kind": "Healing",
        "metadata": {"name": f"{name}-asked", "namespace": stage.name},
        "spec": {
            "policyRef": {"name": policy["name"], "uid": policy["uid"]},
            "target": {"kind": "Deployment", "name": name, "uid": target["uid"]},
            "signal": "memory",
            "fingerprint": "asked",
            "origin": "Request",
            "requestedBy": "alice",
            "healer": "RaiseMemory",
            "evidence": {
                "message": "alice expects a busy hour",
                "sampledAt": now,
                "since": now,
                "pods": [{"name": pod["name"], "uid": pod["uid"]}],
            },
        },
    }
