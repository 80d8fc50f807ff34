"""The rights that the operator needs: those of examples/rbac.yaml, asked one by one."""

from __future__ import annotations

from typing import Any

import pytest

from akeso.cli import shipped
from akeso.cli.doctor.checks import Result
from akeso.cli.doctor.rights import Right, Subject, examine, judge, needed
from akeso.errors import PermanentError
from akeso.settings import Settings

PROMETHEUS = {"prometheus_url": "http://prometheus:9090"}


def wanted(**settings: Any) -> list[Right]:
    return needed(shipped.roles(), Settings.model_validate(settings))


def test_the_rights_are_those_that_come_with_this_version():
    rights = wanted(namespace="healing")
    assert Right("create", "", "pods/eviction", None) in rights
    assert Right("patch", "coordination.k8s.io", "leases", "healing") in rights
    assert Right("patch", "akeso.dev", "healings/status", None) in rights
    assert len(set(rights)) == len(rights)


def test_the_metrics_api_needs_a_right_only_where_no_prometheus_is_set():
    groups = {right.group for right in wanted()}
    assert groups - {right.group for right in wanted(**PROMETHEUS)} == {"metrics.k8s.io"}


def test_an_operator_of_one_namespace_needs_its_rights_only_there():
    assert {r.namespace for r in wanted(watch_namespaces="shop")} == {"shop", "akeso"}


def test_a_sub_resource_is_asked_for_as_one():
    asked_for = Right("create", "", "pods/eviction", "shop").attributes()
    assert (asked_for["resource"], asked_for["subresource"]) == ("pods", "eviction")
    assert (asked_for["verb"], asked_for["namespace"]) == ("create", "shop")
    assert "namespace" not in Right("get", "apps", "deployments", None).attributes()


class Server:
    """Answers reviews: everything but `denied` is allowed."""

    def __init__(self, denied: tuple[Right, ...] = (), error: Exception | None = None) -> None:
        self.denied = [right.attributes() for right in denied]
        self.error = error
        self.posted: list[tuple[str, dict[str, Any]]] = []

    async def post(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        self.posted.append((path, body))
        if path.endswith("/selfsubjectreviews"):
            return {"status": {"userInfo": {"username": "alice"}}}
        if self.error:
            raise self.error
        return {"status": {"allowed": body["spec"]["resourceAttributes"] not in self.denied}}


EVICT = Right("create", "", "pods/eviction", None)
LEASE = Right("patch", "coordination.k8s.io", "leases", "akeso")
READ = Right("get", "", "pods", None)


async def asked(server: Any, subject: Subject | None = None) -> Any:
    return await examine(server, [READ, EVICT, LEASE], subject)


async def test_all_rights_there_are_one_line() -> None:
    (check,) = await asked(Server())
    assert check.result is Result.OK
    assert check.message == "alice has all 3 rights that the operator needs."


async def test_each_missing_right_names_verb_resource_place_and_the_rule_to_add() -> None:
    checks = await asked(Server((EVICT, LEASE)))
    assert [c.result for c in checks] == [Result.FAILURE] * 2
    evict, lease = checks
    assert evict.message == "alice may not create pods/eviction in the whole cluster."
    assert 'apiGroups: [""], resources: [pods/eviction], verbs: [create]' in str(evict.remedy)
    assert "ClusterRole" in str(evict.remedy)
    assert "in namespace akeso" in lease.message and "the Role bound" in str(lease.remedy)
    assert "--as-operator" in str(lease.remedy)


async def test_the_rights_of_the_operators_account_are_asked_in_its_name() -> None:
    server = Server((EVICT,))
    (check,) = await asked(server, Subject("akeso", "akeso-operator"))
    assert "system:serviceaccount:akeso:akeso-operator may not create" in check.message
    path, body = server.posted[0]
    assert path.endswith("/subjectaccessreviews")
    assert "system:serviceaccounts:akeso" in body["spec"]["groups"]


async def test_who_may_not_ask_is_an_error_and_no_answer() -> None:
    with pytest.raises(PermanentError):
        await asked(Server(error=PermanentError("alice may not create subjectaccessreviews")))


def test_the_verbs_of_one_resource_are_told_together():
    lacking = [Right(verb, "apps", "deployments", None) for verb in ("get", "list")]
    (check,) = judge("alice", 9, lacking, own=False)
    assert check.message == (
        'alice may not get, list deployments (API group "apps") in the whole cluster.'
    )
    assert "--as-operator" not in str(check.remedy)
