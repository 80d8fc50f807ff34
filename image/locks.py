#!/usr/bin/env python3
"""Tells, without a network, where the lock files disagree; exit code 1 if they do.

requirements.lock is the developers'. requirements-runtime.lock is what the image carries: all that
`project.dependencies` need and nothing else. requirements-image.lock is what builds the image.
`make lock` writes all three.
"""

from __future__ import annotations

import re
import sys
import tomllib
from collections.abc import Iterator, Mapping
from importlib.metadata import PackageNotFoundError, requires
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parents[1]
DEVELOPERS, RUNTIME, BUILD = (
    "requirements.lock",
    "requirements-runtime.lock",
    "requirements-image.lock",
)
# What the image is, wherever this runs.
IMAGE = {
    "python_version": "3.11",
    "python_full_version": "3.11.2",
    "implementation_name": "cpython",
    "platform_python_implementation": "CPython",
    "os_name": "posix",
    "sys_platform": "linux",
    "platform_system": "Linux",
}
Pins = dict[str, tuple[str, frozenset[str]]]
_PIN = re.compile(
    r"^(?P<name>[A-Za-z0-9._-]+)==(?P<version>\S+)(?P<rest>(?: \\\n +--hash=\S+)*)", re.MULTILINE
)


def read(text: str) -> Pins:
    """Version and hashes by package."""
    return {
        canonicalize_name(found["name"]): (
            found["version"],
            frozenset(re.findall(r"--hash=(\S+)", found["rest"])),
        )
        for found in _PIN.finditer(text)
    }


def disagreements(ours: Pins, theirs: Pins) -> Iterator[str]:
    """Packages that both pin, differently."""
    for name in sorted(ours.keys() & theirs.keys()):
        if ours[name] != theirs[name]:
            yield f"{name} is {ours[name][0]}, in {DEVELOPERS} {theirs[name][0]} (or other hashes)"


def needed(direct: list[str], requirements: Mapping[str, list[str]]) -> dict[str, str]:
    """Every package that ``direct`` needs in the image, with one that needs it.

    ``requirements`` are those of each package, as its metadata tells them.
    """
    found: dict[str, str] = {}
    waiting = [(Requirement(text), "pyproject.toml", "") for text in direct]
    seen: set[tuple[str, str]] = set()
    while waiting:
        requirement, by, extra = waiting.pop()
        if requirement.marker and not requirement.marker.evaluate(IMAGE | {"extra": extra}):
            continue
        name = canonicalize_name(requirement.name)
        found.setdefault(name, by)
        for asked in {"", *requirement.extras}:
            if (name, asked) not in seen:
                seen.add((name, asked))
                waiting += [(Requirement(r), name, asked) for r in requirements.get(name, [])]
    return found


def problems(locks: Mapping[str, str], direct: list[str]) -> Iterator[str]:
    """One sentence for each thing that is wrong with ``locks`` (the text by file name)."""
    developers, runtime, build = (read(locks[n]) for n in (DEVELOPERS, RUNTIME, BUILD))
    for name, pins in ((RUNTIME, runtime), (BUILD, build)):
        yield from (f"{name}: {told}" for told in disagreements(pins, developers))
        yield from (f"{name}: {p} has no hash" for p, (_, hashes) in pins.items() if not hashes)
    yield from (
        f"{RUNTIME}: {n} is not in {DEVELOPERS}" for n in sorted(runtime.keys() - developers)
    )
    wanted = needed(direct, {name: _installed(name) for name in developers})
    for name in sorted(wanted.keys() - runtime):
        yield f"{RUNTIME}: {name} is missing, which {wanted[name]} needs"
    for name in sorted(runtime.keys() - wanted):
        yield f"{RUNTIME}: nothing that runs needs {name}"
    for text in direct:
        requirement = Requirement(text)
        version, _ = runtime.get(canonicalize_name(requirement.name), ("", frozenset()))
        if version and version not in requirement.specifier:
            yield f"{RUNTIME}: {requirement.name} {version} is not {requirement.specifier}"


def _installed(name: str) -> list[str]:
    try:
        return requires(name) or []
    except PackageNotFoundError:
        return []  # of another platform: what it would need isn't wanted here either


def main() -> int:
    locks = {name: (ROOT / name).read_text() for name in (DEVELOPERS, RUNTIME, BUILD)}
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    found = list(problems(locks, project["dependencies"]))
    for told in found:
        print(f"{told}: run make lock", file=sys.stderr)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
