"""Where the API server keeps what Akeso reads and writes."""

from __future__ import annotations

from collections.abc import Iterable
from urllib.parse import quote

from akeso.domain.workload import Kind, WorkloadRef

PLURALS = {
    Kind.DEPLOYMENT: "deployments",
    Kind.STATEFUL_SET: "statefulsets",
    Kind.DAEMON_SET: "daemonsets",
}
APPS = "apis/apps/v1"
CORE = "api/v1"
POLICY = "apis/policy/v1"
AUTOSCALING = "apis/autoscaling/v2"


def collection(group: str, plural: str, namespace: str | None = None) -> str:
    """All objects of a resource, in one namespace or everywhere."""
    where = f"/namespaces/{quote(namespace, safe='')}" if namespace else ""
    return f"/{group}{where}/{plural}"


def collections(group: str, plural: str, namespaces: Iterable[str]) -> list[str]:
    """All objects of a resource in these namespaces; without any, everywhere."""
    return [collection(group, plural, name) for name in namespaces] or [collection(group, plural)]


def workload(ref: WorkloadRef) -> str:
    return f"{collection(APPS, PLURALS[ref.kind], ref.namespace)}/{quote(ref.name, safe='')}"


def pod(namespace: str, name: str) -> str:
    return f"{collection(CORE, 'pods', namespace)}/{quote(name, safe='')}"


def autoscaler(namespace: str, name: str) -> str:
    where = collection(AUTOSCALING, "horizontalpodautoscalers", namespace)
    return f"{where}/{quote(name, safe='')}"
