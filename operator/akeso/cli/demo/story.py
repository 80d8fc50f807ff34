"""What happened between two looks, in one sentence each. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from akeso.cli.demo import names
from akeso.cli.demo.operator_process import Decision
from akeso.cli.demo.scene import PodSeen, Scene
from akeso.engine.words import bytes_of, seconds_of

HEARTBEAT_SECONDS = 15.0  # at least so often something is said


@dataclass(frozen=True, slots=True)
class Line:
    """One sentence of the story. `who` speaks: cluster, Akeso or demo; `mood` colours it."""

    at: datetime
    who: str
    text: str
    mood: str = ""


_MOODS = {
    "Opened": "yellow",
    "Planned": "cyan",
    "Wrote": "cyan",
    "Verified": "green",
    "Blocked": "yellow",
}


def happened(before: Scene, after: Scene) -> Iterator[Line]:
    """Pods that came, went, were killed or became ready; nothing about users' load generators."""
    known = {pod.uid: pod for pod in before.pods}
    still = {pod.uid for pod in after.pods}
    for pod in after.pods:
        if not pod.app.endswith("-users"):
            yield from _of_pod(known.get(pod.uid), pod, after.at)
    for pod in before.pods:
        if pod.uid not in still and not pod.app.endswith("-users"):
            yield Line(after.at, "cluster", f"pod {pod.name} is gone")
    for app in sorted(after.proven - before.proven):
        yield Line(after.at, "Akeso", f"{app}: this revision is remembered as one that works")


def _of_pod(before: PodSeen | None, after: PodSeen, at: datetime) -> Iterator[Line]:
    version = f" ({after.version})" if after.version else ""
    if before is None:
        yield Line(at, "cluster", f"pod {after.name}{version} was made")
        before = after
    elif after.ready and not before.ready:
        yield Line(at, "cluster", f"pod {after.name}{version} is ready")
    if after.killed_at is not None and after.killed_at != before.killed_at:
        yield Line(after.killed_at, "cluster", f"pod {after.name} was OOM-killed", "bold red")
    if after.deleting and not before.deleting:
        yield Line(at, "cluster", f"pod {after.name}{version} is ending in good order")


def decided(decision: Decision) -> Line:
    """A decision of the operator's, in its own words."""
    said = decision.message
    healer = f"{decision.healer}: " if decision.healer and decision.what == "Planned" else ""
    verb = {
        "Opened": "sees a problem coming",
        "Planned": "will",
        "Wrote": "did",
        "Verified": "verified",
        "Blocked": "holds back",
        "NeedsHuman": "asks a person",
        "Proposed": "leaves to a person",
    }.get(decision.what, decision.what.lower())
    return Line(
        datetime.fromisoformat(decision.at),
        "Akeso",
        f"{decision.target}: {verb}: {healer}{said}",
        _MOODS.get(decision.what, "red"),
    )


def heartbeat(scene: Scene) -> Line:
    """How things are, for whoever reads lines and has no bars to look at."""
    memory = [
        f"{app} {bytes_of(found.used)} of {bytes_of(found.limit)}{_time_left(found.full_in)}"
        for app in (names.LEAKY, names.TWIN)
        if (found := scene.memory.get(app)) is not None
    ]
    counted = [
        f"{app}: {seen.ok} requests ok, {seen.failed} failed"
        for app, seen in sorted(scene.requests.items())
    ]
    return Line(scene.at, "demo", "; ".join([*memory, *counted]) or "the services are starting")


def _time_left(full_in: float | None) -> str:
    return f" (full in {seconds_of(full_in)} at this pace)" if full_in is not None else ""
