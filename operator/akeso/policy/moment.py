"""Guards that ask whether now is the moment: fresh data, no rollout, no wider outage."""

from __future__ import annotations

from akeso.domain.action import Plan, Scale, SetTemplate
from akeso.domain.finding import Signal
from akeso.domain.verdict import Verdict, allow, deny
from akeso.policy.case import Case
from akeso.policy.wording import at, many, seconds

# A hint for the caller where nobody can know when a rollout or an outage ends; nothing is decided
# by it, since every guard is asked again then.
LOOK_AGAIN_SECONDS = 30.0


def freshness(case: Case) -> Verdict:
    """Missing data is never health, and never a reason to act either. One signal's source only."""
    age, ref = case.source_age, case.seen.ref
    if age is None and case.finding.about is Signal.ALERT:
        return deny(
            "freshness",
            "NoData",
            f"Signal {case.finding.signal} knows nothing of {ref}, because Alertmanager tells "
            f"nothing; condition SignalsReady of policy {case.finding.policy} says why.",
            case.max_age,
        )
    if age is None:
        return deny(
            "freshness",
            "NoData",
            f"The source of signal {case.finding.signal} has no sample of {ref} at all; "
            "check that it is scraped.",
            case.max_age,
        )
    if age <= case.max_age:  # so that NaN is stale
        return allow(
            "freshness",
            f"The newest sample of signal {case.finding.signal} is {seconds(age)} old, "
            f"{seconds(case.max_age)} are allowed.",
        )
    return deny(
        "freshness",
        "StaleData",
        f"The newest sample of signal {case.finding.signal} for {ref} is from "
        f"{at(case.now - age)}, older than {seconds(case.max_age)}; check its source.",
        case.max_age,
    )


def rollout(case: Case) -> Verdict:
    """A rollout belongs to who started it, except to a Rollback of that very rollout.

    A paused one can't be rolled back either: the controller would not carry the template out.
    """
    seen = case.seen
    if seen.paused:
        return deny(
            "rollout",
            "RolloutPaused",
            f"{seen.ref} is paused and left alone; go on with kubectl rollout resume "
            f"{seen.ref.kind.lower()}/{seen.ref.name} -n {seen.ref.namespace}.",
        )
    back = _template_change(case.plan)
    if back is not None:
        return _rollback_of(case, back)
    if not seen.rolling or _own_surge(case):
        return allow("rollout", f"No rollout of {seen.ref} is under way.")
    old = sum(p.revision != seen.update_revision for p in seen.present)
    return deny(
        "rollout",
        "RolloutInProgress",
        f"{seen.ref} is being rolled out ({old} of {many(len(seen.present), 'pod')} are not of "
        f"revision {seen.update_revision or 'unknown'} yet); it is left alone until that is done.",
        LOOK_AGAIN_SECONDS,
    )


def _rollback_of(case: Case, back: SetTemplate) -> Verdict:
    """`to_revision` is current once the template was written and broken pods are deleted."""
    seen = case.seen
    if seen.update_revision in (back.from_revision, back.to_revision):
        return allow("rollout", f"The plan takes back this very rollout, {back.from_revision}.")
    return deny(
        "rollout",
        "NewerRollout",
        f"{seen.ref} has moved on to revision {seen.update_revision or 'unknown'} since the "
        f"rollback of {back.from_revision} was planned; the newer rollout is left alone.",
    )


def _template_change(plan: Plan | None) -> SetTemplate | None:
    actions = plan.actions if plan else ()
    return next((a for a in actions if isinstance(a, SetTemplate)), None)


def _own_surge(case: Case) -> bool:
    """Our own Scale raises the generation too; until the controller saw it that looks rolling."""
    if case.action is None or case.plan is None:
        return False
    surged = any(
        isinstance(a, Scale) and a.to > a.from_ and case.seen.replicas == a.to
        for a in case.plan.actions
    )
    return surged and all(p.revision == case.seen.update_revision for p in case.seen.present)


def breaker(case: Case) -> Verdict:
    """When many targets fail at once the cause is elsewhere, and healing each makes it worse.

    Trips when failing > minUnhealthy and failing * 100 > maxUnhealthyPercent * targets. Whole
    numbers, nothing is rounded. Present failures only; forecasts don't count.

    | targets | failing | minUnhealthy | maxUnhealthyPercent | trips |
    |--------:|--------:|-------------:|--------------------:|-------|
    |       1 |       1 |            3 |                  49 | no    |
    |       4 |       3 |            3 |                  49 | no    |
    |       4 |       4 |            3 |                  49 | yes   |
    |       8 |       4 |            3 |                  49 | yes   |
    |       8 |       4 |            3 |                  50 | no    |
    |       9 |       4 |            3 |                  49 | no    |
    |     100 |      49 |            3 |                  49 | no    |
    |     100 |      50 |            3 |                  49 | yes   |
    |       2 |       1 |            0 |                  49 | yes   |
    |       1 |       1 |            0 |                   0 | yes   |
    |       4 |       4 |            3 |                 100 | no    |
    |       4 |       0 |            0 |                   0 | no    |
    |       0 |       0 |            3 |                  49 | yes (FleetUnknown) |

    The last line: a target of a policy without targets means they were not counted.
    """
    failing, targets = len(case.fleet.failing), case.fleet.targets
    if targets <= 0:
        return deny(
            "breaker",
            "FleetUnknown",
            f"Policy {case.finding.policy} counts no targets although {case.seen.ref} is one; "
            "nothing is done until they are counted.",
            LOOK_AGAIN_SECONDS,
        )
    share = f"{failing} of {many(targets, 'target')} fail now"
    least, percent = case.rules.min_unhealthy, case.rules.max_unhealthy_percent
    limit = f"the breaker opens above {least} and {percent} %"
    if failing > least and failing * 100 > percent * targets:
        return deny(
            "breaker",
            "BreakerOpen",
            f"{share}, and {limit}; look for a common cause such as a node, a dependency or a "
            "network.",
            LOOK_AGAIN_SECONDS,
        )
    return allow("breaker", f"{share}; {limit}.")
