"""What is said of a Healing: decisions, as people, logs, metrics and Events get them. Pure."""

from __future__ import annotations

from typing import NamedTuple

from akeso.api.healing import Healing
from akeso.domain.finding import Decision
from akeso.engine.intent import target_of


class Told(NamedTuple):
    """One decision in words; see `akeso.domain.finding.Decision` for `what`."""

    what: str
    reason: str
    message: str


def decision(healing: Healing, told: Told, at: float) -> Decision:
    """`told` with all that says which Healing it is about; `at` in Unix seconds."""
    attempts = healing.status.attempts
    return Decision(
        what=told.what,
        reason=told.reason,
        message=told.message,
        at=at,
        target=target_of(healing),
        signal=healing.spec.signal,
        healing=f"{healing.metadata.namespace}/{healing.metadata.name}",
        healing_uid=healing.metadata.uid,
        healer=attempts[-1].healer if attempts else "",
        policy=healing.spec.policy_ref.name,
    )


def block_told(before: Healing, after: Healing) -> tuple[Told, ...]:
    """The first refusal, where the refusals changed."""
    if after is before or after.status.guards == before.status.guards:
        return ()
    denied = next((g for g in after.status.guards if not g.allowed), None)
    return () if denied is None else (Told("Blocked", denied.reason, denied.message),)
