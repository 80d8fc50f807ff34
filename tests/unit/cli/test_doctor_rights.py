"""The rights that the operator needs: those of rights.yaml, asked one by one."""

from __future__ import annotations

from typing import Any

import pytest

from akeso.cli.doctor.checks import Result
from akeso.cli.doctor.rights import examine, healers, judge, reach
from akeso.clients import shipped
from akeso.clients.kubernetes.rights import Need, Right, Subject, needs, roles, told
from akeso.errors import PermanentError
from akeso.settings import Settings

PROMETHEUS = {"prometheus_url": "http://prometheus:9090"}
EVERY = tuple(shipped.rights()["healers"])


def wanted(*enabled: str, **settings: Any) -> set[Right]:
    found = needs(shipped.rights(), Settings.model_validate(settings), enabled)
    return {need.right for need in found}


def test_the_rights_are_those_that_come_with_this_version():
    rights = wanted(*EVERY, namespace="healing")
    assert Right("create", "", "pods/eviction", None) in rights
    assert Right("patch", "coordination.k8s.io", "leases", "healing", "akeso-operator") in rights
    assert Right("patch", "akeso.dev", "healings/status", None) in rights


def test_nothing_that_changes_a_workload_is_needed_until_a_healer_is_enabled():
    of_users = {r for r in wanted() if r.group not in ("akeso.dev", "coordination.k8s.io")}
    assert {(r.verb, r.resource) for r in of_users if r.verb not in ("get", "list", "watch")} == {
        ("create", "events")
    }
    added = wanted("RaiseMemory") - wanted()
    assert added == {Right("patch", "", "pods/resize", None)}


def test_the_metrics_api_needs_a_right_only_where_no_prometheus_is_set():
    groups = {right.group for right in wanted()}
    assert groups - {right.group for right in wanted(**PROMETHEUS)} == {"metrics.k8s.io"}


def test_an_operator_of_some_namespaces_needs_its_rights_only_there_and_no_nodes():
    rights = wanted(*EVERY, watch_namespaces="shop,office")
    assert {r.namespace for r in rights} == {"shop", "office", "akeso"}
    assert "nodes" not in {r.resource for r in rights}
    assert Right("create", "", "pods/eviction", "office") in rights


def test_a_role_has_what_rbac_takes_and_no_more():
    found = roles(shipped.rights(), Settings(watch_namespaces=("shop",)), ["RestartPods"])
    assert set(found) == {"shop", "akeso"}
    for rule in (rule for rules in found.values() for rule in rules):
        assert set(rule) <= {"apiGroups", "resources", "resourceNames", "verbs"}


def test_a_rule_may_hold_only_with_a_setting_and_name_akesos_own_namespace():
    rule = {"apiGroups": [""], "resources": ["x"], "resourceNames": ["a-{namespace}"]}
    rules = [{**rule, "verbs": ["get"], "why": "w", "when": "prometheusUrl"}]
    rights = {"watch": rules, "cluster": [], "own": [], "healers": {}}
    assert not needs(rights, Settings(), ())
    (need,) = needs(rights, Settings(namespace="own", prometheus_url="http://x"), ())
    assert need.right == Right("get", "", "x", None, "a-own")


def test_a_sub_resource_is_asked_for_as_one():
    asked_for = Right("create", "", "pods/eviction", "shop").attributes()
    assert (asked_for["resource"], asked_for["subresource"]) == ("pods", "eviction")
    assert (asked_for["verb"], asked_for["namespace"]) == ("create", "shop")
    assert "namespace" not in Right("get", "apps", "deployments", None).attributes()
    assert Right("get", "", "leases", "a", "mine").attributes()["name"] == "mine"


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


EVICT = Need(Right("create", "", "pods/eviction", None), "a pod is evicted", "RestartPods")
LEASE = Need(Right("patch", "coordination.k8s.io", "leases", "akeso", "mine"), "who leads")
READ = Need(Right("get", "", "pods", None), "states of pods")


async def asked(server: Any, subject: Subject | None = None) -> Any:
    return await examine(server, [READ, EVICT, LEASE], subject)


async def test_all_rights_there_are_one_line() -> None:
    (check,) = await asked(Server())
    assert check.result is Result.OK
    assert check.message == "alice has all 3 rights that the operator needs."


async def test_each_missing_right_names_verb_resource_place_and_the_rule_to_add() -> None:
    checks = await asked(Server((EVICT.right, LEASE.right)))
    assert [c.result for c in checks] == [Result.FAILURE] * 2
    evict, lease = checks
    assert evict.message == (
        "alice may not create pods/eviction in the whole cluster: RestartPods can't act there."
    )
    assert 'apiGroups: [""], resources: [pods/eviction], verbs: [create]' in str(evict.remedy)
    assert "ClusterRole" in str(evict.remedy)
    assert "resourceNames: [mine]" in str(lease.remedy) and "for who leads" in lease.message
    assert "in namespace akeso" in lease.message and "the Role bound" in str(lease.remedy)
    assert "--as-operator" in str(lease.remedy)


async def test_the_rights_of_the_operators_account_are_asked_in_its_name() -> None:
    server = Server((EVICT.right,))
    (check,) = await asked(server, Subject("akeso", "akeso-operator"))
    assert "system:serviceaccount:akeso:akeso-operator may not create" in check.message
    path, body = server.posted[0]
    assert path.endswith("/subjectaccessreviews")
    assert "system:serviceaccounts:akeso" in body["spec"]["groups"]


async def test_who_may_not_ask_is_an_error_and_no_answer() -> None:
    with pytest.raises(PermanentError):
        await asked(Server(error=PermanentError("alice may not create subjectaccessreviews")))


def lacking(*verbs: str, namespace: str | None = None, healer: str | None = None) -> list[Need]:
    why = "the workloads"
    return [Need(Right(verb, "apps", "deployments", namespace), why, healer) for verb in verbs]


def test_the_verbs_of_one_resource_are_told_together():
    (check,) = judge("alice", 9, lacking("get", "list"), own=False)
    assert check.message == (
        'alice may not get, list deployments (API group "apps") in the whole cluster: it is needed'
        " for the workloads."
    )
    assert "--as-operator" not in str(check.remedy)


def test_the_operator_says_of_itself_what_it_may_not_do_and_what_that_means():
    rollback = lacking("patch", namespace="shop", healer="Rollback")
    scale_out = lacking("patch", namespace="shop", healer="ScaleOut")
    found = [*rollback, *scale_out]
    others = lacking("get", "list", namespace="shop")
    assert told(found, [*found, *others]) == [
        "may not patch deployments in namespace shop: Rollback, ScaleOut can't act there"
    ]
    assert told(found, found) == ["no rights at all in namespace shop"]
    assert told([], found) == []


def test_a_long_list_ends_with_where_all_of_it_is():
    found = [Need(Right("get", "", f"kind{i}", None), "a reason") for i in range(20)]
    said = told(found, [*found, READ])
    assert len(said) == 13 and said[-1] == "8 more: akeso doctor --as-operator"


def test_what_namespaced_mode_loses_is_said():
    assert reach(Settings()) == ()
    (check,) = reach(Settings(watch_namespaces=("shop", "office")))
    assert check.result is Result.OK and "shop, office only" in check.message
    assert "RaiseMemory" in check.message and "CapacityUnknown" in check.message


def test_who_may_act_is_said():
    for enabled, said in ((None, "All are enabled"), ((), "only observes"), (("A",), "Enabled: A")):
        (check,) = healers(Settings(healers=enabled), ("A", "B"))
        assert said in check.message and ("never used" in check.message) == (enabled is not None)
