"""What a person asks the operator for, with the person's own rights: a healing, or its undo."""

from __future__ import annotations

import difflib
from datetime import UTC, datetime

from akeso.api.healing import Healing, Undo
from akeso.api.policy import HealingPolicy
from akeso.clients.clock import SystemClock
from akeso.clients.kubernetes import paths
from akeso.clients.kubernetes.cluster import KubernetesCluster
from akeso.clients.kubernetes.connection import ApiServer
from akeso.clients.kubernetes.raw import part, text
from akeso.clients.records import KubernetesRecords
from akeso.domain.workload import Kind, WorkloadRef
from akeso.engine.intent import finished
from akeso.engine.request import Wish, choose, new_request
from akeso.errors import GoneError, PermanentError

REVIEWS = "apis/authentication.k8s.io/v1"
LONGEST_WHO = 256  # of requestedBy
SHOWN = 20  # candidates


async def ask(
    api: ApiServer, records: KubernetesRecords, asked: tuple[Kind | None, str, str], wish: Wish
) -> Healing:
    """Asks for a healing of the workload of that kind (None: any), namespace and name."""
    await records.load((HealingPolicy.PLURAL, Healing.PLURAL))
    kind, namespace, name = asked
    ref = await find(api, kind, namespace, name)
    seen = await KubernetesCluster(api, SystemClock(), (namespace,)).live(ref)
    choice = choose(records.policies(), seen, wish)
    for other in records.healings():
        if _same(other, ref, choice.signal.name):
            raise PermanentError(
                f"{ref} is being healed for signal {choice.signal.name} as"
                f" {other.spec.requested_by} asked: Healing {other.metadata.name}. Wait for its"
                f" end, or take it back: akeso undo {other.metadata.name} -n {namespace}"
            )
    return await records.create(
        new_request(choice, seen, wish, await whoami(api), datetime.now(UTC))
    )


def _same(other: Healing, ref: WorkloadRef, signal: str) -> bool:
    spec = other.spec
    return (
        spec.requested_by is not None
        and not finished(other)
        and (spec.target.uid, spec.signal) == (ref.uid, signal)
    )


async def take_back(
    api: ApiServer, records: KubernetesRecords, namespace: str, name: str, reason: str
) -> Healing:
    """Asks for the undo of a Healing; one that was asked for already stays as it was."""
    try:
        healing = await records.healing(namespace, name)
    except GoneError:
        await records.load((Healing.PLURAL,))
        raise PermanentError(_no_healing(records, namespace, name)) from None
    if healing.spec.undo is not None:
        return healing
    return await records.ask_undo(healing, Undo(requested_by=await whoami(api), reason=reason))


def _no_healing(records: KubernetesRecords, namespace: str, name: str) -> str:
    there = [h.metadata.name for h in records.healings()]
    near = difflib.get_close_matches(name, there, SHOWN, cutoff=0.4) or sorted(there)
    more = f" and {len(near) - SHOWN} more" if len(near) > SHOWN else ""
    listed = ", ".join(near[:SHOWN]) + more
    return (
        f"There is no Healing {name} in namespace {namespace}; there are: {listed or 'none'}."
        " In every namespace: akeso history"
    )


async def whoami(api: ApiServer) -> str:
    """The name the API server knows the caller by."""
    body = {"apiVersion": REVIEWS.removeprefix("apis/"), "kind": "SelfSubjectReview"}
    found = await api.post(f"/{REVIEWS}/selfsubjectreviews", body)
    name = text(part(found, "status", "userInfo"), "username")
    if not 0 < len(name) <= LONGEST_WHO:
        raise PermanentError(
            f"The API server knows you as {name[:40]!r}, which can't be recorded (1 to"
            f" {LONGEST_WHO} characters); ask with other credentials."
        )
    return name


async def find(api: ApiServer, kind: Kind | None, namespace: str, name: str) -> WorkloadRef:
    """The one workload of that name. PermanentError lists candidates."""
    found = [
        ref
        for one in ([kind] if kind else Kind)
        if (ref := await _there(api, one, namespace, name)) is not None
    ]
    if len(found) == 1:
        return found[0]
    if found:
        choices = ", ".join(f"{ref.kind.lower()}/{ref.name}" for ref in found)
        raise PermanentError(f"{name} in namespace {namespace} is ambiguous; say which: {choices}.")
    wanted = f"{kind.lower()}/{name}" if kind else name
    others = await _others(api, namespace, name)
    raise PermanentError(
        f"There is no {wanted} in namespace {namespace}; there are: {others or 'no workloads'}."
    )


async def _there(api: ApiServer, kind: Kind, namespace: str, name: str) -> WorkloadRef | None:
    ref = WorkloadRef(kind, namespace, name, "")
    try:
        raw = await api.get(paths.workload(ref))
    except GoneError:
        return None
    return WorkloadRef(kind, namespace, name, text(part(raw, "metadata"), "uid"))


async def _others(api: ApiServer, namespace: str, name: str) -> str:
    """The workloads there are; those of a similar name, where there are any."""
    there: list[str] = []
    for kind in Kind:
        where = paths.collection(paths.APPS, paths.PLURALS[kind], namespace)
        for raw in await api.list_all(where):
            there.append(f"{kind.lower()}/{text(part(raw, 'metadata'), 'name')}")
    near = [other for other in there if name in other.partition("/")[2]]
    listed = sorted(near or there)
    more = f" and {len(listed) - SHOWN} more" if len(listed) > SHOWN else ""
    return ", ".join(listed[:SHOWN]) + more
