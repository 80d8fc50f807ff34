"""Rollback: the last revision that worked, back in place of one that does not."""

from __future__ import annotations

from akeso.domain.action import Action, DeletePod, Effect, Plan, ReleaseOwnership, SetTemplate
from akeso.domain.finding import Finding, Signal
from akeso.domain.verdict import Verdict, allow, deny
from akeso.domain.workload import Kind, Pod, Revision, Snapshot
from akeso.protocols import HealerContext
from akeso_healers.templates import not_rolled_out

# Well above usual rollout times, well below the time to the next outage of something else; a
# setting of the operator (rollout_blame_seconds).
BLAME_SECONDS = 1_800.0
# Signals that say since when, but not what from: the time decides whether a rollout is to blame.
TIMED = (Signal.QUERY, Signal.ALERT)


class Rollback:
    """Puts the pod template of the last revision that was seen healthy back.

    Watches: rollouts that fail, and queries that cross their threshold, or alerts that begin,
        soon after a rollout.
    Acts when: the newest revision was never seen healthy, an earlier one was and still exists,
        and the problem began with the rollout: RolloutFailing says so itself; for a query or an
        alert it began after the revision was made and no later than the blame window (30 minutes).
    Does: sets the earlier pod template and gives its ownership back at once; deletes the broken
        pods of an ordered StatefulSet, whose controller waits for them for ever.
    Blast radius: the pods of the failing revision, at the pace of the workload's own strategy.
    Undo: none. Rolling forward to a revision known to be bad is not an undo; one rollback per
        problem, then a person.
    Known false alarms: a dependency that fails within the blame window after a good but not yet
        proven release; the rollback then changes nothing and a person is asked. An alert begins
        only when its "for" is over: a problem a little older than the release blames it.
    """

    name = "Rollback"
    effect = Effect.REMOVES_CAUSE
    proposed = False
    kinds = frozenset(Kind)

    def __init__(self, blame_seconds: float = BLAME_SECONDS) -> None:
        self._blame_seconds = blame_seconds

    def diagnose(self, finding: Finding, seen: Snapshot, context: HealerContext) -> Verdict:
        """The first reason why not: workload, cause, then where to go back to."""
        denied = not_rolled_out(self.name, seen) or self._not_the_cause(finding, seen, context)
        if denied is not None:
            return denied
        healthy = _last_healthy(seen, context)
        if healthy is None:
            return _nowhere_to_go(seen)
        return allow(
            self.name,
            f"Revision {healthy.name} of {seen.ref} was seen healthy, {seen.update_revision} never.",
        )

    def plan(self, finding: Finding, seen: Snapshot, context: HealerContext) -> Plan:
        """`diagnose` allowed it, so there is a healthy revision; templates are read later."""
        healthy = _last_healthy(seen, context)
        if healthy is None:
            raise ValueError(f"no healthy revision of {seen.ref}: ask diagnose() before plan()")
        broken = _blocking(seen)
        actions: tuple[Action, ...] = (
            SetTemplate(seen.update_revision, healthy.name),
            ReleaseOwnership(
                context.manager
            ),  # before the waiting: the fix may be applied any time
            *(DeletePod(p.ref) for p in broken),
        )
        also = f" and delete {', '.join(p.ref.name for p in broken)}" if broken else ""
        return Plan(
            healer=self.name,
            target=seen.ref,
            effect=self.effect,
            actions=actions,
            undo=(),
            summary=f"put revision {healthy.name} back in place of {seen.update_revision}{also}",
            blast_radius=sum(p.revision == seen.update_revision for p in seen.present),
        )

    def _not_the_cause(
        self, finding: Finding, seen: Snapshot, context: HealerContext
    ) -> Verdict | None:
        """Why the newest revision is not to blame; a database outage rolls nothing back."""
        current = seen.revision(seen.update_revision)
        if finding.about not in (Signal.ROLLOUT_FAILING, *TIMED):
            return deny(
                self.name,
                "NotARolloutProblem",
                f"{finding.about} of {seen.ref} does not come from a rollout.",
            )
        if current is None:
            return deny(
                self.name,
                "RevisionUnknown",
                f"The newest revision of {seen.ref} ({seen.update_revision or 'none'}) is not in "
                "its history, so it can't be told what to go back from.",
            )
        if current.name in context.healthy:
            return deny(
                self.name,
                "RevisionWasHealthy",
                f"Revision {current.name} of {seen.ref} worked before, so it is not the cause; "
                "look at what it depends on.",
            )
        if finding.about in TIMED:
            return self._not_soon_after(finding, seen, current)
        return None

    def _not_soon_after(
        self, finding: Finding, seen: Snapshot, current: Revision
    ) -> Verdict | None:
        delay = finding.evidence.since - current.created_at
        if delay < 0:
            return deny(
                self.name,
                "BeganBeforeRollout",
                f"The problem of {seen.ref} began {-delay:.0f} s before revision {current.name} "
                "was made, so that is not the cause.",
            )
        if delay <= self._blame_seconds:
            return None
        return deny(
            self.name,
            "RolloutTooOld",
            f"The problem of {seen.ref} began {delay:.0f} s after revision {current.name} was "
            f"made; a rollout is blamed for {self._blame_seconds:.0f} s.",
        )


def _nowhere_to_go(seen: Snapshot) -> Verdict:
    """Going back to a revision nobody saw healthy is a guess, and guesses are left to people."""
    ref = seen.ref
    earlier = [r for r in seen.revisions if r.name != seen.update_revision]
    if not earlier:
        return deny(
            Rollback.name,
            "NoEarlierRevision",
            f"{ref} has no earlier revision left (revisionHistoryLimit); "
            "release a version that works.",
        )
    guess = max(earlier, key=lambda r: (r.number, r.name))
    return deny(
        Rollback.name,
        "RevisionInferred",
        f"No earlier revision of {ref} was seen healthy by Akeso. The one before is "
        f"{guess.name} (revision {guess.number}); if that worked: kubectl rollout undo "
        f"{ref.kind.lower()}/{ref.name} -n {ref.namespace} --to-revision={guess.number}",
    )


def _last_healthy(seen: Snapshot, context: HealerContext) -> Revision | None:
    found = (seen.revision(n) for n in context.healthy if n != seen.update_revision)
    return next((r for r in found if r is not None), None)


def _blocking(seen: Snapshot) -> list[Pod]:
    """Broken pods that an ordered StatefulSet's controller would wait for for ever.

    Known issue, "Forced rollback":
    https://kubernetes.io/docs/concepts/workloads/controllers/statefulset/#forced-rollback
    """
    if seen.ref.kind is not Kind.STATEFUL_SET or not seen.ordered:
        return []
    broken = [p for p in seen.present if not p.ready and p.revision == seen.update_revision]
    return sorted(broken, key=_ordinal, reverse=True)


def _ordinal(pod: Pod) -> int:
    suffix = pod.ref.name.rpartition("-")[2]
    return int(suffix) if suffix.isdecimal() else -1
