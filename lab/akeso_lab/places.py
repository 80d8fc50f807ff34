"""Where the lab keeps things: the binary cache, the labs' state, its own sources."""

from __future__ import annotations

import hashlib
import os
import re
from pathlib import Path

from akeso_lab.errors import LabError

PROJECT = Path(__file__).resolve().parents[2]
GO_MODULES = Path(__file__).resolve().parent.parent / "go"
MANIFESTS = Path(__file__).resolve().parent / "manifests"


def cache_root() -> Path:
    """Outside the work tree, so that a fresh clone finds what an earlier one built."""
    if chosen := os.environ.get("AKESO_LAB_CACHE"):
        return Path(chosen).resolve()
    home = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(home).resolve() / "akeso-lab"


def state_root() -> Path:
    """/var/tmp and not /tmp: a lab's state must survive a cleaner that runs at boot."""
    if chosen := os.environ.get("AKESO_LAB_STATE"):
        return Path(chosen).resolve()
    uid = os.geteuid()
    return Path("/var/tmp/akeso-lab" if uid == 0 else f"/var/tmp/akeso-lab-{uid}")


def state_dir(name: str) -> Path:
    if not re.fullmatch(r"[a-z0-9]([a-z0-9-]{0,28}[a-z0-9])?", name):
        raise LabError(name, "not a usable lab name", "use 1 to 30 of a-z, 0-9 and -")
    return state_root() / name


def lock_file(name: str) -> Path:
    return state_root() / ".locks" / name


def identity(state: Path) -> str:
    """Names what must be unique on the machine (interface, cgroup): two state roots may
    each have a lab of the same name."""
    digest = hashlib.sha256(str(state).encode()).hexdigest()[:6]
    return f"{state.name}-{digest}"
