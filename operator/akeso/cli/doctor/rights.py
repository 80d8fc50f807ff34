"""The rights that the operator needs, asked of the API server one by one.

They are those of examples/rbac.yaml, which comes with the package: what is examined is what is
granted there.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from akeso.cli.doctor.checks import Check, Checks, failure, ok
from akeso.clients.kubernetes.connection import ApiServer
from akeso.clients.kubernetes.raw import Json, part, text
from akeso.errors import AkesoError
from akeso.settings import Settings

NAME = "Rights"
AUTHORIZATION = "authorization.k8s.io/v1"
AUTHENTICATION = "authentication.k8s.io/v1"
METRICS = "metrics.k8s.io"
AT_A_TIME = 8  # questions on their way


@dataclass(frozen=True, slots=True)
class Right:
    """One verb on one resource (`pods/eviction` is a sub-resource); namespace None: everywhere."""

    verb: str
    group: str
    resource: str
    namespace: str | None

    def attributes(self) -> Json:
        resource, _, below = self.resource.partition("/")
        found = {"verb": self.verb, "group": self.group, "resource": resource}
        more = {"subresource": below, "namespace": self.namespace or ""}
        return {**found, **{key: value for key, value in more.items() if value}}


@dataclass(frozen=True, slots=True)
class Subject:
    """Whose rights: a service account."""

    namespace: str
    name: str

    def __str__(self) -> str:
        return f"system:serviceaccount:{self.namespace}:{self.name}"

    def spec(self) -> Json:
        every = "system:serviceaccounts"
        groups = [every, f"{every}:{self.namespace}", "system:authenticated"]
        return {"user": str(self), "groups": groups}


def needed(roles: Iterable[Mapping[str, Any]], settings: Settings) -> list[Right]:
    """A ClusterRole's rights where workloads are watched, a Role's in Akeso's own namespace."""
    found: dict[Right, None] = {}
    for role in roles:
        own = (settings.namespace,)
        for here in own if role["kind"] == "Role" else settings.watch_namespaces or (None,):
            for rule in role["rules"]:
                found.update(dict.fromkeys(_of_rule(rule, here, settings)))
    return list(found)


def _of_rule(rule: Mapping[str, Any], here: str | None, settings: Settings) -> Iterator[Right]:
    for group in rule["apiGroups"]:
        if group == METRICS and settings.prometheus_url is not None:
            continue  # memory comes from Prometheus
        for resource in rule["resources"]:
            for verb in rule["verbs"]:
                yield Right(verb, group, resource, here)


async def examine(api: ApiServer, rights: Sequence[Right], subject: Subject | None) -> Checks:
    """Asks for each right; `subject` None: for whoever asks."""
    who = str(subject) if subject else await _whoami(api)
    turns = asyncio.Semaphore(AT_A_TIME)

    async def ask(right: Right) -> bool:
        async with turns:
            return await _allowed(api, right, subject)

    answers = await asyncio.gather(*map(ask, rights), return_exceptions=True)
    missing: list[Right] = []
    for right, answer in zip(rights, answers, strict=True):
        if isinstance(answer, BaseException):
            raise answer
        if not answer:
            missing.append(right)
    return tuple(judge(who, len(rights), missing, subject is None))


async def _whoami(api: ApiServer) -> str:
    body: Json = {"apiVersion": AUTHENTICATION, "kind": "SelfSubjectReview"}
    try:
        found = await api.post(f"/apis/{AUTHENTICATION}/selfsubjectreviews", body)
    except AkesoError:
        return "You"
    return text(part(found, "status", "userInfo"), "username") or "You"


async def _allowed(api: ApiServer, right: Right, subject: Subject | None) -> bool:
    kind = "SubjectAccessReview" if subject else "SelfSubjectAccessReview"
    whose = subject.spec() if subject else {}
    spec = {"resourceAttributes": right.attributes(), **whose}
    body: Json = {"apiVersion": AUTHORIZATION, "kind": kind, "spec": spec}
    found = await api.post(f"/apis/{AUTHORIZATION}/{kind.lower()}s", body)
    return part(found, "status").get("allowed") is True


def judge(who: str, asked: int, missing: Sequence[Right], own: bool) -> Iterator[Check]:
    """One check per resource with all the verbs it lacks."""
    if not missing:
        yield ok(NAME, f"{who} has all {asked} rights that the operator needs.")
        return
    verbs: dict[tuple[str, str, str | None], list[str]] = defaultdict(list)
    for right in missing:
        verbs[right.group, right.resource, right.namespace].append(right.verb)
    for (group, resource, namespace), lacking in verbs.items():
        of = f' (API group "{group}")' if group else ""
        where = f"in namespace {namespace}" if namespace else "in the whole cluster"
        kind = "Role" if namespace else "ClusterRole"
        rule = f'{{apiGroups: ["{group}"], resources: [{resource}], verbs: [{", ".join(lacking)}]}}'
        also = " Is it the operator's account you mean? akeso doctor --as-operator." if own else ""
        yield failure(
            f"{NAME}: {resource}",
            f"{who} may not {', '.join(lacking)} {resource}{of} {where}.",
            f"Add to the {kind} bound to it: {rule} (all of them: examples/rbac.yaml).{also}",
        )
