"""Pods of an installed chart, and who they are to the API server."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from akeso_lab import Lab
from akeso_lab.errors import LabError
from akeso_lab.kubectl import Kubectl
from akeso_lab.processes import local_environment

ACCOUNT = "akeso-operator"


@dataclass(frozen=True)
class Pod:
    name: str
    uid: str


def pods_of(lab: Lab, home: str, count: int = 2, within: float = 60) -> list[Pod]:
    """The operator's pods once so many are ready (on fake nodes: nothing runs in them)."""
    end = time.monotonic() + within
    while True:
        raw = json.loads(lab.kubectl("-n", home, "get", "pods", "-o", "json"))
        found = [pod for pod in raw["items"] if _ready(pod)]
        if len(found) == count:
            return [Pod(p["metadata"]["name"], p["metadata"]["uid"]) for p in found]
        assert time.monotonic() < end, [p["status"] for p in raw["items"]]
        time.sleep(0.3)


def _ready(pod: dict[str, Any]) -> bool:
    stands = {c["type"]: c["status"] for c in pod["status"].get("conditions", [])}
    return stands.get("Ready") == "True" and "deletionTimestamp" not in pod["metadata"]


def kubeconfig_of(lab: Lab, home: str, pod: Pod, folder: Path) -> Path:
    """As the kubelet gives it to the pod: a token that names the pod it was made for."""
    bound = ("--bound-object-kind=Pod", f"--bound-object-name={pod.name}")
    token = lab.kubectl("-n", home, "create", "token", ACCOUNT, *bound).strip()
    document = yaml.safe_load(lab.kubeconfig.read_text())
    document["users"] = [{"name": u["name"], "user": {"token": token}} for u in document["users"]]
    file = folder / f"{pod.name}.kubeconfig"
    file.touch(mode=0o600)
    file.write_text(yaml.safe_dump(document))
    return file


class AsPod:
    """kubectl with a pod's token."""

    def __init__(self, lab: Lab, kubeconfig: Path) -> None:
        self._kubectl = Kubectl(lab.bin / "kubectl", kubeconfig, lab.state, local_environment())

    def does(self, *arguments: str, stdin: str | None = None) -> str:
        return self._kubectl.run(*arguments, stdin=stdin)

    def applies(self, item: dict[str, Any]) -> str:
        """Created, as the operator does it: it may not patch what people write."""
        return self.does("create", "-f", "-", stdin=json.dumps(item))

    def refused(self, item: dict[str, Any]) -> str:
        try:
            said = self.applies(item)
        except LabError as error:
            return str(error)
        raise AssertionError(f"not refused: {said}")


def as_pod(lab: Lab, home: str, pod: Pod, folder: Path) -> AsPod:
    return AsPod(lab, kubeconfig_of(lab, home, pod, folder))
