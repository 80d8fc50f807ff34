"""How near autoscalers are to the most they may ask for, as the informers know them. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from types import MappingProxyType

from akeso.api.policy import Builtin
from akeso.api.standard import WORKLOAD
from akeso.engine.selection import Selection
from akeso.protocols import Reading


def ceilings(selection: Selection, now: float) -> Iterator[Reading]:
    """Replicas wanted in percent of maxReplicas. Where both bounds are the same nobody meant the
    autoscaler to scale."""
    seen = {s.ref.uid: s for targets in selection.targets.values() for s in targets}
    for one in seen.values():
        scaler = one.autoscaler
        if scaler is not None and scaler.readable and scaler.max_replicas > scaler.min_replicas:
            labels = {"namespace": one.ref.namespace, WORKLOAD: one.ref.name}
            yield Reading(labels, now, 100 * one.replicas / scaler.max_replicas)


# By the text that stands in the place of a query.
FROM_INFORMERS: Mapping[str, Callable[[Selection, float], Iterable[Reading]]] = MappingProxyType(
    {Builtin.AUTOSCALER_CEILING.value: ceilings}
)
