"""A cluster that somebody else runs, described as a lab: nothing is started or stopped."""

from __future__ import annotations

import shutil
from pathlib import Path

import yaml

from akeso_lab.build import binary_path
from akeso_lab.errors import LabError
from akeso_lab.lab import Lab
from akeso_lab.parts import Tier, part_named
from akeso_lab.places import state_dir
from akeso_lab.plan import Plan


def adopt(name: str, kubeconfig: Path, prometheus: str | None = None) -> Lab:
    """Write the ``lab.json`` of the cluster that ``kubeconfig`` leads to."""
    state = state_dir(name)
    if Plan.load(state) is not None:
        raise LabError(name, "is a lab of its own", "choose another --name, or `down` it first")
    server, kubectl = _server(kubeconfig), _kubectl()
    state.mkdir(parents=True, mode=0o700, exist_ok=True)
    lab = Lab(
        name,
        Tier.NODE,
        state,
        kubeconfig.resolve(),
        server,
        kubectl.parent,
        prometheus=prometheus,
        node=True,
        foreign=True,
        missing={"audit_log": "the cluster is not ours", "kwok": "the cluster is not ours"},
    )
    lab.save()
    return lab


def api_answers(lab: Lab) -> bool:
    try:
        lab.kubectl("get", "--raw", "/readyz", "--request-timeout=5s")
    except LabError:
        return False
    return True


def _server(kubeconfig: Path) -> str:
    """The API server of the current context."""
    try:
        document = yaml.safe_load(kubeconfig.read_text())
        contexts = {item["name"]: item["context"] for item in document["contexts"]}
        clusters = {item["name"]: item["cluster"] for item in document["clusters"]}
        return str(clusters[contexts[document["current-context"]]["cluster"]]["server"])
    except OSError as error:
        what = f"{kubeconfig}: {error.strerror}"
    except (yaml.YAMLError, KeyError, TypeError):
        what = f"{kubeconfig} has no current context with a cluster"
    raise LabError("kubeconfig", what, "give the path of a kubeconfig that kubectl accepts")


def _kubectl() -> Path:
    """Our own if it was built, so that its version is known; else the user's."""
    ours = binary_path(part_named("kubectl"))
    if ours.exists():
        return ours
    theirs = shutil.which("kubectl")
    if theirs is None:
        remedy = "install kubectl, or run `python -m akeso_lab build kubectl`"
        raise LabError("kubectl", "is not on PATH", remedy)
    return Path(theirs)
