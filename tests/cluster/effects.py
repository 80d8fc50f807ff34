"""What was done to users' objects, read from the requests that the API server accepted."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from akeso.api.meta import GROUP
from akeso_lab.proxy import RequestRecord


@dataclass(frozen=True, slots=True)
class Effect:
    """One committed write: what it does, to which object, on which uid."""

    what: str
    name: str
    uid: str
    at: float

    def __str__(self) -> str:
        return f"{self.what} {self.name} ({self.uid})"


def effects(records: Iterable[RequestRecord], namespace: str) -> list[Effect]:
    """Committed writes to the objects of a namespace that are not Akeso's own."""
    return [
        _effect(r)
        for r in records
        if r.committed
        and r.target is not None
        and r.target.namespace == namespace
        and r.target.group != GROUP
        and r.verb == "write"
    ]


def _effect(record: RequestRecord) -> Effect:
    target, body = record.target, record.json()
    assert target is not None
    what, uid = f"{record.method} {target.resource}/{target.subresource}", ""
    if target.subresource == "eviction":
        what, uid = "evict", body["deleteOptions"]["preconditions"]["uid"]
    elif record.method == "DELETE":
        what, uid = f"delete {target.resource}", body["preconditions"]["uid"]
    elif target.subresource == "resize":
        [container] = body["spec"]["containers"]
        what, uid = (
            f"resize to {container['resources']['limits']['memory']}",
            body["metadata"]["uid"],
        )
    elif target.subresource == "scale":
        what, uid = f"scale to {body['spec']['replicas']}", body["metadata"]["uid"]
    elif isinstance(body, list):
        what, uid = f"change {_paths(body)}", _tested(body)
    return Effect(what, target.name, uid, record.started)


def _paths(patch: list[dict[str, Any]]) -> str:
    own = ("/metadata/uid", "/metadata/resourceVersion")
    return " ".join(op["path"] for op in patch if op["path"] not in own)


def _tested(patch: list[dict[str, Any]]) -> str:
    tests = (op["value"] for op in patch if (op["op"], op["path"]) == ("test", "/metadata/uid"))
    return str(next(tests, ""))


def in_words(found: Iterable[Effect]) -> list[str]:
    """Sorted, without names: the same for every run of one scenario."""
    return sorted(e.what for e in found)
