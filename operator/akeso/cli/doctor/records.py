"""Akeso's own resources: whether an operator runs, how it is, and which policies are not ready."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from akeso.api.conditions import get_condition, is_true
from akeso.api.control import Capability, HealingControl
from akeso.api.policy import HealingPolicy
from akeso.cli import words
from akeso.cli.doctor.checks import Check, Checks, failure, ok, skipped, warning
from akeso.cli.leader import Leader
from akeso.engine.records import BrokenObject

OPERATOR, CONTROL, POLICIES = "Operator", "HealingControl", "Policies"
SHOWN = 10  # policies that are told one by one


def operator(leader: Leader, namespace: str, now: datetime) -> Check:
    if leader.running is None:
        return skipped(OPERATOR, f"Its Lease in namespace {namespace} can't be read.")
    heard = f", last heard {words.ago(leader.heard_at, now)}" if leader.heard_at else ""
    if leader.running:
        return ok(OPERATOR, f"{leader.holder} leads{heard}.")
    return failure(
        OPERATOR,
        f"No operator is running in namespace {namespace}{heard}.",
        "Start it (akeso operator) or see why it ended; is it in another namespace, name that with"
        " --akeso-namespace.",
    )


def control(found: HealingControl | None, namespace: str, now: datetime) -> Checks:
    if found is None:
        return (
            failure(
                CONTROL,
                f"There is none in namespace {namespace}; without it nothing is written.",
                "The operator makes one when it starts.",
            ),
        )
    checks = [_ready(found)]
    degraded = get_condition(found.status.conditions, "Degraded")
    if degraded is not None and degraded.status == "True":
        what = "See what it names; Akeso goes on without it."
        checks.append(warning(CONTROL, f"Akeso is degraded: {degraded.message}", what))
    checks += [_unable(c) for c in found.status.capabilities if c.available != "True"]
    paused = found.spec.paused
    if paused is not None and paused.holds(now):
        end = f" until {words.clock(paused.until, now)}" if paused.until else ""
        told = f"Akeso is paused{end}: {paused.reason}"
        checks.append(warning(CONTROL, told, "End it with: akeso resume"))
    return tuple(checks)


def _unable(capability: Capability) -> Check:
    name = f"Capability {capability.name}"
    if capability.available == "Unknown":
        return skipped(name, f"Not known: {capability.message}.")
    said = f"{capability.message}."
    return warning(name, said, "See docs/install.md: what is promised without it.")


def _ready(found: HealingControl) -> Check:
    if is_true(found.status.conditions, "Ready"):
        stands = get_condition(found.status.conditions, "Ready")
        return ok(CONTROL, f"Akeso reports: {stands.message if stands else 'ready'}.")
    stands = get_condition(found.status.conditions, "Ready")
    said = stands.message if stands else "no operator has reported yet"
    return failure(CONTROL, f"Akeso is not ready: {said}", "See the operator's log.")


def policies(found: Sequence[HealingPolicy], broken: Sequence[BrokenObject]) -> Checks:
    """Each that is not ready, in its own words; one line where all are."""
    checks = [
        failure(POLICIES, b.error, "Correct it; until then nothing is done for it.")
        for b in broken
        if b.kind == "HealingPolicy"
    ]
    waiting = [p for p in found if not is_true(p.status.conditions, "Ready")]
    checks += [_waiting(policy) for policy in waiting[:SHOWN]]
    if len(waiting) > SHOWN:
        more = f"{len(waiting) - SHOWN} more policies are not ready."
        checks.append(warning(POLICIES, more, "See them all: akeso status"))
    if checks:
        return tuple(checks)
    if not found:
        none = "There is no HealingPolicy, so nothing is watched."
        begin = "Begin with one that only observes: kubectl apply -f examples/observe.yaml"
        return (warning(POLICIES, none, begin),)
    count = "1 policy is" if len(found) == 1 else f"{len(found)} policies are"
    return (ok(POLICIES, f"{count} ready."),)


def _waiting(policy: HealingPolicy) -> Check:
    name = f"{policy.metadata.namespace}/{policy.metadata.name}"
    stands = get_condition(policy.status.conditions, "Ready")
    said = stands.message if stands else "no operator has looked at it yet"
    see = f"kubectl -n {policy.metadata.namespace} describe hp {policy.metadata.name}"
    return warning(POLICIES, f"HealingPolicy {name} is not ready: {said}", f"See: {see}")
