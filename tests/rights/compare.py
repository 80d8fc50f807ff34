"""What was seen in the audit logs, held against charts/akeso/files/rights.yaml."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from rights.harvest import Request

# Scopes of requests that a section of rights.yaml allows. What is granted where workloads are
# watched is granted in the operator's own namespace, too, when that one is watched.
SCOPES = {
    "watch": frozenset({"all", "watched", "own"}),
    "cluster": frozenset({"all"}),
    "own": frozenset({"own"}),
}


@dataclass(frozen=True, order=True)
class Grant:
    """One verb on one resource; ``section`` is watch, cluster, own or a healer's name."""

    section: str
    verb: str
    group: str
    resource: str
    names: tuple[str, ...] = ()

    def allows(self, request: Request) -> bool:
        return (
            (self.verb, self.group, self.resource)
            == (request.verb, request.group, request.resource)
            and request.scope in SCOPES.get(self.section, SCOPES["watch"])
            and (not self.names or request.name in self.names)
        )

    def __str__(self) -> str:
        named = f" named {', '.join(self.names)}" if self.names else ""
        return f"{self.section}: {self.verb} {self.group or 'core'}/{self.resource}{named}"


def grants(rights: Mapping[str, Any]) -> Iterator[Grant]:
    """Every single thing that ``rights`` allows."""
    sections = {section: rights[section] for section in SCOPES} | rights["healers"]
    for section, rules in sections.items():
        for rule in rules:
            names = tuple(rule.get("resourceNames", ()))
            for group, resource, verb in itertools.product(
                rule["apiGroups"], rule["resources"], rule["verbs"]
            ):
                yield Grant(section, verb, group, resource, names)


def not_granted(seen: Iterable[Request], granted: Iterable[Grant]) -> list[Request]:
    """What was done, and RBAC allowed it to that account, and rights.yaml does not name it."""
    known = tuple(granted)
    return sorted({r for r in seen if not any(grant.allows(r) for grant in known)}, key=str)


def never_seen(seen: Iterable[Request], granted: Iterable[Grant]) -> list[Grant]:
    """What may be done and never was. Two healers may share a verb: either's use counts for
    both, since the audit log doesn't tell them apart."""
    done = tuple(seen)
    return sorted(g for g in set(granted) if not any(g.allows(request) for request in done))
