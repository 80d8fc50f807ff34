"""Akeso's own resources in memory: stored as JSON, checked and versioned like an API server's."""

from __future__ import annotations

from collections.abc import Sequence
from copy import deepcopy
from typing import Any, TypeVar

from akeso.api.control import HealingControl
from akeso.api.healing import Healing
from akeso.api.meta import Resource
from akeso.api.policy import HealingPolicy
from akeso.api.scalars import format_time, from_unix
from akeso.engine.records import BrokenObject
from akeso.errors import AkesoError, GoneError, PermanentError, StaleError
from unit.engine.sim_cluster import Journal, SimCluster

R = TypeVar("R", bound=Resource)
Key = tuple[str, str, str]  # kind, namespace, name


class SimRecords:
    """Implements `akeso.engine.records.Records`; `faults` maps method names to errors they raise.

    What is written must read back to exactly itself, as a structural schema demands.
    """

    def __init__(self, journal: Journal, cluster: SimCluster) -> None:
        self.journal = journal
        self.faults: dict[str, AkesoError] = {}
        self.unreadable: list[BrokenObject] = []
        self._cluster = cluster  # for its time
        self._stored: dict[Key, dict[str, Any]] = {}
        self._parsed: dict[Key, Resource] = {}
        self._versions = 100

    # -- what a user does ---------------------------------------------------------------------

    def put(self, item: R) -> R:
        """Creates an object, or replaces its spec."""
        wire = item.to_wire()
        key = _key(item)
        before = self._stored.get(key)
        meta = dict(before["metadata"]) if before else self._metadata(item)
        meta["generation"] = meta["generation"] + 1 if before else 1
        status = before.get("status", {}) if before else wire.get("status", {})
        return self._store(type(item), key, {**wire, "metadata": meta, "status": status})

    def delete(self, item: Resource) -> None:
        self._stored.pop(_key(item))
        self._parsed.pop(_key(item))

    def overwrite(self, item: R, wire: dict[str, Any]) -> R:
        """Puts JSON in the place of an object, as somebody with rights may."""
        return self._store(type(item), _key(item), deepcopy(wire))

    def wire(self, item: Resource) -> dict[str, Any]:
        return deepcopy(self._stored[_key(item)])

    def all_wires(self) -> dict[Key, dict[str, Any]]:
        return deepcopy(self._stored)

    # -- akeso.engine.records.Records ---------------------------------------------------------

    def policies(self) -> Sequence[HealingPolicy]:
        return [p for p in self._parsed.values() if isinstance(p, HealingPolicy)]

    def healings(self) -> Sequence[Healing]:
        return [h for h in self._parsed.values() if isinstance(h, Healing)]

    def control(self) -> HealingControl | None:
        return next((c for c in self._parsed.values() if isinstance(c, HealingControl)), None)

    def broken(self) -> Sequence[BrokenObject]:
        return self.unreadable

    async def live_control(self) -> HealingControl | None:
        self._fail("live_control")
        return self.control()

    async def live_policy(self, policy: HealingPolicy) -> HealingPolicy:
        self._fail("live_policy")
        return self._live(policy)

    async def live_healing(self, healing: Healing) -> Healing:
        self._fail("live_healing")
        return self._live(healing)

    async def create(self, healing: Healing) -> Healing:
        self._fail("create")
        key = _key(healing)
        if key in self._parsed:
            return self._typed(Healing, key)
        wire = {**self._checked(healing), "metadata": self._metadata(healing), "status": {}}
        self.journal.commit(f"create {key[2]}", lambda: self._keep(Healing, key, wire))
        return self._typed(Healing, key)

    async def save(self, healing: Healing) -> Healing:
        self._fail("save")
        return self._save_status(healing)

    async def save_policy(self, policy: HealingPolicy) -> HealingPolicy:
        self._fail("save_policy")
        return self._save_status(policy)

    async def save_control(self, control: HealingControl) -> HealingControl:
        self._fail("save_control")
        return self._save_status(control)

    async def prune(self, healing: Healing) -> None:
        self._fail("prune")
        self._live(healing)
        self.journal.commit(f"prune {healing.metadata.name}", lambda: self.delete(healing))

    # -- inside -------------------------------------------------------------------------------

    def _fail(self, method: str) -> None:
        if method in self.faults:
            raise self.faults[method]

    def _live(self, item: R) -> R:
        found = self._parsed.get(_key(item))
        if found is None or found.metadata.uid != item.metadata.uid:
            raise GoneError(f"{_key(item)} is gone")
        return self._typed(type(item), _key(item))

    def _save_status(self, item: R) -> R:
        key = _key(item)
        found = self._live(item)
        if found.metadata.resource_version != item.metadata.resource_version:
            raise StaleError(f"{key} was written by somebody else")
        status = self._checked(item).get("status", {})
        wire = {**self._stored[key], "status": status}
        self.journal.commit(f"status {key[2]}", lambda: self._keep(type(item), key, wire))
        return self._typed(type(item), key)

    def _checked(self, item: Resource) -> dict[str, Any]:
        wire = item.to_wire()
        if type(item).parse(wire).to_wire() != wire:
            raise PermanentError(f"{_key(item)} is invalid: it does not read back as written")
        return wire

    def _metadata(self, item: Resource) -> dict[str, Any]:
        return {
            **item.to_wire()["metadata"],
            "uid": f"uid-{item.metadata.name}-{self._versions}",
            "generation": 1,
            "creationTimestamp": format_time(from_unix(self._cluster.now)),
        }

    def _keep(self, kind: type[R], key: Key, wire: dict[str, Any]) -> None:
        self._store(kind, key, wire)

    def _store(self, kind: type[R], key: Key, wire: dict[str, Any]) -> R:
        self._versions += 1
        wire = {**wire, "metadata": {**wire["metadata"], "resourceVersion": str(self._versions)}}
        self._stored[key] = wire
        self._parsed[key] = kind.parse(wire)
        return self._typed(kind, key)

    def _typed(self, kind: type[R], key: Key) -> R:
        found = self._parsed[key]
        assert isinstance(found, kind)
        return found


def _key(item: Resource) -> Key:
    return type(item).__name__, item.metadata.namespace, item.metadata.name
