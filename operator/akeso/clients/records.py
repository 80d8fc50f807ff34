"""Akeso's own resources: a cache that never goes back in time, and writes with preconditions."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Collection, Sequence
from typing import Any, Generic, TypeVar

from akeso.api import control as control_api
from akeso.api.control import Capability, HealingControl
from akeso.api.healing import Healing, Undo
from akeso.api.meta import API_VERSION, Resource
from akeso.api.policy import HealingPolicy
from akeso.clients.kubernetes.connection import ApiServer
from akeso.clients.kubernetes.paths import collection, collections
from akeso.clients.kubernetes.raw import Json, part, text, whole
from akeso.clients.kubernetes.responses import JSON_PATCH
from akeso.engine.records import BrokenObject
from akeso.errors import GoneError, PermanentError, StaleError
from akeso.settings import Settings

log = logging.getLogger(__name__)

R = TypeVar("R", bound=Resource)
Key = tuple[str, str]
GROUP_VERSION = f"apis/{API_VERSION}"
FORGOTTEN_DELETIONS = 1000  # deleted objects that are remembered against replayed events


class Shelf(Generic[R]):
    """The objects of one kind. An older version, or one of a deleted object, changes nothing."""

    def __init__(self, kind: type[R]) -> None:
        self.kind = kind
        self.items: dict[Key, R] = {}
        self.broken: dict[Key, BrokenObject] = {}
        self._versions: dict[Key, tuple[str, int]] = {}
        self._deleted: dict[str, None] = {}

    def put(self, raw: Json) -> None:
        """Takes an object as the API server sent it."""
        meta = part(raw, "metadata")
        key = (text(meta, "namespace"), text(meta, "name"))
        uid, version = text(meta, "uid"), whole(meta, "resourceVersion")
        known = self._versions.get(key)
        if uid in self._deleted or (known and known[0] == uid and known[1] > version):
            return
        self._versions[key] = (uid, version)
        try:
            self.items[key] = self.kind.parse(raw)
            self.broken.pop(key, None)
        except PermanentError as error:
            self.items.pop(key, None)
            self.broken[key] = BrokenObject(
                self.kind.model_fields["kind"].default, key[0], key[1], str(error)
            )

    def drop(self, raw: Json) -> None:
        """Takes a deletion; one of an earlier object of the same name changes nothing."""
        meta = part(raw, "metadata")
        key, uid = (text(meta, "namespace"), text(meta, "name")), text(meta, "uid")
        self._deleted[uid] = None
        while len(self._deleted) > FORGOTTEN_DELETIONS:
            del self._deleted[next(iter(self._deleted))]
        if self._versions.get(key, ("", 0))[0] == uid:
            self.forget(key)

    def known(self) -> dict[Key, tuple[str, int]]:
        """uid and version of all that are there."""
        return dict(self._versions)

    def forget(self, key: Key) -> None:
        self._versions.pop(key, None)
        self.items.pop(key, None)
        self.broken.pop(key, None)


class KubernetesRecords:
    """Implements `akeso.engine.records.Records`."""

    def __init__(self, api: ApiServer, settings: Settings) -> None:
        self._api = api
        self._settings = settings
        self._policies = Shelf(HealingPolicy)
        self._healings = Shelf(Healing)
        self._controls = Shelf(HealingControl)
        self._shelves: dict[str, Shelf[Any]] = {
            shelf.kind.PLURAL: shelf for shelf in (self._policies, self._healings, self._controls)
        }

    async def load(self, plurals: Collection[str] | None = None, recent: int | None = None) -> None:
        """Lists everything, or only these, once and side by side; the watch tells what follows.

        `recent`: of finished Healings only so many are read of each namespace, those that ended
        last.
        """
        wanted = tuple(self._shelves) if plurals is None else tuple(plurals)
        places = [(plural, path) for plural in wanted for path in self._where(plural)]
        lists = (self._list(plural, path, recent) for plural, path in places)
        # Every list is waited for: none may be left running on a connection that is closed.
        found = await asyncio.gather(*lists, return_exceptions=True)
        for (plural, _), listed in zip(places, found, strict=True):
            if isinstance(listed, BaseException):
                raise listed
            for raw in listed:
                self._shelves[plural].put(raw)

    async def reload(self, plurals: Collection[str], namespace: str | None) -> None:
        """Lists these anew in one namespace (None: everywhere), and forgets what is gone: what a
        watch that begins again can't tell."""
        for plural in plurals:
            shelf = self._shelves[plural]
            known = {k: v for k, v in shelf.known().items() if namespace in (None, k[0])}
            listed = await self._api.list_all(collection(GROUP_VERSION, plural, namespace))
            for raw in listed:
                shelf.put(raw)
            there = {(_namespace(raw), text(part(raw, "metadata"), "name")) for raw in listed}
            for key, version in known.items():
                if key not in there and shelf.known().get(key) == version:
                    shelf.forget(key)

    async def _list(self, plural: str, where: str, recent: int | None) -> list[Json]:
        if plural != Healing.PLURAL or recent is None:
            return await self._api.list_all(where)
        try:
            return await self._lately(where, recent)
        except PermanentError:  # a CRD from before Healings could be selected by their verdict
            return newest(await self._api.list_all(where), recent)

    async def _lately(self, where: str, recent: int) -> list[Json]:
        """The open Healings and the `recent` finished ones: a thousand others are not sent whole.

        The finished ones come last, so that one that ends meanwhile is in one of the two.
        """
        going = await self._api.list_all(where, {"fieldSelector": "status.verdict="})
        over = await self._api.table(where, {"fieldSelector": "status.verdict!="})
        # In UTC, so that text sorts as time; one without a time is not the newest.
        over.sort(key=lambda row: str(row.get("Ended") or ""), reverse=True)
        names = dict.fromkeys(str(row["Name"]) for row in over[:recent])
        # By name and not by path: the table does not tell the namespace.
        lists = (self._api.list_all(where, {"fieldSelector": f"metadata.name={n}"}) for n in names)
        ended = [raw for found in await asyncio.gather(*lists) for raw in found]
        return newest([*going, *ended], recent)

    def seen(self, plural: str, event: str | None, raw: Json) -> None:
        """One event of the watch (`type` as the API server names it; None for the listing)."""
        shelf = self._shelves[plural]
        if event == "DELETED":
            shelf.drop(raw)
        else:
            shelf.put(raw)

    def policies(self) -> Sequence[HealingPolicy]:
        return tuple(self._policies.items.values())

    def healings(self) -> Sequence[Healing]:
        return tuple(self._healings.items.values())

    def control(self) -> HealingControl | None:
        return self._controls.items.get((self._settings.namespace, control_api.NAME))

    def broken(self) -> Sequence[BrokenObject]:
        return tuple(b for shelf in self._shelves.values() for b in shelf.broken.values())

    async def live_control(self) -> HealingControl | None:
        try:
            raw = await self._api.get(
                self._path(HealingControl.PLURAL, self._settings.namespace, control_api.NAME)
            )
        except GoneError:
            return None
        return HealingControl.parse(raw)

    async def live_policy(self, policy: HealingPolicy) -> HealingPolicy:
        return await self._live(policy)

    async def live_healing(self, healing: Healing) -> Healing:
        return await self._live(healing)

    async def ensure_control(self) -> None:
        """Creates the HealingControl where there is none yet, with the safe defaults."""
        if await self.live_control() is not None:
            return
        body: Json = {
            "apiVersion": API_VERSION,
            "kind": "HealingControl",
            "metadata": {"name": control_api.NAME, "namespace": self._settings.namespace},
            "spec": {},
        }
        try:
            path = self._path(HealingControl.PLURAL, self._settings.namespace)
            self._controls.put(await self._api.post(path, body))
        except GoneError as e:
            own = self._settings.namespace
            raise PermanentError(
                f"The HealingControl can't be created: there is no namespace {own} for it; set"
                " AKESO_NAMESPACE to the one Akeso runs in, or create it."
            ) from e
        except StaleError:
            log.info("The HealingControl was created by somebody else.")

    async def lead(self, identity: str, capabilities: tuple[Capability, ...]) -> bool:
        """Says who leads and what this installation can do, before anything else is written;
        whether the leader is another one. The admission policy that stands on it refuses what any
        other replica writes."""
        control = await self.live_control()
        if control is None:
            raise StaleError("The HealingControl was deleted a moment ago.")
        before = control.status.leader
        told = {"leader": identity, "capabilities": capabilities}
        status = control.status.model_copy(update=told)
        if status != control.status:
            await self.save_control(control.model_copy(update={"status": status}))
        return before != identity

    async def able(self, capabilities: tuple[Capability, ...]) -> None:
        """Writes down what this installation can do, where that has changed."""
        control = await self.live_control()
        if control is not None and control.status.capabilities != capabilities:
            status = control.status.model_copy(update={"capabilities": capabilities})
            await self.save_control(control.model_copy(update={"status": status}))

    async def healing(self, namespace: str, name: str) -> Healing:
        """Read now. GoneError when there is none."""
        raw = await self._api.get(self._path(Healing.PLURAL, namespace, name))
        return self._keep(Healing, raw)

    async def create(self, healing: Healing) -> Healing:
        meta = healing.metadata
        try:
            raw = await self._api.post(
                self._path(Healing.PLURAL, meta.namespace), healing.to_wire()
            )
        except StaleError:
            raw = await self._api.get(self._path(Healing.PLURAL, meta.namespace, meta.name))
        return self._keep(Healing, raw)

    async def save(self, healing: Healing) -> Healing:
        return await self._save_status(healing)

    async def save_policy(self, policy: HealingPolicy) -> HealingPolicy:
        return await self._save_status(policy)

    async def save_control(self, control: HealingControl) -> HealingControl:
        return await self._save_status(control)

    async def patch_spec(self, item: R, patch: list[Json]) -> R:
        """A person's change to a spec (pause, resume), on the version that was read."""
        meta = item.metadata
        raw = await self._api.patch(
            self._path(item.PLURAL, meta.namespace, meta.name),
            [*_preconditions(item), *patch],
            content_type=JSON_PATCH,
        )
        return self._keep(type(item), raw)

    async def ask_undo(self, healing: Healing, undo: Undo) -> Healing:
        """Sets `spec.undo` of this very Healing, whatever its status has become; the CRD's rules
        refuse a second one."""
        meta = healing.metadata
        patch: list[Json] = [
            {"op": "test", "path": "/metadata/uid", "value": meta.uid},
            {"op": "add", "path": "/spec/undo", "value": undo.model_dump(by_alias=True)},
        ]
        path = self._path(Healing.PLURAL, meta.namespace, meta.name)
        return self._keep(Healing, await self._api.patch(path, patch, content_type=JSON_PATCH))

    async def prune(self, healing: Healing) -> None:
        meta = healing.metadata
        body: Json = {
            "apiVersion": "v1",
            "kind": "DeleteOptions",
            "preconditions": {"uid": meta.uid, "resourceVersion": meta.resource_version},
        }
        await self._api.delete(self._path(Healing.PLURAL, meta.namespace, meta.name), body)

    async def _live(self, item: R) -> R:
        meta = item.metadata
        raw = await self._api.get(self._path(item.PLURAL, meta.namespace, meta.name))
        if text(part(raw, "metadata"), "uid") != meta.uid:
            raise GoneError(f"{type(item).__name__} {meta.namespace}/{meta.name} was made anew.")
        return self._keep(type(item), raw)

    async def _save_status(self, item: R) -> R:
        meta = item.metadata
        value = item.to_wire().get("status", {})
        raw = await self._api.patch(
            f"{self._path(item.PLURAL, meta.namespace, meta.name)}/status",
            [*_preconditions(item), {"op": "add", "path": "/status", "value": value}],
            content_type=JSON_PATCH,
        )
        return self._keep(type(item), raw)

    def _keep(self, kind: type[R], raw: Json) -> R:
        self._shelves[kind.PLURAL].put(raw)
        return kind.parse(raw)

    def _where(self, plural: str) -> list[str]:
        if plural == HealingControl.PLURAL:
            return [self._path(plural, self._settings.namespace)]
        return collections(GROUP_VERSION, plural, self._settings.watch_namespaces)

    def _path(self, plural: str, namespace: str, name: str = "") -> str:
        return collection(GROUP_VERSION, plural, namespace) + (f"/{name}" if name else "")


def newest(healings: Sequence[Json], recent: int) -> list[Json]:
    """Those that are open, and of the finished ones those that ended last. As they came: to read
    a thousand takes longer than to list them."""

    def ended(raw: Json) -> str:
        return text(part(raw, "status"), "completedAt")  # in UTC, so that text sorts as time

    going = [raw for raw in healings if not ended(raw)]
    over = sorted(filter(ended, healings), key=ended, reverse=True)
    return [*going, *over[:recent]]


def _namespace(raw: Json) -> str:
    return text(part(raw, "metadata"), "namespace")


def _preconditions(item: Resource) -> list[Json]:
    meta = item.metadata
    return [
        {"op": "test", "path": "/metadata/uid", "value": meta.uid},
        {"op": "test", "path": "/metadata/resourceVersion", "value": meta.resource_version},
    ]
