from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from akeso_lab import build as build_module
from akeso_lab.build import binary_path, build, link_into, missing
from akeso_lab.errors import LabError
from akeso_lab.parts import (
    HELM,
    HELM_VERSION,
    KUBERNETES,
    NEWEST,
    SERVICE,
    TOOLS,
    Part,
    Tier,
    part_named,
    parts_of,
)
from akeso_lab.places import GO_MODULES
from akeso_lab.toolchain import Toolchain

# Stands in for `go build … -o FILE PACKAGE`: counts its runs and takes a moment.
FAKE_GO = """#!/bin/sh
echo run >>{runs}
while [ $# -gt 1 ]; do [ "$1" = -o ] && file=$2; shift; done
sleep 0.3
{then}
"""


@pytest.fixture
def fake_go(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], Path]:
    monkeypatch.setenv("AKESO_LAB_CACHE", str(tmp_path / "cache"))

    def install(then: str) -> Path:
        runs = tmp_path / "runs"
        go = tmp_path / "go"
        go.write_text(FAKE_GO.format(runs=runs, then=then))
        go.chmod(0o755)
        monkeypatch.setattr(build_module, "toolchain", lambda: Toolchain(go, "go1.26"))
        return runs

    return install


def _quiet(_: str) -> None:
    return None


def test_a_binary_is_built_once(fake_go: Callable[[str], Path]) -> None:
    runs = fake_go('echo binary >"$file"')

    first, second = build([SERVICE], _quiet), build([SERVICE], _quiet)

    assert first == second == {SERVICE.name: binary_path(SERVICE)}
    assert runs.read_text() == "run\n"
    assert missing([SERVICE]) == ()


def test_two_builds_at_once_wait_for_one_another(fake_go: Callable[[str], Path]) -> None:
    runs = fake_go('echo binary >"$file"')
    said: list[str] = []
    threads = [threading.Thread(target=build, args=([SERVICE], said.append)) for _ in range(2)]

    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert runs.read_text() == "run\n"
    assert any(line.startswith("waiting for another build") for line in said)


def test_a_failed_build_leaves_no_binary_and_names_its_log(fake_go: Callable[[str], Path]) -> None:
    fake_go("echo 'undefined: x' >&2; exit 1")

    with pytest.raises(LabError, match="undefined: x"):
        build([SERVICE], _quiet)

    assert not binary_path(SERVICE).exists()


def test_other_flags_are_another_binary(fake_go: Callable[[str], Path]) -> None:
    fake_go("")
    other = Part(SERVICE.name, SERVICE.module, SERVICE.package, ldflags="-X a.b=c")

    assert binary_path(other) != binary_path(SERVICE)


def test_progress_tells_which_of_how_many(fake_go: Callable[[str], Path]) -> None:
    fake_go('echo binary >"$file"')
    said: list[str] = []

    build([SERVICE], said.append)

    assert said[0] == f"building {SERVICE.name} (1/1)…"


def test_a_lab_has_all_its_programs_in_one_folder(tmp_path: Path) -> None:
    program = tmp_path / "elsewhere" / "etcd"
    link_into(tmp_path / "bin", {"etcd": program})
    link_into(tmp_path / "bin", {"etcd": program})

    assert (tmp_path / "bin" / "etcd").readlink() == program


def test_the_control_plane_is_built_before_the_node() -> None:
    first, second = parts_of(Tier.CONTROL_PLANE), parts_of(Tier.NODE)

    assert second[: len(first)] == first


EVERY_PART = {
    part
    for kubernetes in KUBERNETES
    for part in parts_of(Tier.CONTROL_PLANE, kubernetes) + parts_of(Tier.NODE) + TOOLS
}


@pytest.mark.parametrize(
    "part", sorted(EVERY_PART, key=str), ids=lambda part: f"{part.module}/{part.name}"
)
def test_every_part_has_a_module_that_names_it(part: Part) -> None:
    module = (GO_MODULES / part.module / "go.mod").read_text()

    assert part.package in module


def test_helm_says_the_version_that_its_module_pins() -> None:
    assert f"helm.sh/helm/v4 {HELM_VERSION} " in (GO_MODULES / "helm" / "go.mod").read_text()
    assert HELM_VERSION in HELM.ldflags and HELM not in parts_of(Tier.NODE)


@pytest.mark.parametrize(("kubernetes", "modules"), [(NEWEST, 31), ("1.33", 29)])
def test_the_staging_modules_have_the_version_of_kubernetes(kubernetes: str, modules: int) -> None:
    version = KUBERNETES[kubernetes]
    part = part_named("kube-apiserver", kubernetes)
    module = (GO_MODULES / part.module / "go.mod").read_text()
    replaced = [line.split("=>")[1].split()[1] for line in module.splitlines() if "=>" in line]

    assert f"k8s.io/kubernetes {version}" in module and f"={version} " in part.ldflags
    assert len(replaced) == modules
    assert set(replaced) == {version.replace("v1.", "v0.")}


def test_an_older_kubernetes_shares_what_knows_no_version() -> None:
    newest, older = set(parts_of(Tier.CONTROL_PLANE)), set(parts_of(Tier.CONTROL_PLANE, "1.33"))

    assert {p.name for p in newest} == {p.name for p in older}
    assert {p.name for p in newest & older} == {"etcd", "kwok", "prometheus", "alertmanager"}


def test_an_older_kubernetes_has_no_node() -> None:
    with pytest.raises(LabError, match="no node of it"):
        parts_of(Tier.NODE, "1.33")
    with pytest.raises(LabError, match=r"use one of 1\.36, 1\.33"):
        parts_of(Tier.CONTROL_PLANE, "1.20")
    assert part_named("etcd", "1.33") == part_named("etcd")
