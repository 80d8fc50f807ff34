"""Whether what a healing did for the time being is needed no more. Pure.

Missing data is never calm: what can't be measured stays as it is.
"""

from __future__ import annotations

from dataclasses import dataclass

from akeso.domain.action import Action, Scale
from akeso.domain.workload import Snapshot
from akeso.engine.subject import Subject
from akeso.engine.words import seconds_of
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
    return None


def _load(debt: Debt, settings: Settings) -> str | None:
    """A person who asks, and a policy that is gone, need no lull to be waited for."""
    if debt.asked or debt.subject.orphan:
        return None
    if debt.calm_for is None:
        return "its problem is still there, or can't be measured"
    if debt.calm_for < settings.calm_seconds:
        return f"its problem was not seen for {seconds_of(debt.calm_for)} only"
    return None
