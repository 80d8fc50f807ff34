"""The real node: containerd, kubelet, kube-proxy, DNS and metrics in namespaces of their own."""

from __future__ import annotations

import base64
import json
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import yaml

from akeso_lab import node_config
from akeso_lab.certificates import Authority, Subject
from akeso_lab.control_plane import ControlPlane, issue_kubeconfig
from akeso_lab.errors import LabError
from akeso_lab.image import Image, assemble
from akeso_lab.kubectl import Kubectl
from akeso_lab.machine import install_packages
from akeso_lab.namespaces import Namespaces
from akeso_lab.plan import Plan
from akeso_lab.processes import Process, Supervisor, local_environment

Report = Callable[[str], None]
START_SECONDS = 90


@dataclass(frozen=True)
class Node:
    """A node whose namespaces and containerd run already, before the API server does."""

    plan: Plan
    namespaces: Namespaces
    supervisor: Supervisor
    containerd: Process
    contents: Image

    @classmethod
    def create(cls, plan: Plan, supervisor: Supervisor, report: Report) -> Node:
        install_packages(report)
        report("making the node's namespaces…")
        namespaces = Namespaces.create(plan, supervisor)
        contents = assemble(plan.bin / "akeso-lab-service")
        node_config.write_containerd(plan, contents.pause_tag)
        containerd = namespaces.start(
            "containerd", ["containerd", "--config", plan.state / "node" / "containerd.toml"]
        )
        return cls(plan, namespaces, supervisor, containerd, contents)

    @property
    def socket(self) -> Path:
        return node_config.socket(self.plan)

    @property
    def image(self) -> str:
        return self.contents.tag

    def start(self, control_plane: ControlPlane) -> None:
        """Everything else; needs the API server and the certificates."""
        authority = control_plane.authority
        self._issue(authority)
        self.supervisor.wait_until(self.containerd, self._import_image, START_SECONDS)
        node_config.write_kubelet(self.plan)
        node_config.write_kube_proxy(self.plan)
        node_config.write_coredns(self.plan)
        self._publish_metrics_service(authority)
        for part, arguments in node_config.commands(self.plan).items():
            process = self.namespaces.start(part, [self.plan.bin / part, *arguments])
            if part == "coredns":  # every request of a pod to a Service waits for it
                self.supervisor.favour(process)

    def wait_until_ready(self, control_plane: ControlPlane) -> None:
        probe, address = control_plane.probe, self.plan.addresses.node
        parts = {process.part: process for process in self.supervisor.recorded()}
        for part, ready in (
            ("kubelet", self._node_is_ready),
            ("kube-proxy", probe.ready(f"http://{address}:10256/healthz")),
            ("coredns", probe.ready(f"http://{address}:8181/ready")),
            ("metrics-server", self._metrics_are_served),
        ):
            self.supervisor.wait_until(parts[part], ready, START_SECONDS)

    def _issue(self, authority: Authority) -> None:
        """The kubelet speaks as its node; the others' names tell them apart in the audit log."""
        plan = self.plan
        name, address = plan.node_name, plan.addresses.node
        issue_kubeconfig(plan, authority, "kubelet", f"system:node:{name}", ("system:nodes",))
        issue_kubeconfig(plan, authority, "kube-proxy", "system:kube-proxy")
        for part in ("coredns", "metrics-server"):
            issue_kubeconfig(plan, authority, part, f"lab:{part}", ("system:masters",))
        authority.issue("kubelet-serving", Subject(name, addresses=(address, name)))
        service = ("metrics-server.kube-system.svc", address)
        authority.issue("metrics-server-serving", Subject("metrics-server", addresses=service))

    def _import_image(self) -> bool:
        """True once containerd has it; before it listens the import fails."""
        if not self.socket.exists():
            return False
        done = subprocess.run(
            ["ctr", "--address", str(self.socket), "-n", "k8s.io", "images", "import", "-"],
            input=self.contents.archive,
            capture_output=True,
            check=False,
        )
        return done.returncode == 0

    def _publish_metrics_service(self, authority: Authority) -> None:
        bundle = base64.b64encode(authority.certificate.read_bytes()).decode()
        objects = node_config.metrics_objects(self.plan, bundle)
        self._kubectl("apply", "-f", "-", stdin=yaml.safe_dump_all(objects))

    def _node_is_ready(self) -> bool:
        """Ready, and no longer tainted: only then are pods scheduled on it."""
        try:
            node = json.loads(self._kubectl("get", "node", self.plan.node_name, "-o", "json"))
        except LabError:
            return False  # not registered yet
        conditions = node["status"].get("conditions", [])
        ready = any(c["type"] == "Ready" and c["status"] == "True" for c in conditions)
        return ready and not node["spec"].get("taints")

    def _metrics_are_served(self) -> bool:
        try:
            self._kubectl("get", "--raw", "/apis/metrics.k8s.io/v1beta1/nodes")
        except LabError:
            return False
        return True

    def _kubectl(self, *arguments: str, stdin: str | None = None) -> str:
        plan = self.plan
        kubectl = Kubectl(
            plan.bin / "kubectl", plan.admin_kubeconfig, plan.state, local_environment()
        )
        return kubectl.run(*arguments, stdin=stdin)
