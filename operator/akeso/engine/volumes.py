"""How full the volumes of workloads are, as their nodes' kubelets measure them. Pure.

https://kubernetes.io/docs/reference/instrumentation/metrics/ (kubelet_volume_stats_...)
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from akeso.api.policy import OUT_OF_INODES
from akeso.domain.forecast import LoadKey
from akeso.domain.workload import PodRef, Snapshot
from akeso.engine.load import Measured, Watched
from akeso.protocols import Reading
from akeso.settings import Settings

CLAIM, OF = "persistentvolumeclaim", "of"
SPACE, INODES = "space", "inodes"
CLASSES = {SPACE: "volume", INODES: "inodes"}  # of metrics (`akeso_predictors.classes`)
OF_VOLUMES = frozenset(CLASSES.values())


@dataclass(frozen=True, slots=True)
class VolumeUse:
    """What the kubelets said, space and inodes; or why nothing was heard."""

    readings: Mapping[str, Sequence[Reading]] = field(default_factory=dict[str, Sequence[Reading]])
    error: str = ""


def queries(settings: Settings) -> Mapping[str, str]:
    """Percent in use by claim. A volume that several nodes mount counts as the fullest says; a file
    system that makes inodes as it needs them reports none."""
    more = f"{{{settings.metric_matchers}}}" if settings.metric_matchers else ""
    stats = "kubelet_volume_stats_"
    by = f"max by (namespace, {CLAIM})"
    return {
        SPACE: f"{by} (100 - 100 * {stats}available_bytes{more} / {stats}capacity_bytes{more})",
        INODES: f"{by} (100 - 100 * {stats}inodes_free{more} / ({stats}inodes{more} > 0))",
    }


def claims_of(seen: Snapshot) -> Mapping[str, tuple[PodRef, ...]]:
    """The claims of a workload's pods, with the pods that mount them."""
    found: defaultdict[str, list[PodRef]] = defaultdict(list)
    for pod in seen.present:
        for claim in dict.fromkeys(pod.claims):
            found[claim].append(pod.ref)
    return {claim: tuple(pods) for claim, pods in found.items()}


def of_volumes(pairs: Iterable[Watched], use: VolumeUse) -> Iterator[Measured]:
    """What is known of the claims of these workloads; those of others are left out."""
    by_claim: defaultdict[tuple[str, str], list[tuple[str, Reading]]] = defaultdict(list)
    for of, readings in use.readings.items():
        for reading in readings:
            name = reading.labels.get("namespace", ""), reading.labels.get(CLAIM, "")
            by_claim[name].append((of, reading))
    for pair in pairs:
        for claim, pods in claims_of(pair.seen).items():
            for of, reading in by_claim.get((pair.seen.ref.namespace, claim), ()):
                yield from _measured(pair, claim, pods, of, reading)


def _measured(
    pair: Watched, claim: str, pods: tuple[PodRef, ...], of: str, reading: Reading
) -> Iterator[Measured]:
    bound = pair.signal.bound if of == SPACE else OUT_OF_INODES
    if bound is not None:
        ref = pair.seen.ref
        labels = frozenset({(CLAIM, claim), (OF, of)})
        key = LoadKey(ref.namespace, "", "", pair.source, ref.uid, labels, CLASSES[of])
        yield Measured(key, reading.time, reading.value, bound, ref.uid, pods)
