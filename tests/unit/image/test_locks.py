"""The lock files agree, and what makes them disagree is told."""

from __future__ import annotations

import runpy
import tomllib
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[3]
LOCKS: dict[str, Any] = runpy.run_path(str(ROOT / "image" / "locks.py"))
RUNTIME, BUILD, DEVELOPERS = LOCKS["RUNTIME"], LOCKS["BUILD"], LOCKS["DEVELOPERS"]


@pytest.fixture
def texts() -> dict[str, str]:
    return {name: (ROOT / name).read_text() for name in (RUNTIME, BUILD, DEVELOPERS)}


@pytest.fixture
def direct() -> list[str]:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    found: list[str] = project["dependencies"]
    return found


def problems(texts: dict[str, str], direct: list[str]) -> list[str]:
    return list(LOCKS["problems"](texts, direct))


def without(text: str, package: str) -> str:
    """``text`` less a package with all its hashes."""
    lines = iter(text.splitlines(keepends=True))
    kept: list[str] = []
    dropping = False
    for line in lines:
        if not line.startswith((" ", "\t")):
            dropping = line.startswith(f"{package}==")
        if not dropping:
            kept.append(line)
    assert len(kept) < len(text.splitlines())
    return "".join(kept)


def test_the_locks_agree(texts: dict[str, str], direct: list[str]) -> None:
    assert problems(texts, direct) == []


def test_the_image_carries_none_of_the_developers_tools(texts: dict[str, str]) -> None:
    assert not {"pytest", "ruff", "uv", "hatchling"} & LOCKS["read"](texts[RUNTIME]).keys()


def test_another_version_is_told(texts: dict[str, str], direct: list[str]) -> None:
    found = LOCKS["read"](texts[RUNTIME])["rich"][0]
    texts[RUNTIME] = texts[RUNTIME].replace(f"rich=={found}", "rich==14.0.0")

    assert [p for p in problems(texts, direct) if f"rich is 14.0.0, in {DEVELOPERS} {found}" in p]


def test_a_hash_that_only_one_has_is_told(texts: dict[str, str], direct: list[str]) -> None:
    some = next(iter(LOCKS["read"](texts[RUNTIME])["rich"][1]))
    texts[RUNTIME] = texts[RUNTIME].replace(some, f"sha256:{'0' * 64}")

    assert [p for p in problems(texts, direct) if p.startswith(f"{RUNTIME}: rich is")]


@pytest.mark.parametrize(("package", "by"), [("rich", "pyproject.toml"), ("yarl", "aiohttp")])
def test_what_is_missing_is_told_with_who_needs_it(
    texts: dict[str, str], direct: list[str], package: str, by: str
) -> None:
    texts[RUNTIME] = without(texts[RUNTIME], package)

    assert problems(texts, direct) == [f"{RUNTIME}: {package} is missing, which {by} needs"]


def test_what_nothing_needs_any_more_is_told(texts: dict[str, str], direct: list[str]) -> None:
    fewer = [text for text in direct if not text.startswith("shtab")]

    assert problems(texts, fewer) == [f"{RUNTIME}: nothing that runs needs shtab"]


def test_a_dependency_that_asks_for_more_than_is_locked_is_told(
    texts: dict[str, str], direct: list[str]
) -> None:
    newer = [text if not text.startswith("rich") else "rich>=1000" for text in direct]

    [told] = problems(texts, newer)
    assert told.endswith("is not >=1000")


def test_a_dependency_of_another_platform_is_not_wanted(direct: list[str]) -> None:
    needed = LOCKS["needed"](["one"], {"one": ["two; sys_platform == 'win32'", "three"]})

    assert needed == {"one": "pyproject.toml", "three": "one"}


def test_an_extra_is_followed() -> None:
    requirements = {"one": ["two[more]"], "two": ["three; extra == 'more'", "four; extra == 'x'"]}

    assert set(LOCKS["needed"](["one"], requirements)) == {"one", "two", "three"}
