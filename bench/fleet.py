"""The workloads that are watched, and their metrics.

Deployments of one to three replicas on fake nodes. Their memory is that of healthy services:
noise, saw-teeth as garbage collectors make them, start-ups that level off; nothing to heal, so
that every Healing that is opened is a false alarm and shows in the result.
"""

from __future__ import annotations

import json
import math
import random
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from akeso.api.meta import API_VERSION
from akeso_lab import Lab

ROOT = Path(__file__).resolve().parents[1]
JOB = "bench"
LIMIT_MIB = 256
NODES = 5
READY_SECONDS = 1200
# How memory moves, by pod in turn.
CLASSES = ("noise",) * 6 + ("sawtooth",) * 3 + ("levelling",)
Json = dict[str, Any]


@dataclass(frozen=True)
class Fleet:
    """How many workloads in how many namespaces; every other namespace's policy heals."""

    workloads: int
    namespaces: int

    @property
    def pods(self) -> int:
        return sum(replicas(number) for number in range(self.workloads))

    def names(self) -> tuple[str, ...]:
        return tuple(f"bench-{number:02}" for number in range(self.namespaces))

    def objects(self, namespace: int) -> list[Json]:
        """A namespace, its workloads and its policy."""
        name = self.names()[namespace]
        mine = range(namespace, self.workloads, self.namespaces)
        found = [deployment(number) for number in mine]
        found.append(policy("Heal" if namespace % 2 else "Observe"))
        for item in found:
            item["metadata"]["namespace"] = name
        return [{"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}, *found]


def replicas(number: int) -> int:
    return 1 + number % 3


def deployment(number: int) -> Json:
    name = f"service-{number:04}"
    labels = {"app": name, "tier": "backend"}
    container = {
        "name": "app",
        "image": "service:1",
        "resources": {"limits": {"memory": f"{LIMIT_MIB}Mi"}},
        "readinessProbe": {"httpGet": {"path": "/healthz", "port": 8080}},
    }
    spec = {
        "replicas": replicas(number),
        "selector": {"matchLabels": {"app": name}},
        "template": {"metadata": {"labels": labels}, "spec": {"containers": [container]}},
    }
    meta = {"name": name, "labels": labels}
    return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": meta, "spec": spec}


def policy(mode: str) -> Json:
    spec = {
        "mode": mode,
        "targets": [{"name": "backend", "selector": {"matchLabels": {"tier": "backend"}}}],
        "signals": [
            {"name": "memory", "builtin": "MemoryExhaustion"},
            {"name": "rollout", "builtin": "RolloutFailing"},
        ],
    }
    meta = {"name": "everything"}
    return {"apiVersion": API_VERSION, "kind": "HealingPolicy", "metadata": meta, "spec": spec}


def deploy(lab: Lab, fleet: Fleet) -> None:
    """Applies everything; returns once every pod is ready."""
    lab.add_kwok_nodes(NODES)
    lab.apply_crds(ROOT / "crds")
    for namespace in range(fleet.namespaces):
        lab.apply(*fleet.objects(namespace))
    wait_until_ready(lab, fleet)


def wait_until_ready(lab: Lab, fleet: Fleet) -> None:
    path = '{range .items[*]}{.status.readyReplicas}{"\\n"}{end}'
    end = time.monotonic() + READY_SECONDS
    while True:
        said = lab.kubectl("get", "deployments", "-A", "-o", f"jsonpath={path}").split()
        ready = sum(map(int, said))
        if ready == fleet.pods:
            return
        if time.monotonic() > end:
            raise TimeoutError(f"{ready} of {fleet.pods} pods were ready in {READY_SECONDS} s")
        time.sleep(3)


@dataclass(frozen=True)
class Series:
    """One pod's memory as a function of time."""

    labels: str
    kind: str
    level: float  # share of the limit
    period: float  # seconds
    shift: float

    def memory(self, now: float, since: float) -> float:
        """Bytes."""
        share = self.level
        if self.kind == "sawtooth":
            share += 0.15 * ((now + self.shift) / self.period % 1)
        if self.kind == "levelling":
            share -= 0.15 * math.exp(-(now - since) / self.period)
        return (share + random.gauss(0, 0.004)) * LIMIT_MIB * 2**20


def series_of(lab: Lab) -> tuple[Series, ...]:
    """Every pod's; the same for the same place in the list."""
    path = '{range .items[*]}{.metadata.namespace} {.metadata.name}{"\\n"}{end}'
    said = lab.kubectl("get", "pods", "-A", "-o", f"jsonpath={path}")
    chosen = random.Random(7)
    found = []
    for number, line in enumerate(sorted(said.splitlines())):
        namespace, pod = line.split()
        labels = f'namespace="{namespace}",pod="{pod}"'
        kind = CLASSES[number % len(CLASSES)]
        level, period = chosen.uniform(0.2, 0.5), chosen.uniform(60, 240)
        found.append(Series(labels, kind, level, period, chosen.uniform(0, period)))
    return tuple(found)


class Exposition:
    """What a scrape gets: a pod's memory, and its requests, a few of which always fail."""

    def __init__(self, series: tuple[Series, ...]) -> None:
        self._series = series
        self._began = time.time()

    def text(self) -> bytes:
        now = time.time()
        requests = int((now - self._began) * 50)
        lines: list[str] = []
        for one in self._series:
            memory = one.memory(now, self._began)
            lines += (
                f'container_memory_working_set_bytes{{{one.labels},container="app"}} {memory:.0f}\n',
                f'http_requests_total{{{one.labels},code="200"}} {requests}\n',
                f'http_requests_total{{{one.labels},code="500"}} {requests // 1000}\n',
            )
        return "".join(lines).encode()


@contextmanager
def exporting(lab: Lab) -> Iterator[None]:
    """Serves the metrics of all pods there are now, scraped by the lab's Prometheus."""
    exposition = Exposition(series_of(lab))

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = exposition.text()
            self.send_response(200)
            self.send_header("Content-Type", "text/plain; version=0.0.4")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    lab.add_scrape_target(JOB, f"http://127.0.0.1:{server.server_port}")
    try:
        yield
    finally:
        lab.remove_scrape_target(JOB)
        server.shutdown()
        thread.join()
        server.server_close()


def healings(lab: Lab) -> int:
    found: list[Json] = json.loads(lab.kubectl("get", "healings", "-A", "-o", "json"))["items"]
    return len(found)
