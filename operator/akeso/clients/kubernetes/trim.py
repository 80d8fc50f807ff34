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
from akeso.domain.workload import (
    Ask,
    Autoscaler,
    Container,
    DisruptionBudget,
    Pod,
    PodRef,
    Resizing,
    Revision,
)

HASH_LABEL = "pod-template-hash"
REVISION_LABEL = "controller-revision-hash"
# What the admission controller of the VerticalPodAutoscaler leaves on a pod that it sizes.
# https://github.com/kubernetes/autoscaler/blob/master/vertical-pod-autoscaler/pkg/utils/annotations/vpa_observed_containers.go
VPA_ANNOTATION = "vpaObservedContainers"
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

    kind: str
    target: str
    autoscaler: Autoscaler


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
            unscheduled=_unscheduled(status),
            containers=_containers(spec, status),
            qos=sys.intern(text(status, "qosClass")),
            windows=text(part(spec, "os"), "name") == "windows"
            or part(spec, "nodeSelector").get("kubernetes.io/os") == "windows",
            claims=_claims(meta["name"], spec),
            sized_by_vpa=VPA_ANNOTATION in part(meta, "annotations"),
            resizable=_resizable(status),
            **_resizing(status),
        ),
    )


def _claims(pod: str, spec: Json) -> tuple[str, ...]:
    """An ephemeral volume's claim is named after pod and volume.

    https://kubernetes.io/docs/concepts/storage/ephemeral-volumes/#persistentvolumeclaim-naming
    """
    named = (text(part(v, "persistentVolumeClaim"), "claimName") for v in parts(spec, "volumes"))
    made = (f"{pod}-{text(v, 'name')}" for v in parts(spec, "volumes") if "ephemeral" in v)
    return (*(sys.intern(name) for name in named if name), *made)


def _resizable(status: Json) -> bool:
    """A kubelet that resizes in place tells what its containers hold; the API server asks the same.

    https://github.com/kubernetes/enhancements/tree/master/keps/sig-node/1287-in-place-update-pod-resources
    """
    return all(
        "resources" in c for c in parts(status, "containerStatuses") if part(c, "state", "running")
    )


def _resizing(status: Json) -> dict[str, Any]:
    """How far the kubelet is with a resize; nothing where none is under way.

    https://kubernetes.io/docs/tasks/configure-pod-container/resize-container-resources/
    """
    held = {c.get("type"): c for c in parts(status, "conditions") if c.get("status") == "True"}
    pending = held.get("PodResizePending")
    if pending is not None:
        never = text(pending, "reason") == Resizing.INFEASIBLE
        how = Resizing.INFEASIBLE if never else Resizing.DEFERRED
        return {"resizing": how, "resize_message": text(pending, "message")}
    running = held.get("PodResizeInProgress")
    if running is not None:
        return {"resizing": Resizing.IN_PROGRESS, "resize_message": text(running, "message")}
    return {}


def _unscheduled(status: Json) -> str | None:
    for condition in parts(status, "conditions"):
        if condition.get("type") == "PodScheduled" and condition.get("status") == "False":
            return sys.intern(text(condition, "message") or text(condition, "reason"))
    return None


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
        sidecar = raw.get("restartPolicy") == "Always"
        made = _container(raw, part(states, raw["name"]), sidecar)
        troubled = not made.ready and (made.restarts > 0 or made.last_exit_code)
        if sidecar or troubled or _stuck(made.waiting_reason):
            found.append(made)
    return tuple(found)


def _stuck(waiting: str | None) -> bool:
    return waiting is not None and waiting not in ("PodInitializing", "ContainerCreating")


def _container(raw: Json, status: Json, sidecar: bool = False) -> Container:
    state = part(status, "state")
    ended = part(state, "terminated") or part(status, "lastState", "terminated")
    waiting, reason = text(part(state, "waiting"), "reason"), text(ended, "reason")
    return Container(
        name=sys.intern(raw["name"]),
        ready=bool(status.get("ready")),
        restarts=whole(status, "restartCount"),
        memory_limit=_resource(raw, status, "limits", "memory"),
        memory_wanted=_memory(raw, "limits"),
        memory_request=_memory(raw, "requests"),
        cpu_limit=_resource(raw, status, "limits", "cpu"),
        cpu_request=_resource(raw, status, "requests", "cpu"),
        resize_restarts=any(
            p.get("resourceName") == "memory" and p.get("restartPolicy") == "RestartContainer"
            for p in parts(raw, "resizePolicy")
        ),
        sidecar=sidecar,
        waiting_reason=sys.intern(waiting) if waiting else None,
        last_exit_reason=sys.intern(reason) if reason else None,
        last_exit_code=ended.get("exitCode"),
        last_exit_at=seconds(ended.get("finishedAt")),
        started_at=seconds(part(state, "running").get("startedAt")),
        readiness_delay=_patience(raw, "readinessProbe") + _patience(raw, "startupProbe"),
    )


def _resource(raw: Json, status: Json, kind: str, name: str) -> float | None:
    """A limit or request that holds now (an in-place resize shows in the status only), in bytes
    or cores; one of zero bounds nothing."""
    for said in (status, raw):
        quantity = part(said, "resources", kind).get(name)
        if quantity is not None:
            return number(quantity) or None
    return None


def _memory(raw: Json, what: str) -> float | None:
    """The `limits` or `requests` of a spec, in bytes."""
    said = part(raw, "resources", what).get("memory")
    return None if said is None else number(said)


def asks(spec: Json) -> tuple[Ask, ...]:
    """What the containers of a pod spec ask for; a request left out is as large as the limit."""
    found = [_ask(c) for c in parts(spec, "containers")]
    found += [_ask(c, c.get("restartPolicy") != "Always") for c in parts(spec, "initContainers")]
    return tuple(found)


def _ask(raw: Json, init: bool = False) -> Ask:
    limits, requests = part(raw, "resources", "limits"), part(raw, "resources", "requests")
    cpu, memory = (None if (said := limits.get(k)) is None else number(said) for k in _COUNTED)
    return Ask(
        container=sys.intern(raw["name"]),
        cpu=number(requests["cpu"]) if "cpu" in requests else cpu or 0.0,
        memory=number(requests["memory"]) if "memory" in requests else memory or 0.0,
        cpu_limit=cpu,
        memory_limit=memory,
        init=init,
    )


_COUNTED = ("cpu", "memory")


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
    meta, spec = raw["metadata"], raw["spec"]
    target, by = spec["scaleTargetRef"], owner(meta)
    found = Autoscaler(
        name=meta["name"],
        uid=meta["uid"],
        resource_version=text(meta, "resourceVersion"),
        min_replicas=whole(spec, "minReplicas", 1),
        max_replicas=whole(spec, "maxReplicas", 1),
        controller=f"{by['kind']}/{by['name']}" if by else None,
        managers=managers(meta, "f:spec"),
    )
    return AutoscalerRecord(target["kind"], target["name"], found)


def managers(meta: Json, *fields: str) -> tuple[str, ...]:
    """Who owns something under these fields, directly or through the scale sub-resource."""
    names = (
        text(entry, "manager")
        for entry in parts(meta, "managedFields")
        if entry.get("subresource") != "status" and _owns(part(entry, "fieldsV1"), fields)
    )
    return tuple(dict.fromkeys(names))


def _owns(owned: Json, fields: tuple[str, ...]) -> bool:
    *above, last = fields
    return last in part(owned, *above)


def number(said: str | float) -> float:
    """A quantity (`64Mi`, `100m`) in its base unit. ValueError for anything else."""
    untyped: Any = quantity
    return float(untyped.parse_quantity(said))


def seconds(time: str | None) -> float | None:
    """An RFC 3339 time in Unix seconds."""
    return datetime.fromisoformat(time).timestamp() if time else None
