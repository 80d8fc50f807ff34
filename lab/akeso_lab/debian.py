"""A small Debian root from debootstrap: the operator's image is built on it in a lab."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from akeso_lab.errors import LabError
from akeso_lab.machine import search_path

RELEASE = "bookworm"
# As in Debian's own slim images: what nobody reads in a container, now and in later packages.
_EXCLUDED = (
    "/usr/share/doc/*",
    "/usr/share/info/*",
    "/usr/share/lintian/*",
    "/usr/share/locale/*",
    "/usr/share/man/*",
)
_KEPT = ("/usr/share/doc/*/copyright",)


@contextmanager
def make_base(scratch: Path) -> Generator[Path]:
    """A minimal root below ``scratch``, for as long as the context lasts. Needs root."""
    scratch.mkdir(parents=True, exist_ok=True)
    # In a mount namespace of its own: a killed debootstrap leaves no mount behind.
    namespace = ["unshare", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc"]
    with tempfile.TemporaryDirectory(dir=scratch, prefix=".debian-") as folder:
        root = Path(folder) / "root"
        done = subprocess.run(
            [*namespace, "nice", "-n", "10", "debootstrap", "--variant=minbase", RELEASE, root],
            env=os.environ | {"PATH": search_path()},
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode != 0:
            raise LabError(
                "debootstrap",
                f"ended with {done.returncode}",
                "see that Debian's packages can be fetched, then run the same again",
                tail=(done.stdout + done.stderr)[-2000:],
            )
        _add_security_updates(root)
        _slim(root)
        yield root


def _add_security_updates(root: Path) -> None:
    """debootstrap writes down where it fetched from, and the updates are beside it."""
    file = root / "etc" / "apt" / "sources.list"
    kind, mirror, release, *components = file.read_text().split()
    updates = (f"{mirror}-security", f"{release}-security", *components)
    file.write_text(f"{file.read_text().strip()}\n{kind} {' '.join(updates)}\n")


def _slim(root: Path) -> None:
    rules = [f"path-exclude {path}" for path in _EXCLUDED] + [f"path-include {p}" for p in _KEPT]
    (root / "etc" / "dpkg" / "dpkg.cfg.d" / "slim").write_text("\n".join(rules) + "\n")
    kept = {path for pattern in _KEPT for path in root.glob(pattern.removeprefix("/"))}
    for pattern in _EXCLUDED:
        for path in root.glob(pattern.removeprefix("/")):
            _remove_but(path, kept)
    for folder in ("var/lib/apt/lists", "var/cache/apt", "var/log"):
        for path in (root / folder).iterdir():
            shutil.rmtree(path) if path.is_dir() else path.unlink()
    (root / "var/cache/ldconfig/aux-cache").unlink(missing_ok=True)  # has inode numbers
    # What identifies the machine it was made on.
    for name in ("etc/hostname", "etc/resolv.conf"):
        (root / name).write_text("")


def _remove_but(path: Path, kept: set[Path]) -> None:
    if path.is_symlink() or not path.is_dir():
        path.unlink()
        return
    for folder, _, files in os.walk(path, topdown=False):
        for name in files:
            if (file := Path(folder) / name) not in kept:
                file.unlink()
        if not os.listdir(folder):
            os.rmdir(folder)
