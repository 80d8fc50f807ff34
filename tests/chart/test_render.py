"""What the chart says, before anything is installed: rights, settings, and what is refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from chart.helm import CHART, Helm, HelmError, Json, of_kind

RIGHTS: Json = yaml.safe_load((CHART / "files" / "rights.yaml").read_text())
HEALERS = sorted(RIGHTS["healers"])
CHANGES = {"create", "update", "patch", "delete", "deletecollection"}
OURS = {"akeso.dev", "coordination.k8s.io", "events.k8s.io"}
EVERYTHING: Json = {
    "settings": {"healers": HEALERS, "prometheusUrl": "https://prometheus.monitoring:9090"},
    "secrets": ["prometheus"],
    "configMaps": ["company-ca"],
    "serviceMonitor": {"enabled": True, "labels": {"release": "kube-prometheus"}},
    "prometheusRule": {"enabled": True},
    "dashboards": {"enabled": True},
    "priorityClass": {"create": True},
    "priorityClassName": "akeso",
    "commonLabels": {"team": "sre"},
    "networkPolicy": {"egress": [{"ports": [{"port": 443}]}]},
    "extraEnv": [{"name": "TZ", "value": "Europe/Berlin"}],
    "tolerations": [{"key": "sre", "operator": "Exists"}],
    "nodeSelector": {"kubernetes.io/os": "linux"},
}


def rules(objects: list[Json], kind: str) -> set[tuple[str, str, str]]:
    """(group, resource, verb) of the operator's roles of a kind, by what binds them."""
    bound = {b["roleRef"]["name"] for b in of_kind(objects, f"{kind}Binding")}
    return {
        (group, resource, verb)
        for role in of_kind(objects, kind)
        if role["metadata"]["name"] in bound
        for rule in role["rules"]
        for group in rule["apiGroups"]
        for resource in rule["resources"]
        for verb in rule["verbs"]
    }


def granted(section: list[Json]) -> set[tuple[str, str, str]]:
    return {
        (g, r, v)
        for x in section
        for g in x["apiGroups"]
        for r in x["resources"]
        for v in x["verbs"]
    }


def test_as_it_comes_no_workload_can_be_written(helm: Helm) -> None:
    found = helm.objects({})

    writes = {r for r in rules(found, "ClusterRole") | rules(found, "Role") if r[2] in CHANGES}

    assert writes
    assert {group for group, _, _ in writes} <= OURS


@pytest.mark.parametrize("healer", HEALERS)
def test_a_healer_adds_its_rights_and_no_others(helm: Helm, healer: str) -> None:
    before = rules(helm.objects({}), "ClusterRole")

    after = rules(helm.objects({"settings": {"healers": [healer]}}), "ClusterRole")

    assert after - before == granted(RIGHTS["healers"][healer]) - before
    assert before <= after


def test_each_healer_has_a_role_of_its_own(helm: Helm) -> None:
    found = helm.objects({"settings": {"healers": HEALERS}})
    names = {role["metadata"]["name"] for role in of_kind(found, "ClusterRole")}
    assert {f"akeso-operator-{healer.lower()}.akeso" for healer in HEALERS} <= names


def test_in_namespaced_mode_the_operator_has_no_cluster_role(helm: Helm) -> None:
    found = helm.objects({"settings": {"healers": HEALERS, "watchNamespaces": ["a", "b"]}})

    assert of_kind(found, "ClusterRoleBinding") == []
    places = {role["metadata"]["namespace"] for role in of_kind(found, "Role")}
    assert places == {"a", "b", "akeso"}
    everywhere = rules(helm.objects({"settings": {"healers": HEALERS}}), "ClusterRole")
    here = rules([o for o in found if o["metadata"].get("namespace") == "a"], "Role")
    assert everywhere - here == granted(RIGHTS["cluster"])


def test_rights_on_the_metrics_api_go_where_prometheus_is_set(helm: Helm) -> None:
    metrics = ("metrics.k8s.io", "pods", "list")
    assert metrics in rules(helm.objects({}), "ClusterRole")
    with_prometheus = helm.objects({"settings": {"prometheusUrl": "http://prometheus:9090"}})
    assert metrics not in rules(with_prometheus, "ClusterRole")


def test_two_installations_share_no_name_but_those_for_people(helm: Helm) -> None:
    def names(namespace: str) -> set[tuple[str, str]]:
        found = helm.objects({"crds": {"install": False}}, "--namespace", namespace)
        return {
            (o["kind"], o["metadata"]["name"]) for o in found if "namespace" not in o["metadata"]
        }

    both = names("one") & names("two")

    assert both == {("ClusterRole", f"akeso-{who}") for who in ("viewer", "editor", "approver")}


def test_the_roles_for_people_are_aggregated_but_never_the_approver(helm: Helm) -> None:
    found = {
        role["metadata"]["name"]: {
            label.rpartition("-")[2]
            for label in role["metadata"]["labels"]
            if label.startswith("rbac.authorization.k8s.io/")
        }
        for role in of_kind(helm.objects({}), "ClusterRole")
    }
    assert (found["akeso-viewer"], found["akeso-editor"]) == ({"view"}, {"edit"})
    assert found["akeso-approver"] == set()


def test_settings_reach_the_operator_as_they_were_said(helm: Helm) -> None:
    said = {
        "healers": ["RestartPods"],
        "prometheusUrl": "http://prometheus:9090",
        "cycleSeconds": 30,
    }

    [config] = of_kind(helm.objects({"settings": said}), "ConfigMap")

    assert yaml.safe_load(config["data"]["settings.yaml"]) == {**said, "watchNamespaces": []}


def test_pods_are_replaced_only_for_settings_that_are_read_at_start(helm: Helm) -> None:
    def template(**settings: Any) -> Json:
        [deployment] = of_kind(helm.objects({"settings": settings}), "Deployment")
        return dict(deployment["spec"]["template"])

    restarts = yaml.safe_load((CHART / "files" / "restart-settings.yaml").read_text())
    assert "leaseSeconds" in restarts
    assert "logLevel" not in restarts
    assert template() == template(logLevel="DEBUG")
    assert template() != template(leaseSeconds=20)


def test_secrets_and_config_maps_are_mounted_where_settings_find_them(helm: Helm) -> None:
    [deployment] = of_kind(helm.objects(EVERYTHING), "Deployment")
    pod = deployment["spec"]["template"]["spec"]

    mounts = {m["mountPath"] for m in pod["containers"][0]["volumeMounts"]}

    assert {"/etc/akeso/secrets/prometheus", "/etc/akeso/config/company-ca"} <= mounts
    volumes = {v["name"]: v for v in pod["volumes"]}
    assert volumes["secret-prometheus"]["secret"] == {"secretName": "prometheus"}


def test_every_object_has_the_common_labels(helm: Helm) -> None:
    for found in helm.objects(EVERYTHING):
        assert found["metadata"]["labels"]["team"] == "sre", found["metadata"]["name"]


def test_the_crds_are_kept_and_those_of_the_repository(helm: Helm) -> None:
    found = {
        o["metadata"]["name"]: o for o in of_kind(helm.objects({}), "CustomResourceDefinition")
    }
    sources = [yaml.safe_load(p.read_text()) for p in (CHART.parents[1] / "crds").glob("*.yaml")]
    assert len(sources) == len(found)
    for source in sources:
        crd = found[source["metadata"]["name"]]
        assert crd["spec"] == source["spec"]
        assert crd["metadata"]["annotations"] == {"helm.sh/resource-policy": "keep"}


WRONG: list[tuple[Json, str]] = [
    ({"replicas": "two"}, "/replicas"),
    ({"imagee": {}}, "imagee"),
    ({"image": {"digest": "latest"}}, "/image/digest"),
    ({"settings": {"cycleSeconds": -1}}, "/settings/cycleSeconds"),
    ({"settings": {"cycleSecond": 5}}, "cycleSecond"),
    ({"settings": {"healers": ["Reboot"]}}, "settings.healers: there is no"),
    ({"settings": {"watchNamespaces": "shop"}}, "/settings/watchNamespaces"),
    ({"settings": {"identity": "me"}}, "identity"),
    ({"settings": {"logLevel": "LOUD"}}, "/settings/logLevel"),
    ({"priorityClass": {"create": True}}, "priorityClassName"),
    ({"serviceAccount": {"create": False}}, "serviceAccount.name"),
]


@pytest.mark.parametrize(("values", "told"), WRONG, ids=[told for _, told in WRONG])
def test_a_wrong_value_is_refused_with_its_place(helm: Helm, values: Json, told: str) -> None:
    with pytest.raises(HelmError, match=told):
        helm.objects(values)


def test_the_linter_finds_nothing(helm: Helm) -> None:
    for values in ({}, EVERYTHING):
        said = helm.lint(values)
        assert "[WARNING]" not in said
        assert "[ERROR]" not in said


def test_all_values_together_render(helm: Helm, tmp_path: Path) -> None:
    kinds = {o["kind"] for o in helm.objects(EVERYTHING)}
    assert {"ServiceMonitor", "PrometheusRule", "PriorityClass", "NetworkPolicy", "Lease"} <= kinds
