"""Workloads, pods and findings for tests, in as few words as a test's sentence needs."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from akeso.domain.finding import Evidence, Finding, Origin, Signal
from akeso.domain.workload import Kind, Pod, PodRef, Revision, Snapshot, WorkloadRef

NOW = 1_800_000_000.0  # Unix seconds; any moment will do


def pod(name: str = "web-0", *, revision: str = "v1", ready: bool = True, **fields: Any) -> Pod:
    """A running pod; its uid is "uid-<name>"."""
    made = Pod(
        ref=PodRef(name, f"uid-{name}"),
        revision=revision,
        phase="Running",
        ready=ready,
        ready_since=NOW - 3_600 if ready else None,
        unready_since=None if ready else NOW - 60,
        created_at=NOW - 3_600,
    )
    return replace(made, **fields)


def revision(name: str, number: int, *, created_at: float = NOW - 86_400) -> Revision:
    """A revision kept by an object of the same name; templates differ as the names do."""
    return Revision(name, f"web-{name}", number, created_at, template={"image": name})


def workload(
    kind: Kind,
    replicas: int = 3,
    *,
    name: str = "web",
    namespace: str = "shop",
    pods: Iterable[Pod] | None = None,
    **fields: Any,
) -> Snapshot:
    """A workload at rest: all pods ready, revision v1, nothing owned by anybody else."""
    made = Snapshot(
        ref=WorkloadRef(kind, namespace, name, f"uid-{name}"),
        resource_version="1",
        generation=1,
        observed_generation=1,
        replicas=replicas,
        update_revision="v1",
        revisions=(revision("v1", 1),),
        pods=tuple(pod(f"{name}-{i}") for i in range(replicas)) if pods is None else tuple(pods),
        template={"image": "v1"},
        live=True,
    )
    return replace(made, **fields)


def deployment(replicas: int = 3, **fields: Any) -> Snapshot:
    return workload(Kind.DEPLOYMENT, replicas, **{"surge": 1, "unavailable": 0, **fields})


def stateful_set(replicas: int = 3, **fields: Any) -> Snapshot:
    return workload(Kind.STATEFUL_SET, replicas, **{"ordered": True, **fields})


def daemon_set(replicas: int = 3, **fields: Any) -> Snapshot:
    return workload(Kind.DAEMON_SET, replicas, **fields)


def finding(
    seen: Snapshot,
    *pods: Pod,
    about: Signal = Signal.MEMORY_EXHAUSTION,
    since: float = NOW - 120,
    **fields: Any,
) -> Finding:
    """A finding of policy "shop" on that workload, naming these pods."""
    made = Finding(
        target=seen.ref,
        policy="shop",
        signal="memory",
        about=about,
        origin=Origin.FORECAST,
        evidence=Evidence(message="it will fail soon", sampled_at=NOW - 10, since=since),
        pods=tuple(p.ref for p in pods),
    )
    return replace(made, **fields)
