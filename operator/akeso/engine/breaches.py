"""The series of a query that are on the wrong side of its threshold, by whom they speak of.

Built once per query and cycle: in an outage thousands of series breach at the same time, and each
workload asks for its own.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from akeso.protocols import Reading


@dataclass(frozen=True, slots=True)
class Breach:
    """One series; `since` is its onset in Unix seconds."""

    labels: Mapping[str, str]
    value: float
    since: float


class Breaches:
    """Finds breaches by namespace and one other label; their number does not slow a lookup."""

    def __init__(self, found: Iterable[tuple[Reading, float]] = ()) -> None:
        self._all = tuple(Breach(r.labels, r.value, since) for r, since in found)
        self._by_label: dict[str, Mapping[tuple[str, str], Sequence[Breach]]] = {}

    def about(self, namespace: str, label: str, name: str) -> Sequence[Breach]:
        """The breaches whose `label` has the value `name`; a series without it is about nobody."""
        if label not in self._by_label:
            self._by_label[label] = self._index(label)
        return self._by_label[label].get((namespace, name), ())

    def _index(self, label: str) -> Mapping[tuple[str, str], Sequence[Breach]]:
        found: defaultdict[tuple[str, str], list[Breach]] = defaultdict(list)
        for breach in self._all:
            if "namespace" in breach.labels and label in breach.labels:
                found[breach.labels["namespace"], breach.labels[label]].append(breach)
        return found
