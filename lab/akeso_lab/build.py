"""Builds the lab's programs from source into a cache that every work tree shares."""

from __future__ import annotations

import hashlib
import os
import subprocess
import time
from collections.abc import Callable, Iterable
from pathlib import Path

from akeso_lab.errors import LabError
from akeso_lab.locks import exclusive
from akeso_lab.parts import Part
from akeso_lab.places import GO_MODULES, cache_root
from akeso_lab.toolchain import toolchain

Report = Callable[[str], None]

PROGRESS_SECONDS = 15
_ENVIRONMENT = {
    "GOTOOLCHAIN": "local",
    # Parts are stripped when they are linked (see Part), so debug information need not be made either.
    "GOFLAGS": "-mod=readonly -gcflags=all=-dwarf=false",
    "CGO_ENABLED": "0",
    "GOWORK": "off",
}


def build(parts: Iterable[Part], report: Report) -> dict[str, Path]:
    """Make sure every part is in the cache; returns its path by name.

    Safe to run several times at once: each binary has its own lock, so a second build waits
    for the first one's result. A killed build leaves Go's own cache warm and is resumed.
    """
    wanted = tuple(parts)
    paths: dict[str, Path] = {}
    for number, part in enumerate(wanted, start=1):
        paths[part.name] = _build_one(part, f"{part.name} ({number}/{len(wanted)})", report)
    return paths


def binary_path(part: Part) -> Path:
    """Keyed on everything that decides the binary's content."""
    return cache_root() / "bin" / _key(part) / part.name


def missing(parts: Iterable[Part]) -> tuple[Part, ...]:
    return tuple(part for part in parts if not binary_path(part).exists())


def link_into(folder: Path, paths: dict[str, Path]) -> None:
    """One folder with all of a lab's programs: the cache has one folder per module."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, path in paths.items():
        link = folder / name
        link.unlink(missing_ok=True)
        link.symlink_to(path)


def _key(part: Part) -> str:
    digest = hashlib.sha256()
    module = GO_MODULES / part.module
    for file in sorted(module.glob("*.go")) + [module / "go.mod", module / "go.sum"]:
        if file.exists():
            digest.update(file.read_bytes())
    flags = f"{part.package} {part.ldflags} {part.tags} {_ENVIRONMENT}"
    digest.update(f"{toolchain().version} {flags}".encode())
    return f"{part.module}-{digest.hexdigest()[:16]}"


def _build_one(part: Part, label: str, report: Report) -> Path:
    target = binary_path(part)
    if target.exists():
        return target
    lock = target.with_name(f".{part.name}.lock")
    with exclusive(lock, waiting=lambda: report(f"waiting for another build of {label}")):
        if not target.exists():
            for abandoned in target.parent.glob(f".{part.name}.*.unfinished"):
                abandoned.unlink()
            _compile(part, target, label, report)
    return target


def _compile(part: Part, target: Path, label: str, report: Report) -> None:
    # A name of our own: the compiler of a killed build may still be at work on its file.
    unfinished = target.with_name(f".{part.name}.{os.getpid()}.unfinished")
    log = target.with_name(f"{part.name}.build.log")
    command = [str(toolchain().go), "build", "-trimpath", "-buildvcs=false"]
    command += ["-ldflags", part.ldflags, "-tags", part.tags, "-o", str(unfinished), part.package]
    started = time.monotonic()
    report(f"building {label}…")
    with log.open("w") as output:
        process = subprocess.Popen(
            # Niced: whoever waits for a running lab matters more than the next part's build.
            ["nice", "-n", "10", *command],
            cwd=GO_MODULES / part.module,
            env=os.environ | _ENVIRONMENT,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
        code = _wait(process, lambda: report(f"building {label}, {_since(started)}…"))
    if code != 0:
        raise LabError(
            part.name,
            f"go build ended with {code}",
            "see the log; if a module could not be fetched, run the same command again",
            log,
            "\n".join(log.read_text(errors="replace").splitlines()[-15:]),
        )
    unfinished.rename(target)
    report(f"built {label} in {_since(started)}")


def _wait(process: subprocess.Popen[bytes], still_waiting: Callable[[], None]) -> int:
    """Wait for the build; kill it if we are interrupted, so that no compiler is left behind."""
    try:
        while True:
            try:
                return process.wait(timeout=PROGRESS_SECONDS)
            except subprocess.TimeoutExpired:
                still_waiting()
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()


def _since(started: float) -> str:
    minutes, seconds = divmod(round(time.monotonic() - started), 60)
    return f"{minutes}m{seconds:02d}s" if minutes else f"{seconds}s"
