"""The operator's image in a real container, as the chart runs it: nobody, and nothing writable."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Iterator
from typing import Any
from urllib.parse import unquote

import pytest

from akeso_lab import Lab
from akeso_lab.places import PROJECT

NAMESPACE = "image"
PYTHON = "/opt/akeso/bin/python"
# Run inside: what is there, what can be used, and what must not be possible.
LOOK = """
import importlib.util, json, os, pathlib, pkgutil, shutil, sys

def importable(package):
    found = []
    for module in pkgutil.walk_packages(package.__path__, package.__name__ + "."):
        # The demo drives a lab, so it needs a checkout.
        if not module.name.startswith("akeso.cli.demo.") and "__main__" not in module.name:
            __import__(module.name)
            found.append(module.name)
    return found

def can_write(folder):
    try:
        (pathlib.Path(folder) / "x").write_text("")
    except OSError:
        return False
    return True

import akeso, akeso_healers, akeso_predictors
modules = [m for p in (akeso, akeso_healers, akeso_predictors) for m in importable(p)]
compiled = [m for m in modules if sys.modules[m].__spec__.cached]
import matplotlib.figure, statsmodels.api, scipy.linalg, pandas
matplotlib.figure.Figure().savefig("/tmp/plot.png")
print(json.dumps({
    "uid": os.getuid(), "gid": os.getgid(),
    "modules": len(modules),
    "not compiled": [m for m in compiled if not os.path.exists(sys.modules[m].__spec__.cached)],
    "pip": importlib.util.find_spec("pip") is not None,
    "programs": [p for p in ("gcc", "cc", "pip", "pip3", "curl", "git") if shutil.which(p)],
    "writable": [f for f in ("/", "/etc", "/opt/akeso", "/usr", "/var", "/tmp") if can_write(f)],
    "sbom": json.loads(pathlib.Path("/opt/akeso/share/akeso/sbom.cdx.json").read_text()),
    "debian": sorted(
        line.removeprefix("Package: ")
        for line in pathlib.Path("/var/lib/dpkg/status").read_text().splitlines()
        if line.startswith("Package: ")
    ),
}))
"""


@pytest.fixture(scope="module")
def image(lab: Lab) -> Iterator[str]:
    reference = lab.operator_image()
    labels = {"pod-security.kubernetes.io/enforce": "restricted"}
    meta = {"name": NAMESPACE, "labels": labels}
    lab.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": meta})
    lab.kubectl("-n", NAMESPACE, "wait", "--for=create", "serviceaccount/default")
    yield reference
    lab.kubectl("delete", "namespace", NAMESPACE, "--wait=false")


def said(lab: Lab, image: str, name: str, **container: Any) -> str:
    """What a pod of the image says before it ends well; the strictest Pod Security Standard."""
    strict = {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    spec = {
        "restartPolicy": "Never",
        "automountServiceAccountToken": False,
        # No user is named: the image's own has to be one that is not root, told by number.
        "securityContext": {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}},
        "containers": [
            {
                "name": "akeso",
                "image": image,
                "imagePullPolicy": "Never",
                "securityContext": strict,
                "volumeMounts": [{"name": "tmp", "mountPath": "/tmp"}],
                **container,
            }
        ],
        "volumes": [{"name": "tmp", "emptyDir": {}}],
    }
    meta = {"name": name, "namespace": NAMESPACE}
    lab.apply({"apiVersion": "v1", "kind": "Pod", "metadata": meta, "spec": spec})
    pod = f"pod/{name}"
    ended = "{.status.containerStatuses[0].state.terminated.exitCode}"
    lab.kubectl("-n", NAMESPACE, "wait", f"--for=jsonpath={ended}", "--timeout=120s", pod)
    told = lab.kubectl("-n", NAMESPACE, "logs", pod)
    code = lab.kubectl("-n", NAMESPACE, "get", pod, "-o", f"jsonpath={ended}")
    assert code == "0", told
    return told


def test_the_image_has_what_runs_and_nothing_to_build_with(lab: Lab, image: str) -> None:
    found = json.loads(said(lab, image, "look", command=[PYTHON, "-c", LOOK]))

    assert (found["uid"], found["gid"]) == (65532, 65532)
    assert found["modules"] > 100 and found["not compiled"] == []
    assert not found["pip"] and found["programs"] == []
    assert found["writable"] == ["/tmp"]

    sbom = found["sbom"]
    version = tomllib.loads((PROJECT / "pyproject.toml").read_text())["project"]["version"]
    component = sbom["metadata"]["component"]
    assert (component["name"], component["version"]) == ("akeso", version)
    purls = [c["purl"] for c in sbom["components"]]
    debian = {
        unquote(p.split("/")[2].split("@")[0]) for p in purls if p.startswith("pkg:deb/debian/")
    }
    assert debian == set(found["debian"])
    locked = [
        line.split("==")
        for line in (PROJECT / "requirements-runtime.lock").read_text().splitlines()
        if "==" in line and not line.startswith(" ")
    ]
    for name, rest in locked:
        assert f"pkg:pypi/{name}@{rest.split()[0]}" in purls


def test_its_entry_point_is_akeso(lab: Lab, image: str) -> None:
    assert "0.1.0" in said(lab, image, "version", args=["version"])
