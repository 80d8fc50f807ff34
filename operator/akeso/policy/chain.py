"""The order in which reasons not to act are asked, and what follows from the answers."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from akeso.domain.verdict import Verdict, allow
from akeso.policy.capacity import capacity
from akeso.policy.case import Case
from akeso.policy.consent import (
    conflict,
    control_known,
    enabled,
    kill_switch,
    mode,
    opt_out,
    pause,
    proposal,
    protected_namespace,
)
from akeso.policy.disruption import disruption_budget, min_available, recreate, single_replica
from akeso.policy.moment import breaker, freshness, rollout
from akeso.policy.nodes import node
from akeso.policy.owners import autoscaler, controller, gitops
from akeso.policy.pace import cooldown, global_budget, policy_budget, retries
from akeso.policy.silence import silence

Guard = Callable[[Case], Verdict]

# These stop every write, restoring ones too: who pulls the kill switch wants no write at all, not
# even a well-meant one, and what lies in a protected namespace was never ours to restore.
STOP_EVERYTHING: tuple[Guard, ...] = (
    control_known,  # first: without it the kill switch below could not be seen
    kill_switch,  # a person said stop, to everything
    protected_namespace,  # the cluster's and our own life: no policy may reach there
)

# The first denial is the reason people read, so what they decided comes before what we measured,
# what holds for long before what passes by itself, and what concerns many before the details.
STOP_NEW_HARM: tuple[Guard, ...] = (
    enabled,  # whoever installed Akeso gave it no such thing to do
    opt_out,  # a person said no, to this workload
    pause,  # a person said not now, to this policy
    silence,  # ... to whatever carries these labels
    freshness,  # all below trusts what was seen; old data proves nothing
    controller,  # ownership: whose object is it as a whole
    autoscaler,  # ... whose are its replicas
    gitops,  # ... whose is its manifest
    rollout,  # somebody is changing it right now
    node,  # the node under the pods is not well: the cause, by its name
    breaker,  # many fail: a cause elsewhere, no single healing is the answer
    policy_budget,  # enough was done for this policy
    global_budget,  # ... for the cluster
    cooldown,  # ... for this target
    retries,  # ... by this healer
    disruption_budget,  # from here on how it is done: the user's own limit
    min_available,  # the policy's limit
    recreate,  # ... where a rollout stops all pods at once
    single_replica,  # the special case with its own remedy
    capacity,  # whether what is asked for is there at all
    proposal,  # what else fits is for a person to decide
    conflict,  # only informs, and explains the mode that follows
    mode,  # last, so that Observe shows what Heal would have met before it
)

GUARDS: tuple[Guard, ...] = STOP_EVERYTHING + STOP_NEW_HARM


def judge(case: Case) -> tuple[Verdict, ...]:
    """The verdict of every guard, in order, whatever the ones before said."""
    return tuple(g(case) for g in STOP_EVERYTHING) + tuple(
        _unless_restoring(case, g(case)) for g in STOP_NEW_HARM
    )


def first_denial(verdicts: Sequence[Verdict]) -> Verdict | None:
    """The reason not to act; None: go ahead."""
    return next((v for v in verdicts if not v.allowed), None)


def earliest_retry(verdicts: Sequence[Verdict]) -> float | None:
    """Seconds until it is worth asking again: when the last of all denials may have passed.

    None where nothing is denied, or where time alone helps not: some denial needs a person.
    """
    waits = [v.retry_after for v in verdicts if not v.allowed]
    known = [w for w in waits if w is not None]
    return max(known, default=None) if len(known) == len(waits) else None


def _unless_restoring(case: Case, verdict: Verdict) -> Verdict:
    """Half a healing is worse than one that comes late: a surge is taken back even in a storm."""
    if verdict.allowed or not case.restoring:
        return verdict
    return allow(verdict.guard, f"Brings the user's own state back, despite: {verdict.sentence}")
