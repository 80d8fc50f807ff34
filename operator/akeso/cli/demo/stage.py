"""Builds the scene in the lab's cluster, and clears it away whatever state it is in."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from akeso.cli.demo import manifests, names
from akeso.errors import PermanentError
from akeso_lab import Lab, LabError

GONE_SECONDS = 90.0  # for namespaces: pods end within their grace period


def open_lab(name: str) -> Lab:
    """The lab that `up` started; PermanentError says how to start one."""
    try:
        lab = Lab.load(name)
    except LabError as error:
        raise PermanentError(_sentence(error)) from None
    if not lab.node or lab.service_image is None or lab.prometheus is None:
        why = "; ".join(lab.missing.values()) or "it was started as a control plane only"
        raise PermanentError(
            f"Lab {name} has no real node ({why}), so nothing can leak there; start one as root:"
            f" python -m akeso_lab up --name {name} --tier node"
        )
    return lab


def _sentence(error: LabError) -> str:
    """LabError is made for the lab's own output; ours is one sentence."""
    return (
        f"Lab {error.part}: {error.what}. {error.remedy[0].upper()}{error.remedy[1:]} --tier node"
    )


@dataclass(frozen=True)
class Stage:
    """The demo's part of a lab's cluster. Every method blocks; LabError when kubectl complains."""

    lab: Lab
    root: Path

    @property
    def image(self) -> str:
        return self.lab.service_image or manifests.IMAGE

    def clear(self) -> None:
        """Removes all of the demo, also what a killed run left behind; waits until it is gone.

        The custom resources' definitions stay: they are the cluster's, not the demo's.
        """
        kubectl = self.lab.kubectl
        kubectl("delete", "clusterrolebinding,clusterrole", names.SYSTEM, "--ignore-not-found")
        both = (names.NAMESPACE, names.SYSTEM)
        kubectl("delete", "namespace", *both, "--ignore-not-found", "--wait=false")
        # The kubelet gives pods their grace period; nobody needs these to end well.
        pods = ("pods", "--all", "--grace-period=0", "--force", "--wait=false")
        for namespace in both:
            kubectl("-n", namespace, "delete", *pods)
        deadline = time.monotonic() + GONE_SECONDS
        while kubectl("get", "namespace", *both, "--ignore-not-found", "-o", "name"):
            if time.monotonic() > deadline:
                raise PermanentError(
                    f"Namespace {names.NAMESPACE} does not go away; see what holds it: kubectl"
                    f" get namespace {names.NAMESPACE} -o yaml"
                )
            time.sleep(0.5)

    def install(self) -> Path:
        """Kinds, namespaces and the operator's rights; the operator's kubeconfig."""
        self.lab.apply_crds(self.root / "crds")
        spaces = (manifests.namespace(n) for n in (names.SYSTEM, names.NAMESPACE))
        self.lab.apply(*spaces, *manifests.rights(self.root))
        # A certificate for the very name of the service account: RBAC sees no difference.
        return self.lab.user_kubeconfig(names.OPERATOR_USER)

    def open(self) -> None:
        """The services and the policy."""
        self.lab.apply(*(o for o in self._objects() if not manifests.is_user(o)))

    def let_users_in(self) -> None:
        """The load generators: users come when the services are ready, and count from then on."""
        self.lab.apply(*(o for o in self._objects() if manifests.is_user(o)))

    def _objects(self) -> list[manifests.Object]:
        return manifests.workloads(self.root, self.image)

    def release(self, version: str, error_ratio: str) -> None:
        """A new version of the checkout service, as its owner would release it."""
        self.lab.apply(manifests.release(self.root, self.image, version, error_ratio))

    def next_release_conflict(self) -> str | None:
        """What the owner's next release would meet, tried without doing it; None: nothing."""
        wanted = manifests.release(self.root, self.image, names.NEXT, "0")
        try:
            self.lab.kubectl(
                "apply", "--server-side", "--dry-run=server", "-f", "-", stdin=json.dumps(wanted)
            )
        except LabError as error:
            return error.what
        return None

    def listed(self, kind: str) -> list[dict[str, Any]]:
        """All objects of a kind in the demo's namespace."""
        found = json.loads(self.lab.kubectl("-n", names.NAMESPACE, "get", kind, "-o", "json"))
        items: list[dict[str, Any]] = found["items"]
        return items
