"""What a real node asks of this machine: root, namespaces, and a few Debian packages."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping
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


# What building an image needs.
_NEEDED_TO_BUILD = {"buildah": "buildah", "debootstrap": "debootstrap", "unshare": "util-linux"}


def node_requirements() -> dict[str, str]:
    """Why this machine can't run a real node, by what is missing; empty if it can."""
    return _requirements("node", _NEEDED)


def image_requirements() -> dict[str, str]:
    """Why this machine can't build an image, in the same way."""
    return _requirements("image", _NEEDED_TO_BUILD)


def _requirements(what: str, needed: Mapping[str, str]) -> dict[str, str]:
    if not sys.platform.startswith("linux"):
        return {what: f"{what}: needs Linux, this is {sys.platform}"}
    if os.geteuid() != 0:
        return {what: f"{what}: needs root (namespaces, cgroups, mounts); run as root for it"}
    packages = _missing_packages(needed)
    if packages and shutil.which("apt-get") is None:
        names = ", ".join(packages)
        return {what: f"not installed, and there is no apt-get to install them: {names}"}
    return {}


def install_packages(report: Report) -> None:
    """Install what a node lacks, quietly; does nothing on a machine that has it all."""
    _install(_NEEDED, report)


def install_image_packages(report: Report) -> None:
    """Install what building an image lacks."""
    _install(_NEEDED_TO_BUILD, report)


def _install(needed: Mapping[str, str], report: Report) -> None:
    packages = _missing_packages(needed)
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
                "install them by hand, then run the same again",
                tail=(done.stdout + done.stderr)[-2000:],
            )


def search_path() -> str:
    """PATH with the folders for administrators, which that of a sudo or cron session may lack."""
    return os.pathsep.join((os.environ.get("PATH", ""), "/usr/sbin", "/sbin"))


def _missing_packages(needed: Mapping[str, str]) -> tuple[str, ...]:
    path = search_path()
    absent = (package for name, package in needed.items() if shutil.which(name, path=path) is None)
    return tuple(dict.fromkeys(absent))
