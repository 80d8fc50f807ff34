"""Guards that keep enough pods running while some of them go."""

from __future__ import annotations

from akeso.domain.action import (
    DeletePod,
    EvictPod,
    Plan,
    Scale,
    SetTemplate,
    SetTemplateMemory,
    new_limits,
)
from akeso.domain.verdict import Verdict, allow, deny
from akeso.domain.workload import Pod
from akeso.policy.case import Case
from akeso.policy.moment import LOOK_AGAIN_SECONDS
from akeso.policy.wording import many


def disruption_budget(case: Case) -> Verdict:
    """The user's PodDisruptionBudgets, asked before the API server would refuse.

    Two budgets on one pod: the eviction API answers 500, whatever they allow (Kubernetes,
    "Specifying a Disruption Budget": overlapping selectors are not supported).
    """
    seen, pod = case.seen, _going(case)
    if pod is None:
        return allow("disruption-budget", "No pod is evicted by this.")
    if not seen.budgets:
        return allow("disruption-budget", f"No PodDisruptionBudget covers {seen.ref}.")
    names = ", ".join(b.name for b in seen.budgets)
    if len(seen.budgets) > 1:
        return deny(
            "disruption-budget",
            "OverlappingBudgets",
            f"The pods of {seen.ref} are covered by {len(seen.budgets)} PodDisruptionBudgets "
            f"({names}), and Kubernetes evicts no such pod; leave one of them.",
        )
    allowed = min(b.disruptions_allowed for b in seen.budgets)
    if allowed + _surge(case) >= 1 or not pod.ready:
        return allow(
            "disruption-budget",
            f"PodDisruptionBudget {names} allows {many(allowed, 'disruption')}; "
            f"{pod.ref.name} is {_readiness(pod)}.",
        )
    return deny(
        "disruption-budget",
        "DisruptionBudget",
        f"PodDisruptionBudget {names} allows {many(allowed, 'disruption')}, and {pod.ref.name} "
        f"is ready; wait until more pods of {seen.ref} are ready or allow one disruption.",
        LOOK_AGAIN_SECONDS,
    )


def min_available(case: Case) -> Verdict:
    """So many pods stay ready without the one that goes; right before a write without any surge."""
    seen, least = case.seen, case.rules.min_available
    if isinstance(case.action, DeletePod):
        return _only_broken(case, case.action)
    if _rolls(case):
        return _while_rolling(case)
    pod = _going(case)
    if pod is None:
        return allow("min-available", f"No pod is evicted by this; {seen.ready} are ready.")
    others = sum(p.ready for p in seen.present if p.ref.uid != pod.ref.uid)
    surge = _surge(case)
    left = f"{many(others, 'pod')} of {seen.ref} stay ready without {pod.ref.name}"
    if surge:
        left += f", {surge} more is started before"
    if others + surge >= least:
        return allow("min-available", f"{left}; the policy keeps {least}.")
    return deny(
        "min-available",
        "MinAvailable",
        f"{left}, but the policy keeps {least}; wait for more ready pods, raise replicas or lower "
        "minAvailable.",
        LOOK_AGAIN_SECONDS,
    )


def _rolls(case: Case) -> bool:
    """Pods that serve are exchanged; a rollback takes those that do not."""
    now = case.action is None or isinstance(case.action, SetTemplateMemory)
    return now and case.plan is not None and new_limits(case.plan) is not None


def _while_rolling(case: Case) -> Verdict:
    """The workload's own strategy says how many ready pods a rollout may do without."""
    seen, least = case.seen, case.rules.min_available
    left = max(0, min(seen.ready, seen.replicas - seen.unavailable))
    said = f"{many(left, 'pod')} of {seen.ref} stay ready while it is rolled out"
    if left >= least or seen.strategy == "Recreate":  # which has a guard of its own
        return allow("min-available", f"{said}; the policy keeps {least}.")
    return deny(
        "min-available",
        "MinAvailable",
        f"{said} (its strategy does without {seen.unavailable}), but the policy keeps {least}; wait "
        "for more ready pods, raise replicas or lower minAvailable.",
        LOOK_AGAIN_SECONDS,
    )


def _only_broken(case: Case, action: DeletePod) -> Verdict:
    """A deletion passes by every budget, so it is for pods that serve nobody."""
    pod = case.seen.pod(action.pod.uid)
    if pod is None or not pod.ready:
        return allow("min-available", f"{action.pod.name} is not ready: nothing is lost.")
    return deny(
        "min-available",
        "PodRecovered",
        f"{action.pod.name} of {case.seen.ref} is ready again and is not deleted.",
    )


def recreate(case: Case) -> Verdict:
    """With strategy Recreate a new template stops every pod before one of the new ones starts."""
    seen, least = case.seen, case.rules.min_available
    now = case.action is None or isinstance(case.action, SetTemplate | SetTemplateMemory)
    if not now or not _changes_template(case.plan) or seen.strategy != "Recreate":
        return allow("recreate", f"{seen.ref} is not stopped as a whole by this.")
    if seen.ready == 0 or least == 0:
        return allow(
            "recreate",
            f"{seen.ref} stops as a whole (strategy Recreate): {seen.ready} are ready, the "
            f"policy keeps {least}.",
        )
    return deny(
        "recreate",
        "Recreate",
        f"{seen.ref} has strategy Recreate: a new template would stop its "
        f"{many(seen.ready, 'ready pod')} at once, but the policy keeps {least}; set "
        "minAvailable: 0 or change it by hand.",
    )


def single_replica(case: Case) -> Verdict:
    """The only pod may go when another one was started first, or when the policy accepts a gap."""
    seen, plan = case.seen, case.plan
    rolls = _rolls(case) and seen.strategy != "Recreate"
    if plan is None or not (rolls or any(isinstance(a, EvictPod) for a in plan.actions)):
        return allow("single-replica", "No pod is evicted by this.")
    if seen.replicas != 1:
        return allow("single-replica", f"{seen.ref} wants {many(seen.replicas, 'pod')}.")
    if _surged_by(plan) or (rolls and not seen.unavailable):
        return allow("single-replica", f"A second pod of {seen.ref} is started first.")
    if case.rules.min_available < 1:
        return allow("single-replica", "The policy accepts a gap (minAvailable: 0).")
    return deny(
        "single-replica",
        "SingleReplica",
        f"{seen.ref} runs 1 pod, and this plan has no other started before it goes; "
        "run 2 replicas, or accept a gap with minAvailable: 0.",
    )


def _going(case: Case) -> Pod | None:
    """The present pod that the write, or the plan as a whole, evicts first.

    A surge is judged like the whole plan: it makes no sense where the eviction can't follow. Later
    evictions are judged when their turn comes; the plan waits in between.
    """
    if isinstance(case.action, EvictPod):
        evictions: tuple[EvictPod, ...] = (case.action,)
    elif case.plan is not None and (case.action is None or isinstance(case.action, Scale)):
        evictions = tuple(a for a in case.plan.actions if isinstance(a, EvictPod))
    else:
        evictions = ()
    pods = (case.seen.pod(e.pod.uid) for e in evictions)
    return next((p for p in pods if p is not None and not p.deleting), None)


def _surge(case: Case) -> int:
    """Pods that the plan starts before the first one goes; at an eviction only facts count."""
    if case.plan is None or isinstance(case.action, EvictPod):
        return 0
    return _surged_by(case.plan)


def _surged_by(plan: Plan) -> int:
    return sum(max(0, a.to - a.from_) for a in plan.actions if isinstance(a, Scale))


def _changes_template(plan: Plan | None) -> bool:
    changes = SetTemplate | SetTemplateMemory
    return plan is not None and any(isinstance(a, changes) for a in plan.actions)


def _readiness(pod: Pod) -> str:
    return "ready" if pod.ready else "not ready"
