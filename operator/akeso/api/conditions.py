"""Conditions as Kubernetes has them: how an object is, why, and since when.

https://github.com/kubernetes/community/blob/master/contributors/devel/sig-architecture/api-conventions.md#typical-status-properties
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Annotated, Literal

from pydantic import Field

from akeso.api.meta import Model
from akeso.api.scalars import Count, Message, Time, map_by

# Both from metav1.Condition.
_TYPE = (
    r"^([a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*/)?"
    r"(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])$"
)
_REASON = r"^[A-Za-z]([A-Za-z0-9_,:]*[A-Za-z0-9_])?$"

ConditionStatus = Literal["True", "False", "Unknown"]


class Condition(Model):
    """One aspect of an object: `reason` is for programs, `message` for people."""

    type: Annotated[str, Field(max_length=316, pattern=_TYPE)]
    status: ConditionStatus
    observed_generation: Count | None = None
    last_transition_time: Time
    reason: Annotated[str, Field(min_length=1, max_length=1024, pattern=_REASON)]
    message: Message


Conditions = Annotated[tuple[Condition, ...], Field(max_length=16), map_by("type")]


def set_condition(
    conditions: tuple[Condition, ...],
    type: str,
    status: bool | None,
    reason: str,
    message: str,
    now: datetime,
    generation: int,
) -> tuple[Condition, ...]:
    """The conditions with one of them set; `status` None is Unknown.

    `last_transition_time` moves only when the status changes. When nothing changes at all, the
    very same tuple comes back, so that the caller can tell that there is nothing to write.
    """
    before = get_condition(conditions, type)
    wanted = _status(status)
    after = Condition(
        type=type,
        status=wanted,
        observed_generation=generation,
        last_transition_time=(
            before.last_transition_time if before and before.status == wanted else now
        ),
        reason=reason,
        message=message,
    )
    if before is None:
        return (*conditions, after)
    if before == after:
        return conditions
    return tuple(after if c is before else c for c in conditions)


def get_condition(conditions: Iterable[Condition], type: str) -> Condition | None:
    return next((c for c in conditions if c.type == type), None)


def said_by(conditions: Iterable[Condition], type: str) -> str | None:
    """The message of a condition that is True; None where it is not."""
    found = get_condition(conditions, type)
    return found.message if found is not None and found.status == "True" else None


def is_true(conditions: Iterable[Condition], type: str) -> bool:
    """Whether the condition is there and True; a missing or Unknown one is not."""
    found = get_condition(conditions, type)
    return found is not None and found.status == "True"


def _status(status: bool | None) -> ConditionStatus:
    if status is None:
        return "Unknown"
    return "True" if status else "False"
