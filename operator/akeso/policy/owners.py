"""Guards that leave to others what is theirs.

Whoever owns a field writes it again: a heal against an owner is a fight, and the user loses it.
"""

from __future__ import annotations

from akeso.domain.action import EvictPod, Scale, changes_manifest
from akeso.domain.verdict import Verdict, allow, deny
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
    """Replicas belong to the autoscaler: writing them, even for a surge, is a fight."""
    owner, ref = case.seen.autoscaler, case.seen.ref
    if owner is None:
        return allow("autoscaler", f"No autoscaler owns the replicas of {ref}.")
    if case.plan is None or not any(isinstance(a, Scale) for a in case.plan.actions):
        return allow("autoscaler", f"{owner} owns the replicas of {ref}; they stay as they are.")
    return deny(
        "autoscaler",
        "AutoscalerOwnsReplicas",
        f"{owner} owns the replicas of {ref}, and this plan would change them; "
        f"raise the minimum of {owner} to 2 replicas, so that a pod can go without a surge.",
    )


def gitops(case: Case) -> Verdict:
    """A manifest that is re-applied from git may not drift: only pods may be touched."""
    ref = case.seen.ref
    owners = sorted(GITOPS_MANAGERS.intersection(case.seen.managers))
    if not owners:
        return allow("gitops", f"No GitOps controller applies {ref}.")
    if case.plan is None or not changes_manifest(case.plan):
        return allow("gitops", f"{owners[0]} applies {ref}; its manifest stays as it is.")
    return deny(
        "gitops",
        "GitOpsOwnsManifest",
        f"{owners[0]} applies {ref} from git and would revert this; make the change in git "
        f"({case.plan.summary}).",
    )
