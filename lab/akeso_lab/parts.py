"""The programs a lab is made of, and which tier needs which."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from akeso_lab.errors import LabError

KUBERNETES_VERSION = "v1.36.4"
HELM_VERSION = "v4.2.4"  # its modules are Kubernetes 1.36's, which the build has compiled already


class Tier(StrEnum):
    """How much of a cluster a lab runs."""

    CONTROL_PLANE = "control-plane"
    NODE = "node"


@dataclass(frozen=True)
class Part:
    """A Go program: the wrapper module that pins it, and the package to build."""

    name: str
    module: str
    package: str
    ldflags: str = "-s -w"
    tags: str = ""


def _version_flags() -> str:
    """Without these the server reports v0.0.0 and clients' version checks go wrong."""
    major, minor, _ = KUBERNETES_VERSION.removeprefix("v").split(".")
    values = {"gitVersion": KUBERNETES_VERSION, "gitMajor": major, "gitMinor": minor}
    packages = ("k8s.io/component-base/version", "k8s.io/client-go/pkg/version")
    flags = [f"-X {package}.{key}={value}" for package in packages for key, value in values.items()]
    return " ".join(("-s -w", *flags))


def _kubernetes(name: str) -> Part:
    return Part(name, "kube", f"k8s.io/kubernetes/cmd/{name}", _version_flags())


def _prometheus(name: str) -> Part:
    """Only the discovery that is used: every cloud's client library would double the build."""
    package = f"github.com/prometheus/prometheus/cmd/{name}"
    return Part(name, "prometheus", package, tags="remove_all_sd,enable_kubernetes_sd")


# The image's program is a node-tier need, but small enough to build first of all.
SERVICE = Part("akeso-lab-service", "service", "akeso.dev/lab/service")

_CONTROL_PLANE = (
    Part("etcd", "kube", "go.etcd.io/etcd/server/v3"),
    _kubernetes("kube-apiserver"),
    _kubernetes("kube-controller-manager"),
    _kubernetes("kube-scheduler"),
    _kubernetes("kubectl"),
    Part("kwok", "kwok", "sigs.k8s.io/kwok/cmd/kwok"),
    _prometheus("prometheus"),
    # v0.31 is the last whose module carries the files of its web interface.
    Part("alertmanager", "alertmanager", "github.com/prometheus/alertmanager/cmd/alertmanager"),
)
_NODE = (
    SERVICE,
    _kubernetes("kubelet"),
    _kubernetes("kube-proxy"),
    Part("coredns", "coredns", "github.com/coredns/coredns"),
    Part("metrics-server", "metrics-server", "sigs.k8s.io/metrics-server/cmd/metrics-server"),
)


# What no lab runs: built when a test asks for it (`Lab.helm`, `Lab.promtool`), or by `build` beforehand.
HELM = Part(
    "helm",
    "helm",
    "helm.sh/helm/v4/cmd/helm",
    f"-s -w -X helm.sh/helm/v4/internal/version.version={HELM_VERSION}",
)
PROMTOOL = _prometheus("promtool")  # compiled for Prometheus already, all but the command
TOOLS = (HELM, PROMTOOL)


def parts_of(tier: Tier) -> tuple[Part, ...]:
    """In build order: what the smaller tier needs comes first, so that it can start early."""
    return _CONTROL_PLANE if tier is Tier.CONTROL_PLANE else _CONTROL_PLANE + _NODE


def part_named(name: str) -> Part:
    known = parts_of(Tier.NODE) + TOOLS
    for part in known:
        if part.name == name:
            return part
    names = ", ".join(part.name for part in known)
    raise LabError(name, "the lab has no such part", f"use one of {names}")
