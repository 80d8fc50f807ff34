"""Reading the cluster: pods, memory, requests, writes and the operator's decisions."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from akeso.api.scalars import parse_time
from akeso.cli.demo import evidence, names
from akeso.cli.demo.operator_process import parse
from akeso.cli.demo.scene import (
    PodSeen,
    Requests,
    memory_of,
    operator_ready,
    pod_seen,
    proven,
    requests_of,
)
from unit.cli.demo.records import pod

OOM = {"reason": "OOMKilled", "finishedAt": "2026-12-01T09:29:00Z", "exitCode": 137}
MIB = 2.0**20


def raw(ready: str = "True", version: str = "v1", **status: Any) -> PodSeen:
    environment = [{"name": "VERSION", "value": version}]
    return pod_seen(
        {
            "metadata": {
                "name": "checkout-1",
                "uid": "u1",
                "labels": {"app": "checkout"},
                "creationTimestamp": "2026-12-01T09:28:00Z",
            },
            "spec": {"containers": [{"name": "app", "env": environment}]},
            "status": {
                "conditions": [
                    {
                        "type": "Ready",
                        "status": ready,
                        "lastTransitionTime": "2026-12-01T09:28:05Z",
                    }
                ],
                **status,
            },
        }
    )


def test_a_pod_is_read_with_version_and_readiness():
    seen = raw()
    assert (seen.app, seen.version, seen.ready) == ("checkout", "v1", True)
    assert seen.ready_at == parse_time("2026-12-01T09:28:05Z")
    assert raw(ready="False").ready_at is None


@pytest.mark.parametrize("state", ["state", "lastState"])
def test_an_oom_kill_is_seen_while_it_is_down_and_afterwards(state: str):
    seen = raw(containerStatuses=[{"restartCount": 1, state: {"terminated": OOM}}])
    assert seen.killed_at == parse_time("2026-12-01T09:29:00Z")
    assert seen.restarts == 1


def test_another_end_is_no_oom_kill():
    ended = {**OOM, "reason": "Error"}
    assert raw(containerStatuses=[{"lastState": {"terminated": ended}}]).killed_at is None


def test_a_pod_without_a_status_yet_is_not_ready():
    seen = pod_seen(
        {
            "metadata": {"name": "p", "uid": "u", "creationTimestamp": "2026-12-01T09:28:00Z"},
            "spec": {"containers": [{"name": "app"}]},
        }
    )
    assert (seen.ready, seen.app, seen.version) == (False, "", "")


def test_the_fullest_pod_speaks_for_its_service():
    pods = [pod("a", "leaky"), pod("b", "leaky"), pod("c", "leaky", deleting=True)]
    used = {"a": 10 * MIB, "b": 20 * MIB, "c": 60 * MIB}
    found = memory_of(pods, used, {"b": MIB}, 64 * MIB)["leaky"]
    assert (found.pod, found.full_in) == ("b", 44)


def test_noise_is_no_leak():
    found = memory_of([pod("a", "healthy")], {"a": 10 * MIB}, {"a": 100.0}, 64 * MIB)
    assert found["healthy"].full_in is None


def test_users_are_counted_by_service_and_only_2xx_is_ok():
    counted = [
        ({"pod": "leaky-twin-users-7d-x", "code": "200"}, 90.0),
        ({"pod": "leaky-twin-users-7d-x", "code": "refused"}, 2.0),
        ({"pod": "leaky-users-5c-y", "code": "201"}, 7.0),
        ({"pod": "leaky-users-5c-y", "code": "500"}, 1.0),
    ]
    assert requests_of(counted) == {"leaky-twin": Requests(90, 2), "leaky": Requests(7, 1)}


def test_a_revision_counts_as_proven_when_the_policy_remembers_it():
    records = [{"name": "checkout", "healthy": ["abc"]}, {"name": "leaky", "healthy": []}]
    assert proven([{"status": {"revisions": records}}, {}]) == {"checkout"}


def test_the_operator_is_ready_when_it_says_so():
    def said(status: str) -> list[dict[str, Any]]:
        return [{"status": {"conditions": [{"type": "Ready", "status": status}]}}]

    assert operator_ready(said("True"))
    assert not operator_ready(said("False"))
    assert not operator_ready([{}])


def event(**about: Any) -> dict[str, Any]:
    return {
        "verb": "create",
        "user": {"username": "alice"},
        "stageTimestamp": "2026-12-01T09:29:00.123456Z",
        "objectRef": {"resource": "pods", "namespace": names.NAMESPACE, "name": "p", **about},
        "responseStatus": {"code": 201},
    }


def test_a_write_of_the_audit_log_is_read_with_its_answer():
    found = evidence.write_of(event(subresource="eviction"))
    assert found is not None
    assert (found.user, found.resource, found.name, found.code) == (
        *("alice", "pods/eviction", "p", 201),
    )
    assert found.at.microsecond == 123456


def test_reads_and_other_namespaces_are_no_writes_here():
    assert evidence.write_of({**event(), "verb": "get"}) is None
    assert evidence.write_of(event(namespace="other")) is None
    assert evidence.write_of({"verb": "create", "user": {"username": "x"}}) is None


def test_half_a_line_and_what_was_before_are_not_read(tmp_path: Path):
    log = tmp_path / "audit.log"
    old, new = json.dumps(event(name="old")), json.dumps(event(name="new"))
    log.write_text(f"{old}\n{new}\n{new[:40]}")
    found = evidence.writes(log, len(old) + 1)
    assert [w.name for w in found] == ["new"]


def test_a_decision_line_is_told_from_every_other_line():
    line = {
        "decision": "Wrote",
        "reason": "Action",
        "at": "2026-12-01T09:29:00.000+00:00",
        "name": "leaky",
        "message": "evict pod leaky-1",
        "healer": "RestartPods",
    }
    found = parse(json.dumps(line))
    assert found is not None
    assert (found.what, found.target, found.message) == ("Wrote", "leaky", "evict pod leaky-1")
    for other in ("", "Traceback (most recent call last):", '{"message": "Watching"}', "[1]"):
        assert parse(other) is None
