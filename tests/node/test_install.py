"""The chart on a real node: the image as it is built, pods as they run, and what befalls them.

One story, in a cluster of its own because the installation is for all of it: installed, a bad
release undone although the leader is killed in the middle, a leak healed before it ends, a leader
frozen, an upgrade, and an uninstallation that leaves nothing.
"""

from __future__ import annotations

import os
import shutil
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from akeso_lab import Lab, Tier, up
from chart.conftest import RESTRICTED, namespace
from chart.helm import CHART, Helm
from chart.installed import ACCOUNT, pods_of
from chart.test_install import left
from cluster.harness import conditions
from node.conftest import LAB_NAME
from node.front import TENANT, TOKEN, front
from node.scene import Scene
from node.test_rollouts import traffic

HOME, SHOP = "akeso", "shop"
LEAK_BYTES, LEAK_SECONDS = 64 * 2**20, 230
FAILOVER_SECONDS = 20.0


@pytest.fixture(scope="module")
def cluster(node_possible: None) -> Lab:
    return up(f"{LAB_NAME}-install", Tier.NODE)


@pytest.fixture
def stage(cluster: Lab, tmp_path: Path) -> Iterator[Scene]:
    scene = Scene(cluster, SHOP, tmp_path)
    cluster.apply(namespace(SHOP), namespace(HOME, **RESTRICTED))
    scene.begin()
    yield scene
    scene.close()


class Installation:
    """The chart in its namespace, and its replicas as processes of this machine."""

    def __init__(self, stage: Scene, helm: Helm, values: dict[str, Any]) -> None:
        self.stage = stage
        self.lab = stage.lab
        self.helm = helm
        self.values = values

    def control(self) -> dict[str, Any]:
        return self.stage.reader.one("healingcontrols", HOME, "akeso") or {}

    def leader(self) -> str:
        return str(self.control().get("status", {}).get("leader", ""))

    def process(self, pod: str) -> int:
        """The operator's process in a pod; containers of the lab are processes of its host."""
        wanted = f"AKESO_IDENTITY={pod}".encode()
        for folder in Path("/proc").glob("[0-9]*"):
            try:
                mine = wanted in (folder / "environ").read_bytes().split(b"\0")
                if mine and b"operator" in (folder / "cmdline").read_bytes().split(b"\0"):
                    return int(folder.name)
            except OSError:
                continue  # it ended
        raise AssertionError(f"pod {pod} has no operator process")

    def container(self, pod: str) -> dict[str, Any]:
        raw = self.stage.reader.one("pods", HOME, pod)
        assert raw is not None
        [status] = raw["status"]["containerStatuses"]
        return dict(status)


def test_installed_on_a_real_node_it_heals_is_killed_frozen_upgraded_and_leaves_nothing(
    cluster: Lab,
    stage: Scene,
    tmp_path: Path,
    record_property: Callable[[str, object], None],
) -> None:
    repository, _, tag = cluster.operator_image().rpartition(":")
    with front(cluster) as prometheus:
        values: dict[str, Any] = {
            "image": {"repository": repository, "tag": tag, "pullPolicy": "Never"},
            "secrets": ["prometheus"],
            "configMaps": ["company-ca"],
            "settings": {
                "healers": ["RestartPods", "Rollback"],
                "prometheusUrl": prometheus.url,
                "prometheusCaFile": "/etc/akeso/config/company-ca/ca.crt",
                "prometheusTokenFile": "/etc/akeso/secrets/prometheus/token",
                "prometheusTenant": TENANT,
                "scrapeIntervalSeconds": cluster.scrape_interval_seconds,
                "revisionHealthySeconds": 40,
            },
        }
        assert cluster.certificates is not None
        ca = cluster.certificates / "ca.crt"
        make = ("-n", HOME, "create")
        cluster.kubectl(*make, "secret", "generic", "prometheus", f"--from-literal=token={TOKEN}")
        cluster.kubectl(*make, "configmap", "company-ca", f"--from-file=ca.crt={ca}")
        stage.service("leak", LEAK_BYTES_PER_SECOND=f"{LEAK_BYTES / LEAK_SECONDS:.0f}")
        stage.service("web", replicas=2, VERSION="v1")
        traffic(stage, cluster)
        here = Installation(stage, Helm.of(cluster, tmp_path), values)
        said = here.helm.install(HOME, values)
        assert "warning" not in said.lower(), said
        stage.wait(lambda: _told_of_kinds(cluster), 60, "the kinds are not there")
        stage.policy()

        _is_installed(here, stage)
        _a_bad_release_is_undone_although_the_leader_is_killed(here, stage, record_property)
        _the_leak_was_healed_before_its_end(stage)
        _a_frozen_leader_ends_when_it_wakes_up(here, stage)
        _an_upgrade_keeps_everything(here, stage, tmp_path)
        used = _working_set(cluster)
        record_property("working set of the leader in its container, MiB", round(used / 2**20))
        assert set(prometheus.answered) == {200}, prometheus.answered
    _nothing_was_refused(cluster)
    _an_uninstallation_leaves_nothing(here, stage)


def _told_of_kinds(lab: Lab) -> bool:
    found = lab.kubectl(
        "get", "crd", "healingpolicies.akeso.dev", "--ignore-not-found", "-o", "yaml"
    )
    return "Established" in found


def _is_installed(here: Installation, stage: Scene) -> None:
    """Both replicas are ready, one leads, nothing is missing, and all promises hold."""
    pods_of(here.lab, HOME, within=120)
    stage.wait(here.leader, 60, "nobody leads")

    def complete() -> bool:
        found = here.control()
        able = found.get("status", {}).get("capabilities", [])
        stands = conditions(found).get("Degraded", {})
        return stands.get("status") == "False" and {c["available"] for c in able} == {"True"}

    stage.wait(complete, 60, f"something is missing: {here.control().get('status')}")


def _a_bad_release_is_undone_although_the_leader_is_killed(
    here: Installation, stage: Scene, record_property: Callable[[str, object], None]
) -> None:
    def proven() -> bool:
        [policy] = stage.get("healingpolicies")
        return any(r["name"] == "web" for r in policy.get("status", {}).get("revisions", []))

    def rollback() -> dict[str, Any] | None:
        found = (h for h in stage.healings() if h["spec"]["target"]["name"] == "web")
        return next(found, None)

    stage.wait(proven, 180, "the good release was not seen healthy")
    stage.service("web", replicas=2, VERSION="v2", UNREADY="1")
    stage.wait(lambda: (rollback() or {}).get("status", {}).get("attempts"), 120, "no healing")
    leader = here.leader()
    restarts = here.container(leader)["restartCount"]
    os.kill(here.process(leader), signal.SIGKILL)
    killed = time.monotonic()

    stage.wait(lambda: _renewed(here, leader, restarts), 60, "nobody leads again")
    taken = time.monotonic() - killed
    record_property("a leader again after SIGKILL in its container, seconds", round(taken, 1))
    assert taken <= FAILOVER_SECONDS

    done = stage.wait(
        lambda: (rollback() or {}).get("status", {}).get("verdict"),
        240,
        "the rollback had no verdict",
    )
    assert done == "Verified"
    [web] = [d for d in stage.get("deployments") if d["metadata"]["name"] == "web"]
    assert web["metadata"]["generation"] == 3, "made, released, taken back once"
    [container] = web["spec"]["template"]["spec"]["containers"]
    assert {"name": "VERSION", "value": "v1"} in container["env"]


def _renewed(here: Installation, before: str, restarts: int) -> bool:
    """Somebody else leads, or the same pod with a new process has its Lease again."""
    if here.leader() != before:
        return True
    status = here.container(before)
    return status["restartCount"] > restarts and bool(status["ready"])


def _the_leak_was_healed_before_its_end(stage: Scene) -> None:
    def verdict() -> str | None:
        mine = [h for h in stage.healings() if h["spec"]["target"]["name"] == "leak"]
        return next((v for h in mine if (v := h.get("status", {}).get("verdict"))), None)

    assert stage.wait(verdict, 400, "the leak had no verdict") == "Verified"
    assert not stage.deaths.oom


def _a_frozen_leader_ends_when_it_wakes_up(here: Installation, stage: Scene) -> None:
    leader = here.leader()
    before = here.container(leader)["restartCount"]
    pid = here.process(leader)
    os.kill(pid, signal.SIGSTOP)
    stage.wait(lambda: here.leader() not in ("", leader), 40, "nobody took over")
    os.kill(pid, signal.SIGCONT)
    stage.wait(lambda: here.container(leader)["restartCount"] > before, 60, "it goes on")
    last = here.container(leader)["lastState"]["terminated"]
    assert last["exitCode"] == 1, last
    lines = here.lab.kubectl("-n", HOME, "logs", leader, "--previous").strip().splitlines()
    assert "Lease is lost" in lines[-1], lines[-3:]
    assert here.leader() != leader


def _an_upgrade_keeps_everything(here: Installation, stage: Scene, folder: Path) -> None:
    healings = {h["metadata"]["uid"] for h in stage.healings()}
    pods = {pod.uid for pod in pods_of(here.lab, HOME)}
    newer = folder / "newer"
    shutil.copytree(CHART, newer)
    about = yaml.safe_load((newer / "Chart.yaml").read_text()) | {"version": "0.1.1"}
    (newer / "Chart.yaml").write_text(yaml.safe_dump(about))
    settings = here.values["settings"] | {"leaseSeconds": 16}
    values = here.values | {"settings": settings}
    said = here.helm.of_chart(newer).upgrade(HOME, values, "--wait", "--timeout", "3m")
    assert "warning" not in said.lower(), said
    now = {pod.uid: pod.name for pod in pods_of(here.lab, HOME, within=120)}
    assert not pods & now.keys()
    stage.wait(lambda: here.leader() in now.values(), 60, "no pod of the new release leads")
    assert healings <= {h["metadata"]["uid"] for h in stage.healings()}


def _working_set(lab: Lab) -> float:
    query = f'max(container_memory_working_set_bytes{{namespace="{HOME}",container="operator"}})'
    [sample] = lab.query(query)
    return sample.value


def _nothing_was_refused(lab: Lab) -> None:
    """The chart's rights are enough: no request of its account was forbidden for want of them."""
    account = f"system:serviceaccount:{HOME}:{ACCOUNT}"
    refused = [
        f"{event['verb']} {event['requestURI']}"
        for event in lab.audit_events()
        if event["user"]["username"] == account
        and event.get("annotations", {}).get("authorization.k8s.io/decision") == "forbid"
    ]
    assert refused == []


def _an_uninstallation_leaves_nothing(here: Installation, stage: Scene) -> None:
    here.helm.uninstall(HOME)
    stage.wait(lambda: not left(here.lab, HOME), 60, "something is left")  # pods end in their time
    leases = here.lab.kubectl("-n", HOME, "get", "leases", "-o", "name")
    assert leases.strip() == "", "no Lease comes back"
    for item in (
        *stage.get("deployments"),
        *stage.get("pods"),
    ):
        meta = item["metadata"]
        notes = [*meta.get("annotations", {}), *meta.get("labels", {}), *meta.get("finalizers", [])]
        assert not [note for note in notes if "akeso.dev" in note], meta["name"]
        managers = {field.get("manager", "") for field in meta["managedFields"]}
        assert not [manager for manager in managers if manager.startswith("akeso")], meta["name"]
    kept = here.lab.kubectl("get", "crd", "-o", "name").split()
    assert "customresourcedefinition.apiextensions.k8s.io/healings.akeso.dev" in kept
    kinds = [name for name in kept if name.endswith(".akeso.dev")]
    here.lab.kubectl("delete", *kinds, "--timeout=60s")
    here.lab.kubectl("delete", "namespace", HOME, SHOP, "--timeout=120s")
