"""RestartPods: a fresh start for pods that wear out."""

from __future__ import annotations

from akeso.domain.action import Action, Effect, EvictPod, Plan, ReleaseOwnership, Scale
from akeso.domain.finding import Finding, Signal
from akeso.domain.verdict import Verdict, allow, deny
from akeso.domain.workload import Kind, Pod, Snapshot
from akeso.protocols import HealerContext


class RestartPods:
    """Evicts the pods of a finding one at a time, each only when the others can carry the load.

    Watches: pods that a finding names, such as those whose memory will soon meet its limit.
    Acts when: at least one of these pods is still there and not on its way out.
    Does: evicts them, worst first; the next one goes when every wanted pod is ready again. A pod
        that is not ready itself goes when minAvailable others are. The only pod of a Deployment
        goes after a second one was started and is ready; then the old number is set again. The
        ownership of replicas is given back right after each of the two.
    Blast radius: the pods of the finding, one at a time.
    Undo: an eviction is not undone, the replacement is the same pod. A started second pod is
        taken away again and the ownership of replicas given back.
    Known false alarms: a pod that fills a cache up to its limit on purpose is restarted for
        nothing; label its workload akeso.dev/heal: "false".
    """

    name = "RestartPods"
    effect = Effect.BUYS_TIME
    proposed = False
    kinds = frozenset(Kind)

    def diagnose(self, finding: Finding, seen: Snapshot, context: HealerContext) -> Verdict:
        """Denies VolumeStays, NoPods, GoneAlready or AlreadyTerminating."""
        if finding.about is Signal.VOLUME_FILLING:
            return deny(
                self.name,
                "VolumeStays",
                f"A fresh pod of {seen.ref} mounts the same volume, as full as it is.",
            )
        if not finding.pods:
            return deny(
                self.name,
                "NoPods",
                f"The finding on {seen.ref} names no pods, so there is none to restart; "
                "use a healer that changes the workload.",
            )
        pods = _still_there(finding, seen)
        if pods:
            names = ", ".join(p.ref.name for p in pods)
            return allow(self.name, f"Still there: {names}.")
        names = ", ".join(ref.name for ref in finding.pods)
        if any(seen.pod(ref.uid) for ref in finding.pods):
            return deny(
                self.name,
                "AlreadyTerminating",
                f"{names} of {seen.ref} are on their way out already; nothing is left to restart.",
            )
        return deny(
            self.name, "GoneAlready", f"{names} of {seen.ref} are gone; nothing is left to restart."
        )

    def plan(self, finding: Finding, seen: Snapshot, context: HealerContext) -> Plan:
        """Evictions in the finding's order, around them a surge for the only pod."""
        pods = _still_there(finding, seen)
        if not pods:
            raise ValueError(f"no pod of {seen.ref} is left: ask diagnose() before plan()")
        surge = (
            seen.ref.kind is Kind.DEPLOYMENT and seen.replicas == 1 and context.min_available >= 1
        )
        wanted = 2 if surge else seen.replicas
        evictions: tuple[Action, ...] = tuple(
            EvictPod(p.ref, wanted if p.ready else context.min_available + 1) for p in pods
        )
        release = ReleaseOwnership(context.manager)
        # At once, not only in the end: the user may release something while the surge stands.
        before: tuple[Action, ...] = (Scale(1, 2, surge_for=pods[-1].ref), release) if surge else ()
        after: tuple[Action, ...] = (Scale(2, 1, restore=True), release) if surge else ()
        return Plan(
            healer=self.name,
            target=seen.ref,
            effect=self.effect,
            actions=before + evictions + after,
            # Without settling: an undo must end even where no pod becomes ready, and a controller
            # that scales down takes pods that are not ready first.
            undo=(Scale(2, 1, restore=True, settle=False), release) if surge else (),
            summary=_summary(pods, surge),
            blast_radius=len(pods),
        )


def _still_there(finding: Finding, seen: Snapshot) -> list[Pod]:
    uids = dict.fromkeys(ref.uid for ref in finding.pods)  # in order, each once
    found = (seen.pod(uid) for uid in uids)
    return [p for p in found if p is not None and not p.deleting]


def _summary(pods: list[Pod], surge: bool) -> str:
    names = ", ".join(p.ref.name for p in pods)
    if surge:
        return f"start a second pod, evict {names} when it is ready, and go back to 1 replica"
    if len(pods) == 1:
        return f"evict pod {names}, so that a fresh one takes its place"
    return f"evict {len(pods)} pods one at a time: {names}"
