"""What the cluster shows at one moment, as far as the demo tells of it. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from akeso.api.healing import Healing
from akeso.api.scalars import parse_time
from akeso.cli.demo import names

Object = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class PodSeen:
    """One pod. `killed_at` is its last OOM kill; `ready_at` since when it is ready."""

    name: str
    uid: str
    app: str
    version: str
    ready: bool
    ready_at: datetime | None
    restarts: int
    killed_at: datetime | None
    deleting: bool
    created_at: datetime


@dataclass(frozen=True, slots=True)
class Kill:
    """One OOM kill; a pod's status shows only its last."""

    app: str
    pod: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Memory:
    """The fullest pod of a service: bytes used, its limit, and seconds to it at this pace."""

    pod: str
    used: float
    limit: float
    full_in: float | None


@dataclass(frozen=True, slots=True)
class Requests:
    """What a service's users have counted so far."""

    ok: int
    failed: int

    @property
    def total(self) -> int:
        return self.ok + self.failed


@dataclass(frozen=True, slots=True)
class Scene:
    """Everything seen at one moment."""

    at: datetime
    pods: tuple[PodSeen, ...] = ()
    memory: Mapping[str, Memory] = field(default_factory=lambda: dict[str, Memory]())
    requests: Mapping[str, Requests] = field(default_factory=lambda: dict[str, Requests]())
    healings: tuple[Healing, ...] = ()
    proven: frozenset[str] = frozenset()  # services with a revision remembered as healthy
    watching: bool = False  # the operator says that it is Ready

    def of(self, app: str) -> tuple[PodSeen, ...]:
        return tuple(p for p in self.pods if p.app == app)

    def versions(self, app: str) -> dict[str, int]:
        """Pods per version, those on their way out included."""
        found: dict[str, int] = {}
        for pod in self.of(app):
            found[pod.version] = found.get(pod.version, 0) + 1
        return found

    def open_healing(self, app: str) -> Healing | None:
        """The healing under way for a service."""
        return next(
            (
                h
                for h in self.healings
                if h.spec.target.name == app and h.status.completed_at is None
            ),
            None,
        )


def pod_seen(raw: Object) -> PodSeen:
    """A pod of the API server's JSON."""
    meta, status = raw["metadata"], raw.get("status", {})
    ready = _condition(status, "Ready")
    containers: list[Any] = status.get("containerStatuses", [])
    environment = raw["spec"]["containers"][0].get("env", [])
    return PodSeen(
        name=meta["name"],
        uid=meta["uid"],
        app=meta.get("labels", {}).get("app", ""),
        version=next((e["value"] for e in environment if e["name"] == "VERSION"), ""),
        ready=ready.get("status") == "True",
        ready_at=_time(ready.get("lastTransitionTime")) if ready.get("status") == "True" else None,
        restarts=sum(c.get("restartCount", 0) for c in containers),
        killed_at=max((t for c in containers for t in _oom_kills(c)), default=None),
        deleting="deletionTimestamp" in meta,
        created_at=parse_time(meta["creationTimestamp"]),
    )


def proven(policies: Iterable[Object]) -> frozenset[str]:
    """Services whose present revision the operator has seen healthy."""
    return frozenset(
        record["name"]
        for policy in policies
        for record in policy.get("status", {}).get("revisions", ())
        if record.get("healthy")
    )


def operator_ready(controls: Iterable[Object]) -> bool:
    return any(_condition(c.get("status", {}), "Ready").get("status") == "True" for c in controls)


def memory_of(
    pods: Iterable[PodSeen],
    used: Mapping[str, float],
    pace: Mapping[str, float],
    limit: float,
) -> dict[str, Memory]:
    """Per service its fullest pod; `pace` in bytes per second."""
    found: dict[str, Memory] = {}
    for pod in pods:
        bytes_used = used.get(pod.name)
        if bytes_used is None or pod.deleting:
            continue
        known = found.get(pod.app)
        if known is None or bytes_used > known.used:
            grows = pace.get(pod.name, 0.0)
            # Below a thousandth of the limit per second it is noise, not a leak.
            full_in = (limit - bytes_used) / grows if grows > limit / 2_000 else None
            found[pod.app] = Memory(pod.name, bytes_used, limit, full_in)
    return found


def requests_of(counted: Iterable[tuple[Mapping[str, str], float]]) -> dict[str, Requests]:
    """Per service what its users counted; a code that is not 2xx has failed."""
    found: dict[str, Requests] = {}
    for labels, value in counted:
        app = labels.get("pod", "").partition("-users-")[0]
        before = found.get(app, Requests(0, 0))
        ok = labels.get("code", "").startswith("2")
        found[app] = Requests(
            before.ok + (round(value) if ok else 0), before.failed + (0 if ok else round(value))
        )
    return found


def _oom_kills(container: Object) -> Iterable[datetime]:
    for state in ("state", "lastState"):
        ended = container.get(state, {}).get("terminated", {})
        if ended.get("reason") == "OOMKilled" and ended.get("finishedAt"):
            yield parse_time(ended["finishedAt"])


def _condition(status: Object, kind: str) -> Object:
    nothing: Object = {}
    return next((c for c in status.get("conditions", ()) if c["type"] == kind), nothing)


def _time(text: str | None) -> datetime | None:
    return parse_time(text) if text else None


SERVICES = (names.LEAKY, names.TWIN, names.CHECKOUT, names.HEALTHY)
