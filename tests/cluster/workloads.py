"""Manifests that the cluster tests share: workloads on fake nodes, policies, budgets."""

from __future__ import annotations

import copy
from typing import Any

from akeso.api.meta import API_VERSION
from akeso_lab.fake_nodes import BEHAVIOUR

Json = dict[str, Any]
PLURALS = {"Deployment": "deployments", "StatefulSet": "statefulsets", "DaemonSet": "daemonsets"}
NODES = ("fake-0", "fake-1")  # a DaemonSet stays on these, however many the lab has
LIMIT = 256 * 2**20


def workload(kind: str = "Deployment", name: str = "web", replicas: int = 3, **more: Any) -> Json:
    """`more`: image, behaviour (of fake pods), labels (of the workload)."""
    labels = {"app": name}
    pod_labels = dict(labels)
    if more.get("behaviour"):
        pod_labels[BEHAVIOUR] = more["behaviour"]
    container = {
        "name": "app",
        "image": more.get("image", "app:1"),
        "resources": {"limits": {"memory": "256Mi"}},
    }
    pod: Json = {"containers": [container], "terminationGracePeriodSeconds": 1}
    spec: Json = {
        "selector": {"matchLabels": labels},
        "template": {"metadata": {"labels": pod_labels}, "spec": pod},
    }
    if kind == "DaemonSet":
        values = {"key": "kubernetes.io/hostname", "operator": "In", "values": list(NODES)}
        required = {"nodeSelectorTerms": [{"matchExpressions": [values]}]}
        key = "requiredDuringSchedulingIgnoredDuringExecution"
        pod["affinity"] = {"nodeAffinity": {key: required}}
    else:
        spec["replicas"] = replicas
    if kind == "StatefulSet":
        spec["serviceName"] = name
    meta = {"name": name, "labels": {**labels, **more.get("labels", {})}}
    return {"apiVersion": "apps/v1", "kind": kind, "metadata": meta, "spec": spec}


def broken(good: Json) -> Json:
    """The next release of a workload, whose pods never become ready."""
    bad = copy.deepcopy(good)
    template = bad["spec"]["template"]
    template["metadata"]["labels"][BEHAVIOUR] = "unready"
    template["spec"]["containers"][0]["image"] = "app:2"
    return bad


def query_signal(namespace: str, ladder: tuple[str, ...] = ("RestartPods",), **more: Any) -> Json:
    """Fires for each pod of the namespace whose `fatigue` is above 0.5."""
    return {
        "name": "fatigue",
        "query": f'fatigue{{namespace="{namespace}"}}',
        "podLabel": "pod",
        "threshold": {"value": "0.5"},
        "ladder": [{"healer": healer, "timeoutSeconds": 120} for healer in ladder],
        **more,
    }


def raise_signals(namespace: str, ceiling: str = "1Gi") -> tuple[Json, Json]:
    """`fatigue` asks for more memory; a signal that tries nothing brings the forecast for it."""
    rung = {"healer": "RaiseMemory", "ceiling": ceiling, "timeoutSeconds": 120}
    return {**query_signal(namespace), "ladder": [rung]}, {**MEMORY_SIGNAL, "ladder": []}


ROLLOUT_SIGNAL: Json = {"name": "rollout", "builtin": "RolloutFailing"}
MEMORY_SIGNAL: Json = {"name": "memory", "builtin": "MemoryExhaustion"}


# A new pod is measured a second or two after it is ready, on a busy machine later.
VERIFY: Json = {
    "initialDelaySeconds": 1,
    "intervalSeconds": 1,
    "successes": 2,
    "inconclusiveLimit": 30,
}


def policy(*signals: Json, name: str = "care", **spec: Any) -> Json:
    return {
        "apiVersion": API_VERSION,
        "kind": "HealingPolicy",
        "metadata": {"name": name},
        "spec": {
            "mode": "Heal",
            "targets": [{"name": "all", "selector": {}}],
            "signals": list(signals),
            "verify": VERIFY,
            **spec,
        },
    }


def budget(name: str = "web", **spec: Any) -> Json:
    """A PodDisruptionBudget; `spec` is minAvailable or maxUnavailable."""
    return {
        "apiVersion": "policy/v1",
        "kind": "PodDisruptionBudget",
        "metadata": {"name": f"{name}-budget"},
        "spec": {"selector": {"matchLabels": {"app": name}}, **spec},
    }
