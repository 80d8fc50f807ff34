"""Raw objects to what decides: pods, revisions, budgets, autoscalers, owners.

Names that repeat across thousands of pods are interned; everything else of an object is dropped.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from kubernetes.utils import quantity

from akeso.clients.kubernetes.raw import Json, part, parts, text, whole
from akeso.clients.kubernetes.selectors import Selector
from akeso.domain.workload import Container, DisruptionBudget, Pod, PodRef, Revision

HASH_LABEL = "pod-template-hash"
REVISION_LABEL = "controller-revision-hash"
NUMBER_ANNOTATION = "deployment.kubernetes.io/revision"


@dataclass(frozen=True, slots=True)
class PodRecord:
    """A pod and the uid of its controller."""

    owner: str
    pod: Pod


@dataclass(frozen=True, slots=True)
class RevisionRecord:
    """A ReplicaSet or ControllerRevision: its own uid and its controller's."""

    uid: str
    owner: str
    revision: Revision


@dataclass(frozen=True, slots=True)
class BudgetRecord:
    """A PodDisruptionBudget; without a selector it selects nothing."""

    selector: Selector | None
    budget: DisruptionBudget


@dataclass(frozen=True, slots=True)
class AutoscalerRecord:
    """A HorizontalPodAutoscaler (also the one that KEDA makes) and what it scales."""

    name: str
    kind: str
    target: str


def owner(meta: Json) -> Json | None:
    """The controlling ownerReference."""
    return next((r for r in parts(meta, "ownerReferences") if r.get("controller")), None)


def pod(raw: Json) -> PodRecord | None:
    """None for pods of nobody, or of what Akeso does not heal (Jobs)."""
    meta = raw["metadata"]
    by = owner(meta)
    if by is None or by.get("kind") not in ("ReplicaSet", "StatefulSet", "DaemonSet"):
        return None
    spec, status = part(raw, "spec"), part(raw, "status")
    nothing: Json = {}
    ready = next((c for c in parts(status, "conditions") if c.get("type") == "Ready"), nothing)
    is_ready, since = ready.get("status") == "True", seconds(ready.get("lastTransitionTime"))
    node = text(spec, "nodeName")
    return PodRecord(
        owner=by["uid"],
        pod=Pod(
            ref=PodRef(meta["name"], meta["uid"]),
            resource_version=text(meta, "resourceVersion"),
            revision=_pod_revision(part(meta, "labels"), by),
            phase=sys.intern(text(status, "phase") or "Pending"),
            ready=is_ready,
            ready_since=since if is_ready else None,
            unready_since=None if is_ready else since,
            created_at=seconds(meta.get("creationTimestamp")) or 0.0,
            deleting="deletionTimestamp" in meta,
            node=sys.intern(node) if node else None,
            containers=_containers(spec, status),
        ),
    )


def _pod_revision(labels: Mapping[str, str], by: Json) -> str:
    """StatefulSet pods carry their ControllerRevision's name, DaemonSet pods only its hash."""
    if by["kind"] == "ReplicaSet":
        return sys.intern(labels.get(HASH_LABEL, ""))
    revision = labels.get(REVISION_LABEL, "")
    if by["kind"] == "DaemonSet" and revision:
        return sys.intern(f"{by['name']}-{revision}")
    return sys.intern(revision)


def _containers(spec: Json, status: Json) -> tuple[Container, ...]:
    """Containers, sidecars, and init containers that stand in the way."""
    states = {
        s["name"]: s
        for key in ("containerStatuses", "initContainerStatuses")
        for s in parts(status, key)
    }
    found = [_container(c, part(states, c["name"])) for c in parts(spec, "containers")]
    for raw in parts(spec, "initContainers"):
        made = _container(raw, part(states, raw["name"]))
        troubled = not made.ready and (made.restarts > 0 or made.last_exit_code)
        if raw.get("restartPolicy") == "Always" or troubled or _stuck(made.waiting_reason):
            found.append(made)
    return tuple(found)


def _stuck(waiting: str | None) -> bool:
    return waiting is not None and waiting not in ("PodInitializing", "ContainerCreating")


def _container(raw: Json, status: Json) -> Container:
    state = part(status, "state")
    ended = part(state, "terminated") or part(status, "lastState", "terminated")
    waiting, reason = text(part(state, "waiting"), "reason"), text(ended, "reason")
    return Container(
        name=sys.intern(raw["name"]),
        ready=bool(status.get("ready")),
        restarts=whole(status, "restartCount"),
        memory_limit=_memory_limit(raw, status),
        waiting_reason=sys.intern(waiting) if waiting else None,
        last_exit_reason=sys.intern(reason) if reason else None,
        last_exit_code=ended.get("exitCode"),
        last_exit_at=seconds(ended.get("finishedAt")),
        started_at=seconds(part(state, "running").get("startedAt")),
        readiness_delay=_patience(raw, "readinessProbe") + _patience(raw, "startupProbe"),
    )


def _memory_limit(raw: Json, status: Json) -> float | None:
    """What holds now (an in-place resize shows in the status only), in bytes."""
    for said in (status, raw):
        limit = part(said, "resources", "limits").get("memory")
        if limit is not None:
            return number(limit)
    return None


def _patience(raw: Json, key: str) -> float:
    """Seconds until a probe that never succeeds has failed; 0 without one."""
    probe = part(raw, key)
    if not probe:
        return 0.0
    tries = whole(probe, "periodSeconds", 10) * whole(probe, "failureThreshold", 3)
    return float(whole(probe, "initialDelaySeconds") + tries)


def replica_set(raw: Json, with_template: bool = False) -> RevisionRecord | None:
    """None for ReplicaSets that no Deployment controls."""
    meta = raw["metadata"]
    by = owner(meta)
    if by is None or by.get("kind") != "Deployment":
        return None
    count = text(part(meta, "annotations"), NUMBER_ANNOTATION)
    revision = Revision(
        name=sys.intern(text(part(meta, "labels"), HASH_LABEL)),
        object_name=meta["name"],
        number=int(count) if count.isdecimal() else 0,
        created_at=seconds(meta.get("creationTimestamp")) or 0.0,
        template=template(raw["spec"]["template"]) if with_template else None,
    )
    return RevisionRecord(meta["uid"], by["uid"], revision)


def controller_revision(raw: Json, with_template: bool = False) -> RevisionRecord | None:
    meta = raw["metadata"]
    by = owner(meta)
    if by is None or by.get("kind") not in ("StatefulSet", "DaemonSet"):
        return None
    revision = Revision(
        name=sys.intern(meta["name"]),
        object_name=meta["name"],
        number=whole(raw, "revision"),
        created_at=seconds(meta.get("creationTimestamp")) or 0.0,
        template=template(raw["data"]["spec"]["template"]) if with_template else None,
    )
    return RevisionRecord(meta["uid"], by["uid"], revision)


def template(raw: Json) -> Mapping[str, Any]:
    """A pod template as its author wrote it, with the API server's defaults.

    Drops what only the keeper added: the hash label of a ReplicaSet, the patch directive of a
    ControllerRevision, the empty timestamp that servers before 1.34 write.
    """
    kept = {k: v for k, v in raw.items() if k not in ("$patch", "metadata")}
    meta = dict(part(raw, "metadata"))
    if meta.get("creationTimestamp") is None:
        meta.pop("creationTimestamp", None)
    meta["labels"] = {k: v for k, v in part(meta, "labels").items() if k != HASH_LABEL}
    return {"metadata": meta, **kept}


def budget(raw: Json) -> BudgetRecord:
    allowed = whole(part(raw, "status"), "disruptionsAllowed")
    spec = part(raw, "spec")
    selector = None if spec.get("selector") is None else Selector.parse(part(spec, "selector"))
    return BudgetRecord(selector, DisruptionBudget(raw["metadata"]["name"], allowed))


def autoscaler(raw: Json) -> AutoscalerRecord:
    target = raw["spec"]["scaleTargetRef"]
    return AutoscalerRecord(raw["metadata"]["name"], target["kind"], target["name"])


def number(said: str | float) -> float:
    """A quantity (`64Mi`, `100m`) in its base unit. ValueError for anything else."""
    untyped: Any = quantity
    return float(untyped.parse_quantity(said))


def seconds(time: str | None) -> float | None:
    """An RFC 3339 time in Unix seconds."""
    return datetime.fromisoformat(time).timestamp() if time else None
