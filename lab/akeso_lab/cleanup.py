"""Leaves nothing of a lab behind, whatever was written down about it.

Things are found by the lab's own marks (the owner in the environment, the cgroup, the link's
name, mounts below the state folder), so that a lab whose ``up`` was killed halfway is cleaned as
well as one that ran.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

from akeso_lab.errors import LabError
from akeso_lab.places import identity
from akeso_lab.plan import link_name
from akeso_lab.processes import kill_all, owned_processes

CGROUP_ROOT = Path("/sys/fs/cgroup")


@dataclass(frozen=True)
class Leftovers:
    """What of a lab still exists on this machine."""

    processes: tuple[int, ...]
    mounts: tuple[Path, ...]
    links: tuple[str, ...]
    cgroups: tuple[Path, ...]
    state: bool

    def __bool__(self) -> bool:
        return bool(self.processes or self.mounts or self.links or self.cgroups or self.state)


def find_leftovers(state: Path) -> Leftovers:
    link = link_name(state)
    return Leftovers(
        processes=tuple(owned_processes(state, _cgroup(state))),
        mounts=_mounts_below(state),
        links=(link,) if Path("/sys/class/net", link).exists() else (),
        cgroups=_cgroup_folders(_cgroup(state)),
        state=state.exists(),
    )


def sweep(state: Path) -> None:
    """Remove everything. The node's network and mount namespaces end with its processes, and
    with them its bridge, nftables tables, CNI state and mounts."""
    stubborn = kill_all(lambda: owned_processes(state, _cgroup(state)))
    if stubborn:
        raise LabError(
            "down",
            f"processes {', '.join(map(str, stubborn))} could not be killed",
            "they are stuck in the kernel or another user's; run `down` again as that user",
        )
    for mount in reversed(_mounts_below(state)):
        subprocess.run(["umount", "--lazy", str(mount)], capture_output=True, check=False)
    _remove_link(link_name(state))
    for folder in _cgroup_folders(_cgroup(state)):
        _remove_cgroup(folder)
    _remove_state(state)


def _cgroup(state: Path) -> str:
    return f"akeso-lab-{identity(state)}"


def _mounts_below(state: Path) -> tuple[Path, ...]:
    lines = Path("/proc/self/mountinfo").read_text().splitlines()
    points = (Path(line.split()[4].replace("\\040", " ")) for line in lines)
    return tuple(point for point in points if point.is_relative_to(state))


def _remove_link(link: str) -> None:
    """Usually gone with the node's network namespace already."""
    if Path("/sys/class/net", link).exists():
        subprocess.run(["ip", "link", "delete", link], capture_output=True, check=False)


def _cgroup_folders(name: str) -> tuple[Path, ...]:
    """One for each cgroup v1 controller, or the one of cgroup v2."""
    candidates = (CGROUP_ROOT / name, *CGROUP_ROOT.glob(f"*/{name}"))
    return tuple(folder for folder in candidates if folder.is_dir())


def _remove_cgroup(root: Path) -> None:
    """Deepest first; a cgroup stays busy for a moment after its last process has gone."""
    deadline = time.monotonic() + 10
    while root.exists():
        folders = [Path(folder) for folder, _, _ in os.walk(root, topdown=False)]
        busy = [folder for folder in folders if not _rmdir(folder)]
        if busy and time.monotonic() > deadline:
            raise LabError("down", f"cgroup {busy[0]} is still in use", "run `down` again")
        if busy:
            time.sleep(0.05)


def _rmdir(folder: Path) -> bool:
    try:
        folder.rmdir()
    except FileNotFoundError:
        return True
    except OSError:
        return False
    return True


def _remove_state(state: Path) -> None:
    try:
        shutil.rmtree(state)
    except FileNotFoundError:
        return
    except OSError as error:
        raise LabError(
            "down", f"{state} could not be removed ({error.strerror})", "run `down` again"
        ) from error
