"""One test's stage on the node: a namespace, services of ours in it, and an operator for it."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from akeso_lab import Lab
from node.operator_process import ROOT, OperatorProcess
from node.reader import Reader

Json = dict[str, Any]


@dataclass
class Deaths:
    """Containers seen killed for their memory or restarted, by pod."""

    oom: dict[str, str] = field(default_factory=dict)
    # Each life that ended so: (pod, start) to end, as the kubelet wrote them down.
    lives: dict[tuple[str, str], str] = field(default_factory=dict)
    restarts: dict[str, int] = field(default_factory=dict)

    def look(self, pods: list[Json]) -> None:
        for pod in pods:
            name = pod["metadata"]["name"]
            for status in pod["status"].get("containerStatuses", []):
                self.restarts[name] = max(self.restarts.get(name, 0), status["restartCount"])
                for state in (status.get("state", {}), status.get("lastState", {})):
                    ended = state.get("terminated") or {}
                    if ended.get("reason") == "OOMKilled":
                        self.oom[name] = ended.get("finishedAt", "")
                        self.lives[name, ended.get("startedAt", "")] = self.oom[name]


class Scene:
    """Helpers around one namespace. `close` removes everything."""

    def __init__(self, lab: Lab, name: str, folder: Path) -> None:
        self.lab = lab
        self.name = name
        self.home = f"{name}-akeso"  # where this scene's operator lives
        self.user = f"akeso-{name}"
        self.deaths = Deaths()
        self.reader = Reader(lab)
        self.operator: OperatorProcess | None = None
        self._folder = folder
        self._stop = threading.Event()
        self._watcher = threading.Thread(target=self._watch, daemon=True)

    def prepare(self) -> None:
        self.lab.apply_crds(ROOT / "crds")
        for namespace in (self.name, self.home):
            self.lab.kubectl("delete", "namespace", namespace, "--ignore-not-found", "--wait=true")
            self.lab.kubectl("create", "namespace", namespace)
        self.begin()

    def begin(self) -> None:
        """From now on deaths are seen."""
        self._watcher.start()

    def start_operator(self, prometheus: bool = True, **settings: str) -> OperatorProcess:
        environment = {
            "NAMESPACE": self.home,
            "WATCH_NAMESPACES": self.name,
            "SCRAPE_INTERVAL_SECONDS": str(self.lab.scrape_interval_seconds),
            "REVISION_HEALTHY_SECONDS": "40",
            **({"PROMETHEUS_URL": self.lab.prometheus or ""} if prometheus else {}),
            **settings,
        }
        kubeconfig = self.lab.user_kubeconfig(self.user, ("system:masters",))
        self.operator = OperatorProcess(kubeconfig, self._folder / "operator.log", environment)
        return self.operator.start()

    def service(
        self, name: str, replicas: int = 1, limit: str = "64Mi", **environment: str
    ) -> None:
        """Applies a Deployment of the lab's test service; called again it rolls out."""
        self.lab.apply(deployment(self.lab, self.name, name, replicas, limit, environment))

    def policy(self, **spec: Any) -> None:
        body: Json = {
            "mode": "Heal",
            "targets": [{"name": "all", "selector": {}}],
            "signals": [
                {"name": "memory", "builtin": "MemoryExhaustion"},
                {"name": "rollout", "builtin": "RolloutFailing"},
            ],
            "guardrails": {"cooldownSeconds": 0, "maxHealingsPerHour": 100},
            "verify": {"initialDelaySeconds": 3, "intervalSeconds": 3},
        } | spec
        self.lab.apply(
            {
                "apiVersion": "akeso.dev/v1alpha1",
                "kind": "HealingPolicy",
                "metadata": {"name": "test", "namespace": self.name},
                "spec": body,
            }
        )

    def get(self, plural: str, selector: str = "") -> list[Json]:
        """All of a kind in the scene's namespace, by labels."""
        return self.reader.list(plural, self.name, selector)

    def healings(self) -> list[Json]:
        return self.get("healings")

    def wait(self, what: Callable[[], Any], seconds: float, saying: str) -> Any:
        """Until `what` is true; AssertionError with the operator's last lines."""
        deadline = time.monotonic() + seconds
        while not (found := what()):
            if time.monotonic() > deadline:
                raise AssertionError(f"{saying} within {seconds:.0f} s\n{self.last_lines()}")
            time.sleep(1)
        return found

    def last_lines(self) -> str:
        log = self._folder / "operator.log"
        return "\n".join(log.read_text().splitlines()[-30:]) if log.exists() else "no operator"

    def writes(self, since: datetime) -> list[str]:
        """What this scene's operator wrote, by the API server's own record, but for its Lease."""
        return [
            f"{e['verb']} {e['requestURI']}"
            for e in self.lab.audit_events()
            if e["user"]["username"] == self.user
            and e["verb"] not in ("get", "list", "watch")
            and "/leases/" not in e["requestURI"]
            and _time(e["requestReceivedTimestamp"]) >= since
        ]

    def close(self) -> None:
        self._stop.set()
        if self.operator is not None:
            self.operator.kill()
        if self._watcher.is_alive():
            self._watcher.join()
        self.reader.close()
        for namespace in (self.name, self.home):
            self.lab.kubectl("delete", "namespace", namespace, "--ignore-not-found", "--wait=false")

    def _watch(self) -> None:
        while not self._stop.wait(1.0):
            self.deaths.look(self.get("pods"))


def _time(text: str) -> datetime:
    return datetime.fromisoformat(text)


def deployment(
    lab: Lab,
    namespace: str,
    name: str,
    replicas: int,
    limit: str,
    environment: Mapping[str, str],
) -> Json:
    """A Deployment of the lab's own test service, scraped by Prometheus."""
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name, "namespace": namespace, "labels": {"app": name}},
        "spec": {
            "replicas": replicas,
            "minReadySeconds": 3,
            "selector": {"matchLabels": {"app": name}},
            "template": {
                "metadata": {
                    "labels": {"app": name},
                    "annotations": {"prometheus.io/scrape": "true", "prometheus.io/port": "8080"},
                },
                "spec": {
                    "terminationGracePeriodSeconds": 5,
                    "containers": [
                        {
                            "name": "app",
                            "image": lab.service_image,
                            "imagePullPolicy": "Never",
                            "args": ["serve"],
                            "env": [{"name": k, "value": v} for k, v in environment.items()],
                            "ports": [{"containerPort": 8080}],
                            "readinessProbe": {
                                "httpGet": {"path": "/healthz", "port": 8080},
                                "periodSeconds": 1,
                            },
                            "resources": {"limits": {"memory": limit}, "requests": {"cpu": "1m"}},
                        }
                    ],
                },
            },
        },
    }
