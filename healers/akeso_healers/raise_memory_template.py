"""RaiseMemoryTemplate: more memory for good, in the pod template."""

from __future__ import annotations

from dataclasses import dataclass, replace

from akeso.domain.action import (
    ROOM,
    Action,
    Effect,
    LimitChange,
    Plan,
    ReleaseOwnership,
    SetTemplateMemory,
)
from akeso.domain.finding import Finding
from akeso.domain.verdict import Verdict, allow, deny
from akeso.domain.words import bytes_of, quantity_of
from akeso.domain.workload import Container, Kind, Snapshot
from akeso.protocols import HealerContext
from akeso_healers import memory
from akeso_healers.templates import not_rolled_out


@dataclass(frozen=True, slots=True)
class Raise:
    """One container of the template, whose limit is to be raised from `limit` to `to` bytes."""

    container: str
    limit: float
    to: int

    def __str__(self) -> str:
        return f"container {self.container} from {bytes_of(self.limit)} to {bytes_of(self.to)}"


class RaiseMemoryTemplate:
    """Raises memory limits in the pod template, so that the next pods have them too.

    Watches: containers that will soon reach their memory limit, or whose limit was raised in place.
    Acts when: containers of the finding's pods run with a higher limit than the template gives, and
        use 80 % of that one or more; or grow towards their limit by their forecast, and have not
        levelled off; no VerticalPodAutoscaler sizes them; and the rung's ceiling leaves room to
        speak of: 80 % of the new limit are at least the template's. It is proposed only: a person
        asks for it by its name, or the rung says "mode: Heal".
    Does: sets the limit of all of these containers in one write, to what they run with where that
        was raised, else to half as much again, or what the forecast asks for, up to the ceiling; the
        request too where it equals the limit. The ownership of the template is given back at once.
    Blast radius: all pods, by a rollout at the pace of the workload's own strategy.
    Undo: the old limits are set again, by another rollout, when a person asks for it, or when the
        new pods do not come up. Never by itself after that: it was made for good. Whatever somebody
        else sets meanwhile holds.
    Known false alarms: a leak is not a need: its pods only live longer, which is why this is
        proposed and not done. Whoever applies the workload's manifest again sets the old limit.
    """

    name = "RaiseMemoryTemplate"
    effect = Effect.BUYS_TIME
    proposed = True
    kinds = frozenset(Kind)

    def diagnose(self, finding: Finding, seen: Snapshot, context: HealerContext) -> Verdict:
        """The first reason why not: finding, workload, then each container."""
        denied = memory.not_about_memory(finding) or memory.no_ceiling(context)
        if denied is None:
            unmoved = not_rolled_out(self.name, seen)
            if unmoved is not None:
                return unmoved
            denied = _not_possible(finding, seen, context)
        if denied is not None:
            reason, said = denied
            return deny(self.name, reason, f"{seen.ref}: {said}")
        raises = _raises(finding, seen, context)
        short = [r for r in raises if r.to * ROOM < r.limit]
        if short:
            return _too_low(seen, short[0])
        return allow(self.name, f"Can be raised: {'; '.join(map(str, raises))}.")

    def plan(self, finding: Finding, seen: Snapshot, context: HealerContext) -> Plan:
        """One write for all containers: each would be a rollout of its own."""
        raises = _raises(finding, seen, context)
        if not raises:
            raise ValueError(f"nothing of {seen.ref} can be raised: ask diagnose() before plan()")
        limits = tuple(LimitChange(r.container, int(r.limit), r.to) for r in raises)
        back = tuple(replace(c, from_=c.to, to=c.from_) for c in limits)
        release: Action = ReleaseOwnership(context.manager)
        return Plan(
            healer=self.name,
            target=seen.ref,
            effect=self.effect,
            actions=(SetTemplateMemory(limits), release),
            undo=(SetTemplateMemory(back, restore=True), release),
            summary=_summary(raises),
            blast_radius=len(seen.present),
            afterwards=(SetTemplateMemory(back, restore=True), release),
        )


def _not_possible(finding: Finding, seen: Snapshot, context: HealerContext) -> memory.Denied | None:
    denied = memory.nobody_there(finding, seen) or memory.sized_by_vpa(finding, seen)
    if denied is not None:
        return denied
    hits = list(memory.growing(finding, seen, context))
    denied = next((no for no in (_unfit(hit, seen) for hit in hits) if no is not None), None)
    if denied is None and not _raises(finding, seen, context):
        return memory.nothing_grows(finding, seen, context)
    return denied


def _unfit(hit: memory.Hit, seen: Snapshot) -> memory.Denied | None:
    """Why a container that grows can't be helped by this; then the next rung helps all."""
    pod, container, forecast = hit
    if _template_limit(container, seen) is None:
        return "NoLimit", (
            f"container {container.name} of pod {pod.ref.name} has no memory limit in the pod "
            "template that could be raised (a LimitRange may give it one)."
        )
    if forecast.levelled_off and not _raised(hit, seen):
        return "LevelledOff", memory.level(forecast)
    return None


def _template_limit(container: Container, seen: Snapshot) -> float | None:
    found = seen.ask(container.name)
    return found.memory_limit if found else None


def _raised(hit: memory.Hit, seen: Snapshot) -> bool:
    """Whether it runs with a higher limit than the next pod would, and with less would have no room.

    Pods of an earlier template had their limit from that one.
    """
    pod, container, forecast = hit
    limit, value = _template_limit(container, seen), forecast.value
    if limit is None or value is None or container.memory_wanted is None:
        return False
    if pod.revision != seen.update_revision:
        return False
    return container.memory_wanted > limit and value >= ROOM * limit


def _raises(finding: Finding, seen: Snapshot, context: HealerContext) -> list[Raise]:
    """What each container of the template is to be raised to: what its neediest pod needs."""
    ceiling, growing = context.ceiling or 0.0, list(memory.growing(finding, seen, context))
    found: dict[str, Raise] = {}
    for hit in memory.known(finding, seen, context):
        _, container, forecast = hit
        limit = _template_limit(container, seen)
        to = _wanted(hit, hit in growing and not forecast.levelled_off, seen, ceiling)
        if to is not None and limit is not None:
            before = found.get(container.name)
            highest = max(to, before.to if before else 0)
            found[container.name] = Raise(container.name, limit, highest)
    return list(found.values())


def _wanted(hit: memory.Hit, grows: bool, seen: Snapshot, ceiling: float) -> int | None:
    """What was raised already is made to last, and no more: a new pod begins anew."""
    _, container, forecast = hit
    limit = _template_limit(container, seen)
    if limit is not None and _raised(hit, seen):
        return min(int(container.memory_wanted or 0.0), int(ceiling))
    return memory.wanted(forecast, limit, ceiling) if limit is not None and grows else None


def _too_low(seen: Snapshot, short: Raise) -> Verdict:
    least = memory.whole_mib(short.limit / ROOM)
    return deny(
        RaiseMemoryTemplate.name,
        "CeilingReached",
        f"{seen.ref}: container {short.container} has a memory limit of {bytes_of(short.limit)} in "
        "the pod template, and the ceiling leaves too little room above it: use a ceiling of "
        f"{quantity_of(least)} or more.",
    )


def _summary(raises: list[Raise]) -> str:
    what = "limit" if len(raises) == 1 else "limits"
    return (
        f"raise the memory {what} of {'; '.join(map(str, raises))} in the pod template, "
        "by a rollout of all its pods"
    )
