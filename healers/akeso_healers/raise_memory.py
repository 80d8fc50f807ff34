"""RaiseMemory: more room for a leak, without a restart."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

from akeso.domain.action import ROOM, Action, Effect, Plan, Resize
from akeso.domain.finding import Finding
from akeso.domain.forecast import Forecast
from akeso.domain.verdict import Verdict, allow, deny
from akeso.domain.words import bytes_of, quantity_of, seconds_of, set_limits
from akeso.domain.workload import Container, Kind, Pod, Snapshot
from akeso.protocols import HealerContext
from akeso_healers import memory

# As many as a Healing can record, each with its way back.
MOST = 100
# What is promised of the time that room lasts at the rate of the early quantile: one in ten of these comes
# later than the failure does, and on a busy node samples lag (117 s were said, 99 s came).
PROMISED = 0.75


@dataclass(frozen=True, slots=True)
class Raise:
    """One container whose limit is to be raised from `limit` to `to` bytes."""

    pod: Pod
    container: Container
    forecast: Forecast
    limit: float
    to: int

    @property
    def buys(self) -> float | None:
        """Seconds by which the failure moves out at least: three quarters of what it is at the rate of
        the early quantile.

        None where the rate is not known.
        """
        value, ttf = self.forecast.value, self.forecast.ttf
        if value is None or ttf is None or value >= self.limit or not 0 < ttf[0] < math.inf:
            return None
        return PROMISED * (self.to - self.limit) * ttf[0] / (self.limit - value)

    def __str__(self) -> str:
        return (
            f"container {self.container.name} of pod {self.pod.ref.name} "
            f"from {bytes_of(self.limit)} to {bytes_of(self.to)}"
        )


class RaiseMemory:
    """Raises the memory limit of running containers in place, without a restart.

    Watches: containers that will soon reach their memory limit.
    Acts when: the cluster resizes pods in place (Kubernetes 1.33 and later); every such container
        of the finding's pods grows towards its limit by its forecast and has not levelled off, was
        never OOM-killed in this pod, is not restarted by a resize (resizePolicy) and is not in the
        middle of another one;
        and the rung's ceiling leaves room to speak of: 80 % of the new limit are at least the old.
    Does: sets the memory limit of the running pod (sub-resource resize) to half as much again, or
        to what the forecast asks for, up to the ceiling; the request too where the pod is
        Guaranteed. The template stays as it is: the next pod has the old limit.
    Blast radius: no pod goes; the memory is taken from what the node has not reserved.
    Undo: once usage has been below 80 % of the old limit for calm_seconds, the old limit is set
        again; a person who asks for it waits for the 80 % only. Before Kubernetes 1.34 a limit
        can't be lowered in place: then a person is told, and it goes with the pod.
    Known false alarms: a heap of a fixed size (a JVM's -Xmx) does not grow with the limit. Once it
        has levelled off that is seen, and refused; while it still fills up for the first time it
        looks like a leak, and the raise is taken back later.
    """

    name = "RaiseMemory"
    effect = Effect.BUYS_TIME
    proposed = False
    kinds = frozenset(Kind)

    def diagnose(self, finding: Finding, seen: Snapshot, context: HealerContext) -> Verdict:
        """The first reason why not: cluster, finding, then each container."""
        denied = _not_possible(finding, seen, context) or next(
            (no for no in map(_unfit, memory.growing(finding, seen, context)) if no is not None),
            None,
        )
        if denied is not None:
            reason, said = denied
            return deny(self.name, reason, f"{seen.ref}: {said}")
        raises = list(_raises(finding, seen, context))
        short = [r for r in raises if r.to * ROOM < r.limit]
        if short:
            return _too_low(seen, short[0])
        return allow(self.name, f"Can be raised: {'; '.join(map(str, raises))}.")

    def plan(self, finding: Finding, seen: Snapshot, context: HealerContext) -> Plan:
        """Worst first; each limit goes back to what the user had, however often it was raised."""
        raises = list(_raises(finding, seen, context))
        if not raises:
            raise ValueError(f"nothing of {seen.ref} can be raised: ask diagnose() before plan()")
        return Plan(
            healer=self.name,
            target=seen.ref,
            effect=self.effect,
            actions=tuple(_resize(r, int(r.limit), r.to) for r in raises),
            undo=(),
            summary=_summary(raises),
            blast_radius=0,
            afterwards=tuple(_resize(r, r.to, _own(r, context), restore=True) for r in raises),
        )


def _not_possible(finding: Finding, seen: Snapshot, context: HealerContext) -> memory.Denied | None:
    """What has nothing to do with a single container."""
    denied = memory.not_about_memory(finding) or _no_resize(seen)
    denied = denied or memory.no_ceiling(context) or memory.nobody_there(finding, seen)
    denied = denied or memory.sized_by_vpa(finding, seen)
    if denied is not None or any(memory.growing(finding, seen, context)):
        return denied
    return memory.nothing_grows(finding, seen, context)


def _no_resize(seen: Snapshot) -> memory.Denied | None:
    if seen.resizes:
        return None
    return "NoInPlaceResize", (
        "this cluster can't resize running pods (it has no pods/resize, which came with "
        "Kubernetes 1.33); use RestartPods, or raise the limit in the template."
    )


def _unfit(hit: memory.Hit) -> memory.Denied | None:
    """Why a container that grows can't be helped by this; then the next rung helps all."""
    pod, container, forecast = hit
    what = f"container {container.name} of pod {pod.ref.name}"
    if forecast.levelled_off:
        return "LevelledOff", memory.level(forecast)
    if container.memory_wanted is None:
        return "NoLimit", f"{what} has no memory limit of its own that could be raised."
    if any(c.last_exit_reason == "OOMKilled" for c in pod.containers):
        return "AlreadyKilled", f"pod {pod.ref.name} was OOM-killed before; it needs a fresh start."
    if container.resize_restarts:
        return "ResizeRestarts", (
            f"{what} would be restarted by a resize; set its resizePolicy for memory to NotRequired."
        )
    if pod.windows:
        return "WindowsPod", f"pod {pod.ref.name} runs on Windows, which resizes nothing in place."
    if not pod.resizable:
        return "NoInPlaceResize", (
            f"node {pod.node} of pod {pod.ref.name} can't resize running pods "
            "(its kubelet is older than Kubernetes 1.33)."
        )
    if pod.resizing is not None:
        return "ResizePending", (
            f"the last resize of pod {pod.ref.name} is not done yet "
            f"({pod.resizing}{f': {pod.resize_message}' if pod.resize_message else ''})."
        )
    return None


def _too_low(seen: Snapshot, short: Raise) -> Verdict:
    least, ref = memory.whole_mib(short.limit / ROOM), seen.ref
    by_hand = set_limits(ref.kind, ref.name, ref.namespace, {short.container.name: least})
    return deny(
        RaiseMemory.name,
        "CeilingReached",
        f"{ref}: container {short.container.name} of pod {short.pod.ref.name} has a memory limit of "
        f"{bytes_of(short.limit)}, and the ceiling leaves too little room above it: use a ceiling of "
        f"{quantity_of(least)} or more. For good it is raised in the template: {by_hand}",
    )


def _raises(finding: Finding, seen: Snapshot, context: HealerContext) -> Iterator[Raise]:
    ceiling = context.ceiling or 0.0
    found = [hit for hit in memory.growing(finding, seen, context) if _unfit(hit) is None]
    for pod, container, forecast in found[:MOST]:
        limit = container.memory_wanted or 0.0
        yield Raise(pod, container, forecast, limit, memory.wanted(forecast, limit, ceiling))


def _resize(r: Raise, before: int, to: int, restore: bool = False) -> Action:
    return Resize(r.pod.ref, r.container.name, before, to, restore)


def _own(r: Raise, context: HealerContext) -> int:
    """The limit that the user gave: what earlier raises of this container lead back to."""
    earlier = [
        a.to
        for a in context.owed
        if isinstance(a, Resize)
        and (a.pod, a.container, a.from_) == (r.pod.ref, r.container.name, int(r.limit))
    ]
    return min([int(r.limit), *earlier])


def _summary(raises: list[Raise]) -> str:
    times = [t for t in (r.buys for r in raises) if t is not None]
    buys = f", which buys at least {seconds_of(min(times))}" if len(times) == len(raises) else ""
    if len(raises) == 1:
        return f"raise the memory limit of {raises[0]}{buys}"
    return (
        f"raise the memory limits of {len(raises)} containers: {'; '.join(map(str, raises))}{buys}"
    )
