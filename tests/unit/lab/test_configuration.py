from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest
import yaml

from akeso_lab import alertmanager, node_config
from akeso_lab.fake_nodes import BEHAVIOUR, fake_node, write_stages
from akeso_lab.parts import Tier
from akeso_lab.places import GO_MODULES, MANIFESTS
from akeso_lab.plan import PORT_NAMES, Plan
from akeso_lab.prometheus import configuration
from rights.harvest import OPERATOR


@pytest.fixture
def plan(tmp_path: Path) -> Plan:
    (tmp_path / "node").mkdir()
    ports = {name: 20000 + number for number, name in enumerate(PORT_NAMES)}
    return Plan("test", Tier.NODE, tmp_path, 120, ports, 5)


def test_the_working_set_comes_from_one_endpoint_only(plan: Plan) -> None:
    jobs = {job["job_name"]: job for job in configuration(plan)["scrape_configs"]}
    kept = jobs["kubelet-cadvisor"]["metric_relabel_configs"][0]

    assert jobs["kubelet-resource"]["metrics_path"] == "/metrics/resource"
    assert kept["action"] == "keep"
    assert "container_memory_working_set_bytes" not in kept["regex"]


def test_of_the_kubelets_own_metrics_only_the_volumes_are_kept(plan: Plan) -> None:
    jobs = {job["job_name"]: job for job in configuration(plan)["scrape_configs"]}
    assert jobs["kubelet-volumes"]["metrics_path"] == "/metrics"
    [kept] = jobs["kubelet-volumes"]["metric_relabel_configs"]
    assert (kept["action"], kept["regex"]) == ("keep", "kubelet_volume_stats_.*")


def test_without_a_node_only_added_targets_are_scraped(plan: Plan) -> None:
    alone = Plan("test", Tier.CONTROL_PLANE, plan.state, 120, plan.ports, 1)

    assert [job["job_name"] for job in configuration(alone)["scrape_configs"]] == ["added"]
    assert configuration(alone)["global"]["scrape_interval"] == "1s"


def test_alerts_go_to_the_labs_own_alertmanager_and_from_there_to_nobody(plan: Plan) -> None:
    (target,) = configuration(plan)["alerting"]["alertmanagers"]
    receivers = alertmanager.configuration()["receivers"]

    assert target["static_configs"] == [{"targets": [plan.alertmanager.removeprefix("http://")]}]
    assert receivers == [{"name": "nobody"}]


def test_fake_pods_are_not_scraped(plan: Plan) -> None:
    pods = configuration(plan)["scrape_configs"][-1]
    names = [r for r in pods["relabel_configs"] if "node_name" in r["source_labels"][0]]

    assert [(r["regex"], r["action"]) for r in names] == [(plan.node_name, "keep")]


def test_the_kubelet_stays_inside_the_labs_own_cgroup(plan: Plan) -> None:
    node_config.write_kubelet(plan)
    kubelet = yaml.safe_load((plan.state / "node" / "kubelet.yaml").read_text())

    assert kubelet["cgroupRoot"] == f"/{plan.cgroup}"
    assert kubelet["authentication"]["anonymous"] == {"enabled": False}


def test_no_dns_query_leaves_the_lab(plan: Plan) -> None:
    node_config.write_coredns(plan)

    assert "forward" not in (plan.state / "node" / "Corefile").read_text()


def test_the_pod_network_is_kept_below_the_state_folder(plan: Plan) -> None:
    node_config.write_containerd(plan, "pause:1")
    conflist = json.loads((plan.state / "node" / "cni" / "10-lab.conflist").read_text())

    assert Path(conflist["plugins"][0]["ipam"]["dataDir"]).is_relative_to(plan.state)


def test_a_pod_that_is_going_is_only_deleted(tmp_path: Path) -> None:
    write_stages(tmp_path / "kwok.yaml")
    stages = list(yaml.safe_load_all((tmp_path / "kwok.yaml").read_text()))
    pods = [s for s in stages if s["spec"]["resourceRef"]["kind"] == "Pod"]

    for stage in pods:
        if stage["metadata"]["name"] != "pod-delete":
            keys = [e["key"] for e in stage["spec"]["selector"]["matchExpressions"]]
            assert ".metadata.deletionTimestamp" in keys


def test_the_label_that_stages_look_at_is_the_documented_one(tmp_path: Path) -> None:
    write_stages(tmp_path / "kwok.yaml")

    assert BEHAVIOUR == "akeso-lab/behaviour"
    assert BEHAVIOUR in (tmp_path / "kwok.yaml").read_text()


@pytest.mark.parametrize("tainted", [True, False])
def test_fake_nodes_are_tainted_only_beside_a_real_one(tainted: bool) -> None:
    taints = fake_node("n", tainted=tainted)["spec"]["taints"]

    assert [t["effect"] for t in taints] == (["NoSchedule"] if tainted else [])


def test_akesos_own_kinds_are_audited_with_their_bodies() -> None:
    rules = yaml.safe_load((MANIFESTS / "audit-policy.yaml").read_text())["rules"]
    with_bodies = [r for r in rules if r["level"] == "RequestResponse"]

    assert "akeso.dev" in {g["group"] for r in with_bodies for g in r["resources"]}
    assert rules[-1] == {"level": "Metadata"}


def test_nothing_that_an_operator_does_is_left_out_of_the_audit_log() -> None:
    rules = yaml.safe_load((MANIFESTS / "audit-policy.yaml").read_text())["rules"]
    for rule in (rule for rule in rules if rule["level"] == "None"):
        left_out = {*rule.get("users", ()), *rule.get("userGroups", ())}
        assert left_out or "nonResourceURLs" in rule
        assert not [user for user in left_out if OPERATOR.fullmatch(user)]
        assert "system:authenticated" not in left_out and "system:masters" not in left_out
    bodies = [rule for rule in rules if rule["level"] in ("Request", "RequestResponse")]
    assert not {verb for rule in bodies for verb in rule["verbs"]} & {"get", "list", "watch"}


def test_the_script_of_the_nodes_first_process_is_valid() -> None:
    subprocess.run(["sh", "-n", MANIFESTS / "node-init.sh"], check=True)


def test_no_module_file_names_where_modules_are_fetched_from() -> None:
    for file in GO_MODULES.rglob("go.*"):
        text = file.read_text()
        assert "https:" not in text
        assert "goproxy" not in text.lower()
