"""Whether what a healing did for the time being is needed no more. Pure.

Missing data is never calm: what can't be measured stays as it is.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from akeso.domain.action import (
    LOAD_ROOM,
    ROOM,
    Action,
    Resize,
    Scale,
    SetAutoscalerBound,
    SetTemplateMemory,
)
from akeso.domain.finding import Signal as About
from akeso.domain.forecast import SeriesKey
from akeso.domain.workload import AutoscalerBound, Snapshot
from akeso.engine.freshness import speaks_of, unmeasured
from akeso.engine.observe import query_key
from akeso.engine.subject import Subject
from akeso.engine.words import bytes_of, seconds_of
from akeso.settings import Settings


@dataclass(frozen=True, slots=True)
class Debt:
    """One owed action, and what decides about it.

    `calm_for`: seconds for which the problem was looked for and not found, and would not have come
    back without what is owed; None: it is there, would be back, or could not be looked for. `asked`: a person asked to take the healing back.
    """

    action: Action
    seen: Snapshot
    subject: Subject
    calm_for: float | None
    asked: bool


def still_needed(debt: Debt, settings: Settings) -> str | None:
    """Why it is not brought back yet, in a few words; None: it is due."""
    if isinstance(debt.action, SetAutoscalerBound):
        return _load(debt, settings) or _asked_for(debt, debt.action)
    if isinstance(debt.action, Scale):
        return _load(debt, settings)
    if isinstance(debt.action, Resize):
        return _memory(debt, debt.action, settings)
    if isinstance(debt.action, SetTemplateMemory) and not debt.asked:
        return "it was made for good, and nobody asked to have it taken back"
    return None


def carries(
    back: Action, before: int, seen: Snapshot, subject: Subject, settings: Settings
) -> bool:
    """Whether the load there is would leave room on the pods that are left by this action.

    Without that a lull would be brought about by the very replicas that it takes away. Of an
    autoscaler it is only known how many it had `before`. What can't be compared (an alert) is no
    reason to keep them.
    """
    if not isinstance(back, Scale | SetAutoscalerBound):
        return True
    left = back.to if isinstance(back, Scale) else max(back.to, before)
    if not 1 <= left < seen.replicas:
        return True
    more = seen.replicas / left
    return all(share * more <= LOAD_ROOM for share in _shares(seen, subject, settings))


def _shares(seen: Snapshot, subject: Subject, settings: Settings) -> Iterator[float]:
    """What is measured now of this load, each as a share of its threshold."""
    signal, observed = subject.signal, subject.around.observation
    for load in observed.loads_of(signal, seen.ref.uid):
        if load.measured.bound.value > 0:
            yield load.measured.value / load.measured.bound.value
    key, bound = query_key(signal, settings), signal.bound
    result = observed.queries.get(key) if key else None
    if result is None or bound is None or bound.value <= 0 or signal.about is not About.QUERY:
        return
    for reading in result.readings:
        if speaks_of(reading.labels, signal, seen):
            yield reading.value / bound.value


def _asked_for(debt: Debt, back: SetAutoscalerBound) -> str | None:
    """It is the autoscaler that takes pods away; its ceiling must not do so in its place."""
    if debt.asked or debt.subject.orphan or back.bound is AutoscalerBound.FLOOR:
        return None
    if debt.seen.replicas <= back.to:
        return None
    return f"{debt.seen.autoscaler} still asks for {debt.seen.replicas} replicas"


def _memory(debt: Debt, back: Resize, settings: Settings) -> str | None:
    """Lowered under what is used, a limit kills: whoever asks, usage must be well below it first.

    A raise that the kubelet never carried out is owed at once: nothing was gained that could be
    lost, and it must not come into force when nobody thinks of it any more.
    """
    pod = debt.seen.pod(back.pod.uid)
    container = pod.container(back.container) if pod else None
    if pod is None or container is None or container.memory_limit == back.to:
        return None
    observed = debt.subject.around.observation
    what = f"container {container.name} of pod {pod.ref.name}"
    key = SeriesKey(debt.seen.ref.namespace, pod.ref.name, container.name)
    forecast = observed.forecasts.get(key)
    silent = any(c is container for _, c in unmeasured([pod], debt.seen, observed, settings))
    if silent or forecast is None or forecast.value is None:
        return f"the memory of {what} can't be measured"
    if forecast.value >= ROOM * back.to:
        return (
            f"{what} uses {bytes_of(forecast.value)}, which is not below {ROOM:.0%} of "
            f"{bytes_of(back.to)}"
        )
    return _load(debt, settings)


def _load(debt: Debt, settings: Settings) -> str | None:
    """A person who asks, and a policy that is gone, need no lull to be waited for."""
    if debt.asked or debt.subject.orphan:
        return None
    if debt.calm_for is None:
        return "its problem is still there, or would be back, or can't be measured"
    if debt.calm_for < settings.calm_seconds:
        return f"its problem was not seen for {seconds_of(debt.calm_for)} only"
    return None
