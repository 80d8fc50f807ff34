"""The demo's objects, from examples/ and crds/ as a person would apply them."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from akeso.cli.demo import names
from akeso.errors import PermanentError

Object = dict[str, Any]

IMAGE = "akeso.local/service:dev"  # what the examples say; a lab has its own tag for it
_INSTALLED = "akeso"  # the namespace that examples/rbac.yaml is written for


def checkout_root() -> Path:
    """The work tree this runs from; an installed package has no examples to show."""
    root = Path(__file__).resolve().parents[4]
    if not (root / "examples" / "demo").is_dir():
        raise PermanentError(
            "The demo needs Akeso's source tree (examples/, crds/ and lab/): clone it and run"
            " `make demo` there."
        )
    return root


def load(path: Path) -> list[Object]:
    """All objects of a file."""
    return [found for found in yaml.safe_load_all(path.read_text()) if found]


def workloads(root: Path, image: str) -> list[Object]:
    """Services, users and the policy, in the demo's namespace and with the lab's image."""
    folder = root / "examples" / "demo"
    found = [o for path in sorted(folder.glob("*.yaml")) for o in load(path)]
    return [_placed(o, image) for o in found]


def is_user(found: Object) -> bool:
    """Whether it is one of the load generators."""
    return bool(found["metadata"]["name"].endswith("-users"))


def release(root: Path, image: str, version: str, error_ratio: str) -> Object:
    """The checkout service in another version."""
    found = next(
        o
        for o in workloads(root, image)
        if (o["kind"], o["metadata"]["name"]) == ("Deployment", names.CHECKOUT)
    )
    for variable in found["spec"]["template"]["spec"]["containers"][0]["env"]:
        variable["value"] = {"VERSION": version, "ERROR_RATIO": error_ratio}[variable["name"]]
    return found


def rights(root: Path) -> list[Object]:
    """examples/rbac.yaml for the demo's own installation, beside any other one."""
    return [_moved(o) for o in load(root / "examples" / "rbac.yaml")]


def namespace(name: str) -> Object:
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}


def _placed(found: Object, image: str) -> Object:
    placed = copy.deepcopy(found)
    placed["metadata"]["namespace"] = names.NAMESPACE
    for container in _containers(placed):
        if container["image"] == IMAGE:
            container["image"] = image
    return placed


def _containers(found: Object) -> Iterator[Object]:
    yield from found["spec"].get("template", {}).get("spec", {}).get("containers", ())


def _moved(found: Object) -> Object:
    moved = copy.deepcopy(found)
    if moved["metadata"].get("namespace") == _INSTALLED:
        moved["metadata"]["namespace"] = names.SYSTEM
    elif moved["kind"].startswith("ClusterRole"):
        moved["metadata"]["name"] = names.SYSTEM
    if moved.get("roleRef", {}).get("kind") == "ClusterRole":
        moved["roleRef"]["name"] = names.SYSTEM
    for subject in moved.get("subjects", ()):
        if subject.get("namespace") == _INSTALLED:
            subject["namespace"] = names.SYSTEM
    return moved
