"""What the operators of a lab did to its API server, from the audit log: by account, each once.

    python -m rights.harvest LAB FILE

FILE becomes {"node": has the lab a real node, "seen": [...], "refused": [...]}; both lists hold
requests as {"account", "verb", "group", "resource", "scope", "name"}. `resource` includes the
subresource. `scope` is "own" for the namespace where that operator keeps its Lease, "watched" for any
other one, "all" for no namespace. `name` is there only for resources that rights.yaml limits by name,
and as it is written there where it fits, with {namespace} for the operator's own.
"""

from __future__ import annotations

import itertools
import json
import re
import sys
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import yaml

from akeso_lab import Lab, LabError

RIGHTS = Path(__file__).resolve().parents[2] / "charts" / "akeso" / "files" / "rights.yaml"
# Users of the cluster and the node tier, and service accounts; the lab's administrator is neither.
OPERATOR = re.compile(r"akeso-(?!lab-admin$).*|system:serviceaccount:[^:]+:akeso.*")
# Most lines are somebody else's, and parsing them all would take a minute.
_MAYBE = re.compile(rb'"username":"(akeso-|system:serviceaccount:[^"]*:akeso)')
# The names that are granted, by group and resource.
Names = Mapping[tuple[str, str], tuple[str, ...]]
LEASES = ("coordination.k8s.io", "leases")


@dataclass(frozen=True, order=True)
class Request:
    account: str
    verb: str
    group: str
    resource: str
    scope: str
    name: str | None = None


@dataclass(frozen=True)
class Harvest:
    """``refused``: RBAC did not allow it. What only admission refused was allowed by RBAC."""

    node: bool
    seen: frozenset[Request]
    refused: frozenset[Request]

    def as_json(self) -> str:
        lists = {
            what: [asdict(request) for request in sorted(found, key=str)]
            for what, found in (("seen", self.seen), ("refused", self.refused))
        }
        return json.dumps({"node": self.node, **lists}, indent=1)

    @classmethod
    def read(cls, file: Path) -> Harvest:
        raw = json.loads(file.read_text())
        lists = (frozenset(Request(**r) for r in raw[what]) for what in ("seen", "refused"))
        return cls(raw["node"], *lists)


def limited(rights: dict[str, Any]) -> Names:
    """What is granted by name."""
    healers = (rule for rules in rights["healers"].values() for rule in rules)
    found: dict[tuple[str, str], tuple[str, ...]] = {}
    for rule in (*rights["watch"], *rights["cluster"], *rights["own"], *healers):
        for group, resource in itertools.product(rule["apiGroups"], rule["resources"]):
            if names := rule.get("resourceNames"):
                found[group, resource] = (*found.get((group, resource), ()), *names)
    return found


def harvest(events: Iterable[dict[str, Any]], named: Names, node: bool) -> Harvest:
    """``events``: of the operators' accounts. A request is known when it has been answered."""
    found = [e for e in events if "resource" in e.get("objectRef", {})]  # no /version and the like
    homes = {
        (e["user"]["username"], e["objectRef"].get("namespace"))
        for e in found
        if (e["objectRef"].get("apiGroup", ""), e["objectRef"]["resource"]) == LEASES
    }
    seen: set[Request] = set()
    refused: set[Request] = set()
    for event in found:
        decision = event.get("annotations", {}).get("authorization.k8s.io/decision")
        (seen if decision == "allow" else refused).add(_request(event, homes, named))
    return Harvest(node, frozenset(seen), frozenset(refused))


def _request(
    event: dict[str, Any],
    homes: set[tuple[str, str | None]],
    named: Names,
) -> Request:
    account, thing = event["user"]["username"], event["objectRef"]
    group, resource = thing.get("apiGroup", ""), thing["resource"]
    namespace = thing.get("namespace")
    if namespace is None:
        scope = "all"
    else:
        scope = "own" if (account, namespace) in homes else "watched"
    name = thing.get("name", "") if (group, resource) in named else None
    for pattern, home in itertools.product(named.get((group, resource), ()), homes):
        if home[0] == account and name == pattern.replace("{namespace}", str(home[1])):
            name = pattern
    if sub := thing.get("subresource"):
        resource = f"{resource}/{sub}"
    return Request(account, event["verb"], group, resource, scope, name)


def operators_events(log: Path) -> Iterator[dict[str, Any]]:
    """The lines of an audit log that are about operators."""
    with log.open("rb") as lines:
        for line in lines:
            if _MAYBE.search(line) and line.endswith(b"\n"):
                event = json.loads(line)
                if OPERATOR.fullmatch(event["user"]["username"]):
                    yield event


def main(name: str, file: Path) -> None:
    lab = Lab.load(name)
    if lab.audit_log is None:
        raise LabError(name, "has no audit log", "use a lab that `up` started itself")
    named = limited(yaml.safe_load(RIGHTS.read_text()))
    found = harvest(operators_events(lab.audit_log), named, lab.node)
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(found.as_json())


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
