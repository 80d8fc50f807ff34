"""A workload with its controller, small enough to be right: it carries plans out, step by step.

One `tick` is one step of the controller, by the rules that plans depend on: surges and scale downs
of a ReplicaSet, the strict order of a StatefulSet (and that it waits for ever for a broken pod),
one pod at a time for a DaemonSet.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from akeso.domain.action import (
    Action,
    DeletePod,
    EvictPod,
    LimitChange,
    Plan,
    ReleaseAutoscaler,
    ReleaseOwnership,
    Resize,
    Scale,
    SetAutoscalerBound,
    SetTemplate,
    SetTemplateMemory,
)
from akeso.domain.workload import Autoscaler, AutoscalerBound, Kind, Pod, Snapshot
from unit.world import NOW, pod, revision


class Crash(Exception):
    """The operator died here."""


class Simulator:
    """`seen` is what a live read shows now; `fewest` the fewest ready pods there ever were."""

    def __init__(self, seen: Snapshot, manager: str, broken: Sequence[str] = ()) -> None:
        self.seen = seen
        self.fewest = seen.ready
        self.writes: list[Action] = []
        self._manager = manager
        self._broken = frozenset(broken)
        self._made = 0
        self._asks, self._template = seen.asks, seen.template or {}

    def perform(self, action: Action) -> None:
        """One write, as the API server would take it."""
        self.writes.append(action)
        match action:
            case EvictPod(pod=ref) | DeletePod(pod=ref):
                self._set_pods(
                    replace(p, deleting=True, ready=False) if p.ref == ref else p
                    for p in self.seen.pods
                )
            case Scale(to=to):
                self._write(replicas=to)
            case SetTemplate(to_revision=name):
                revision = self.seen.revision(name)
                assert revision is not None
                self._write(template=revision.template)
            case SetTemplateMemory(limits=limits):
                self._set_limits(limits)
            case ReleaseOwnership(manager=manager):
                kept = tuple(m for m in self.seen.managers if m != manager)
                self.seen = replace(self.seen, managers=kept)
            case Resize(pod=ref, container=name, to=to):
                limit = float(to)
                self._set_pods(
                    replace(
                        p,
                        containers=tuple(
                            replace(c, memory_limit=limit, memory_wanted=limit)
                            if c.name == name
                            else c
                            for c in p.containers
                        ),
                    )
                    if p.ref == ref
                    else p
                    for p in self.seen.pods
                )
            case SetAutoscalerBound(bound=bound, to=to):
                self._set_autoscaler(bound, to)
            case ReleaseAutoscaler(manager=manager):
                found = self.seen.autoscaler
                assert found is not None
                kept = tuple(m for m in found.managers if m != manager)
                self.seen = replace(self.seen, autoscaler=replace(found, managers=kept))

    def _set_limits(self, limits: Sequence[LimitChange]) -> None:
        """A template that was there before is the revision that it was."""
        to = {c.container: float(c.to) for c in limits}
        asks = tuple(
            replace(a, memory_limit=to.get(a.container, a.memory_limit)) for a in self.seen.asks
        )
        template = {**(self.seen.template or {}), "limits": [a.memory_limit for a in asks]}
        if asks == self._asks:
            template = dict(self._template)
        if all(r.template != template for r in self.seen.revisions):
            made = replace(revision("raised", 9), template=template)
            self.seen = replace(self.seen, revisions=(*self.seen.revisions, made))
        self._write(template=template, asks=asks)

    def _set_autoscaler(self, bound: AutoscalerBound, to: int) -> None:
        found = self.seen.autoscaler
        assert found is not None
        managers = tuple(dict.fromkeys((*found.managers, self._manager)))
        changed = replace(found.bounded(bound, to), managers=managers)
        assert 1 <= changed.min_replicas <= changed.max_replicas, "the API server refuses this"
        self.seen = replace(self.seen, autoscaler=changed)

    def tick(self) -> None:
        """The controller's next step: it sees what was written, then changes at most one pod."""
        scaled = self.seen.autoscaler
        if scaled is not None:
            self._autoscale(scaled)
        seen = self.seen
        self.seen = replace(
            seen,
            observed_generation=seen.generation,
            update_revision=_revision_of(seen, seen.template),
        )
        step = {
            Kind.DEPLOYMENT: self._deployment,
            Kind.STATEFUL_SET: self._stateful_set,
            Kind.DAEMON_SET: self._daemon_set,
        }[seen.ref.kind]
        step()
        self.fewest = min(self.fewest, self.seen.ready)

    def _autoscale(self, scaled: Autoscaler) -> None:
        """An autoscaler whose metric asks for its minimum."""
        wanted = min(max(1, scaled.min_replicas), scaled.max_replicas)
        if wanted != self.seen.replicas:
            self.seen = replace(self.seen, replicas=wanted, generation=self.seen.generation + 1)

    def settle(self) -> None:
        for _ in range(50):
            self.tick()

    def _deployment(self) -> None:
        """maxSurge 1, maxUnavailable 0; of too many the one not ready goes, then the youngest."""
        self._drop_deleting()
        seen = self.seen
        old = [p for p in seen.present if p.revision != seen.update_revision]
        new = [p for p in seen.present if p.revision == seen.update_revision]
        if len(seen.present) > seen.replicas:
            victim = min(old or new, key=lambda p: (p.ready, -p.created_at))
            if not (old and victim.ready) or all(p.ready for p in new):
                self._remove(victim)
                return
        elif old or len(new) < seen.replicas:
            self._start(f"{seen.ref.name}-new-{self._made}")
            return
        self._get_ready()

    def _stateful_set(self) -> None:
        seen = self.seen
        self._drop_deleting()
        names = {p.ref.name for p in self.seen.pods}
        for ordinal in range(seen.replicas):
            name = f"{seen.ref.name}-{ordinal}"
            if name not in names:
                self._start(name)
                return
        extra = [p for p in self.seen.pods if p.ref.name not in _names(seen)]
        if extra:
            self._remove(max(extra, key=lambda p: p.ref.name))
            return
        if self._get_ready():
            return
        if any(not p.ready for p in self.seen.pods):
            return  # the strict order: nothing goes on while a pod is not ready
        old = [p for p in self.seen.present if p.revision != seen.update_revision]
        if old:
            self._remove(max(old, key=lambda p: p.ref.name))

    def _daemon_set(self) -> None:
        seen = self.seen
        self._drop_deleting()
        if len(self.seen.pods) < seen.replicas:
            self._start(f"{seen.ref.name}-node-{self._made}")
        elif not self._get_ready():
            old = [p for p in self.seen.present if p.revision != seen.update_revision]
            unready = [p for p in old if not p.ready]
            if unready or (old and self.seen.ready == seen.replicas):
                self._remove((unready or old)[0])

    def _start(self, name: str) -> None:
        fresh = replace(
            pod(name, revision=self.seen.update_revision, ready=False),
            created_at=NOW + self._made,
        )
        self._made += 1
        ref = replace(fresh.ref, uid=f"uid-{name}-{self._made}")
        self._set_pods((*self.seen.pods, replace(fresh, ref=ref)))

    def _get_ready(self) -> bool:
        for p in self.seen.present:
            if not p.ready and p.revision not in self._broken and p.created_at >= NOW:
                self._set_pods(replace(q, ready=q.ready or q is p) for q in self.seen.pods)
                return True
        return False

    def _drop_deleting(self) -> None:
        self._set_pods(p for p in self.seen.pods if not p.deleting)

    def _remove(self, victim: Pod) -> None:
        self._set_pods(p for p in self.seen.pods if p is not victim)

    def _set_pods(self, pods: Any) -> None:
        self.seen = replace(self.seen, pods=tuple(pods))
        self.fewest = min(self.fewest, self.seen.ready)

    def _write(self, **fields: Any) -> None:
        managers = tuple(dict.fromkeys((*self.seen.managers, self._manager)))
        self.seen = replace(
            self.seen, managers=managers, generation=self.seen.generation + 1, **fields
        )


def _names(seen: Snapshot) -> set[str]:
    return {f"{seen.ref.name}-{ordinal}" for ordinal in range(seen.replicas)}


def _revision_of(seen: Snapshot, template: Mapping[str, Any] | None) -> str:
    return next(r.name for r in seen.revisions if r.template == template)


def carry_out(actions: Sequence[Action], world: Simulator, crash_after: int | None = None) -> None:
    """What the engine does with a plan: look, skip what is done, wait, write, look again.

    Nothing is remembered between two calls, so a second call resumes after a crash.
    """
    written = 0
    for action in actions:
        for _ in range(100):
            if action.in_effect(world.seen) or action.superseded(world.seen):
                break
            if action.waits_for(world.seen) is None:
                world.perform(action)
                assert action.in_effect(world.seen), f"{action} did nothing"
                written += 1
                if written == crash_after:
                    raise Crash
                break
            world.tick()
        else:
            raise AssertionError(f"waits for ever for {action.waits_for(world.seen)}")


def writes_of(plan: Plan, seen: Snapshot, manager: str, broken: Sequence[str]) -> int:
    """How many writes the plan takes on that workload."""
    world = Simulator(seen, manager, broken)
    carry_out(plan.actions, world)
    return len(world.writes)
