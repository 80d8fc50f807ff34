"""Which workloads each policy reaches. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from akeso.api.policy import HealingPolicy
from akeso.domain.workload import Snapshot


@dataclass(frozen=True, slots=True)
class Selection:
    """What policies select, by uid.

    `targets`: per policy the workloads it selects. `overlaps`: per workload the policies that
    meet on it, where there are several. `empty`: per policy the names of its targets that select
    nothing. `failing`: per policy the workloads that fail now.
    """

    targets: Mapping[str, tuple[Snapshot, ...]]
    overlaps: Mapping[str, tuple[HealingPolicy, ...]]
    empty: Mapping[str, tuple[str, ...]]
    failing: Mapping[str, frozenset[str]]


def select(policies: Sequence[HealingPolicy], snapshots: Iterable[Snapshot]) -> Selection:
    """A policy reaches only workloads of its own namespace, whatever its fields say."""
    by_namespace: dict[str, list[Snapshot]] = defaultdict(list)
    for seen in snapshots:
        by_namespace[seen.ref.namespace].append(seen)
    targets: dict[str, tuple[Snapshot, ...]] = {}
    empty: dict[str, tuple[str, ...]] = {}
    meeting: dict[str, list[HealingPolicy]] = defaultdict(list)
    for policy in policies:
        found, unmatched = _of_policy(policy, by_namespace[policy.metadata.namespace])
        targets[policy.metadata.uid] = tuple(found.values())
        empty[policy.metadata.uid] = unmatched
        for uid in found:
            meeting[uid].append(policy)
    overlaps = {uid: tuple(ps) for uid, ps in meeting.items() if len(ps) > 1}
    bad = {seen.ref.uid for found in by_namespace.values() for seen in found if seen.failing}
    failing = {uid: frozenset(s.ref.uid for s in ts) & bad for uid, ts in targets.items()}
    return Selection(targets, overlaps, empty, failing)


def _of_policy(
    policy: HealingPolicy, candidates: Sequence[Snapshot]
) -> tuple[dict[str, Snapshot], tuple[str, ...]]:
    found: dict[str, Snapshot] = {}
    unmatched: list[str] = []
    for target in policy.spec.targets:
        hits = [seen for seen in candidates if target.selects(seen.ref.kind, seen.labels)]
        found.update((seen.ref.uid, seen) for seen in hits)
        if not hits:
            unmatched.append(target.name)
    return found, tuple(unmatched)
