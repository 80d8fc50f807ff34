"""What a healer wants done: plans made of actions, each one write with a precondition.

An action knows, from a Snapshot alone, whether it is already in effect and what it still waits
for. That is what makes a plan resumable: after a crash the engine looks at the world, never at
its memory.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from akeso.domain.workload import (
    Autoscaler,
    AutoscalerBound,
    Container,
    PodRef,
    Snapshot,
    WorkloadRef,
)

# Below this share of its memory limit a container has room.
ROOM = 0.8
# Replicas are as many as leave room: the load is then at most this share of its threshold.
LOAD_ROOM = 0.8


class Effect(StrEnum):
    """What a successful routine promises (decides how it is verified)."""

    REMOVES_CAUSE = "removesCause"
    BUYS_TIME = "buysTime"


@dataclass(frozen=True, slots=True)
class EvictPod:
    """Evicts one pod through the eviction sub-resource, so that disruption budgets hold.

    `min_ready` pods must be ready before it goes, itself always counted: with or without its own
    readiness, which may change while we wait, `min_ready` - 1 stay ready when it is gone.
    """

    pod: PodRef
    min_ready: int
    restore: bool = False

    def in_effect(self, seen: Snapshot) -> bool:
        found = seen.pod(self.pod.uid)
        return found is None or found.deleting

    def waits_for(self, seen: Snapshot) -> str | None:
        others = sum(p.ready for p in seen.present if p.ref.uid != self.pod.uid)
        if others + 1 >= self.min_ready:
            return None
        return f"{self.min_ready - 1} other ready pods before {self.pod.name} goes, {others} are"

    def superseded(self, seen: Snapshot) -> bool:
        return False


@dataclass(frozen=True, slots=True)
class DeletePod:
    """Deletes one broken pod that blocks an ordered rollout (never one that is ready).

    Not before the controller has seen the newest template: it would make the same broken pod again.
    """

    pod: PodRef
    restore: bool = False

    def in_effect(self, seen: Snapshot) -> bool:
        found = seen.pod(self.pod.uid)
        return found is None or found.deleting

    def waits_for(self, seen: Snapshot) -> str | None:
        if seen.observed_generation >= seen.generation:
            return None
        return f"the controller of {seen.ref} to see the new template"

    def superseded(self, seen: Snapshot) -> bool:
        """A pod that became ready is not broken: it stays."""
        found = seen.pod(self.pod.uid)
        return found is not None and found.ready


@dataclass(frozen=True, slots=True)
class Scale:
    """Sets replicas from `from_` to `to` (surge, and back).

    `surge_for` is the pod a surge stands in for: once that one is on its way out the surge has
    done its work, and a plan that is resumed after its last step does not surge again. With
    `settle` the way back waits for `to` pods to be ready and for the evicted pod's replacement to
    exist: a controller that has not seen the eviction yet would take the younger surge pod away.
    """

    from_: int
    to: int
    restore: bool = False
    surge_for: PodRef | None = None
    settle: bool = True

    def in_effect(self, seen: Snapshot) -> bool:
        return seen.replicas == self.to or self._surge_is_over(seen)

    def waits_for(self, seen: Snapshot) -> str | None:
        if not self.settle or self.to >= self.from_:
            return None
        if seen.ready < self.to:
            return f"{self.to} ready pods, {seen.ready} are"
        if len(seen.present) < self.from_:
            return f"{self.from_} pods to exist, {len(seen.present)} do"
        return None

    def superseded(self, seen: Snapshot) -> bool:
        """Somebody else set another number meanwhile, or an autoscaler does now: theirs holds."""
        taken = self.restore and seen.autoscaler is not None and seen.autoscaler.readable
        return taken or seen.replicas not in (self.from_, self.to)

    def _surge_is_over(self, seen: Snapshot) -> bool:
        if self.surge_for is None:
            return False
        pod = seen.pod(self.surge_for.uid)
        return pod is None or pod.deleting


@dataclass(frozen=True, slots=True)
class SetTemplate:
    """Puts the pod template of an earlier revision back."""

    from_revision: str
    to_revision: str
    restore: bool = False

    def in_effect(self, seen: Snapshot) -> bool:
        target = seen.revision(self.to_revision)
        return (
            target is not None
            and target.template is not None
            and (target.template == seen.template)
        )

    def waits_for(self, seen: Snapshot) -> str | None:
        return None

    def superseded(self, seen: Snapshot) -> bool:
        """Somebody rolled out something newer meanwhile: theirs holds."""
        return not self.in_effect(seen) and seen.update_revision != self.from_revision


@dataclass(frozen=True, slots=True)
class LimitChange:
    """The memory limit of one container of a pod template, in bytes."""

    container: str
    from_: int
    to: int


@dataclass(frozen=True, slots=True)
class SetTemplateMemory:
    """Sets memory limits in the pod template, all in one write, so that there is one rollout.

    A request that equals its limit goes with it; any other stays.
    """

    limits: tuple[LimitChange, ...]
    restore: bool = False

    def in_effect(self, seen: Snapshot) -> bool:
        return all(_template_limit(seen, change) == change.to for change in self.limits)

    def waits_for(self, seen: Snapshot) -> str | None:
        return None

    def superseded(self, seen: Snapshot) -> bool:
        """Somebody set another limit meanwhile, or a request that the limit may not go below."""
        return any(
            _template_limit(seen, c) not in (c.from_, c.to) or _asks_for_more(seen, c)
            for c in self.limits
        )


@dataclass(frozen=True, slots=True)
class ReleaseOwnership:
    """Gives up the fields our writes own, so that the user's next apply meets no conflict."""

    manager: str
    restore: bool = True

    def in_effect(self, seen: Snapshot) -> bool:
        return self.manager not in seen.managers

    def waits_for(self, seen: Snapshot) -> str | None:
        return None

    def superseded(self, seen: Snapshot) -> bool:
        return False


@dataclass(frozen=True, slots=True)
class Resize:
    """Sets the memory limit of one container of one running pod, in bytes, without a restart.

    In effect once it is asked for; whether the kubelet has done it is for verification to see.
    """

    pod: PodRef
    container: str
    from_: int
    to: int
    restore: bool = False

    def in_effect(self, seen: Snapshot) -> bool:
        """A pod that is gone, or going, needs no more memory; but nothing was brought back."""
        found = self._found(seen)
        return not self.restore if found is None else found.memory_wanted == self.to

    def waits_for(self, seen: Snapshot) -> str | None:
        return None

    def superseded(self, seen: Snapshot) -> bool:
        """The pod with the limit is gone, or somebody set another one meanwhile: theirs holds."""
        found = self._found(seen)
        return self.restore if found is None else found.memory_wanted not in (self.from_, self.to)

    def _found(self, seen: Snapshot) -> Container | None:
        pod = seen.pod(self.pod.uid)
        return None if pod is None or pod.deleting else pod.container(self.container)


@dataclass(frozen=True, slots=True)
class SetAutoscalerBound:
    """Sets one bound of the HorizontalPodAutoscaler that owns the replicas, and so the replicas.

    `name` and `uid` are the autoscaler's: another one with the same name is left alone. A bound
    waits for the other one to make way: the API server takes no floor above the ceiling.
    """

    name: str
    uid: str
    bound: AutoscalerBound
    from_: int
    to: int
    restore: bool = False

    def in_effect(self, seen: Snapshot) -> bool:
        found = _autoscaler(seen, self.uid)
        return found is not None and found.bound(self.bound) == self.to

    def waits_for(self, seen: Snapshot) -> str | None:
        found = _autoscaler(seen, self.uid)
        if found is None:
            return _readable(seen)
        if found.min_replicas > self.to and self.bound is AutoscalerBound.CEILING:
            return f"{AutoscalerBound.FLOOR} of {found} to be {self.to} or less, it is {found.min_replicas}"
        if found.max_replicas < self.to and self.bound is AutoscalerBound.FLOOR:
            return f"{AutoscalerBound.CEILING} of {found} to be {self.to} or more, it is {found.max_replicas}"
        return None

    def superseded(self, seen: Snapshot) -> bool:
        """It is gone, or somebody else set another bound meanwhile: theirs holds."""
        if _readable(seen) is not None:
            return False
        found = _autoscaler(seen, self.uid)
        return found is None or found.bound(self.bound) not in (self.from_, self.to)


@dataclass(frozen=True, slots=True)
class ReleaseAutoscaler:
    """Gives up the fields of an autoscaler that our writes own."""

    manager: str
    name: str
    uid: str
    restore: bool = True

    def in_effect(self, seen: Snapshot) -> bool:
        """Nothing is left to give up of one that is gone."""
        if _readable(seen) is not None:
            return False
        found = _autoscaler(seen, self.uid)
        return found is None or self.manager not in found.managers

    def waits_for(self, seen: Snapshot) -> str | None:
        return _readable(seen)

    def superseded(self, seen: Snapshot) -> bool:
        return False


def _template_limit(seen: Snapshot, change: LimitChange) -> float | None:
    found = seen.ask(change.container)
    return found.memory_limit if found else None


def _asks_for_more(seen: Snapshot, change: LimitChange) -> bool:
    found = seen.ask(change.container)
    return found is not None and change.to < found.memory != found.memory_limit


def _autoscaler(seen: Snapshot, uid: str) -> Autoscaler | None:
    found = seen.autoscaler
    return found if found is not None and found.uid == uid else None


def _readable(seen: Snapshot) -> str | None:
    if seen.autoscaler is None or seen.autoscaler.readable:
        return None
    return f"the right to read the HorizontalPodAutoscalers of namespace {seen.ref.namespace}"


Action = (
    EvictPod
    | DeletePod
    | Scale
    | SetTemplate
    | SetTemplateMemory
    | ReleaseOwnership
    | Resize
    | SetAutoscalerBound
    | ReleaseAutoscaler
)


@dataclass(frozen=True, slots=True)
class Plan:
    """What one healer would do to one target, in order, and how to take it back.

    `summary` is one sentence for people; `blast_radius` counts the pods that go away. Actions
    marked `restore` bring the user's own state back; they pass only the guards that stop every
    write (kill switch, protected namespace), because leaving them undone is the greater harm.
    `afterwards` are restoring actions that are owed, whatever the verdict, until what was done is
    needed no more: a limit that was raised, replicas that were added.
    """

    healer: str
    target: WorkloadRef
    effect: Effect
    actions: tuple[Action, ...]
    undo: tuple[Action, ...]
    summary: str
    blast_radius: int
    afterwards: tuple[Action, ...] = ()


def changes_manifest(plan: Plan) -> bool:
    """Whether the plan writes what a manifest owns (replicas, template), not just pods."""
    return any(isinstance(a, Scale | SetTemplate | SetTemplateMemory) for a in plan.actions)


def new_limits(plan: Plan) -> SetTemplateMemory | None:
    """What a plan makes of the memory limits of the pod template; None: nothing."""
    return next((a for a in plan.actions if isinstance(a, SetTemplateMemory)), None)


def changes_autoscaler(plan: Plan) -> bool:
    """Whether the plan writes what the autoscaler's manifest owns."""
    return any(isinstance(a, SetAutoscalerBound) for a in plan.actions)
