"""What controllers, kubelet and kernel do to workloads, once a second of virtual time.

By the rules that healing depends on: an evicted pod is replaced, a rolling update waits for its
pods, a StatefulSet keeps its order (and waits for ever for a broken pod), a container at its
memory limit is OOM-killed.
"""

from __future__ import annotations

from akeso.domain.workload import Kind, PodRef
from unit.engine.sim_workload import (
    CRASH_EVERY,
    GRACE_SECONDS,
    RESIZE_SECONDS,
    START_SECONDS,
    SimPod,
    SimWorkload,
)


class Controllers:
    """Moves workloads; `now` is Unix seconds."""

    def __init__(self, now: float) -> None:
        self.now = now
        self.workloads: dict[str, SimWorkload] = {}
        self.uids = 0
        self.versions = 1

    def pass_second(self) -> None:
        self.now += 1.0
        for w in list(self.workloads.values()):
            self.control(w)

    def changed(self, w: SimWorkload, spec: bool = False) -> None:
        self.versions += 1
        w.version = self.versions
        w.generation += spec

    def delete(self, w: SimWorkload, pod: SimPod) -> None:
        if pod.gone_at is None:
            pod.gone_at = self.now + GRACE_SECONDS
            pod.version += 1
            w.fewest_ready = min(w.fewest_ready, w.ready)

    def start(self, w: SimWorkload, name: str = "") -> SimPod:
        self.uids += 1
        if not name and w.ref.kind is Kind.DEPLOYMENT:
            name = f"{w.ref.name}-{w.update_revision}-{w.made}"
        elif not name:
            name = f"{w.ref.name}-{w.made}"
        w.made += 1
        pod = SimPod(
            PodRef(name, f"uid-{name}-{self.uids}"),
            w.update_revision,
            self.now,
            self.now,
            unready_since=self.now,
            limit=w.limit,
            wanted=w.limit,
        )
        w.pods.append(pod)
        return pod

    def control(self, w: SimWorkload) -> None:
        before = (w.observed, w.ready, len(w.pods))
        w.pods = [p for p in w.pods if p.gone_at is None or p.gone_at > self.now]
        if w.observed != w.generation:
            w.observed = w.generation
            w.update_revision = next(r.name for r in w.revisions if r.template == w.template)
        self._autoscale(w)
        for pod in w.present:
            self._live_on(w, pod)
        {
            Kind.DEPLOYMENT: self._deployment,
            Kind.STATEFUL_SET: self._stateful_set,
            Kind.DAEMON_SET: self._daemon_set,
        }[w.ref.kind](w)
        w.fewest_ready = min(w.fewest_ready, w.ready)
        if before != (w.observed, w.ready, len(w.pods)):
            self.changed(w)

    def _autoscale(self, w: SimWorkload) -> None:
        """An autoscaler looks every 15 seconds and keeps its bounds; its metric asks for one."""
        scaler = w.autoscaler
        if scaler is None or self.now % 15 or w.replicas == 0:
            return
        wanted = max(scaler.min_replicas, min(w.asked_for, scaler.max_replicas))
        if wanted != w.replicas:
            w.replicas = wanted
            self.changed(w, spec=True)

    def _live_on(self, w: SimWorkload, pod: SimPod) -> None:
        """One second in a pod's life."""
        late = self.now - pod.resized_at >= RESIZE_SECONDS
        if pod.limit != pod.wanted and w.no_resize is None and late:
            pod.limit = pod.wanted
            pod.version += 1
            self.changed(w)
        if w.memory(pod, self.now) >= pod.limit:
            self._exit(pod, "OOMKilled", 137)
        health = w.bad.get(pod.revision)
        health = None if health == "fine" else health
        health = "crash" if pod.ref.uid in w.sick else health
        if health == "crash" and not w.held and self.now - pod.started >= CRASH_EVERY:
            self._exit(pod, "Error", 1)
            pod.waiting = "CrashLoopBackOff"
        well = health is None and not w.outage and not w.held
        if well and self.now - pod.started >= START_SECONDS:
            pod.waiting = None
            if pod.ready_since is None:
                pod.ready_since = self.now
                pod.version += 1
        elif pod.ready_since is not None and not (w.held and not w.outage and health is None):
            self._unready(pod)

    def _exit(self, pod: SimPod, reason: str, code: int) -> None:
        pod.restarts += 1
        pod.exit_reason, pod.exit_code, pod.exit_at = reason, code, self.now
        pod.started = self.now
        self._unready(pod)

    def _unready(self, pod: SimPod) -> None:
        if pod.ready_since is not None:
            pod.ready_since, pod.unready_since = None, self.now
        pod.version += 1

    def _deployment(self, w: SimWorkload) -> None:
        """maxSurge 1, maxUnavailable 0; of too many the one not ready goes, then the youngest."""
        old = [p for p in w.present if p.revision != w.update_revision]
        new = [p for p in w.present if p.revision == w.update_revision]
        if w.paused:
            return
        if w.strategy == "Recreate" and old:
            for pod in old:
                self.delete(w, pod)
        elif len(w.present) > w.replicas:
            victim = min(old or new, key=lambda p: (p.ready, -p.born))
            unready = sum(not p.ready for p in new)
            spare = w.ready > w.replicas if victim.ready else len(w.present) - unready > w.replicas
            if not old or spare:
                self.delete(w, victim)
        elif old or len(new) < w.replicas:
            self.start(w)

    def _stateful_set(self, w: SimWorkload) -> None:
        names = {p.ref.name for p in w.pods}
        missing = [n for i in range(w.replicas) if (n := f"{w.ref.name}-{i}") not in names]
        if missing:
            self.start(w, missing[0])
            return
        if len(w.present) < len(w.pods):
            return  # one is on its way out still
        extra = [p for p in w.present if _ordinal(p) >= w.replicas]
        if extra:
            self.delete(w, max(extra, key=_ordinal))
        for pod in sorted(w.present, key=_ordinal, reverse=True):
            if pod.revision != w.update_revision and _ordinal(pod) >= w.partition:
                if pod.ready or not w.ordered:
                    self.delete(w, pod)
                return
            if not pod.ready:
                return

    def _daemon_set(self, w: SimWorkload) -> None:
        if len(w.pods) < w.replicas:
            self.start(w)
            return
        old = [p for p in w.present if p.revision != w.update_revision]
        if w.strategy == "OnDelete" or not old:
            return
        unready = [p for p in old if not p.ready]
        if unready or w.ready == w.replicas:
            self.delete(w, (unready or old)[0])


def _ordinal(pod: SimPod) -> int:
    return int(pod.ref.name.rpartition("-")[2])
