"""The rights that the operator needs, each with its reason, and which of them are missing.

They come from charts/akeso/files/rights.yaml. The API server is asked for each of them, with a
review that it keeps nowhere.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from akeso.clients.kubernetes.connection import ApiServer
from akeso.clients.kubernetes.raw import Json, part
from akeso.settings import Settings
from akeso.settings.names import by_key

AUTHORIZATION = "authorization.k8s.io/v1"
AT_A_TIME = 8  # questions on their way
SHOWN = 12  # sentences; who lacks more lacks a whole Role


@dataclass(frozen=True, slots=True)
class Right:
    """One verb on one resource (`pods/eviction` is a sub-resource); namespace None: everywhere.

    `name` is the one object that is meant; empty: all of them.
    """

    verb: str
    group: str
    resource: str
    namespace: str | None
    name: str = ""

    def attributes(self) -> Json:
        resource, _, below = self.resource.partition("/")
        found = {"verb": self.verb, "group": self.group, "resource": resource}
        more = {"subresource": below, "namespace": self.namespace or "", "name": self.name}
        return {**found, **{key: value for key, value in more.items() if value}}


@dataclass(frozen=True, slots=True)
class Need:
    """A right, and what for: a healer that can't act without it, or a reason in words."""

    right: Right
    why: str
    healer: str | None = None


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


def rules(
    rights: Mapping[str, Any], settings: Settings, healers: Iterable[str]
) -> Iterator[tuple[str | None, Json, str | None]]:
    """Every rule that holds with these settings: its place, as RBAC has it with `why`, and its
    healer. The place is a namespace, or None for the whole cluster."""
    everywhere: Sequence[str | None] = settings.watch_namespaces or (None,)
    parts: list[tuple[Sequence[str | None], Sequence[Json], str | None]] = [
        (everywhere, rights["watch"], None),
        ((None,) if not settings.watch_namespaces else (), rights["cluster"], None),
        ((settings.namespace,), rights["own"], None),
        *((everywhere, rights["healers"].get(name, ()), name) for name in healers),
    ]
    for places, found, healer in parts:
        for rule in found:
            if _holds(rule, settings):
                for place in places:
                    yield place, _in(rule, settings.namespace), healer


def needs(
    rights: Mapping[str, Any], settings: Settings, healers: Iterable[str]
) -> tuple[Need, ...]:
    """Each right once for each that needs it."""
    found: dict[tuple[Right, str | None], Need] = {}
    for place, rule, healer in rules(rights, settings, healers):
        for group in rule["apiGroups"]:
            for resource in rule["resources"]:
                for verb in rule["verbs"]:
                    for name in rule.get("resourceNames", ("",)):
                        right = Right(verb, group, resource, place, name)
                        found.setdefault((right, healer), Need(right, rule["why"], healer))
    return tuple(found.values())


def roles(
    rights: Mapping[str, Any], settings: Settings, healers: Iterable[str]
) -> Mapping[str | None, list[Json]]:
    """The rules of a Role for each namespace, and of a ClusterRole under None, as RBAC has them."""
    found: dict[str | None, list[Json]] = {}
    for place, rule, _ in rules(rights, settings, healers):
        plain = {key: value for key, value in rule.items() if key != "why"}
        found.setdefault(place, []).append(plain)
    return found


def _holds(rule: Json, settings: Settings) -> bool:
    def is_set(key: str) -> bool:
        return bool(getattr(settings, by_key(Settings.model_fields)[key]))

    unneeded = "unless" in rule and is_set(rule["unless"])
    return not unneeded and ("when" not in rule or is_set(rule["when"]))


def _in(rule: Json, namespace: str) -> Json:
    kept = {key: value for key, value in rule.items() if key not in ("unless", "when")}
    if "resourceNames" in kept:
        names = [name.replace("{namespace}", namespace) for name in kept["resourceNames"]]
        kept["resourceNames"] = names
    return kept


async def missing(
    api: ApiServer, wanted: Collection[Need], subject: Subject | None = None
) -> tuple[Need, ...]:
    """Those of them that are not granted to `subject` (None: whoever asks)."""
    turns = asyncio.Semaphore(AT_A_TIME)

    async def ask(right: Right) -> bool:
        async with turns:
            return await _allowed(api, right, subject)

    asked = list(dict.fromkeys(need.right for need in wanted))
    answers = await asyncio.gather(*map(ask, asked), return_exceptions=True)
    granted: dict[Right, bool] = {}
    for right, answer in zip(asked, answers, strict=True):
        if isinstance(answer, BaseException):
            raise answer
        granted[right] = answer
    return tuple(need for need in wanted if not granted[need.right])


async def _allowed(api: ApiServer, right: Right, subject: Subject | None) -> bool:
    kind = "SubjectAccessReview" if subject else "SelfSubjectAccessReview"
    whose = subject.spec() if subject else {}
    spec = {"resourceAttributes": right.attributes(), **whose}
    body: Json = {"apiVersion": AUTHORIZATION, "kind": kind, "spec": spec}
    found = await api.post(f"/apis/{AUTHORIZATION}/{kind.lower()}s", body)
    return part(found, "status").get("allowed") is True


@dataclass(frozen=True, slots=True)
class Lack:
    """The verbs that are missing on one resource in one place, and what it means."""

    verbs: tuple[str, ...]
    group: str
    resource: str
    namespace: str | None
    names: tuple[str, ...]  # of the objects that are meant; empty: all
    meaning: str

    @property
    def place(self) -> str:
        return f"in namespace {self.namespace}" if self.namespace else "in the whole cluster"

    @property
    def rule(self) -> str:
        """As RBAC has it."""
        named = f", resourceNames: [{', '.join(self.names)}]" if self.names else ""
        verbs = ", ".join(self.verbs)
        return f'{{apiGroups: ["{self.group}"], resources: [{self.resource}]{named}, verbs: [{verbs}]}}'

    def __str__(self) -> str:
        return f"may not {', '.join(self.verbs)} {self.resource} {self.place}: {self.meaning}"


def lacks(found: Iterable[Need]) -> list[Lack]:
    """What is missing by resource and place."""
    grouped: dict[tuple[str, str, str | None], list[Need]] = {}
    for need in found:
        right = need.right
        grouped.setdefault((right.group, right.resource, right.namespace), []).append(need)
    return [
        Lack(
            tuple(dict.fromkeys(n.right.verb for n in some)),
            *key,
            tuple(dict.fromkeys(n.right.name for n in some if n.right.name)),
            _meaning(some),
        )
        for key, some in grouped.items()
    ]


def _meaning(some: Sequence[Need]) -> str:
    healers = list(dict.fromkeys(n.healer for n in some if n.healer))
    reasons = dict.fromkeys(n.why for n in some if n.healer is None)
    said = [f"{', '.join(healers)} can't act there"] if healers else []
    return "; ".join([*said, *(f"it is needed for {why}" for why in reasons)])


def told(found: Collection[Need], wanted: Collection[Need]) -> list[str]:
    """In sentences: a place without any right is one of them."""
    bare = [
        place
        for place in dict.fromkeys(n.right.namespace for n in found)
        if {n for n in wanted if n.right.namespace == place} <= set(found)
    ]
    said = [
        f"no rights at all {f'in namespace {place}' if place else 'in the whole cluster'}"
        for place in bare
    ]
    said += [str(lack) for lack in lacks(n for n in found if n.right.namespace not in bare)]
    more = len(said) - SHOWN
    return [*said[:SHOWN], *([f"{more} more: akeso doctor --as-operator"] if more > 0 else [])]
