"""What the routines that give more memory have in common: which containers grow, and how far."""

from __future__ import annotations

import math
from collections.abc import Iterator

from akeso.domain.action import ROOM
from akeso.domain.finding import Finding, Origin, Signal
from akeso.domain.forecast import Forecast, SeriesKey
from akeso.domain.words import bytes_of
from akeso.domain.workload import Container, Pod, Snapshot
from akeso.protocols import HealerContext

MIB = 2**20
# Half as much again: room for hours of an ordinary leak, and few raises until a ceiling is met.
GROWTH = 1.5
# A person, or a query, says nothing of the future: then the forecast must find it likelier than not.
LIKELY = 0.5

Denied = tuple[str, str]  # reason and sentence
Hit = tuple[Pod, Container, Forecast]


def not_about_memory(finding: Finding) -> Denied | None:
    if finding.about in (Signal.MEMORY_EXHAUSTION, Signal.QUERY):
        return None
    return "NotAMemoryProblem", f"more memory does not help against {finding.about}."


def no_ceiling(context: HealerContext) -> Denied | None:
    if context.ceiling is not None:
        return None
    return "NoCeiling", "the rung has no ceiling, the limit up to which it may raise."


def nobody_there(finding: Finding, seen: Snapshot) -> Denied | None:
    """No pod of the finding is left that could be helped."""
    if not finding.pods:
        return "NoPods", "the finding names no pods, so there is none to give more memory."
    there = [p for ref in finding.pods if (p := seen.pod(ref.uid)) is not None]
    if all(p.deleting for p in there):
        names = ", ".join(ref.name for ref in finding.pods)
        return ("AlreadyTerminating" if there else "GoneAlready"), f"{names} need no more memory."
    return None


def sized_by_vpa(finding: Finding, seen: Snapshot) -> Denied | None:
    """Another hand on the same limits; only pods that it has sized already show it."""
    named = (seen.pod(ref.uid) for ref in finding.pods)
    found = next((p for p in named if p is not None and p.sized_by_vpa), None)
    if found is None:
        return None
    return "VerticalPodAutoscaler", (
        f"a VerticalPodAutoscaler sizes pod {found.ref.name} and would undo this; raise maxAllowed "
        "in its resourcePolicy."
    )


def nothing_grows(finding: Finding, seen: Snapshot, context: HealerContext) -> Denied:
    """Why no container of these pods needs more, where none does."""
    there = [p for ref in finding.pods if (p := seen.pod(ref.uid)) is not None]
    known = [f for p in there for _, f in forecasts(p, seen, context) if f.ttf is not None]
    if known and all(f.levelled_off for f in known):
        return "LevelledOff", level(known[0])
    if known:
        return "NotGrowing", "no container of these pods is expected to reach its memory limit."
    return "NoForecast", (
        "there is no forecast of the memory of these pods; they need a limit, samples, and a "
        "signal MemoryExhaustion."
    )


def level(forecast: Forecast) -> str:
    key = forecast.key
    return (
        f"the memory of container {key.container} of pod {key.pod} has levelled off at "
        f"{bytes_of(forecast.value or 0.0)}, as a heap of a fixed size does (a JVM's -Xmx): it would "
        "not grow with the limit."
    )


def growing(finding: Finding, seen: Snapshot, context: HealerContext) -> Iterator[Hit]:
    """The containers that need more, in the finding's order of pods, each once."""
    for pod, container, forecast in known(finding, seen, context):
        if _needs_more(finding, forecast):
            yield pod, container, forecast


def known(finding: Finding, seen: Snapshot, context: HealerContext) -> Iterator[Hit]:
    """The containers of the finding's pods that there is a forecast of."""
    for uid in dict.fromkeys(ref.uid for ref in finding.pods):
        pod = seen.pod(uid)
        if pod is None or pod.deleting:
            continue
        for container, forecast in forecasts(pod, seen, context):
            yield pod, container, forecast


def forecasts(
    pod: Pod, seen: Snapshot, context: HealerContext
) -> Iterator[tuple[Container, Forecast]]:
    for container in pod.containers:
        key = SeriesKey(seen.ref.namespace, pod.ref.name, container.name)
        forecast = context.forecasts.get(key)
        if forecast is not None:
            yield container, forecast


def _needs_more(finding: Finding, forecast: Forecast) -> bool:
    """An alarm; where something else than a forecast asks, that it is likely at least."""
    if forecast.alarm:
        return True
    if finding.about is Signal.MEMORY_EXHAUSTION and finding.origin is not Origin.REQUEST:
        return False
    ttf, probability = forecast.ttf, forecast.probability
    return ttf is not None and ttf[1] < math.inf and (probability or 0.0) >= LIKELY


def wanted(forecast: Forecast, limit: float, ceiling: float) -> int:
    """So much that there is room when the failure should have come at the latest, in bytes."""
    value, ttf = forecast.value, forecast.ttf
    more = GROWTH * limit
    if value is not None and ttf is not None and 0 < ttf[1] <= ttf[2] < math.inf:
        late = value + (limit - value) * ttf[2] / ttf[1]
        more = max(more, late / ROOM)
    return min(whole_mib(more), int(ceiling))


def whole_mib(value: float) -> int:
    return math.ceil(value / MIB) * MIB
