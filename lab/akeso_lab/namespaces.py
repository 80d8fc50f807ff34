"""The namespaces a node lives in: to the host it is one process tree and one link.

A node's kubelet, containerd and kube-proxy use fixed names (nftables tables, socket paths, the
DNS port). In network, mount and pid namespaces of their own several nodes fit on one machine,
and the death of process 1 ends everything of a node at once.
"""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from akeso_lab.cleanup import CGROUP_ROOT
from akeso_lab.errors import LabError
from akeso_lab.places import MANIFESTS, cache_root
from akeso_lab.plan import Plan, link_name
from akeso_lab.processes import Process, Supervisor, children

_UNSHARE = (
    "unshare",
    "--net",
    "--mount",
    "--pid",
    "--ipc",
    "--fork",
    "--kill-child",
    "--mount-proc",
)

# By cgroup v1 and by v2, sixteen times the usual: all pods of a node together would count as much
# as any one session of the machine, and the kubelets', operators' and tests' are dozens. What a
# service does within two seconds is then as on a machine that is its node alone.
_PROCESSOR = (("cpu", "cpu.shares", 16 * 1024), ("", "cpu.weight", 16 * 100))


@dataclass(frozen=True)
class Namespaces:
    """The namespaces of process ``pid``, which is 1 in its own."""

    pid: int
    supervisor: Supervisor

    @classmethod
    def create(cls, plan: Plan, supervisor: Supervisor) -> Namespaces:
        """Start process 1 and connect its network to the host's."""
        (plan.state / "node").mkdir(exist_ok=True)
        _create_cgroups(plan.cgroup)
        service = (plan.bin / "akeso-lab-service").resolve()
        script: list[str | Path] = ["sh", MANIFESTS / "node-init.sh", plan.state, cache_root()]
        wrapper = supervisor.start("node", [*_UNSHARE, *script, service])
        ready = plan.state / "node" / "namespaces-ready"
        supervisor.wait_until(wrapper, ready.exists, seconds=20)
        namespaces = cls(_record_child(supervisor, wrapper).pid, supervisor)
        namespaces._connect(plan)
        return namespaces

    def start(self, part: str, command: Sequence[str | Path]) -> Process:
        """Start a part of the node inside; what is recorded is the part, not nsenter."""
        wrapper = self.supervisor.start(part, [*self._enter(), *command])
        self.supervisor.wait_until(wrapper, lambda: bool(children(wrapper.pid)), seconds=10)
        return _record_child(self.supervisor, wrapper)

    def _enter(self) -> tuple[str, ...]:
        return ("nsenter", f"--target={self.pid}", "--net", "--mount", "--pid", "--ipc", "--")

    def _connect(self, plan: Plan) -> None:
        """A veth pair; the host reaches pods and Services through the node, as a neighbour on
        the same network would."""
        link, addresses = link_name(plan.state), plan.addresses
        inside = ("nsenter", f"--target={self.pid}", "--net", "--")
        for command in (
            f"ip link add {link} type veth peer name eth0 netns {self.pid}",
            f"ip link set {link} alias {plan.identity}",
            f"ip address add {addresses.link_prefix} dev {link}",
            f"ip link set {link} up",
        ):
            _run(command.split())
        for command in (
            f"ip address add {addresses.node}/24 dev eth0",
            "ip link set eth0 up",
            f"ip route add default via {addresses.host}",
        ):
            _run([*inside, *command.split()])
        for network in (addresses.pods, addresses.services):
            _run(f"ip route add {network} via {addresses.node}".split())


def _record_child(supervisor: Supervisor, wrapper: Process) -> Process:
    """unshare and nsenter only wait for their one child, the part itself."""
    (pid,) = children(wrapper.pid)
    return supervisor.record(wrapper.part, pid, Path(wrapper.log))


def _run(command: Sequence[str]) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        what = f"`{' '.join(command)}` failed: {done.stderr.strip()}"
        raise LabError("network", what, "take the lab down and up again")


def _create_cgroups(name: str) -> None:
    """The kubelet wants its root to exist in every hierarchy."""
    _make_cgroups(name)
    for hierarchy, file, weight in _PROCESSOR:
        share = CGROUP_ROOT / hierarchy / name / file
        if share.exists():
            share.write_text(f"{weight}")


def _make_cgroups(name: str) -> None:
    available = CGROUP_ROOT / "cgroup.controllers"
    if available.exists():
        enabled = " ".join(f"+{controller}" for controller in available.read_text().split())
        (CGROUP_ROOT / "cgroup.subtree_control").write_text(enabled)
        (CGROUP_ROOT / name).mkdir(exist_ok=True)
        return
    for hierarchy in _v1_hierarchies():
        folder = hierarchy / name
        folder.mkdir(exist_ok=True)
        # A new cpuset is empty, and processes may not enter an empty one.
        for file in ("cpuset.cpus", "cpuset.mems"):
            if (folder / file).exists():
                (folder / file).write_text((hierarchy / file).read_text())


def _v1_hierarchies() -> tuple[Path, ...]:
    lines = (line.split() for line in Path("/proc/mounts").read_text().splitlines())
    return tuple(Path(fields[1]) for fields in lines if fields[2] == "cgroup")
