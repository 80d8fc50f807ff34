"""After a healing nothing is ours, and what was the appliers' is theirs again."""

from __future__ import annotations

from typing import Any

from akeso.clients.kubernetes.ownership import released

Json = dict[str, Any]


def entry(manager: str, operation: str, spec: Json, **more: str) -> Json:
    return {"manager": manager, "operation": operation, "fieldsV1": {"f:spec": spec}, **more}


TEMPLATE: Json = {"f:template": {"f:spec": {"f:image": {}}}}
REPLICAS: Json = {"f:replicas": {}}
OURS = entry("akeso", "Update", {**TEMPLATE, "f:template": {"f:spec": {"f:env": {}}}})
SCALED = entry("akeso", "Update", REPLICAS, subresource="scale")
STATUS: Json = {
    "manager": "kube-controller-manager",
    "operation": "Update",
    "subresource": "status",
}


def test_what_was_ours_of_the_template_goes_to_the_one_who_applies_it() -> None:
    applier = entry("helm", "Apply", {**TEMPLATE, **REPLICAS})
    both: Json = {"f:template": {"f:spec": {"f:image": {}, "f:env": {}}}, **REPLICAS}
    assert released([applier, OURS, SCALED, STATUS], "akeso") == [
        entry("helm", "Apply", both),
        STATUS,
    ]


def test_replicas_have_no_heir() -> None:
    applier = entry("helm", "Apply", TEMPLATE)
    assert released([applier, SCALED], "akeso") == [applier]


def test_without_an_applier_or_with_several_nobody_inherits() -> None:
    updater = entry("kubectl-edit", "Update", TEMPLATE)
    assert released([updater, OURS], "akeso") == [updater]
    one, two = entry("helm", "Apply", TEMPLATE), entry("argo", "Apply", TEMPLATE)
    assert released([one, two, OURS], "akeso") == [one, two]


def test_an_applier_of_replicas_alone_does_not_inherit_the_template() -> None:
    scaler = entry("keda", "Apply", REPLICAS)
    assert released([scaler, OURS], "akeso") == [scaler]


def test_where_nothing_is_ours_nothing_changes() -> None:
    entries = [entry("helm", "Apply", TEMPLATE), STATUS]
    assert released(entries, "akeso") == entries


def test_ownership_by_nobody_is_one_empty_entry() -> None:
    assert released([OURS], "akeso") == [{}]
