"""Snapshots put together from trimmed objects; pure, the same for informers and live reads."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

from akeso.clients.kubernetes.raw import Json, part, parts, text, whole
from akeso.clients.kubernetes.selectors import Selector
from akeso.clients.kubernetes.trim import (
    AutoscalerRecord,
    BudgetRecord,
    PodRecord,
    RevisionRecord,
    asks,
    managers,
    owner,
    template,
)
from akeso.domain.workload import (
    Autoscaler,
    DisruptionBudget,
    Kind,
    Pod,
    Revision,
    Snapshot,
    WorkloadRef,
)


@dataclass(frozen=True, slots=True)
class WorkloadRecord:
    """A workload without the objects around it."""

    partial: Snapshot
    selector: Selector
    pod_labels: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Surroundings:
    """Everything around workloads, looked up by owner uid, namespace or target."""

    pods: Mapping[str, list[Pod]] = field(default_factory=lambda: dict[str, list[Pod]]())
    revisions: Mapping[str, list[RevisionRecord]] = field(
        default_factory=lambda: dict[str, list[RevisionRecord]]()
    )
    budgets: Mapping[str, list[BudgetRecord]] = field(
        default_factory=lambda: dict[str, list[BudgetRecord]]()
    )
    autoscalers: Mapping[tuple[str, str, str], Autoscaler] = field(
        default_factory=lambda: dict[tuple[str, str, str], Autoscaler]()
    )
    resizes: bool | None = None  # whether this cluster resizes pods in place

    @classmethod
    def of(
        cls,
        pods: Iterable[PodRecord],
        revisions: Iterable[RevisionRecord],
        budgets: Iterable[tuple[str, BudgetRecord]],
        autoscalers: Iterable[tuple[str, AutoscalerRecord]],
        resizes: bool | None = None,
    ) -> Surroundings:
        """Budgets and autoscalers come with their namespace."""
        by_owner: defaultdict[str, list[Pod]] = defaultdict(list)
        for found in pods:
            by_owner[found.owner].append(found.pod)
        kept: defaultdict[str, list[RevisionRecord]] = defaultdict(list)
        for record in revisions:
            kept[record.owner].append(record)
        wishes: defaultdict[str, list[BudgetRecord]] = defaultdict(list)
        for namespace, wish in budgets:
            wishes[namespace].append(wish)
        scaled = {(namespace, a.kind, a.target): a.autoscaler for namespace, a in autoscalers}
        return cls(by_owner, kept, wishes, scaled, resizes)


def workload(kind: Kind, raw: Json, with_template: bool = False) -> WorkloadRecord:
    """Trims one Deployment, StatefulSet or DaemonSet."""
    meta, spec, status = part(raw, "metadata"), part(raw, "spec"), part(raw, "status")
    by = owner(meta)
    strategy = part(spec, "strategy") or part(spec, "updateStrategy")
    wanted = whole(spec, "replicas", 1)
    if kind is Kind.DAEMON_SET:
        wanted = whole(status, "desiredNumberScheduled")
    surge, unavailable = _pace(kind, strategy, wanted)
    partial = Snapshot(
        ref=WorkloadRef(kind, meta["namespace"], meta["name"], meta["uid"]),
        resource_version=meta["resourceVersion"],
        generation=whole(meta, "generation"),
        observed_generation=whole(status, "observedGeneration"),
        labels=part(meta, "labels"),
        replicas=wanted,
        paused=bool(spec.get("paused")),
        strategy=text(strategy, "type") or "RollingUpdate",
        partition=whole(part(strategy, "rollingUpdate"), "partition"),
        surge=surge,
        unavailable=unavailable,
        ordered=spec.get("podManagementPolicy") == "OrderedReady",
        update_revision=text(status, "updateRevision"),
        controller=f"{by['kind']}/{by['name']}" if by else None,
        managers=managers(meta, "f:spec"),
        scalers=managers(meta, "f:spec", "f:replicas"),
        asks=asks(part(spec, "template", "spec")),
        short=_short(status),
        template=template(spec["template"]) if with_template else None,
    )
    labels = part(spec, "template", "metadata", "labels")
    return WorkloadRecord(partial, Selector.parse(part(spec, "selector")), labels)


def _pace(kind: Kind, strategy: Json, wanted: int) -> tuple[int, int]:
    """How many pods a rollout may have too many, and too few; percentages as controllers round them.

    https://kubernetes.io/docs/concepts/workloads/controllers/deployment/#rolling-update-deployment
    """
    how = text(strategy, "type")
    if how in ("Recreate", "OnDelete"):
        return 0, wanted if how == "Recreate" else 0
    rolling, deployment = part(strategy, "rollingUpdate"), kind is Kind.DEPLOYMENT
    surge = _share(rolling.get("maxSurge", "25%" if deployment else 0), wanted, up=True)
    missing = rolling.get("maxUnavailable", "25%" if deployment else 1)
    unavailable = _share(missing, wanted, up=not deployment)
    return surge, unavailable if surge or unavailable else 1


def _share(said: int | str, wanted: int, up: bool) -> int:
    if isinstance(said, int):
        return said
    exact = int(said.rstrip("%")) * wanted / 100
    return math.ceil(exact) if up else math.floor(exact)


def _short(status: Json) -> str | None:
    """Only Deployments say so in their status; others leave it to Events."""
    for condition in parts(status, "conditions"):
        if condition.get("type") == "ReplicaFailure" and condition.get("status") == "True":
            return text(condition, "message") or text(condition, "reason")
    return None


def assemble(record: WorkloadRecord, around: Surroundings, live: bool = False) -> Snapshot:
    """One workload with its pods, revisions, budgets and autoscaler."""
    seen = record.partial
    ref = seen.ref
    kept = around.revisions.get(ref.uid, [])
    keepers = [r.uid for r in kept] if ref.kind is Kind.DEPLOYMENT else [ref.uid]
    revisions = sorted((r.revision for r in kept), key=lambda r: r.number, reverse=True)
    return replace(
        seen,
        update_revision=_update_revision(seen, revisions),
        revisions=tuple(revisions),
        pods=tuple(p for keeper in keepers for p in around.pods.get(keeper, ())),
        budgets=_budgets(record, around),
        autoscaler=around.autoscalers.get((ref.namespace, ref.kind, ref.name)),
        resizes=around.resizes,
        live=live,
    )


def _update_revision(seen: Snapshot, revisions: list[Revision]) -> str:
    """What new pods are made from; empty while no controller has kept the newest template yet.

    A live read knows better than the status: the revision whose template is the workload's own
    (of several the oldest for a Deployment, else the newest, as their controllers choose). Where
    none is equal, the controller's word counts only if it speaks of the newest generation.
    """
    if seen.template is not None:
        equal = [r for r in revisions if r.template == seen.template]
        if equal:
            first = min(equal, key=_age) if seen.ref.kind is Kind.DEPLOYMENT else equal[0]
            return first.name
        if seen.observed_generation < seen.generation:
            return ""
    if seen.ref.kind is Kind.STATEFUL_SET:
        return seen.update_revision
    return revisions[0].name if revisions else ""


def _age(revision: Revision) -> tuple[float, str]:
    return revision.created_at, revision.name


def _budgets(record: WorkloadRecord, around: Surroundings) -> tuple[DisruptionBudget, ...]:
    wishes = around.budgets.get(record.partial.ref.namespace, ())
    return tuple(
        w.budget for w in wishes if w.selector is not None and w.selector.matches(record.pod_labels)
    )
