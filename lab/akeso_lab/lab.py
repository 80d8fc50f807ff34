"""A running lab, as tests, the demo and the operator use it."""

from __future__ import annotations

import json
import os
import subprocess
import time
import urllib.request
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any
from urllib.parse import urlencode, urlsplit

import yaml

from akeso_lab.build import Report, build
from akeso_lab.certificates import Authority, Subject, write_kubeconfig
from akeso_lab.errors import LabError
from akeso_lab.fake_nodes import fake_node
from akeso_lab.kubectl import Kubectl
from akeso_lab.operator_image import build_operator_image
from akeso_lab.parts import (
    HELM,
    KUBE_SCORE,
    KUBECTL_VALIDATE,
    NEWEST,
    PROMTOOL,
    Part,
    Tier,
)
from akeso_lab.places import state_dir
from akeso_lab.processes import local_environment

_SERVED_SECONDS = 60.0


@dataclass(frozen=True)
class Sample:
    """One series of an instant query."""

    labels: Mapping[str, str]
    value: float


@dataclass(frozen=True)
class Lab:
    """What ``lab.json`` holds; paths are absolute. A foreign cluster has no certificates."""

    name: str
    tier: Tier
    state: Path
    kubeconfig: Path
    apiserver: str
    bin: Path
    certificates: Path | None = None
    prometheus: str | None = None
    prometheus_config_dir: Path | None = None
    alertmanager: str | None = None
    scrape_interval_seconds: int = 5
    audit_log: Path | None = None
    kubernetes: str = NEWEST
    kwok: bool = False
    node: bool = False
    node_name: str | None = None
    service_image: str | None = None
    containerd_socket: Path | None = None
    foreign: bool = False
    pids: Mapping[str, int] = field(default_factory=dict[str, int])
    missing: Mapping[str, str] = field(default_factory=dict[str, str])

    @classmethod
    def load(cls, name: str) -> Lab:
        """Read a lab that ``up`` has started; LabError if there is none."""
        file = state_dir(name) / "lab.json"
        try:
            raw: dict[str, Any] = json.loads(file.read_text())
        except FileNotFoundError:
            remedy = f"run `python -m akeso_lab up --name {name}`"
            raise LabError(name, "there is no such lab", remedy) from None
        known = {item.name for item in fields(cls)}
        return cls(**{key: _parse(key, value) for key, value in raw.items() if key in known})

    def save(self) -> None:
        unfinished = self.state / ".lab.json"
        unfinished.write_text(self.as_json())
        unfinished.rename(self.state / "lab.json")

    def as_json(self) -> str:
        return json.dumps(asdict(self), indent=2, default=str)

    def helm(self, report: Report = lambda _: None) -> Path:
        """Helm 4; built now where `build` has not done so before (about a minute)."""
        return _tool(HELM, report)

    def kubectl_validate(self, report: Report = lambda _: None) -> Path:
        """kubectl-validate: manifests against the schemas of Kubernetes up to 1.30, which it
        carries, or of the cluster that its `--kubeconfig` leads to."""
        return _tool(KUBECTL_VALIDATE, report)

    def kube_score(self, report: Report = lambda _: None) -> Path:
        """kube-score: manifests against good practice."""
        return _tool(KUBE_SCORE, report)

    def operator_image(self, report: Report = lambda _: None) -> str:
        """The reference of the operator's image in the node's containerd, built from this
        repository where it is not yet. Pods take it with `imagePullPolicy: Never`."""
        image = build_operator_image(report)
        if image.reference not in self._ctr("images", "ls", "--quiet").split():
            self.import_image(image.archive)
        return image.reference

    def import_image(self, archive: Path) -> None:
        """Give the node's containerd the images of a docker-archive or OCI archive."""
        self._ctr("images", "import", str(archive))

    def promtool(self, report: Report = lambda _: None) -> Path:
        """Checks and tests rules and queries; built now where `build` has not done so before."""
        return _tool(PROMTOOL, report)

    def kubectl(self, *arguments: str, stdin: str | None = None) -> str:
        """Run kubectl as the lab's administrator; its output, or LabError with its complaint."""
        environment = os.environ if self.foreign else local_environment()
        kubectl = Kubectl(self.bin / "kubectl", self.kubeconfig, self.state, environment)
        return kubectl.run(*arguments, stdin=stdin)

    def apply(self, *objects: Mapping[str, Any]) -> str:
        """Apply objects on the server side."""
        manifest = yaml.safe_dump_all([dict(item) for item in objects])
        return self.kubectl(
            "apply", "--server-side", "--force-conflicts", "-f", "-", stdin=manifest
        )

    def apply_crds(self, folder: Path) -> None:
        """Apply a folder of definitions on the server side; returns once they are served."""
        self.kubectl("apply", "--server-side", "--force-conflicts", "-f", str(folder))
        deadline = time.monotonic() + _SERVED_SECONDS
        # Not `kubectl wait`: it fails on a definition that has no conditions yet.
        while waiting := self._unserved(folder):
            if time.monotonic() > deadline:
                raise LabError("kubectl", f"{', '.join(waiting)} are not served", "see the log")
            time.sleep(0.2)

    def _unserved(self, folder: Path) -> list[str]:
        found = json.loads(self.kubectl("get", "-f", str(folder), "-o", "json"))
        waiting: list[str] = []
        for crd in found.get("items", [found]):
            conditions = crd.get("status", {}).get("conditions") or ()
            if not any(c["type"] == "Established" and c["status"] == "True" for c in conditions):
                waiting.append(crd["metadata"]["name"])
        return waiting

    def audit_events(self) -> Iterator[dict[str, Any]]:
        """What the API server has recorded so far, oldest first (Metadata of every write and
        of users' reads; bodies for Akeso's kinds, evictions and scale)."""
        if self.audit_log is None:
            raise LabError(self.name, "has no audit log", "use a lab that `up` started itself")
        with self.audit_log.open() as lines:
            for line in lines:
                # The last line may be half written; it is whole at the next reading.
                if line.endswith("\n"):
                    yield json.loads(line)

    def add_scrape_target(
        self,
        job: str,
        url: str,
        metrics_path: str = "/metrics",
        labels: Mapping[str, str] | None = None,
    ) -> None:
        """Let Prometheus scrape ``url`` (scheme://host:port) within about 6 s, no restart.

        ``labels`` are set on every series; labels that the target itself exposes win.
        """
        address = urlsplit(url)
        special = {"job": job, "__scheme__": address.scheme, "__metrics_path__": metrics_path}
        group = {"targets": [address.netloc], "labels": {**(labels or {}), **special}}
        _write(self._prometheus_folder("scrape.d") / f"{job}.json", json.dumps([group]))

    def remove_scrape_target(self, job: str) -> None:
        (self._prometheus_folder("scrape.d") / f"{job}.json").unlink(missing_ok=True)

    def add_alert_rule(
        self,
        alert: str,
        expression: str,
        for_seconds: int = 0,
        labels: Mapping[str, str] | None = None,
    ) -> None:
        """Let Prometheus raise ``alert`` in Alertmanager for every series that ``expression``
        yields for so long; evaluated at every scrape interval."""
        rule = {"alert": alert, "expr": expression, "for": f"{for_seconds}s"}
        group = {"name": alert, "rules": [rule | {"labels": dict(labels or {})}]}
        _write(self._rule_file(alert), yaml.safe_dump({"groups": [group]}))
        self._reload_prometheus()

    def remove_alert_rule(self, alert: str) -> None:
        """Take the rule back. What it raised ends 4 minutes later, as when Prometheus dies."""
        self._rule_file(alert).unlink(missing_ok=True)
        self._reload_prometheus()

    def query(self, expression: str) -> tuple[Sample, ...]:
        """An instant query to the lab's Prometheus that yields a vector."""
        if self.prometheus is None:
            raise LabError(self.name, "has no Prometheus", "give its URL with --prometheus")
        url = f"{self.prometheus}/api/v1/query?{urlencode({'query': expression})}"
        try:
            result = json.loads(_open(url))["data"]["result"]
        except OSError as error:
            log = self.state / "logs" / "prometheus.log"
            raise LabError("prometheus", f"query failed: {error}", "check the query", log) from None
        return tuple(Sample(series["metric"], float(series["value"][1])) for series in result)

    def user_kubeconfig(self, username: str, groups: tuple[str, ...] = ()) -> Path:
        """A kubeconfig for somebody who is not the administrator: what they may do is up to
        the RBAC rules that the caller applies for ``username`` or ``groups``."""
        if self.certificates is None:
            what = "is somebody else's cluster, so there is no CA to sign users with"
            raise LabError(self.name, what, "give that user's own kubeconfig")
        file_name = "".join(c if c.isalnum() or c in "-." else "_" for c in username)
        authority = Authority(self.certificates)
        pair = authority.issue(f"user-{file_name}", Subject(username, groups))
        path = self.state / "kubeconfigs" / f"user-{file_name}.kubeconfig"
        return write_kubeconfig(path, self.apiserver, authority, pair)

    def add_kwok_nodes(self, count: int, prefix: str = "fake") -> tuple[str, ...]:
        """Add nodes that exist only in the API; pods on them run as their label says (see
        ``akeso_lab.fake_nodes``). Waits until they are Ready. Several processes may
        add the same ones at once: a server-side apply creates or changes in one step."""
        if not self.kwok:
            raise LabError(self.name, "has no kwok", "use a lab that `up` started itself")
        names = tuple(f"{prefix}-{number}" for number in range(count))
        self.apply(*(fake_node(name, tainted=self.node) for name in names))
        self.kubectl(
            "wait", "--for=condition=Ready", "--timeout=60s", *(f"node/{n}" for n in names)
        )
        return names

    def _ctr(self, *arguments: str) -> str:
        if self.containerd_socket is None:
            raise LabError(self.name, "has no containerd", "use a lab of the tier node")
        done = subprocess.run(
            ["ctr", "--address", str(self.containerd_socket), "-n", "k8s.io", *arguments],
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode != 0:
            log = self.state / "logs" / "containerd.log"
            what = f"ctr {arguments[0]} {arguments[1]} ended with {done.returncode}"
            raise LabError("containerd", what, "see its log", log, done.stderr[-2000:])
        return done.stdout

    def _prometheus_folder(self, name: str) -> Path:
        if self.prometheus_config_dir is None:
            what = "has a Prometheus that this lab does not configure"
            raise LabError(self.name, what, "add it to that Prometheus")
        return self.prometheus_config_dir / name

    def _rule_file(self, alert: str) -> Path:
        return self._prometheus_folder("rules.d") / f"{alert}.yaml"

    def _reload_prometheus(self) -> None:
        try:
            _open(f"{self.prometheus}/-/reload", method="POST")
        except OSError as error:
            log = self.state / "logs" / "prometheus.log"
            remedy = "check the rule: the log has its error"
            raise LabError("prometheus", f"does not reload: {error}", remedy, log) from None


def _tool(part: Part, report: Report) -> Path:
    return build([part], report)[part.name]


def _write(file: Path, content: str) -> None:
    """Whoever watches the folder sees all of it or nothing."""
    unfinished = file.with_suffix(".unfinished")
    unfinished.write_text(content)
    unfinished.rename(file)


def _open(url: str, method: str = "GET") -> bytes:
    # A proxy in the environment is not for loopback.
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(urllib.request.Request(url, method=method), timeout=10) as answer:
        body: bytes = answer.read()
    return body


_PATHS = {item.name for item in fields(Lab) if item.type in ("Path", "Path | None")}


def _parse(key: str, value: Any) -> Any:
    if key == "tier":
        return Tier(value)
    return Path(value) if key in _PATHS and value is not None else value
