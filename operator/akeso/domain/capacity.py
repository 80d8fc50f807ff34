"""What room there is for more: what a namespace allows, and what its nodes have left.

CPU in cores, memory in bytes. What could not be read is None, which is not the same as nothing.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from akeso.domain.workload import Ask


@dataclass(frozen=True, slots=True)
class Amount:
    """CPU and memory, asked for or left."""

    cpu: float = 0.0
    memory: float = 0.0

    def __add__(self, other: Amount) -> Amount:
        return Amount(self.cpu + other.cpu, self.memory + other.memory)

    def __sub__(self, other: Amount) -> Amount:
        return Amount(self.cpu - other.cpu, self.memory - other.memory)


@dataclass(frozen=True, slots=True)
class Bound:
    """What one LimitRange says of memory, of each container or of each pod as a whole.

    `ratio` is how many times its request a limit may be. None: not bounded.
    """

    name: str
    per_pod: bool
    memory: float | None = None
    ratio: float | None = None


@dataclass(frozen=True, slots=True)
class Quota:
    """One resource of one ResourceQuota, such as `limits.memory` or `pods`."""

    name: str
    resource: str
    hard: float
    used: float


@dataclass(frozen=True, slots=True)
class Node:
    """One node; `requested` is what the pods on it reserve. `closed` is why it takes no more.

    A `tainted` node takes only pods that tolerate it.
    """

    name: str
    allocatable: Amount
    requested: Amount = Amount()
    pods: int = 0
    most_pods: int = 110
    closed: str | None = None
    tainted: bool = False

    @property
    def left(self) -> Amount:
        return self.allocatable - self.requested

    def fits(self, each: Amount) -> int:
        """How many more pods that ask for `each` it takes."""
        counts = [self.most_pods - self.pods]
        if each.cpu > 0:
            counts.append(int(self.left.cpu / each.cpu))
        if each.memory > 0:
            counts.append(int(self.left.memory / each.memory))
        return max(0, min(counts))


@dataclass(frozen=True, slots=True)
class Capacity:
    """The room around one workload, as read live. None: it could not be read.

    `nodes` may be only those that were asked for. `namespaced`: Akeso was given rights in some
    namespaces alone, so that nodes are none of its business.
    """

    bounds: tuple[Bound, ...] | None = None
    quotas: tuple[Quota, ...] | None = None
    nodes: tuple[Node, ...] | None = None
    unreadable: tuple[str, ...] = ()
    namespaced: bool = False

    def node(self, name: str) -> Node | None:
        return next((n for n in self.nodes or () if n.name == name), None)


def requested(asks: Iterable[Ask]) -> Amount:
    """What a pod reserves: all that run together, or the largest that runs before them.

    https://kubernetes.io/docs/concepts/workloads/pods/sidecar-containers/#resource-sharing-within-containers
    """
    asks = tuple(asks)
    together = [a for a in asks if not a.init]
    before = [a for a in asks if a.init]
    return Amount(
        max(sum(a.cpu for a in together), max((a.cpu for a in before), default=0.0)),
        max(sum(a.memory for a in together), max((a.memory for a in before), default=0.0)),
    )


def limited(asks: Iterable[Ask]) -> Amount:
    """What a pod's limits add up to; a container without one adds nothing to a quota."""
    together = [a for a in asks if not a.init]
    return Amount(
        sum(a.cpu_limit or 0.0 for a in together), sum(a.memory_limit or 0.0 for a in together)
    )
