"""What a lab will use on this machine: addresses, ports, names. Chosen once, then kept."""

from __future__ import annotations

import errno
import json
import re
import socket
import subprocess
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from akeso_lab.errors import LabError
from akeso_lab.locks import exclusive
from akeso_lab.parts import NEWEST, Tier
from akeso_lab.places import identity, state_dir, state_root

# Below Linux's ephemeral range (32768…), so that no outgoing connection takes a port
# between its being chosen here and its being bound by the part.
PORT_RANGE = range(20000, 32000)
# sun_path of unix(7), less the terminating zero.
LONGEST_SOCKET_PATH = 107
# 10.100.0.0/16 … 10.199.0.0/16, one for each lab.
SUBNETS = range(100, 200)
PORT_NAMES = (
    "etcd",
    "etcd_peer",
    "apiserver",
    "controller_manager",
    "scheduler",
    "kwok",
    "prometheus",
    "alertmanager",
)


@dataclass(frozen=True)
class Addresses:
    """One /16 for each lab, so that two labs' pods and Services never overlap."""

    second_octet: int
    real_node: bool

    @property
    def host(self) -> str:
        """Where the control plane listens: the host's end of the node's link, or loopback."""
        return self._address("0.1") if self.real_node else "127.0.0.1"

    @property
    def node(self) -> str:
        return self._address("0.2")

    @property
    def link_prefix(self) -> str:
        return f"{self.host}/24"

    @property
    def pods(self) -> str:
        return self._address("64.0/18")

    @property
    def fake_pods(self) -> str:
        return self._address("128.1/18")

    @property
    def services(self) -> str:
        return self._address("192.0/18")

    @property
    def kubernetes_service(self) -> str:
        """The first Service address is always the API server's own."""
        return self._address("192.1")

    @property
    def metrics_service(self) -> str:
        return self._address("192.11")

    def _address(self, rest: str) -> str:
        return f"10.{self.second_octet}.{rest}"


@dataclass(frozen=True)
class Plan:
    """A lab's immutable choices; ``plan.json`` in the state folder."""

    name: str
    tier: Tier
    state: Path
    second_octet: int
    ports: dict[str, int]
    scrape_interval_seconds: int
    kubernetes: str = NEWEST

    @property
    def addresses(self) -> Addresses:
        return Addresses(self.second_octet, self.tier is Tier.NODE)

    @property
    def identity(self) -> str:
        return identity(self.state)

    @property
    def cgroup(self) -> str:
        return f"akeso-lab-{self.identity}"

    @property
    def node_name(self) -> str:
        return f"akeso-lab-{self.name}"

    @property
    def server(self) -> str:
        return f"https://{self.addresses.host}:{self.ports['apiserver']}"

    @property
    def prometheus(self) -> str:
        return f"http://127.0.0.1:{self.ports['prometheus']}"

    @property
    def alertmanager(self) -> str:
        return f"http://127.0.0.1:{self.ports['alertmanager']}"

    @property
    def certificates(self) -> Path:
        return self.state / "certificates"

    @property
    def admin_kubeconfig(self) -> Path:
        return self.state / "admin.kubeconfig"

    def kubeconfig_of(self, part: str) -> Path:
        return self.state / "kubeconfigs" / f"{part}.kubeconfig"

    @property
    def bin(self) -> Path:
        return self.state / "bin"

    @classmethod
    def load(cls, state: Path) -> Plan | None:
        try:
            raw: dict[str, Any] = json.loads((state / "plan.json").read_text())
        except (FileNotFoundError, json.JSONDecodeError):
            return None
        raw["tier"], raw["state"] = Tier(raw["tier"]), Path(raw["state"])
        return cls(**raw)

    def save(self) -> None:
        raw = asdict(self) | {"state": str(self.state)}
        unfinished = self.state / ".plan.json"
        unfinished.write_text(json.dumps(raw, indent=2))
        unfinished.rename(self.state / "plan.json")


def link_name(state: Path) -> str:
    """At most 15 characters (IFNAMSIZ); the digest part of the identity is unique enough."""
    return f"akeso-{identity(state)[-6:]}"


def make_plan(
    name: str, tier: Tier, scrape_interval_seconds: int, kubernetes: str = NEWEST
) -> Plan:
    """Choose what no other lab and no other program on this machine uses, and save it."""
    state = state_dir(name)
    if tier is Tier.NODE and len(str(state / "node" / "containerd.sock")) > LONGEST_SOCKET_PATH:
        what = f"the path of its state folder is too long for a socket: {state}"
        raise LabError(name, what, "choose a shorter AKESO_LAB_STATE")
    # Different labs start searching at different places: two that start at the same moment
    # under two state roots do not share this lock.
    offset = int(identity(state)[-6:], 16)
    with exclusive(state_root() / ".locks" / "..plan"):
        others = tuple(_other_plans(state))
        plan = Plan(
            name,
            tier,
            state,
            _free_octet({other.second_octet for other in others}, offset),
            _free_ports({port for other in others for port in other.ports.values()}, offset),
            scrape_interval_seconds,
            kubernetes,
        )
        state.mkdir(parents=True, mode=0o700, exist_ok=True)
        plan.save()
    return plan


def _other_plans(state: Path) -> Iterator[Plan]:
    for folder in state_root().glob("*/"):
        other = Plan.load(folder)
        if other is not None and folder != state:
            yield other


def _free_octet(taken: set[int], offset: int) -> int:
    routed = {int(octet) for octet in re.findall(r"\b10\.(\d+)\.", _addresses_in_use())}
    for step in range(len(SUBNETS)):
        octet = SUBNETS[(offset + step) % len(SUBNETS)]
        if octet not in taken | routed:
            return octet
    raise LabError("network", "no free 10.x.0.0/16 is left", "take a lab down (`list` names them)")


def _addresses_in_use() -> str:
    """Read from the kernel; a machine without iproute2 can't have a node lab anyway."""
    try:
        done = subprocess.run(
            ["ip", "-4", "route", "show", "table", "all"],
            capture_output=True,
            text=True,
            check=False,
        )
    except FileNotFoundError:
        return ""
    return done.stdout


def _free_ports(taken: set[int], offset: int) -> dict[str, int]:
    chosen: dict[str, int] = {}
    names = list(PORT_NAMES)
    for step in range(len(PORT_RANGE)):
        port = PORT_RANGE[(offset + step) % len(PORT_RANGE)]
        if port not in taken and _can_bind(port):
            chosen[names.pop(0)] = port
        if not names:
            return chosen
    raise LabError("network", "not enough free ports", "take a lab down (`list` names them)")


def _can_bind(port: int) -> bool:
    with socket.socket() as probe:
        try:
            probe.bind(("", port))
        except OSError as error:
            if error.errno == errno.EADDRINUSE:
                return False
            raise
    return True
