"""Objects as the API server sends them become the values that decisions are made of."""

from __future__ import annotations

import sys
import tracemalloc
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from akeso.clients.kubernetes import trim
from akeso.domain.workload import Ask, Autoscaler, Container, Pod, PodRef, Resizing
from unit.clients.fixtures import real

Json = dict[str, Any]
RUNNING = {"running": {"startedAt": "2026-11-21T09:41:09Z"}}


def trimmed(raw: Json) -> Pod:
    record = trim.pod(raw)
    assert record is not None
    return record.pod


def test_a_pod_of_a_real_kubelet_is_read_as_it_is() -> None:
    raw = real("pod_on_a_real_node")
    record = trim.pod(raw)
    assert record is not None
    assert record.owner == raw["metadata"]["ownerReferences"][0]["uid"]
    ready = next(c for c in raw["status"]["conditions"] if c["type"] == "Ready")
    since = trim.seconds(ready["lastTransitionTime"])
    started = trim.seconds(raw["status"]["containerStatuses"][0]["state"]["running"]["startedAt"])
    assert record.pod == Pod(
        ref=PodRef(raw["metadata"]["name"], raw["metadata"]["uid"]),
        resource_version=raw["metadata"]["resourceVersion"],
        revision=raw["metadata"]["labels"]["pod-template-hash"],
        phase="Running",
        ready=True,
        ready_since=since,
        unready_since=None,
        created_at=trim.seconds(raw["metadata"]["creationTimestamp"]) or 0,
        deleting=False,
        node="akeso-lab-node",
        containers=(
            Container(
                name="app",
                ready=True,
                memory_limit=128 * 2**20,
                memory_wanted=128 * 2**20,
                memory_request=128 * 2**20,
                started_at=started,
                readiness_delay=3.0,
            ),
        ),
        qos=raw["status"]["qosClass"],
    )


@pytest.mark.parametrize(
    ("condition", "reason", "resizing"),
    [
        ("PodResizePending", "Deferred", Resizing.DEFERRED),
        ("PodResizePending", "Infeasible", Resizing.INFEASIBLE),
        ("PodResizeInProgress", None, Resizing.IN_PROGRESS),
        ("PodReadyToStartContainers", None, None),
    ],
)
def test_a_resize_that_the_kubelet_has_not_done_is_seen(
    condition: str, reason: str | None, resizing: Resizing | None
) -> None:
    raw = real("pod_on_a_real_node")
    held = {"type": condition, "status": "True", "reason": reason, "message": "Node is too small"}
    raw["status"]["conditions"].append(held)
    found = trimmed(raw)
    assert found.resizing is resizing
    assert found.resize_message == ("Node is too small" if resizing else "")


def test_the_limit_that_is_wanted_and_the_one_that_holds_may_differ() -> None:
    raw = real("pod_on_a_real_node")
    raw["spec"]["containers"][0]["resources"]["limits"]["memory"] = "192Mi"
    raw["spec"]["containers"][0]["resizePolicy"] = [
        {"resourceName": "cpu", "restartPolicy": "NotRequired"},
        {"resourceName": "memory", "restartPolicy": "RestartContainer"},
    ]
    (container,) = trimmed(raw).containers
    assert (container.memory_limit, container.memory_wanted) == (128 * 2**20, 192 * 2**20)
    assert container.resize_restarts


def test_what_new_pods_ask_for_is_their_request_else_their_limit() -> None:
    spec = {
        "containers": [
            {"name": "app", "resources": {"limits": {"memory": "64Mi"}}},
            {"name": "log", "resources": {"requests": {"cpu": "50m", "memory": "8Mi"}}},
            {"name": "idle"},
        ],
        "initContainers": [
            {"name": "mesh", "restartPolicy": "Always"},
            {"name": "setup", "resources": {"limits": {"cpu": "1"}}},
        ],
    }
    assert trim.asks(spec) == (
        Ask("app", 0.0, 64 * 2**20, None, 64 * 2**20),
        Ask("log", 0.05, 8 * 2**20),
        Ask("idle"),
        Ask("mesh"),
        Ask("setup", 1.0, 0.0, 1.0, None, init=True),
    )


@pytest.mark.parametrize(
    ("name", "revision_of"),
    [
        ("pod_of_replicaset", "replicaset"),
        ("pod_of_statefulset", "controllerrevision_of_statefulset"),
        ("pod_of_daemonset", "controllerrevision_of_daemonset"),
    ],
)
def test_a_pod_names_the_revision_it_came_from(name: str, revision_of: str) -> None:
    read = trim.replica_set if revision_of == "replicaset" else trim.controller_revision
    record = read(real(revision_of))
    assert record is not None
    assert trimmed(real(name)).revision == record.revision.name != ""


@pytest.mark.parametrize("kind", ["Job", "Node", "Rollout"])
def test_pods_of_what_is_not_healed_are_left_out(kind: str) -> None:
    raw = real("pod_of_replicaset")
    raw["metadata"]["ownerReferences"][0]["kind"] = kind
    assert trim.pod(raw) is None
    del raw["metadata"]["ownerReferences"]
    assert trim.pod(raw) is None


def test_an_owner_that_does_not_control_is_none() -> None:
    raw = real("pod_of_replicaset")
    raw["metadata"]["ownerReferences"][0]["controller"] = False
    assert trim.pod(raw) is None


def test_a_pod_on_its_way_out_is_known_by_its_deletion_time() -> None:
    raw = real("pod_of_replicaset")
    raw["metadata"]["deletionTimestamp"] = "2026-11-21T09:00:00Z"
    assert trimmed(raw).deleting


def test_a_pod_that_is_not_ready_says_since_when() -> None:
    raw = real("pod_of_replicaset")
    ready = next(c for c in raw["status"]["conditions"] if c["type"] == "Ready")
    ready.update(status="False", lastTransitionTime="1970-01-01T00:01:00Z")
    pod = trimmed(raw)
    assert (pod.ready, pod.ready_since, pod.unready_since) == (False, None, 60.0)


def test_a_pod_that_nobody_scheduled_yet_has_neither_node_nor_status() -> None:
    raw = real("pod_of_replicaset")
    del raw["spec"]["nodeName"], raw["status"]
    pod = trimmed(raw)
    assert (pod.node, pod.phase, pod.ready, pod.unready_since) == (None, "Pending", False, None)


def with_status(**status: Any) -> Container:
    raw = real("pod_of_replicaset")
    raw["status"]["containerStatuses"] = [{"name": "app", **status}]
    return trimmed(raw).containers[0]


def test_an_in_place_resize_shows_the_limit_that_holds_now() -> None:
    assert with_status().memory_limit == 64 * 2**20
    resized = with_status(resources={"limits": {"memory": "96Mi"}})
    assert resized.memory_limit == 96 * 2**20


def test_a_container_without_a_limit_has_none() -> None:
    raw = real("pod_of_replicaset")
    raw["status"]["containerStatuses"] = []
    raw["spec"]["containers"][0]["resources"] = {"limits": {"cpu": "1"}}
    assert trimmed(raw).containers[0].memory_limit is None


def test_cpu_is_in_cores_and_nothing_where_none_is_asked_for_or_it_is_zero() -> None:
    raw = real("pod_of_replicaset")
    raw["status"]["containerStatuses"] = []
    raw["spec"]["containers"][0]["resources"] = {
        "limits": {"cpu": "1500m"},
        "requests": {"cpu": "0"},
    }
    (found,) = trimmed(raw).containers
    assert (found.cpu_limit, found.cpu_request) == (1.5, None)


def test_a_pod_names_the_claims_it_mounts_also_those_made_for_it() -> None:
    raw = real("pod_of_replicaset")
    raw["spec"]["volumes"] = [
        {"name": "data", "persistentVolumeClaim": {"claimName": "data-web"}},
        {"name": "scratch", "ephemeral": {"volumeClaimTemplate": {}}},
        {"name": "tmp", "emptyDir": {}},
    ]
    assert trimmed(raw).claims == ("data-web", f"{raw['metadata']['name']}-scratch")


def test_a_pod_that_a_vertical_pod_autoscaler_sizes_says_so() -> None:
    raw = real("pod_of_replicaset")
    assert not trimmed(raw).sized_by_vpa
    raw["metadata"].setdefault("annotations", {})["vpaObservedContainers"] = "app"
    assert trimmed(raw).sized_by_vpa


def test_how_a_container_ended_is_remembered_while_it_waits_and_while_it_runs() -> None:
    ended = {"exitCode": 137, "reason": "OOMKilled", "finishedAt": "1970-01-01T00:01:00Z"}
    waiting = with_status(
        restartCount=4,
        state={"waiting": {"reason": "CrashLoopBackOff"}},
        lastState={"terminated": ended},
    )
    assert waiting.waiting_reason == "CrashLoopBackOff"
    assert waiting.restarts == 4
    for found in (
        waiting,
        with_status(state={"running": {}}, lastState={"terminated": ended}),
        with_status(state={"terminated": ended}),
    ):
        assert (found.last_exit_code, found.last_exit_reason) == (137, "OOMKilled")
        assert found.last_exit_at == 60.0


@pytest.mark.parametrize(
    ("probes", "delay"),
    [
        ({}, 0),
        ({"livenessProbe": {"periodSeconds": 10}}, 0),
        ({"readinessProbe": {"exec": {}}}, 30),
        (
            {
                "readinessProbe": {
                    "initialDelaySeconds": 5,
                    "periodSeconds": 2,
                    "failureThreshold": 4,
                }
            },
            13,
        ),
        (
            {
                "readinessProbe": {"periodSeconds": 1, "failureThreshold": 1},
                "startupProbe": {"periodSeconds": 10, "failureThreshold": 30},
            },
            301,
        ),
    ],
)
def test_probes_give_a_container_their_time(probes: Json, delay: float) -> None:
    raw = real("pod_of_replicaset")
    container = raw["spec"]["containers"][0]
    for probe in ("readinessProbe", "startupProbe", "livenessProbe"):
        container.pop(probe, None)
    container.update(probes)
    assert trimmed(raw).containers[0].readiness_delay == delay


def test_sidecars_count_and_init_containers_only_while_they_are_in_the_way() -> None:
    raw = real("pod_of_replicaset")
    raw["spec"]["initContainers"] = [
        {"name": "proxy", "restartPolicy": "Always", "resources": {"limits": {"memory": "10Mi"}}},
        {"name": "migrated"},
        {"name": "crashing"},
        {"name": "unpulled"},
        {"name": "next"},
    ]
    raw["status"]["initContainerStatuses"] = [
        {"name": "proxy", "ready": True},
        {"name": "migrated", "ready": True, "state": {"terminated": {"exitCode": 0}}},
        {"name": "crashing", "ready": False, "restartCount": 2},
        {"name": "unpulled", "state": {"waiting": {"reason": "ImagePullBackOff"}}},
        {"name": "next", "state": {"waiting": {"reason": "PodInitializing"}}},
    ]
    containers = trimmed(raw).containers
    assert [c.name for c in containers] == ["app", "proxy", "crashing", "unpulled"]
    assert containers[1].memory_limit == 10 * 2**20


def test_a_template_is_the_same_wherever_it_is_kept() -> None:
    for keeper, read, workload in (
        ("replicaset", trim.replica_set, "deployment"),
        ("controllerrevision_of_statefulset", trim.controller_revision, "statefulset"),
        ("controllerrevision_of_daemonset", trim.controller_revision, "daemonset"),
    ):
        record = read(real(keeper), True)
        assert record is not None
        assert record.revision.template == trim.template(real(workload)["spec"]["template"])


def test_a_template_keeps_what_its_author_wrote() -> None:
    raw = {
        "$patch": "replace",
        "metadata": {
            "creationTimestamp": None,
            "labels": {"app": "web", "pod-template-hash": "abc"},
            "annotations": {"restartedAt": "now"},
        },
        "spec": {"securityContext": {}, "volumes": [{"name": "v", "emptyDir": {}}]},
    }
    assert trim.template(raw) == {
        "metadata": {"labels": {"app": "web"}, "annotations": {"restartedAt": "now"}},
        "spec": raw["spec"],
    }


def test_informers_keep_no_templates() -> None:
    record = trim.replica_set(real("replicaset"))
    assert record is not None
    assert record.revision.template is None
    assert record.revision.number == 1


def test_a_budget_without_a_selector_selects_nothing_and_an_empty_one_everything() -> None:
    raw = real("poddisruptionbudget")
    found = trim.budget(raw)
    assert found.budget.name == "keep"
    assert found.selector is not None
    assert found.selector.matches({"app": "deployment", "more": "labels"})
    assert not found.selector.matches({"app": "other"})
    raw["spec"]["selector"] = {}
    everything = trim.budget(raw).selector
    assert everything is not None
    assert everything.matches({})
    del raw["spec"]["selector"]
    assert trim.budget(raw).selector is None


def test_an_autoscaler_names_what_it_scales() -> None:
    found = trim.autoscaler(real("horizontalpodautoscaler"))
    assert (found.kind, found.target) == ("Deployment", "deployment")
    assert found.autoscaler == Autoscaler(
        name="deployment",
        uid="ababc15c-36d4-4493-b77d-f455afe55cf4",
        resource_version="5241",
        min_replicas=2,
        max_replicas=5,
        managers=("kubectl-autoscale",),
    )


def test_an_autoscaler_that_keda_keeps_says_so_and_the_least_bound_is_one() -> None:
    raw = real("horizontalpodautoscaler")
    raw["metadata"]["ownerReferences"] = [
        {"kind": "ScaledObject", "name": "shop", "uid": "u", "controller": True}
    ]
    del raw["spec"]["minReplicas"]
    found = trim.autoscaler(raw).autoscaler
    assert (found.controller, found.min_replicas) == ("ScaledObject/shop", 1)


def test_a_pod_without_a_node_says_why_in_the_schedulers_words() -> None:
    raw = real("pod_on_a_real_node")
    found = trim.pod(raw)
    assert found is not None and found.pod.unscheduled is None
    why = "0/2 nodes are available: 2 Insufficient cpu."
    raw["status"]["conditions"] = [
        {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": why}
    ]
    found = trim.pod(raw)
    assert found is not None and found.pod.unscheduled == why


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("64Mi", 67108864),
        ("1G", 1e9),
        ("128974848000m", 128974848),
        ("1e3", 1000),
        ("0", 0),
        (5, 5),
    ],
)
def test_quantities(text: str, value: float) -> None:
    assert trim.number(text) == value


@given(st.text(max_size=8))
def test_a_quantity_is_a_number_or_refused(text: str) -> None:
    try:
        assert isinstance(trim.number(text), float)
    except ValueError:
        pass


def test_a_pod_in_the_cache_stays_below_two_kilobytes() -> None:
    raw = [real("pod_on_a_real_node") for _ in range(200)]
    for number, item in enumerate(raw):
        item["metadata"]["uid"] = f"{number:036}"
        item["metadata"]["name"] = f"leaky-78cdd4bddd-{number:05}"
        item["metadata"]["resourceVersion"] = str(1_000_000 + number)
    tracemalloc.start()
    try:
        kept = [trim.pod(item) for item in raw]
        size, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    strings = sum(sys.getsizeof(p.pod.ref.uid) + sys.getsizeof(p.pod.ref.name) for p in kept if p)
    assert (size + strings) / len(raw) < 2048


@pytest.mark.parametrize(
    ("status", "resizable"),
    [
        ({"state": RUNNING, "resources": {}}, True),
        ({"state": RUNNING}, False),
        ({"state": {"waiting": {}}}, True),  # not told yet; the API server lets it pass as well
    ],
)
def test_a_node_that_tells_no_resources_resizes_nothing(
    status: dict[str, Any], resizable: bool
) -> None:
    raw = real("pod_on_a_real_node")
    raw["status"]["containerStatuses"] = [{"name": "app", **status}]
    assert trimmed(raw).resizable is resizable
