"""What is read out of an audit log, and how it is held against what is granted."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from rights.compare import Grant, grants, never_seen, not_granted
from rights.harvest import (
    LEASES,
    OPERATOR,
    RIGHTS,
    Harvest,
    Request,
    harvest,
    limited,
    operators_events,
)

RULES: dict[str, Any] = {
    "watch": [{"apiGroups": ["apps"], "resources": ["deployments"], "verbs": ["get", "list"]}],
    "cluster": [
        {"apiGroups": [""], "resources": ["nodes"], "verbs": ["list"]},
        {
            "apiGroups": ["admission"],
            "resources": ["bindings"],
            "resourceNames": ["fence.{namespace}"],
            "verbs": ["get"],
        },
    ],
    "own": [
        {
            "apiGroups": [LEASES[0]],
            "resources": [LEASES[1]],
            "resourceNames": ["akeso-operator"],
            "verbs": ["patch"],
        }
    ],
    "healers": {
        "RaiseMemory": [{"apiGroups": [""], "resources": ["pods/resize"], "verbs": ["patch"]}]
    },
}
ME = "akeso-tests"
RESIZE = Request(ME, "patch", "", "pods/resize", "watched")
LEASE = Request(ME, "patch", *LEASES, "own", "akeso-operator")


def event(
    verb: str, group: str, resource: str, namespace: str | None = None, **more: Any
) -> dict[str, Any]:
    resource, _, subresource = resource.partition("/")
    thing = {"resource": resource, "name": more.pop("name", "x")}
    thing |= {"apiGroup": group} if group else {}
    thing |= {"subresource": subresource} if subresource else {}
    thing |= {"namespace": namespace} if namespace else {}
    decision = more.pop("decision", "allow")
    annotations = {"authorization.k8s.io/decision": decision}
    user = {"username": more.pop("user", ME)}
    return {"verb": verb, "user": user, "objectRef": thing, "annotations": annotations} | more


def gathered(*events: dict[str, Any]) -> Harvest:
    return harvest(events, limited(RULES), node=False)


def test_the_namespace_with_the_operators_lease_is_its_own() -> None:
    found = gathered(
        event("patch", *LEASES, "home", name="akeso-operator"),
        event("get", "apps", "deployments", "home"),
        event("get", "apps", "deployments", "shop"),
        event("list", "", "nodes"),
        event("get", "apps", "deployments", "home", user="akeso-other"),
    )

    assert found.seen == {
        LEASE,
        Request(ME, "get", "apps", "deployments", "own"),
        Request(ME, "get", "apps", "deployments", "watched"),
        Request(ME, "list", "", "nodes", "all"),
        Request("akeso-other", "get", "apps", "deployments", "watched"),
    }


def test_a_name_with_the_operators_own_namespace_is_the_one_that_is_granted() -> None:
    found = gathered(
        event("patch", *LEASES, "home", name="akeso-operator"),
        event("get", "admission", "bindings", name="fence.home"),
        event("get", "admission", "bindings", name="fence.shop"),
    )
    mine = Request(ME, "get", "admission", "bindings", "all", "fence.{namespace}")
    another = Request(ME, "get", "admission", "bindings", "all", "fence.shop")

    assert found.seen == {LEASE, mine, another}
    assert not_granted(found.seen, grants(RULES)) == [another]


def test_what_rbac_refused_is_kept_apart_and_what_admission_refused_is_not() -> None:
    forbidden = {"responseStatus": {"code": 403}}
    found = gathered(
        event("patch", "", "pods/resize", "shop", **forbidden),
        event("delete", "apps", "deployments", "shop", decision="forbid", **forbidden),
    )

    assert found.seen == {RESIZE}
    assert found.refused == {Request(ME, "delete", "apps", "deployments", "watched")}


def test_a_request_for_no_resource_is_no_matter() -> None:
    nothing = {"verb": "get", "user": {"username": ME}, "requestURI": "/version"}

    assert gathered(nothing).seen == frozenset()


def test_a_harvest_is_read_back_as_it_was_written(tmp_path: Path) -> None:
    found = gathered(event("list", "", "nodes"), event("get", "", "pods", decision="forbid"))
    (tmp_path / "x.json").write_text(found.as_json())

    assert Harvest.read(tmp_path / "x.json") == found


def test_only_operators_are_read_from_the_log_and_half_a_line_is_not(tmp_path: Path) -> None:
    users = (ME, "akeso-lab-admin", "system:serviceaccount:akeso-system:akeso-operator", "jane")
    lines = [json.dumps(event("get", "", "pods", user=u), separators=(",", ":")) for u in users]
    (tmp_path / "audit.log").write_text("\n".join([*lines, lines[0][:-9]]))

    found = [e["user"]["username"] for e in operators_events(tmp_path / "audit.log")]
    assert found == [users[0], users[2]]


@pytest.mark.parametrize(
    ("user", "operator"),
    [
        ("akeso-tests", True),
        ("akeso-leak", True),
        ("system:serviceaccount:akeso-system:akeso", True),
        ("system:serviceaccount:akeso-system:default", False),
        ("system:serviceaccount:kube-system:deployment-controller", False),
        ("akeso-lab-admin", False),
        ("lab:kwok", False),
        ("stranger", False),
    ],
)
def test_who_is_an_operator(user: str, operator: bool) -> None:
    assert bool(OPERATOR.fullmatch(user)) is operator


def test_what_is_granted_is_granted_in_its_scope_only() -> None:
    granted = list(grants(RULES))
    fine = (
        RESIZE,
        LEASE,
        *(replace(RESIZE, scope=scope) for scope in ("own", "all")),
        Request(ME, "list", "", "nodes", "all"),
    )
    too_much = {
        replace(LEASE, scope="watched"),
        replace(LEASE, name="another"),
        replace(LEASE, name=""),
        replace(RESIZE, verb="delete"),
        replace(RESIZE, group="apps"),
        replace(RESIZE, resource="pods"),
        Request(ME, "list", "", "nodes", "watched"),
    }

    assert not_granted(fine, granted) == []
    assert set(not_granted((*fine, *too_much), granted)) == too_much


def test_what_was_never_done_is_named_with_its_healer() -> None:
    seen = (LEASE, Request(ME, "get", "apps", "deployments", "watched"))

    assert [str(grant) for grant in never_seen(seen, grants(RULES))] == [
        "RaiseMemory: patch core/pods/resize",
        "cluster: get admission/bindings named fence.{namespace}",
        "cluster: list core/nodes",
        "watch: list apps/deployments",
    ]


def test_of_the_real_rights_every_rule_is_looked_at() -> None:
    rights = yaml.safe_load(RIGHTS.read_text())
    rules = [*rights["watch"], *rights["cluster"], *rights["own"]]
    rules += [rule for healer in rights["healers"].values() for rule in healer]
    expanded = sum(len(r["apiGroups"]) * len(r["resources"]) * len(r["verbs"]) for r in rules)

    assert rights.keys() == {"watch", "cluster", "own", "healers"}
    assert len(list(grants(rights))) == expanded > 50
    assert Grant("RaiseMemory", "patch", "", "pods/resize") in set(grants(rights))
