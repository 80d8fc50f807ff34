"""The plain alternative: list everything, ask about everything, sleep, again.

    python bench/poll.py --kubeconfig FILE --prometheus URL [--queries workload|cluster]

What a first version of such an operator does, written fairly: the official `kubernetes` client
with its defaults, connections that are kept, and one list per kind and cycle instead of one per
workload. It asks Prometheus for the last ten minutes of memory, with one range query for each
workload (`--queries workload`, the usual way) or with one for the whole cluster (`cluster`, the
best that polling can do), lays a straight line through each series, and looks for new pods that
do not become ready. It heals nothing and writes nothing. One JSON line per cycle.
"""

from __future__ import annotations

import argparse
import json
import time
from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import requests
from kubernetes import client, config

MEMORY = "container_memory_working_set_bytes"
HISTORY_SECONDS = 600
HORIZON_SECONDS = 1800
UNREADY_SECONDS = 30
Json = dict[str, Any]


class Poller:
    """One cycle at a time; keeps nothing between them but its connections."""

    def __init__(self, kubeconfig: str, prometheus: str, per_workload: bool) -> None:
        untyped: Any = config
        api: Any = client
        untyped.load_kube_config(kubeconfig)
        self._apps, self._core = api.AppsV1Api(), api.CoreV1Api()
        self._url = f"{prometheus}/api/v1/query_range"
        self._session = requests.Session()
        self._session.trust_env = False  # a proxy is not for loopback
        self._per_workload = per_workload

    def cycle(self) -> Json:
        """What it found; `workloads` tells that it looked at all of them."""
        deployments = self._apps.list_deployment_for_all_namespaces().items
        replica_sets = self._apps.list_replica_set_for_all_namespaces().items
        pods = self._core.list_pod_for_all_namespaces().items
        owned = pods_by_deployment(replica_sets, pods)
        failing = sum(map(rollout_fails, owned.values()))
        series = self._memory(deployments)
        limits = {
            (pod.metadata.namespace, pod.metadata.name): memory_limit(pod.spec.containers)
            for pod in pods
        }
        exhausting = sum(will_exhaust(s, limits) for s in series)
        return {"workloads": len(deployments), "exhausting": exhausting, "failing": failing}

    def _memory(self, deployments: Iterable[Any]) -> list[Json]:
        if not self._per_workload:
            return self._range(f"{MEMORY}{{container!=''}}")
        found: list[Json] = []
        for d in deployments:
            where = f'namespace="{d.metadata.namespace}",pod=~"{d.metadata.name}-.*"'
            found += self._range(f"{MEMORY}{{{where}}}")
        return found

    def _range(self, query: str) -> list[Json]:
        now = time.time()
        form: dict[str, str | float] = {
            "query": query, "start": now - HISTORY_SECONDS, "end": now, "step": 15,
        }  # fmt: skip
        answer = self._session.post(self._url, data=form, timeout=30)
        answer.raise_for_status()
        result: list[Json] = answer.json()["data"]["result"]
        return result


def pods_by_deployment(replica_sets: Iterable[Any], pods: Iterable[Any]) -> Mapping[str, list[Any]]:
    owner = {
        rs.metadata.uid: by.uid
        for rs in replica_sets
        for by in rs.metadata.owner_references or ()
        if by.controller
    }
    found: defaultdict[str, list[Any]] = defaultdict(list)
    for pod in pods:
        for by in pod.metadata.owner_references or ():
            if by.uid in owner:
                found[owner[by.uid]].append(pod)
    return found


def rollout_fails(pods: Iterable[Any]) -> bool:
    now = time.time()
    return any(
        condition.type == "Ready"
        and condition.status != "True"
        and now - condition.last_transition_time.timestamp() > UNREADY_SECONDS
        for pod in pods
        for condition in pod.status.conditions or ()
    )


def memory_limit(containers: Iterable[Any]) -> float:
    """The first container's; the bench states it in MiB."""
    for container in containers:
        said = (container.resources.limits or {}).get("memory", "")
        if said.endswith("Mi"):
            return float(said[:-2]) * 2**20
    return float("inf")


def will_exhaust(series: Json, limits: Mapping[tuple[str, str], float]) -> bool:
    points = np.array(series["values"], dtype=np.float64)
    if len(points) < 8:
        return False
    labels = series["metric"]
    limit = limits.get((labels.get("namespace"), labels.get("pod")), float("inf"))
    slope, _ = np.polyfit(points[:, 0] - points[-1, 0], points[:, 1], 1)
    return bool(points[-1, 1] + slope * HORIZON_SECONDS > limit)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kubeconfig", required=True)
    parser.add_argument("--prometheus", required=True)
    parser.add_argument("--period", type=float, default=5.0, help="seconds between two starts")
    parser.add_argument("--queries", choices=("workload", "cluster"), default="workload")
    given = parser.parse_args()
    poller = Poller(given.kubeconfig, given.prometheus, given.queries == "workload")
    while True:
        began = time.monotonic()
        found = poller.cycle()
        took = time.monotonic() - began
        print(json.dumps({"took": took, **found}), flush=True)
        time.sleep(max(0.0, given.period - took))


if __name__ == "__main__":
    main()
