"""A person's request for a healing: which policy and signal it is for, and its record. Pure."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from akeso.api.healing import (
    MAX_EVIDENCE_PODS,
    Evidence,
    Healing,
    HealingSpec,
    Pod,
    PolicyRef,
    TargetRef,
)
from akeso.api.meta import ObjectMeta
from akeso.api.policy import HealingPolicy, Signal
from akeso.domain.finding import Origin
from akeso.domain.workload import Snapshot, WorkloadRef
from akeso.errors import PermanentError

LONGEST_NAME = 60  # of the workload's name in that of the Healing
REASON_LENGTH = 256


@dataclass(frozen=True, slots=True)
class Wish:
    """What a person asks for; what is None is left to the policies, where they leave no choice."""

    reason: str
    policy: str | None = None
    signal: str | None = None
    healer: str | None = None


@dataclass(frozen=True, slots=True)
class Choice:
    """One way in which a workload can be healed: a signal with a ladder, of a policy."""

    policy: HealingPolicy
    signal: Signal

    def __str__(self) -> str:
        healers = " > ".join(r.healer for r in self.signal.rungs) or "names no healer"
        return f"--policy {self.policy.metadata.name} --signal {self.signal.name} ({healers})"


def choose(policies: Sequence[HealingPolicy], seen: Snapshot, wish: Wish) -> Choice:
    """The one way that fits the wish. PermanentError lists those there are."""
    mine = [p for p in policies if p.metadata.namespace == seen.ref.namespace]
    selecting = [p for p in mine if p.spec.selects(seen.ref.kind, seen.labels)]
    if not selecting:
        raise PermanentError(_unselected(seen.ref, mine))
    there = [Choice(p, s) for p in selecting for s in p.spec.signals]
    fitting = [choice for choice in there if _fits(choice, wish)]
    if len(fitting) == 1:
        return fitting[0]
    listed = "; ".join(map(str, fitting or there))
    if fitting:
        raise PermanentError(
            f"{seen.ref} can be healed in {len(fitting)} ways; say which one: {listed}."
        )
    raise PermanentError(
        f"No policy that selects {seen.ref} has {_wanted(wish)}; there is: {listed}."
        " A healer is used only where a signal's ladder names it."
    )


def _fits(choice: Choice, wish: Wish) -> bool:
    healers = [rung.healer for rung in choice.signal.rungs]
    return (
        wish.policy in (None, choice.policy.metadata.name)
        and wish.signal in (None, choice.signal.name)
        and (bool(healers) if wish.healer is None else wish.healer in healers)
    )


def _wanted(wish: Wish) -> str:
    signal = f"a signal {wish.signal}" if wish.signal else "a signal"
    of = f" of policy {wish.policy}" if wish.policy else ""
    return f"{signal}{of} whose ladder names {wish.healer or 'a healer'}"


def _unselected(ref: WorkloadRef, policies: Sequence[HealingPolicy]) -> str:
    if not policies:
        return (
            f"There is no HealingPolicy in namespace {ref.namespace}, so nothing may be healed"
            " there; write one: examples/heal.yaml"
        )
    names = ", ".join(sorted(p.metadata.name for p in policies))
    return (
        f"No HealingPolicy selects {ref}, so it may not be healed; compare its kind and labels with"
        f" the targets of: {names} (kubectl -n {ref.namespace} get hp -o yaml)."
    )


def new_request(choice: Choice, seen: Snapshot, wish: Wish, who: str, now: datetime) -> Healing:
    """The Healing that asks. Each request is one of its own, so its name has the moment in it.

    It is about all pods there are now, the first `MAX_EVIDENCE_PODS` of them.
    """
    ref = seen.ref
    what = f"{ref.uid}/{choice.signal.name}/{who}/{now.isoformat()}"
    fingerprint = hashlib.sha256(what.encode()).hexdigest()[:10]
    short = ref.name[:LONGEST_NAME].rstrip("-.")
    policy = choice.policy.metadata
    return Healing(
        metadata=ObjectMeta(name=f"{short}-asked-{fingerprint}", namespace=ref.namespace),
        spec=HealingSpec(
            policy_ref=PolicyRef(name=policy.name, uid=policy.uid),
            target=TargetRef(kind=ref.kind, name=ref.name, uid=ref.uid),
            signal=choice.signal.name,
            fingerprint=fingerprint,
            origin=Origin.REQUEST,
            requested_by=who,
            healer=wish.healer,
            evidence=Evidence(
                message=f"{who} asked for it: {wish.reason}",
                sampled_at=now,
                since=now,
                pods=tuple(
                    Pod(name=p.ref.name, uid=p.ref.uid) for p in seen.present[:MAX_EVIDENCE_PODS]
                ),
            ),
        ),
    )
