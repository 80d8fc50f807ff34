"""Whether what a healing did for the time being is needed no more. Pure.

Missing data is never calm: what can't be measured stays as it is.
"""

from __future__ import annotations

from dataclasses import dataclass

from akeso.domain.action import ROOM, Action, Resize, Scale
from akeso.domain.forecast import SeriesKey
from akeso.domain.workload import Snapshot
from akeso.engine.freshness import unmeasured
from akeso.engine.subject import Subject
from akeso.engine.words import bytes_of, seconds_of
from akeso.settings import Settings


@dataclass(frozen=True, slots=True)
class Debt:
    """One owed action, and what decides about it.

    `calm_for`: seconds for which the problem was looked for and not found; None: it is there, or
    could not be looked for. `asked`: a person asked to take the healing back.
    """

    action: Action
    seen: Snapshot
    subject: Subject
    calm_for: float | None
    asked: bool


def still_needed(debt: Debt, settings: Settings) -> str | None:
    """Why it is not brought back yet, in a few words; None: it is due."""
    if isinstance(debt.action, Scale):
        return _load(debt, settings)
    if isinstance(debt.action, Resize):
        return _memory(debt, debt.action, settings)
    return None


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
        return "its problem is still there, or can't be measured"
    if debt.calm_for < settings.calm_seconds:
        return f"its problem was not seen for {seconds_of(debt.calm_for)} only"
    return None
