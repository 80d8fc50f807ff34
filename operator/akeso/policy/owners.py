"""Guards that leave to others what is theirs.

Whoever owns a field writes it again: a heal against an owner is a fight, and the user loses it.
"""

from __future__ import annotations

from collections.abc import Iterable

from akeso.domain.action import (
    EvictPod,
    Plan,
    Scale,
    SetAutoscalerBound,
    changes_autoscaler,
    changes_manifest,
)
from akeso.domain.verdict import Verdict, allow, deny
from akeso.domain.workload import Autoscaler
from akeso.policy.case import Case

# Field managers that re-apply a manifest from git. `helm` alone is not among them: it writes only
# when a person runs it, and gives way to fields that were released again.
GITOPS_MANAGERS = frozenset(
    {
        "argocd-controller",
        "argocd-application-controller",
        "kustomize-controller",
        "helm-controller",
    }
)


def controller(case: Case) -> Verdict:
    """Another operator's workload: its pods may be evicted, the object is that operator's."""
    owner, ref = case.seen.controller, case.seen.ref
    if owner is None:
        return allow("controller", f"No other operator owns {ref}.")
    if case.plan is None or all(isinstance(a, EvictPod) for a in case.plan.actions):
        return allow("controller", f"{ref} is run by {owner}; evicting its pods is left to us.")
    return deny(
        "controller",
        "OwnedByController",
        f"{ref} is run by {owner}, which would undo this; only evicting pods is possible here, "
        f"anything else has to be changed in {owner}.",
    )


def autoscaler(case: Case) -> Verdict:
    """Replicas belong to the autoscaler: writing them, even for a surge, is a fight.

    Its bounds are the user's way to steer it, and so ours; unless another controller keeps it.
    """
    owner, ref = case.seen.autoscaler, case.seen.ref
    if owner is None:
        return allow("autoscaler", f"No autoscaler owns the replicas of {ref}.")
    actions = case.plan.actions if case.plan else ()
    if any(isinstance(a, SetAutoscalerBound) for a in actions):
        return _bounds(owner, case)
    if not any(isinstance(a, Scale) for a in actions):
        return allow("autoscaler", f"{owner} owns the replicas of {ref}; they stay as they are.")
    return deny(
        "autoscaler",
        "AutoscalerOwnsReplicas",
        f"{owner} owns the replicas of {ref}, and this plan would change them; "
        f"raise the minimum of {owner} to 2 replicas, so that a pod can go without a surge.",
    )


def _bounds(owner: Autoscaler, case: Case) -> Verdict:
    if owner.controller is None:
        return allow("autoscaler", f"{owner} is changed, which owns the replicas.")
    kind, _, name = owner.controller.partition("/")
    fields = "minReplicaCount and maxReplicaCount" if kind == "ScaledObject" else "the bounds"
    return deny(
        "autoscaler",
        "AutoscalerOwnedByController",
        f"{owner} of {case.seen.ref} is kept by {owner.controller}, which would undo a change; "
        f"set {fields} of {kind} {name} instead ({case.plan.summary if case.plan else ''}).",
    )


def gitops(case: Case) -> Verdict:
    """A manifest that is re-applied from git may not drift: only pods may be touched."""
    plan, seen = case.plan, case.seen
    applied = _applied_from_git(seen.managers)
    if plan is not None and changes_autoscaler(plan) and seen.autoscaler is not None:
        scaler = _applied_from_git(seen.autoscaler.managers)
        if scaler is not None:
            return _drifts(scaler, str(seen.autoscaler), plan)
    if applied is None:
        return allow("gitops", f"No GitOps controller applies {seen.ref}.")
    if plan is None or not changes_manifest(plan):
        return allow("gitops", f"{applied} applies {seen.ref}; its manifest stays as it is.")
    return _drifts(applied, str(seen.ref), plan)


def _applied_from_git(managers: Iterable[str]) -> str | None:
    return next(iter(sorted(GITOPS_MANAGERS.intersection(managers))), None)


def _drifts(owner: str, what: str, plan: Plan) -> Verdict:
    return deny(
        "gitops",
        "GitOpsOwnsManifest",
        f"{owner} applies {what} from git and would revert this; make the change in git "
        f"({plan.summary}).",
    )
