"""The programs a lab is made of, and which tier needs which."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from akeso_lab.errors import LabError

# Minor version: the patch that its wrapper module pins. Any but the newest has a control plane only.
NEWEST = "1.36"
KUBERNETES = {NEWEST: "v1.36.4", "1.33": "v1.33.13"}
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


def _version_flags(version: str) -> str:
    """Without these the server reports v0.0.0 and clients' version checks go wrong."""
    major, minor, _ = version.removeprefix("v").split(".")
    values = {"gitVersion": version, "gitMajor": major, "gitMinor": minor}
    packages = ("k8s.io/component-base/version", "k8s.io/client-go/pkg/version")
    flags = [f"-X {package}.{key}={value}" for package in packages for key, value in values.items()]
    return " ".join(("-s -w", *flags))


def _kubernetes(name: str, kubernetes: str = NEWEST) -> Part:
    module = "kube" if kubernetes == NEWEST else f"kube-{kubernetes}"
    return Part(
        name, module, f"k8s.io/kubernetes/cmd/{name}", _version_flags(KUBERNETES[kubernetes])
    )


def _prometheus(name: str) -> Part:
    """Only the discovery that is used: every cloud's client library would double the build."""
    package = f"github.com/prometheus/prometheus/cmd/{name}"
    return Part(name, "prometheus", package, tags="remove_all_sd,enable_kubernetes_sd")


# The image's program is a node-tier need, but small enough to build first of all.
SERVICE = Part("akeso-lab-service", "service", "akeso.dev/lab/service")

# What a Kubernetes version has of its own; kubectl, too: it supports one minor version of skew.
_VERSIONED = ("kube-apiserver", "kube-controller-manager", "kube-scheduler", "kubectl")
_ETCD = Part("etcd", "kube", "go.etcd.io/etcd/server/v3")
PROMETHEUS = _prometheus("prometheus")
# Programs that know no Kubernetes version, or all of them.
_SHARED = (
    Part("kwok", "kwok", "sigs.k8s.io/kwok/cmd/kwok"),
    PROMETHEUS,
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
KUBECTL_VALIDATE = Part("kubectl-validate", "kubectl-validate", "sigs.k8s.io/kubectl-validate")
KUBE_SCORE = Part("kube-score", "kube-score", "github.com/zegl/kube-score/cmd/kube-score")
TOOLS = (HELM, PROMTOOL, KUBECTL_VALIDATE, KUBE_SCORE)


def parts_of(tier: Tier, kubernetes: str = NEWEST) -> tuple[Part, ...]:
    """In build order: what the smaller tier needs comes first, so that it can start early."""
    check_kubernetes(tier, kubernetes)
    own = tuple(_kubernetes(name, kubernetes) for name in _VERSIONED)
    control_plane = (_ETCD, *own, *_SHARED)
    return control_plane if tier is Tier.CONTROL_PLANE else control_plane + _NODE


def check_kubernetes(tier: Tier, kubernetes: str) -> None:
    """LabError where the lab has no such Kubernetes in this tier."""
    if kubernetes not in KUBERNETES:
        known = ", ".join(KUBERNETES)
        raise LabError(kubernetes, "the lab has no such Kubernetes", f"use one of {known}")
    if tier is Tier.NODE and kubernetes != NEWEST:
        raise LabError(
            kubernetes,
            f"the lab has no node of it, only of {NEWEST}",
            f"use the tier {Tier.CONTROL_PLANE}, or Kubernetes {NEWEST}",
        )


def part_named(name: str, kubernetes: str = NEWEST) -> Part:
    tier = Tier.NODE if kubernetes == NEWEST else Tier.CONTROL_PLANE
    known = parts_of(tier, kubernetes) + TOOLS
    for part in known:
        if part.name == name:
            return part
    names = ", ".join(part.name for part in known)
    raise LabError(name, "the lab has no such part", f"use one of {names}")
