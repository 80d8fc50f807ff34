"""kwok's fake nodes and the life its pods lead there, written as kwok Stages.

A pod says how it wants to behave with the label ``akeso-lab/behaviour``; changing the label of
a running pod changes its behaviour:

``unready``    runs, but never becomes Ready
``crashloop``  exits with 1, waits in CrashLoopBackOff, is restarted, and again
``oomkilled``  the same with exit code 137 and reason OOMKilled
(no label)     becomes Ready and stays so

Resources are in force as soon as a pod's spec says so, also after a resize in place; a pod labelled
``akeso-lab/resize: never`` keeps those it started with.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

FAKE = "kwok.x-k8s.io/node"
BEHAVIOUR = "akeso-lab/behaviour"
RESIZE = "akeso-lab/resize"
CRASHING = ["crashloop", "oomkilled"]
# Long enough for a watcher to see each state, short enough for a test to wait for several.
RUNS_MILLISECONDS = 2000
BACKOFF_MILLISECONDS = 5000

_LABEL = f'.metadata.labels["{BEHAVIOUR}"]'
_READY = '.status.conditions.[] | select( .type == "Ready" ) | .status'
_PHASE = ".status.phase"
_DELETED = ".metadata.deletionTimestamp"
_OWNER = ".metadata.ownerReferences.[].kind"
_RESIZE = f'.metadata.labels["{RESIZE}"]'
_RESIZED = (
    "select([.spec.containers[].resources.limits]"
    " != [.status.containerStatuses[].resources.limits]) | .metadata.name"
)
_STATE = ".status.containerStatuses.[0].state"

# One template for every step of a pod's life: the stage that renders it has set $crashed,
# $restarted, $resized and $done.
_POD_STATUS = """
{{ $now := Now }}
{{ $root := . }}
{{ $behaviour := or (index (or .metadata.labels dict) "akeso-lab/behaviour") "" }}
{{ $ready := not (or $crashed $done (has $behaviour (list "unready" "crashloop" "oomkilled"))) }}
{{ $fixed := eq (or (index (or .metadata.labels dict) "akeso-lab/resize") "") "never" }}
{{ $exit := ternary 137 1 (eq $behaviour "oomkilled") }}
{{ $reason := ternary "OOMKilled" "Error" (eq $behaviour "oomkilled") }}
phase: {{ ternary "Succeeded" "Running" $done }}
startTime: {{ or .status.startTime $now | Quote }}
conditions:
- {type: PodReadyToStartContainers, status: "True", lastTransitionTime: {{ $now | Quote }}}
- {type: Initialized, status: "True", lastTransitionTime: {{ $now | Quote }}}
{{ range $type := list "Ready" "ContainersReady" }}
- {type: {{ $type }}, status: {{ $ready | toString | title | Quote }}, \
lastTransitionTime: {{ $now | Quote }}}
{{ end }}
{{ range .spec.readinessGates }}
- {type: {{ .conditionType }}, status: "True", lastTransitionTime: {{ $now | Quote }}}
{{ end }}
containerStatuses:
{{ range $index, $item := .spec.containers }}
{{ $old := dict }}
{{ if $root.status.containerStatuses }}{{ $old = index $root.status.containerStatuses $index }}{{ end }}
- name: {{ $item.name | Quote }}
  image: {{ $item.image | Quote }}
  imageID: ""
  ready: {{ $ready }}
  started: {{ not (or $crashed $done) }}
  {{ if $item.resources }}
  resources:
{{ if and $fixed $old.resources }}{{ YAML $old.resources 2 }}\
{{ else }}{{ YAML $item.resources 2 }}{{ end }}
  {{ end }}
  restartCount: {{ add (or $old.restartCount 0) (ternary 1 0 $restarted) }}
  state:
  {{ if $done }}
    terminated: {exitCode: 0, reason: Completed, startedAt: {{ $now | Quote }}, \
finishedAt: {{ $now | Quote }}}
  {{ else if $crashed }}
    waiting: {reason: CrashLoopBackOff, message: "back-off restarting failed container"}
  {{ else }}
    running: {startedAt: {{ if $resized }}{{ $old.state.running.startedAt | Quote }}\
{{ else }}{{ $now | Quote }}{{ end }}}
  {{ end }}
  {{ if $crashed }}
  lastState:
    terminated: {exitCode: {{ $exit }}, reason: {{ $reason }}, startedAt: {{ $now | Quote }}, \
finishedAt: {{ $now | Quote }}}
  {{ else if $old.lastState }}
  lastState:
{{ YAML $old.lastState 2 }}
  {{ end }}
{{ end }}
{{ $address := or .status.podIP (PodIPWith .spec.nodeName (or .spec.hostNetwork false) \
(or .metadata.uid "") (or .metadata.name "") (or .metadata.namespace "")) }}
podIP: {{ $address | Quote }}
podIPs:
- ip: {{ $address | Quote }}
"""

_NODE_STATUS = """
{{ $now := Now }}
conditions:
{{ range NodeConditions }}
- type: {{ .type | Quote }}
  status: {{ .status | Quote }}
  reason: {{ .reason | Quote }}
  message: {{ .message | Quote }}
  lastHeartbeatTime: {{ $now | Quote }}
  lastTransitionTime: {{ $now | Quote }}
{{ end }}
phase: Running
"""


def write_stages(path: Path) -> None:
    path.write_text(yaml.safe_dump_all(_stages()))


def _stages() -> list[dict[str, Any]]:
    """Their selectors exclude one another: kwok picks at random among those that match."""
    alive, running = _absent(_DELETED), _in(_PHASE, "Running")
    crashing, steady = _in(_LABEL, *CRASHING), _not_in(_LABEL, *CRASHING)
    job, no_job = _in(_OWNER, "Job"), _not_in(_OWNER, "Job")
    return [
        _stage("Node", "node-ready", [_not_in(_READY, "True")], _NODE_STATUS),
        _pod("pod-start", [alive, _in(_PHASE, "Pending")]),
        _pod(
            "pod-become-ready",
            [alive, running, no_job, _not_in(_READY, "True"), steady, _not_in(_LABEL, "unready")],
        ),
        _pod(
            "pod-become-unready",
            [alive, running, no_job, _in(_READY, "True"), _in(_LABEL, "unready")],
        ),
        _pod(
            "pod-crash",
            [alive, running, crashing, _present(f"{_STATE}.running.startedAt")],
            crashed=True,
            delay=RUNS_MILLISECONDS,
        ),
        _pod(
            "pod-restart",
            [alive, running, crashing, _present(f"{_STATE}.waiting.reason")],
            restarted=True,
            delay=BACKOFF_MILLISECONDS,
        ),
        _pod(
            "pod-resize",
            [
                *(alive, running, no_job, steady, _in(_READY, "True"), _not_in(_LABEL, "unready")),
                *(_not_in(_RESIZE, "never"), _present(_RESIZED)),
            ],
            resized=True,
        ),
        _pod("pod-complete", [alive, running, job, steady], done=True),
        _stage("Pod", "pod-delete", [_present(_DELETED)], None),
    ]


def _pod(
    name: str,
    when: list[dict[str, Any]],
    *,
    crashed: bool = False,
    restarted: bool = False,
    resized: bool = False,
    done: bool = False,
    delay: int = 0,
) -> dict[str, Any]:
    flags = {"crashed": crashed, "restarted": restarted, "resized": resized, "done": done}
    head = "".join(f"{{{{ ${key} := {str(value).lower()} }}}}" for key, value in flags.items())
    return _stage("Pod", name, when, head + _POD_STATUS, delay)


def _stage(
    kind: str, name: str, when: list[dict[str, Any]], template: str | None, delay: int = 0
) -> dict[str, Any]:
    following = {"delete": True} if template is None else {"statusTemplate": template}
    return {
        "apiVersion": "kwok.x-k8s.io/v1alpha1",
        "kind": "Stage",
        "metadata": {"name": name},
        "spec": {
            "resourceRef": {"apiGroup": "v1", "kind": kind},
            "selector": {"matchExpressions": when},
            "delay": {"durationMilliseconds": delay},
            "next": following,
        },
    }


def _in(key: str, *values: str) -> dict[str, Any]:
    return {"key": key, "operator": "In", "values": list(values)}


def _not_in(key: str, *values: str) -> dict[str, Any]:
    return {"key": key, "operator": "NotIn", "values": list(values)}


def _present(key: str) -> dict[str, Any]:
    return {"key": key, "operator": "Exists"}


def _absent(key: str) -> dict[str, Any]:
    return {"key": key, "operator": "DoesNotExist"}


def fake_node(name: str, *, tainted: bool) -> dict[str, Any]:
    """A node object that kwok takes over. ``tainted`` keeps real pods off it."""
    capacity = {"cpu": "1k", "memory": "4Ti", "ephemeral-storage": "4Ti", "pods": "10k"}
    taint = {"key": FAKE, "value": "fake", "effect": "NoSchedule"}
    return {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {
            "name": name,
            "annotations": {FAKE: "fake"},
            "labels": {
                "type": "kwok",
                FAKE: "fake",
                "kubernetes.io/hostname": name,
                "kubernetes.io/os": "linux",
                "kubernetes.io/arch": "amd64",
            },
        },
        "spec": {"taints": [taint] if tainted else []},
        "status": {"capacity": capacity, "allocatable": capacity},
    }
