"""The rights that the operator needs, asked of the API server one by one: what is examined is what
the chart and examples/rbac.yaml grant.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator

from akeso.cli.doctor.checks import Check, Checks, failure, ok
from akeso.clients.kubernetes.connection import ApiServer
from akeso.clients.kubernetes.raw import Json, part, text
from akeso.clients.kubernetes.rights import Need, Subject, lacks, missing
from akeso.errors import AkesoError
from akeso.settings import Settings

NAME, REACH, HEALERS = "Rights", "Namespaces", "Healers"
AUTHENTICATION = "authentication.k8s.io/v1"


async def examine(api: ApiServer, wanted: Collection[Need], subject: Subject | None) -> Checks:
    """Asks for each right; `subject` None: for whoever asks."""
    who = str(subject) if subject else await _whoami(api)
    asked = len({need.right for need in wanted})
    found = await missing(api, wanted, subject)
    return tuple(judge(who, asked, found, subject is None))


async def _whoami(api: ApiServer) -> str:
    body: Json = {"apiVersion": AUTHENTICATION, "kind": "SelfSubjectReview"}
    try:
        found = await api.post(f"/apis/{AUTHENTICATION}/selfsubjectreviews", body)
    except AkesoError:
        return "You"
    return text(part(found, "status", "userInfo"), "username") or "You"


def judge(who: str, asked: int, found: Collection[Need], own: bool) -> Iterator[Check]:
    """One check per resource with all the verbs it lacks."""
    if not found:
        yield ok(NAME, f"{who} has all {asked} rights that the operator needs.")
        return
    for lack in lacks(found):
        of = f' (API group "{lack.group}")' if lack.group else ""
        kind = "Role" if lack.namespace else "ClusterRole"
        also = " Is it the operator's account you mean? akeso doctor --as-operator." if own else ""
        yield failure(
            f"{NAME}: {lack.resource}",
            f"{who} may not {', '.join(lack.verbs)} {lack.resource}{of} {lack.place}:"
            f" {lack.meaning}.",
            f"Add to the {kind} bound to it: {lack.rule} (all of them: helm upgrade, or"
            f" examples/rbac.yaml).{also}",
        )


def reach(settings: Settings) -> Checks:
    """What namespaced mode loses; nothing to say where the whole cluster is watched."""
    if not settings.watch_namespaces:
        return ()
    return (
        ok(
            REACH,
            f"It watches {', '.join(settings.watch_namespaces)} only, with rights in them alone."
            " Nodes can't be read so: RaiseMemory and RaiseMemoryTemplate are refused"
            " (CapacityUnknown), ScaleOut leaves the question of room to the scheduler, pods on a node"
            " that is not ready are not left alone (guard node), everything else works as in the whole"
            " cluster.",
        ),
    )


def healers(settings: Settings, known: Collection[str]) -> Checks:
    """Who may act at all."""
    off = [name for name in known if not settings.enables(name)]
    on = [name for name in known if settings.enables(name)]
    if not off:
        return (ok(HEALERS, f"All are enabled: {', '.join(on)}."),)
    never = f"not enabled, so never used: {', '.join(off)} (settings.healers)"
    if not on:
        return (ok(HEALERS, f"None is enabled: Akeso only observes; {never}."),)
    return (ok(HEALERS, f"Enabled: {', '.join(on)}; {never}."),)
