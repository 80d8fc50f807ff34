"""What a real kubelet says of crashes and volumes is enough to tell a person."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from akeso_lab import Lab
from node.scene import Json, Scene, deployment


def test_a_real_crash_loop_and_a_real_volume_are_told_once_each(
    lab: Lab, scene: Callable[[str], Scene]
) -> None:
    stage = scene("signals")
    folder = lab.state / "volume-signals"
    folder.mkdir(exist_ok=True)
    signals = [
        {"name": "crashes", "builtin": "CrashLooping"},
        # The machine's own disk is no emptier than this.
        {"name": "volumes", "builtin": "VolumeFilling", "threshold": {"value": "0.01"}},
    ]
    stage.service("crashing", EXIT_AFTER_SECONDS="1")
    keeper = deployment(lab, stage.name, "keeper", 1, "64Mi", {})
    pod = keeper["spec"]["template"]["spec"]
    pod["volumes"] = [{"name": "data", "persistentVolumeClaim": {"claimName": "data"}}]
    pod["containers"][0]["volumeMounts"] = [{"name": "data", "mountPath": "/data"}]
    lab.apply(*_claimed(lab, stage.name, str(folder)), keeper)
    try:
        stage.policy(signals=signals)
        stage.start_operator()
        found = stage.wait(lambda: _asking(stage, 2), 180, "both are told")
    finally:
        lab.kubectl("delete", "pv", stage.name, "--wait=false")
    told = {h["spec"]["target"]["name"]: (h["spec"]["signal"], reason) for h, reason in found}
    assert told == {"crashing": ("crashes", "NoLadder"), "keeper": ("volumes", "NoHealer")}
    assert len(stage.healings()) == 2
    messages = [h["spec"]["evidence"]["message"] for h, _ in found]
    assert any("crash-loops" in m and "(exit code 1)" in m for m in messages)
    assert any(m.startswith("volume data is ") and "% full, above 0.01 %" in m for m in messages)


def _asking(stage: Scene, count: int) -> list[tuple[Json, str]] | None:
    """Healings that ask for a person, each with the reason."""
    found = [
        (healing, condition["reason"])
        for healing in stage.healings()
        for condition in healing.get("status", {}).get("conditions", [])
        if condition["type"] == "NeedsHuman" and condition["status"] == "True"
    ]
    return found if len(found) >= count else None


def _claimed(lab: Lab, namespace: str, path: str) -> tuple[Json, Json]:
    """A claim "data" whose volume is a folder of the node: a kubelet measures local volumes."""
    common: dict[str, Any] = {"storageClassName": "", "accessModes": ["ReadWriteOnce"]}
    on = {"key": "kubernetes.io/hostname", "operator": "In", "values": [lab.node_name]}
    volume = {
        "local": {"path": path},
        "capacity": {"storage": "1Gi"},
        "claimRef": {"namespace": namespace, "name": "data"},
        "nodeAffinity": {"required": {"nodeSelectorTerms": [{"matchExpressions": [on]}]}},
    }
    asks = {"resources": {"requests": {"storage": "1Gi"}}, "volumeName": namespace}
    return (
        {
            "apiVersion": "v1",
            "kind": "PersistentVolume",
            "metadata": {"name": namespace},
            "spec": {**common, **volume},
        },
        {
            "apiVersion": "v1",
            "kind": "PersistentVolumeClaim",
            "metadata": {"name": "data", "namespace": namespace},
            "spec": {**common, **asks},
        },
    )
