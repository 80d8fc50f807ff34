"""A surge that can be foreseen, felt by real requests: with Akeso, and beside it without."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import partial

from akeso_lab import Lab
from node.scene import Json, Scene

# A pod does 20 requests per second, each 0.2 s of one of four workers; the two there are at first
# are too few from two thirds of the ramp on, and four have room for all of it. It begins with few
# users: how long a trend is expected to go on depends on how long it was seen (replayed with many
# seeds, it is foreseen 35 to 80 s before the threshold; from 10 users on only just in time).
SERVICE = {"WORKERS": "4", "WORK_SECONDS": "0.2"}
BEFORE, MOST = 2, 4
RAMP_SECONDS, END_SECONDS = 330, 350
FAILED_AT_MOST = 0.001

BUSY = (
    '100 * avg by (namespace, deployment) (label_replace(rate(http_work_seconds_total{{namespace="{0}"}}'
    '[20s]) / http_workers, "deployment", "$1", "pod", "(.*)-[^-]+-[^-]+"))'
)


def signal(stage: Scene) -> Json:
    """Workers busy, in percent: what anybody watches who has a pool of threads or connections."""
    return {
        "name": "busy",
        "query": BUSY.format(stage.name),
        "workloadLabel": "deployment",
        "threshold": {"value": "80"},
        "forecast": {"horizonSeconds": 120},
        "ladder": [{"healer": "ScaleOut", "maxReplicas": MOST, "timeoutSeconds": 120}],
    }


def users(stage: Scene, lab: Lab, name: str) -> None:
    """More and more of them, of one service."""
    url = f"http://{name}/"  # found in the first search domain: a longer name is tried in all first
    surge = ["-rps=3", "-to=60", f"-over={RAMP_SECONDS}s", f"-duration={END_SECONDS}s"]
    container = {
        "name": "load",
        "image": lab.service_image,
        "imagePullPolicy": "Never",
        "args": ["load", f"-url={url}", *surge],
    }
    lab.apply(
        {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {"name": f"users-of-{name}", "namespace": stage.name},
            "spec": {"restartPolicy": "Never", "containers": [container]},
        }
    )


def behind(stage: Scene, lab: Lab, name: str) -> None:
    lab.apply(
        {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": {"name": name, "namespace": stage.name},
            "spec": {"selector": {"app": name}, "ports": [{"port": 80, "targetPort": 8080}]},
        }
    )


def answers(stage: Scene, lab: Lab, name: str) -> Json:
    """What the users of a service counted in all."""
    said = lab.kubectl("-n", stage.name, "logs", f"users-of-{name}", "--tail=1")
    counted: Json = json.loads(said)
    return counted


def failed(counted: Json) -> float:
    return float(counted["failed"] / (counted["failed"] + counted["succeeded"]))


def told(counted: Json) -> str:
    requests = counted["failed"] + counted["succeeded"]
    return f"{counted['failed']} of {requests} requests failed ({failed(counted):.3%})"


def gone_home(stage: Scene, name: str) -> bool:
    users = stage.reader.one("pods", stage.name, f"users-of-{name}")
    return users is not None and users["status"]["phase"] == "Succeeded"


def replicas(stage: Scene, name: str) -> int:
    found = stage.reader.one("deployments", stage.name, name)
    assert found is not None
    return int(found["spec"]["replicas"])


def complete(stage: Scene, name: str) -> bool:
    found = stage.reader.one("deployments", stage.name, name)
    assert found is not None
    return bool(found["status"].get("availableReplicas") == BEFORE)


def test_users_do_not_notice_a_surge_that_was_foreseen(
    lab: Lab, scene: Callable[[str], Scene], record_property: Callable[[str, object], None]
) -> None:
    stage = scene("surge")
    for name in ("healed", "twin"):
        stage.service(name, replicas=BEFORE, **SERVICE)
        behind(stage, lab, name)
    stage.policy(
        signals=[signal(stage)],
        targets=[{"name": "healed", "selector": {"matchLabels": {"app": "healed"}}}],
    )
    stage.start_operator(CALM_SECONDS="20")
    for name in ("healed", "twin"):
        stage.wait(partial(complete, stage, name), 60, f"{name} is not ready")
        users(stage, lab, name)
    for name in ("healed", "twin"):
        home = partial(gone_home, stage, name)
        stage.wait(home, END_SECONDS + 60, f"users of {name} are still there")
    counted = {name: answers(stage, lab, name) for name in ("healed", "twin")}
    shares = {name: failed(c) for name, c in counted.items()}
    said = f"with Akeso {told(counted['healed'])}, without it {told(counted['twin'])}"
    record_property("the same surge", said)
    first, *_ = sorted(stage.healings(), key=lambda h: str(h["metadata"]["creationTimestamp"]))
    assert first["spec"]["origin"] == "Forecast", first["spec"]
    assert shares["healed"] <= FAILED_AT_MOST, f"{said}\n{stage.last_lines()}"
    assert shares["twin"] > 0.05, f"the surge was none: {said}"
    assert replicas(stage, "twin") == BEFORE < replicas(stage, "healed")
    stage.wait(lambda: replicas(stage, "healed") == BEFORE, 120, "pods were not taken away again")
    attempts = [a for h in stage.healings() for a in h["status"].get("attempts", [])]
    assert {(a["healer"], a["verdict"]) for a in attempts} == {("ScaleOut", "Verified")}
