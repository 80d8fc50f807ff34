"""What a real node asks of this machine: root, namespaces, and a few Debian packages."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from akeso_lab.errors import LabError

Report = Callable[[str], None]
CNI_PLUGINS = Path("/usr/lib/cni")
# Program (or file) that is needed: Debian package that has it.
_NEEDED = {
    "containerd": "containerd",
    "ctr": "containerd",
    "runc": "runc",
    str(CNI_PLUGINS / "ptp"): "containernetworking-plugins",
    "conntrack": "conntrack",
    "iptables": "iptables",
    "nft": "nftables",
    "ip": "iproute2",
    "unshare": "util-linux",
    "nsenter": "util-linux",
}


def node_requirements() -> dict[str, str]:
    """Why this machine can't run a real node, by what is missing; empty if it can."""
    if not sys.platform.startswith("linux"):
        return {"node": f"a node needs Linux, this is {sys.platform}"}
    if os.geteuid() != 0:
        return {"node": "a node needs root (namespaces, cgroups, mounts); run as root for it"}
    packages = _missing_packages()
    if packages and shutil.which("apt-get") is None:
        names = ", ".join(packages)
        return {"node": f"not installed, and there is no apt-get to install them: {names}"}
    return {}


def install_packages(report: Report) -> None:
    """Install what is missing, quietly; does nothing on a machine that has it all."""
    packages = _missing_packages()
    if not packages:
        return
    report(f"installing {', '.join(packages)}…")
    # Another apt-get may be at work; wait for it rather than fail.
    apt = ["apt-get", "-qq", "-o", "DPkg::Lock::Timeout=300"]
    for command in (
        [*apt, "update"],
        [*apt, "install", "-y", "--no-install-recommends", *packages],
    ):
        environment = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise LabError(
                "apt-get",
                f"could not install {', '.join(packages)}",
                "install them by hand, then run `up` again",
                tail=(done.stdout + done.stderr)[-2000:],
            )


def _missing_packages() -> tuple[str, ...]:
    # sbin may not be on the PATH of a sudo or cron session.
    path = os.pathsep.join((os.environ.get("PATH", ""), "/usr/sbin", "/sbin"))
    absent = (package for name, package in _NEEDED.items() if shutil.which(name, path=path) is None)
    return tuple(dict.fromkeys(absent))
