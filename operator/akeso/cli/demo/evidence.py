"""What the cluster itself has on record about the demo, read when it is over."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from akeso.api.healing import Healing
from akeso.cli.demo import names
from akeso.cli.demo.scene import Kill, PodSeen, Requests, pod_seen, requests_of
from akeso.cli.demo.stage import Stage
from akeso.cli.demo.watcher import COUNTED, Watcher
from akeso_lab import Lab, LabError

_WRITES = frozenset({"create", "update", "patch", "delete", "deletecollection"})
# A failed request is counted at the next scrape, not at once.
COUNT_DELAY = timedelta(seconds=7)


@dataclass(frozen=True, slots=True)
class Write:
    """One request of the audit log that changed something, with the server's answer."""

    at: datetime
    user: str
    verb: str
    resource: str  # "pods/eviction"
    name: str
    code: int


@dataclass(frozen=True, slots=True)
class Evidence:
    """All that the checks look at. `pods` are as last seen, those that are gone included."""

    began: datetime
    ended: datetime
    pods: tuple[PodSeen, ...] = ()
    present: frozenset[str] = frozenset()  # uids of the pods that are there at the end
    kills: tuple[Kill, ...] = ()  # oldest first
    healings: tuple[Healing, ...] = ()
    writes: tuple[Write, ...] = ()
    requests: Mapping[str, Requests] = field(default_factory=lambda: dict[str, Requests]())
    failed_after_undo: int | None = None  # None: unknown
    fewest_ready: Mapping[str, int] = field(default_factory=lambda: dict[str, int]())
    next_release_conflict: str | None = None
    gave_up: str | None = None

    def of(self, app: str) -> tuple[PodSeen, ...]:
        return tuple(p for p in self.pods if p.app == app)

    def kills_of(self, app: str) -> tuple[Kill, ...]:
        return tuple(k for k in self.kills if k.app == app)

    def healed(self, app: str) -> tuple[Healing, ...]:
        return tuple(h for h in self.healings if h.spec.target.name == app)

    def by_akeso(self, app: str) -> tuple[Write, ...]:
        """Akeso's writes to a service, its pods and its scale."""
        pods = {p.name for p in self.of(app)}
        return tuple(
            w
            for w in self.writes
            if w.user == names.OPERATOR_USER
            and not w.resource.startswith(("events", "healing"))
            and (w.name == app or w.name in pods)
        )

    def evictions(self, app: str) -> tuple[Write, ...]:
        return tuple(
            w for w in self.by_akeso(app) if w.resource == "pods/eviction" and w.code < 300
        )

    def bad_from(self) -> datetime | None:
        """Since when users could meet the bad version: its first pod was ready."""
        ready = [
            p.ready_at or p.created_at for p in self.of(names.CHECKOUT) if p.version == names.BAD
        ]
        return min(ready, default=None)

    def bad_until(self) -> datetime | None:
        """When the last pod of the bad version was gone; None while one is there."""
        bad = [p for p in self.of(names.CHECKOUT) if p.version == names.BAD]
        if any(p.uid in self.present for p in bad):
            return None
        gone = {w.name: w.at for w in self.writes if (w.verb, w.resource) == ("delete", "pods")}
        return max((gone[p.name] for p in bad if p.name in gone), default=None)


def position(lab: Lab) -> int:
    """Where the audit log ends now: nothing before concerns this run."""
    return lab.audit_log.stat().st_size if lab.audit_log and lab.audit_log.exists() else 0


def gather(
    stage: Stage, watcher: Watcher, began: datetime, audit_from: int, gave_up: str | None
) -> Evidence:
    """Reads everything; blocks for about a second."""
    lab, scene = stage.lab, watcher.scene
    first = Evidence(
        began=began,
        ended=scene.at,
        pods=tuple(pod_seen(raw) for raw in watcher.pods.values()),
        present=frozenset(p.uid for p in scene.pods),
        kills=tuple(sorted(watcher.kills, key=lambda kill: kill.at)),
        healings=scene.healings,
        writes=tuple(writes(lab.audit_log, audit_from)),
        requests=_requests(lab),
        fewest_ready=dict(watcher.fewest_ready),
        next_release_conflict=stage.next_release_conflict(),
        gave_up=gave_up,
    )
    undone = first.bad_until()
    later = _failed_since(lab, undone + COUNT_DELAY) if undone is not None else None
    return replace(first, failed_after_undo=later)


def _requests(lab: Lab) -> Mapping[str, Requests]:
    try:
        return requests_of((s.labels, s.value) for s in lab.query(COUNTED))
    except LabError:
        return {}


def _failed_since(lab: Lab, moment: datetime) -> int | None:
    """Requests to the checkout service that failed after a moment."""
    users = names.users_of(names.CHECKOUT)
    counted = f'load_requests_total{{namespace="{names.NAMESPACE}",pod=~"{users}-.*",code!~"2.."}}'
    try:
        now = lab.query(f"sum({counted})")
        then = lab.query(f"sum({counted} @ {moment.timestamp():.3f})")
    except LabError:
        return None
    return round(now[0].value - then[0].value) if now and then else None


def writes(log: Path | None, start: int) -> Iterator[Write]:
    """What was changed in the demo's namespace since `start`, oldest first."""
    if log is None or not log.exists():
        return
    with log.open("rb") as lines:
        lines.seek(start)
        for line in lines:
            # The last line may be half written; other namespaces are not worth parsing.
            if line.endswith(b"\n") and names.NAMESPACE.encode() in line:
                found = write_of(json.loads(line))
                if found is not None:
                    yield found


def write_of(event: Mapping[str, Any]) -> Write | None:
    """A write of an audit event; None where it is none, or is not in the demo's namespace."""
    about: Mapping[str, Any] = event.get("objectRef", {})
    if event.get("verb") not in _WRITES or about.get("namespace") != names.NAMESPACE:
        return None
    resource, part = about.get("resource", ""), about.get("subresource")
    return Write(
        at=datetime.fromisoformat(event["stageTimestamp"]),
        user=event["user"]["username"],
        verb=event["verb"],
        resource=f"{resource}/{part}" if part else resource,
        name=about.get("name", ""),
        code=event.get("responseStatus", {}).get("code", 0),
    )
