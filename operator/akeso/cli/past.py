"""What `akeso history` tells of Healings, open and finished. Pure.

The models are the command's JSON: their fields are stable.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from akeso.api.conditions import is_true, said_by
from akeso.api.healing import ActionRecord, Attempt, Healing
from akeso.api.meta import Model
from akeso.api.scalars import Time
from akeso.cli.sections import Of
from akeso.domain.workload import Kind
from akeso.engine.act import describe_record
from akeso.engine.intent import finished
from akeso.engine.record import PROPOSED
from akeso.engine.records import BrokenObject

OPEN = "Open"  # in place of a verdict


class Done(Model):
    """One write of an attempt; `restore`: it brings the user's own state back."""

    what: str
    state: str
    restore: bool
    at: Time | None


class Tried(Model):
    """One attempt of one healer; `verdict` None: it is under way."""

    healer: str
    verdict: str | None
    message: str
    started_at: Time
    finished_at: Time | None
    actions: tuple[Done, ...]


class Past(Of):
    """One Healing. `verdict` and `completed_at` None: it is open; `undone`: it was taken back;
    `proposed`: what is left to a person, and how to have it done."""

    opened_at: Time
    completed_at: Time | None
    verdict: str | None
    message: str
    problem: str
    undone: bool
    needs_human: bool
    proposed: str | None
    attempts: tuple[Tried, ...]


class History(Model):
    """The newest Healings that were asked for, of `total`; `on_record` counts all there are."""

    at: Time
    namespace: str | None
    total: int
    on_record: int
    healings: tuple[Past, ...]
    unreadable: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Asked:
    """Which Healings: None means any. `limit` 0: all of them; `since`: open at or after it."""

    kind: Kind | None = None
    name: str | None = None
    namespace: str | None = None
    since: datetime | None = None
    verdict: str | None = None
    limit: int = 0

    def fits(self, healing: Healing) -> bool:
        target, ended = healing.spec.target, healing.status.completed_at
        return (
            self.namespace in (None, healing.metadata.namespace)
            and self.kind in (None, target.kind)
            and self.name in (None, target.name)
            and (self.since is None or ended is None or ended >= self.since)
            and self.verdict in (None, _verdict(healing) or OPEN)
        )


def history(
    healings: Sequence[Healing], broken: Sequence[BrokenObject], asked: Asked, now: datetime
) -> History:
    """The Healings that fit, newest first."""
    fitting = sorted(filter(asked.fits, healings), key=opened_at, reverse=True)
    return History(
        at=now,
        namespace=asked.namespace,
        total=len(fitting),
        on_record=len(healings),
        healings=tuple(past_of(h) for h in (fitting[: asked.limit] if asked.limit else fitting)),
        unreadable=tuple(
            b.error
            for b in broken
            if b.kind == "Healing" and asked.namespace in (None, b.namespace)
        ),
    )


def opened_at(healing: Healing) -> datetime:
    """When the Healing was made; the problem itself may be older."""
    return healing.metadata.creation_timestamp or healing.spec.evidence.since


def _verdict(healing: Healing) -> str | None:
    verdict = healing.status.verdict if finished(healing) else None
    return verdict.value if verdict else None


def past_of(healing: Healing) -> Past:
    """One Healing as it is told."""
    spec, status = healing.spec, healing.status
    return Past(
        namespace=healing.metadata.namespace,
        healing=healing.metadata.name,
        kind=spec.target.kind.value,
        name=spec.target.name,
        signal=spec.signal,
        policy=spec.policy_ref.name,
        opened_at=opened_at(healing),
        completed_at=status.completed_at,
        verdict=_verdict(healing),
        message=status.message or "",
        problem=spec.evidence.message,
        undone=is_true(status.conditions, "Undone"),
        needs_human=is_true(status.conditions, "NeedsHuman"),
        proposed=said_by(status.conditions, PROPOSED),
        attempts=tuple(_tried(a) for a in status.attempts),
    )


def _tried(attempt: Attempt) -> Tried:
    return Tried(
        healer=attempt.healer,
        verdict=attempt.verdict.value if attempt.verdict else None,
        message=attempt.message or "",
        started_at=attempt.started_at,
        finished_at=attempt.finished_at,
        actions=tuple(_done(a) for a in attempt.actions),
    )


def _done(action: ActionRecord) -> Done:
    what = describe_record(action)
    return Done(what=what, state=action.state.value, restore=action.restore, at=action.at)
