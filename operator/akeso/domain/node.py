"""How nodes are: what the API server tells of the machines that pods stand on."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class NodeHealth:
    """One node. `ready` is the status of its condition Ready: True, False or Unknown.

    `reason` is the API server's word for that; `pressure` are the conditions MemoryPressure,
    DiskPressure and PIDPressure that hold.
    """

    name: str
    ready: str = "True"
    reason: str = ""
    pressure: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Nodes:
    """The nodes that were asked for, as read live; one that is gone is not among them.

    `found` None: they could not be read, `unreadable` says why. `namespaced`: Akeso was given
    rights in some namespaces alone, so that nodes are none of its business.
    """

    found: tuple[NodeHealth, ...] | None = None
    unreadable: str = ""
    namespaced: bool = False

    def node(self, name: str) -> NodeHealth | None:
        return next((n for n in self.found or () if n.name == name), None)
