"""The lab itself: that it comes up whole, and that nothing of it stays when it goes.

What is left is looked for here independently of the lab's own book-keeping.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from akeso_lab import Lab, LabError, Tier, down, status, up
from akeso_lab.cleanup import find_leftovers
from akeso_lab.machine import node_requirements
from akeso_lab.places import state_dir
from akeso_lab.plan import link_name
from node.cgroups import folders

real_node = pytest.mark.skipif(
    bool(node_requirements()), reason=f"no real node here: {node_requirements()}"
)

NAME = "test-lab"
LAB_FOLDER = Path(__file__).resolve().parents[2] / "lab"


@pytest.fixture
def name() -> Iterator[str]:
    down(NAME)
    yield NAME
    down(NAME)


def _start_up(name: str) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "akeso_lab", "up", "--name", name, "--tier", "node"]
    environment = os.environ | {"PYTHONPATH": str(LAB_FOLDER)}
    return subprocess.Popen(
        command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )


def _wait_for(condition: Callable[[], bool], seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "did not happen in time"
        time.sleep(0.02)


def _output(*command: str) -> str:
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def _process_traces(state: Path) -> list[str]:
    """Processes that mention the state folder anywhere, ourselves excepted."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            traces = (folder / "cmdline").read_bytes() + (folder / "environ").read_bytes()
        except (FileNotFoundError, ProcessLookupError, PermissionError):
            continue
        mentions = f"{state}/".encode() in traces or f"={state}\0".encode() in traces
        if mentions and int(folder.name) != os.getpid():
            found.append(traces[:200].decode(errors="replace"))
    return found


def _traces(name: str) -> dict[str, object]:
    """Everything on the machine that still shows the lab; empty when all is gone."""
    state = state_dir(name)
    link = link_name(state)
    traces: dict[str, object] = {
        "processes": _process_traces(state),
        "mounts": [
            m for m in Path("/proc/self/mountinfo").read_text().splitlines() if str(state) in m
        ],
        "links": [line for line in _output("ip", "link").splitlines() if link in line],
        "routes": [line for line in _output("ip", "route").splitlines() if link in line],
        "nftables": [t for t in _output("nft", "list", "tables").splitlines() if "kube-proxy" in t],
        "cgroups": [str(p) for p in folders(f"akeso-lab-{name}-")],
        "state": [str(state)] if state.exists() else [],
    }
    return {what: found for what, found in traces.items() if found}


# Files that appear one after the other while a node lab starts.
MOMENTS = (
    "plan.json",
    "processes/node.json",
    "node/namespaces-ready",
    "node/containerd.sock",
    "logs/kube-apiserver.log",
    "logs/kubelet.log",
    "lab.json",
)


@real_node
@pytest.mark.parametrize("moment", MOMENTS)
def test_nothing_is_left_after_up_was_killed(name: str, moment: str) -> None:
    process = _start_up(name)
    _wait_for((state_dir(name) / moment).exists)
    process.send_signal(signal.SIGKILL)
    process.wait()

    down(name)

    assert _traces(name) == {}


@real_node
def test_nothing_is_left_after_parts_of_the_node_were_killed(name: str) -> None:
    lab = up(name, Tier.NODE)
    lab.apply(_pod(lab, "victim"))
    lab.kubectl("wait", "pod/victim", "--for=condition=Ready", "--timeout=60s")
    for part in ("kubelet", "containerd", "kube-proxy", "etcd"):
        os.kill(lab.pids[part], signal.SIGKILL)

    down(name)

    assert _traces(name) == {}
    assert not find_leftovers(state_dir(name))


def test_down_of_a_lab_that_never_was_is_fine() -> None:
    down("test-never-was")

    assert _traces("test-never-was") == {}


@real_node
def test_up_repairs_a_lab_whose_kubelet_died(name: str) -> None:
    first = up(name, Tier.NODE)
    os.kill(first.pids["kubelet"], signal.SIGKILL)
    _wait_for(lambda: not status(name).healthy)

    second = up(name, Tier.NODE)

    assert status(name).healthy
    assert second.pids["kubelet"] != first.pids["kubelet"]


@real_node
def test_up_returns_a_healthy_lab_as_it_is(name: str) -> None:
    first = up(name, Tier.NODE)

    started = time.monotonic()
    second = up(name, Tier.NODE)

    assert second == first
    assert time.monotonic() - started < 5


@real_node
def test_a_node_lab_has_running_pods_names_and_memory_series(name: str) -> None:
    lab = up(name, Tier.NODE, scrape_interval_seconds=1)
    lab.apply(_pod(lab, "web"), _service("web"), _pod(lab, "user", "load", "-url=http://web/"))
    lab.kubectl("wait", "pod/web", "pod/user", "--for=condition=Ready", "--timeout=60s")

    _wait_for(lambda: _succeeded(lab, "user") > 20)
    _wait_for(lambda: "web" in _pods_with_memory(lab))


@real_node
def test_two_node_labs_run_side_by_side(name: str) -> None:
    other = "test-lab-2"
    try:
        first, second = up(name, Tier.NODE), up(other, Tier.NODE)
        for lab in (first, second):
            lab.apply(_pod(lab, "web"))
            lab.kubectl("wait", "pod/web", "--for=condition=Ready", "--timeout=60s")
        down(name)
        assert status(other).healthy
        assert second.kubectl("get", "pod", "web", "-o", "name").strip() == "pod/web"
    finally:
        down(other)
    assert _traces(name) == {}
    assert _traces(other) == {}


def test_fake_pods_behave_as_their_label_says(name: str) -> None:
    lab = up(name)
    lab.add_kwok_nodes(1)
    for behaviour in ("steady", "unready", "crashloop", "oomkilled"):
        lab.apply(_fake_pod(behaviour))

    _wait_for(lambda: _container(lab, "steady")["ready"])
    _wait_for(lambda: _container(lab, "crashloop")["restartCount"] >= 2)
    _wait_for(lambda: "waiting" in _container(lab, "oomkilled")["state"])
    assert not _container(lab, "unready")["ready"]
    last = _container(lab, "oomkilled")["lastState"]["terminated"]
    assert (last["exitCode"], last["reason"]) == (137, "OOMKilled")

    lab.kubectl("label", "pod", "unready", "crashloop", "akeso-lab/behaviour-")
    _wait_for(lambda: _container(lab, "unready")["ready"])
    _wait_for(lambda: _container(lab, "crashloop")["ready"])


def test_several_may_add_the_same_fake_nodes_at_once(name: str) -> None:
    lab = up(name)
    with ThreadPoolExecutor(6) as pool:
        added = list(pool.map(lambda _: lab.add_kwok_nodes(3, "together"), range(6)))
    assert added == [("together-0", "together-1", "together-2")] * 6


def _allowed(lab: Lab, *question: str) -> bool:
    try:
        return lab.kubectl(*question).strip() == "yes"
    except LabError:  # kubectl answers no with an exit code
        return False


def test_a_user_may_only_what_was_granted_and_shows_in_the_audit_log(name: str) -> None:
    lab = up(name)
    kubeconfig = lab.user_kubeconfig("tester", ("testers",))
    kubectl = [str(lab.bin / "kubectl"), f"--kubeconfig={kubeconfig}"]

    refused = subprocess.run([*kubectl, "get", "pods"], capture_output=True, check=False)
    assert b"forbidden" in refused.stderr
    lab.kubectl("create", "clusterrolebinding", "t", "--clusterrole=view", "--group=testers")
    # The authorizer learns of a binding through a watch of its own; asked as somebody else.
    asked = ("auth", "can-i", "list", "pods", "--as=somebody", "--as-group=testers")
    _wait_for(lambda: _allowed(lab, *asked))
    assert (
        "No resources"
        in subprocess.run(
            [*kubectl, "get", "pods"], capture_output=True, text=True, check=True
        ).stderr
    )
    answers = [
        event["responseStatus"]["code"]
        for event in lab.audit_events()
        if event["user"]["username"] == "tester" and event.get("objectRef")
    ]
    assert answers == [403, 200]


def test_an_added_target_is_scraped_without_a_restart(name: str) -> None:
    lab = up(name, scrape_interval_seconds=1)
    assert lab.prometheus is not None

    lab.add_scrape_target("itself", lab.prometheus, labels={"namespace": "n"})

    _wait_for(lambda: any(s.value == 1 for s in lab.query('up{job="itself",namespace="n"}')))


def test_an_added_alerting_rule_fires_in_alertmanager_and_ends_with_its_cause(name: str) -> None:
    lab = up(name, scrape_interval_seconds=1)

    lab.add_alert_rule("Always", "vector(1)", labels={"namespace": "n"})
    _wait_for(lambda: _alerts(lab) == [{"alertname": "Always", "namespace": "n"}])
    lab.add_alert_rule("Always", "vector(1) > 2", labels={"namespace": "n"})
    _wait_for(lambda: _alerts(lab) == [])
    lab.remove_alert_rule("Always")


def test_a_wrong_alerting_rule_is_refused_with_the_log(name: str) -> None:
    lab = up(name)

    with pytest.raises(LabError, match="does not reload"):
        lab.add_alert_rule("Wrong", "sum(")
    lab.remove_alert_rule("Wrong")


def _alerts(lab: Lab) -> list[dict[str, str]]:
    with urllib.request.urlopen(f"{lab.alertmanager}/api/v2/alerts", timeout=5) as answer:
        return [alert["labels"] for alert in json.load(answer)]


def _fake_pod(behaviour: str) -> dict[str, object]:
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "name": behaviour,
            "namespace": "default",
            "labels": {"akeso-lab/behaviour": behaviour},
        },
        "spec": {"containers": [{"name": "app", "image": "none"}]},
    }


def _container(lab: Lab, pod: str) -> dict[str, Any]:
    """The status of the pod's container; before there is one, that of a container to come."""
    status_now = json.loads(lab.kubectl("get", "pod", pod, "-o", "json"))["status"]
    nothing = {"ready": False, "restartCount": 0, "state": {}}
    container: dict[str, Any] = status_now.get("containerStatuses", [nothing])[0]
    return container


def _pod(lab: Lab, name: str, *arguments: str) -> dict[str, object]:
    container: dict[str, object] = {"name": "app", "image": lab.service_image}
    if arguments:
        container["args"] = list(arguments)
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "namespace": "default", "labels": {"app": name}},
        "spec": {"containers": [container], "terminationGracePeriodSeconds": 2},
    }


def _service(name: str) -> dict[str, object]:
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": name, "namespace": "default"},
        "spec": {"selector": {"app": name}, "ports": [{"port": 80, "targetPort": 8080}]},
    }


def _succeeded(lab: Lab, pod: str) -> int:
    last = lab.kubectl("logs", pod, "--tail=1").strip()
    return int(json.loads(last)["succeeded"]) if last else 0


def _pods_with_memory(lab: Lab) -> set[str]:
    return {sample.labels["pod"] for sample in lab.query("container_memory_working_set_bytes")}
