"""Builds the operator's image from the repository's Dockerfile, without a registry.

Debian comes from debootstrap, and the Python packages from a folder of wheels that this machine's
pip fills: whatever its settings are (an index, certificates, credentials), none of it is seen by
the build, and `--require-hashes` holds there all the same.
"""

from __future__ import annotations

import hashlib
import json
import os
import platform
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
import tomllib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from akeso_lab.debian import RELEASE, make_base
from akeso_lab.errors import LabError
from akeso_lab.locks import exclusive
from akeso_lab.machine import image_requirements, install_image_packages, search_path
from akeso_lab.places import PROJECT, cache_root

Report = Callable[[str], None]
REPOSITORY = "akeso.local/akeso"
# In buildah's storage; its layers are what the next build goes on from.
_LATEST = f"{REPOSITORY}:latest"
_BASE = f"akeso.local/debian:{RELEASE}"
_LOCKS = ("requirements-runtime.lock", "requirements-image.lock")
# Debian 12: Python 3.11 and glibc 2.36. The wheels are for the image, not for who fetches them.
_PYTHON = "311"
_GLIBC = range(36, 4, -1)
# More in buildah's storage than one build leaves there is of former sources.
_STORAGE_BYTES = 4 * 2**30
_IMAGES_KEPT = 2


@dataclass(frozen=True)
class Layer:
    """One layer of an image: what made it, and its size as a tar archive in bytes."""

    made_by: str
    size: int


@dataclass(frozen=True)
class OperatorImage:
    """A docker-archive in the cache, and the reference under which it is imported."""

    reference: str
    archive: Path

    def layers(self) -> tuple[Layer, ...]:
        with tarfile.open(self.archive) as archive:
            [manifest] = _json(archive, "manifest.json")
            config = _json(archive, manifest["Config"])
            sizes = [archive.getmember(name).size for name in manifest["Layers"]]
        steps = [h.get("created_by", "") for h in config["history"] if not h.get("empty_layer")]
        made_by = [
            re.sub(r"^/bin/sh -c (#\(nop\) )?", "", " ".join(step.split())) for step in steps
        ]
        return tuple(map(Layer, made_by, sizes))


def build_operator_image(report: Report, project: Path = PROJECT) -> OperatorImage:
    """The image of the sources in ``project``; from the cache when none of them has changed.

    Needs root on Linux. Several builds at a time wait for one another.
    """
    key = source_key(project)
    folder = cache_root() / "images"
    image = OperatorImage(f"{REPOSITORY}:{key}", folder / f"{key}.tar")
    with exclusive(folder / ".lock", waiting=lambda: report("waiting for another image build")):
        if not image.archive.exists():
            _build(image, project, report)
            _forget_old(folder)
    image.archive.touch()  # the newest are kept
    return image


def source_key(project: Path = PROJECT) -> str:
    """Names what the image is made of: everything that .dockerignore lets in, and how."""
    digest = hashlib.sha256(f"{RELEASE} {platform.machine()}".encode())
    for file in sorted(_sources(project)):
        digest.update(f"{file.relative_to(project)}\0".encode())
        digest.update(hashlib.sha256(file.read_bytes()).digest())
    return digest.hexdigest()[:12]


def _sources(project: Path) -> Iterator[Path]:
    yield from (project / "Dockerfile", project / ".dockerignore")
    for line in (project / ".dockerignore").read_text().splitlines():
        if line.startswith("!"):
            root = project / line.removeprefix("!")
            files = [root] if root.is_file() else root.rglob("*")
            yield from (f for f in files if f.is_file() and "__pycache__" not in f.parts)


def _build(image: OperatorImage, project: Path, report: Report) -> None:
    missing = image_requirements()
    if missing:
        raise LabError("image", "; ".join(missing.values()), "build it where these can be had")
    install_image_packages(report)
    storage = _Storage(cache_root() / "buildah", image.archive.with_suffix(".log"))
    storage.trim()
    if not storage.has(_BASE):
        report(f"making a Debian {RELEASE} to build on…")
        with make_base(cache_root()) as root:
            storage.add(_BASE, root)
    wheels = _wheels(project, report)
    report("building the operator's image…")
    version = tomllib.loads((project / "pyproject.toml").read_text())["project"]["version"]
    arguments = {
        "BASE": _BASE,
        "VERSION": version,
        "PIP_NO_INDEX": "1",
        "PIP_FIND_LINKS": "/wheels",
    }
    storage.run(
        *("bud", "--layers", "--pull-never", "--isolation", "chroot"),
        # The same sources give the same bytes, whenever they are built.
        *("--timestamp", "0"),
        *(f"--build-arg={name}={value}" for name, value in arguments.items()),
        *("--volume", f"{wheels}:/wheels:ro"),
        *("--tag", _LATEST, str(project)),
    )
    unfinished = image.archive.with_suffix(".unfinished")
    unfinished.unlink(missing_ok=True)
    storage.run("push", _LATEST, f"docker-archive:{unfinished}:{image.reference}")
    unfinished.rename(image.archive)


@dataclass(frozen=True)
class _Storage:
    """Buildah's images in a folder of our own. Its overlays need root, as a lab's node does; with
    them a build that changes the last layer takes seconds, and no layer is copied."""

    folder: Path
    log: Path

    def run(self, *arguments: str) -> str:
        """One command of buildah in namespaces of its own: its mounts and processes end with
        it, however it ends."""
        self.log.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix="akeso-lab-") as running:
            command = [
                *("unshare", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc"),
                *("nice", "-n", "10", "buildah", "--storage-driver", "overlay"),
                *("--root", str(self.folder), "--runroot", running),
                *arguments,
            ]
            with self.log.open("w") as log:
                done = subprocess.run(
                    command,
                    stdout=subprocess.PIPE,
                    stderr=log,
                    env=os.environ | {"TMPDIR": running, "PATH": search_path()},
                    text=True,
                    check=False,
                )
        if done.returncode != 0:
            raise LabError(
                "buildah",
                f"{arguments[0]} ended with {done.returncode}",
                "see the log; where a package could not be fetched, run the same again",
                self.log,
                "\n".join(self.log.read_text(errors="replace").splitlines()[-15:]),
            )
        return done.stdout

    def has(self, reference: str) -> bool:
        images: list[dict[str, Any]] = json.loads(self.run("images", "--json"))
        return any(reference in (image.get("names") or ()) for image in images)

    def add(self, reference: str, root: Path) -> None:
        """An image of one layer, with what is in ``root``."""
        container = self.run("from", "scratch").strip()
        self.run("copy", "--quiet", container, str(root), "/")
        self.run("commit", "--quiet", "--rm", "--timestamp", "0", container, reference)

    def trim(self) -> None:
        """Start afresh where former builds have left too much, or one was killed halfway."""
        if _disk_bytes(self.folder) > _STORAGE_BYTES:
            shutil.rmtree(self.folder)


def _disk_bytes(folder: Path) -> int:
    done = subprocess.run(
        ["du", "--summarize", "--block-size=1", str(folder)],
        capture_output=True,
        text=True,
        check=False,
    )
    return int(done.stdout.split()[0]) if done.stdout else 0


def _wheels(project: Path, report: Report) -> Path:
    """A folder with every wheel that the locks name."""
    texts = [(project / name).read_bytes() for name in _LOCKS]
    key = hashlib.sha256(b"\0".join(texts)).hexdigest()[:12]
    folder = cache_root() / "wheels" / key
    if folder.exists():
        return folder
    report("fetching the wheels of the locked packages…")
    shutil.rmtree(folder.parent, ignore_errors=True)  # those of former locks
    unfinished = folder.with_suffix(".unfinished")
    for name in _LOCKS:
        _run(
            "pip",
            [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--require-hashes"]
            + ["--only-binary", ":all:", "--python-version", _PYTHON, "--implementation", "cp"]
            + ["--abi", f"cp{_PYTHON}", "--abi", "abi3", "--abi", "none"]
            + [f"--platform={tag}" for tag in _platforms()]
            + ["--dest", str(unfinished), "--requirement", str(project / name)],
        )
    unfinished.rename(folder)
    return folder


def _platforms() -> list[str]:
    machine = platform.machine()
    older = [f"manylinux{year}_{machine}" for year in ("2014", "2010", "1")]
    return [*(f"manylinux_2_{minor}_{machine}" for minor in _GLIBC), *older, f"linux_{machine}"]


def _run(part: str, command: Sequence[str]) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        remedy = "run the same again; if it stays, see what pip says by hand"
        what = f"{part} ended with {done.returncode}"
        raise LabError(part, what, remedy, tail=(done.stdout + done.stderr)[-2000:])


def _forget_old(folder: Path) -> None:
    """Archives are large, and only the newest are asked for again."""
    found = sorted(folder.glob("*.tar"), key=lambda file: file.stat().st_mtime, reverse=True)
    for old in found[_IMAGES_KEPT:]:
        old.unlink()
        old.with_suffix(".log").unlink(missing_ok=True)


def _json(archive: tarfile.TarFile, name: str) -> Any:
    member = archive.extractfile(name)
    assert member is not None
    return json.loads(member.read())
