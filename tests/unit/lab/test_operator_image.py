from __future__ import annotations

import io
import json
import os
import re
import tarfile
import tomllib
from pathlib import Path

import pytest

from akeso_lab import debian, operator_image
from akeso_lab.errors import LabError
from akeso_lab.lab import Lab
from akeso_lab.operator_image import Layer, OperatorImage, build_operator_image, source_key
from akeso_lab.parts import Tier
from akeso_lab.places import PROJECT


@pytest.fixture
def project(tmp_path: Path) -> Path:
    root = tmp_path / "project"
    (root / "operator" / "__pycache__").mkdir(parents=True)
    (root / ".dockerignore").write_text("*\n!operator\n!LICENSE\n")
    (root / "Dockerfile").write_text("FROM scratch\n")
    (root / "LICENSE").write_text("free")
    (root / "operator" / "main.py").write_text("pass")
    return root


def test_the_image_is_another_when_a_source_is_another(project: Path) -> None:
    before = source_key(project)
    (project / "operator" / "main.py").write_text("raise")

    assert source_key(project) != before


def test_the_image_is_the_same_when_only_something_else_changes(project: Path) -> None:
    before = source_key(project)
    (project / "operator" / "__pycache__" / "main.pyc").write_text("bytes")
    (project / "notes.md").write_text("not let in")

    assert source_key(project) == before


def test_a_renamed_source_is_another_image(project: Path) -> None:
    before = source_key(project)
    (project / "operator" / "main.py").rename(project / "operator" / "other.py")

    assert source_key(project) != before


def test_an_image_that_is_there_is_not_built_again(
    project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AKESO_LAB_CACHE", str(tmp_path / "cache"))
    archive = tmp_path / "cache" / "images" / f"{source_key(project)}.tar"
    archive.parent.mkdir(parents=True)
    archive.touch()
    said: list[str] = []

    image = build_operator_image(said.append, project)

    assert image == OperatorImage(f"akeso.local/akeso:{source_key(project)}", archive)
    assert said == []


def test_without_root_it_is_refused_in_words(
    project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AKESO_LAB_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr("akeso_lab.machine.os.geteuid", lambda: 1000)

    with pytest.raises(LabError, match="needs root"):
        build_operator_image(lambda _: None, project)


def test_only_the_newest_archives_are_kept(tmp_path: Path) -> None:
    for age, name in enumerate(("new", "older", "oldest")):
        (tmp_path / f"{name}.tar").touch()
        (tmp_path / f"{name}.log").touch()
        times = (1000 - age, 1000 - age)
        for suffix in ("tar", "log"):
            os.utime(tmp_path / f"{name}.{suffix}", times)

    operator_image._forget_old(tmp_path)

    assert {file.name for file in tmp_path.iterdir()} == {
        *("new.tar", "new.log", "older.tar", "older.log")
    }


def test_layers_are_told_with_what_made_them(tmp_path: Path) -> None:
    config = {
        "history": [
            {"created_by": "debian"},
            {"created_by": "ENV", "empty_layer": True},
            {"created_by": "/bin/sh -c #(nop)  COPY akeso"},
        ]
    }
    files = {
        "manifest.json": json.dumps([{"Config": "c.json", "Layers": ["1.tar", "2.tar"]}]),
        "c.json": json.dumps(config),
        "1.tar": "12345",
        "2.tar": "1",
    }
    with tarfile.open(tmp_path / "image.tar", "w") as archive:
        for name, text in files.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(text)
            archive.addfile(entry, io.BytesIO(text.encode()))

    image = OperatorImage("x", tmp_path / "image.tar")

    assert image.layers() == (Layer("debian", 5), Layer("COPY akeso", 1))


def test_a_lab_without_a_node_takes_no_image(tmp_path: Path) -> None:
    lab = Lab("l", Tier.CONTROL_PLANE, tmp_path, tmp_path, "https://127.0.0.1:1", tmp_path)

    with pytest.raises(LabError, match="tier node"):
        lab.import_image(tmp_path / "image.tar")


def test_a_debian_root_is_slimmed_but_keeps_its_licences(tmp_path: Path) -> None:
    for file in (
        *("usr/share/doc/bash/copyright", "usr/share/doc/bash/README", "usr/share/man/man1/a.1"),
        *("var/log/apt/history.log", "var/cache/apt/x.bin", "var/lib/apt/lists/l"),
        *("etc/dpkg/dpkg.cfg.d/x", "etc/hostname", "bin/sh"),
    ):
        (tmp_path / file).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / file).write_text("x")

    debian._slim(tmp_path)

    left = {str(f.relative_to(tmp_path)) for f in tmp_path.rglob("*") if f.is_file()}
    assert left == {
        *("usr/share/doc/bash/copyright", "bin/sh", "etc/dpkg/dpkg.cfg.d/x"),
        *("etc/dpkg/dpkg.cfg.d/slim", "etc/hostname", "etc/resolv.conf"),
    }
    assert (tmp_path / "etc/hostname").read_text() == ""


def test_security_updates_come_from_beside_the_mirror(tmp_path: Path) -> None:
    (tmp_path / "etc" / "apt").mkdir(parents=True)
    sources = tmp_path / "etc" / "apt" / "sources.list"
    sources.write_text("deb http://mirror/debian bookworm main\n")

    debian._add_security_updates(tmp_path)

    assert sources.read_text().splitlines() == [
        "deb http://mirror/debian bookworm main",
        "deb http://mirror/debian-security bookworm-security main",
    ]


def test_all_that_the_image_is_built_from_is_let_in() -> None:
    """What the Dockerfile and the wheel name is in .dockerignore, and it exists."""
    ignore = (PROJECT / ".dockerignore").read_text().splitlines()
    let_in = [line.removeprefix("!") for line in ignore if line.startswith("!")]
    wheel = tomllib.loads((PROJECT / "pyproject.toml").read_text())["tool"]["hatch"]["build"]
    named = [
        *re.findall(r"^COPY (?!--)(\S+)", (PROJECT / "Dockerfile").read_text(), re.MULTILINE),
        *wheel["targets"]["wheel"]["packages"],
        *wheel["targets"]["wheel"]["force-include"],
    ]

    assert all((PROJECT / path).exists() for path in let_in)
    for path in named:
        assert path == "." or any(path == root or path.startswith(f"{root}/") for root in let_in)


def test_the_image_says_the_version_of_the_project() -> None:
    version = tomllib.loads((PROJECT / "pyproject.toml").read_text())["project"]["version"]

    assert f"ARG VERSION={version}\n" in (PROJECT / "Dockerfile").read_text()


def test_no_source_of_the_image_names_where_packages_are_fetched_from() -> None:
    for name in ("Dockerfile", "requirements-runtime.lock", "requirements-image.lock"):
        assert "://" not in (PROJECT / name).read_text()


def test_the_storage_is_made_anew_when_it_has_grown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    storage = operator_image._Storage(tmp_path / "buildah", tmp_path / "log")
    storage.trim()  # there is none yet
    storage.folder.mkdir()
    (storage.folder / "layer").write_bytes(b"x" * 8192)

    storage.trim()
    assert storage.folder.exists()

    monkeypatch.setattr(operator_image, "_STORAGE_BYTES", 4096)
    storage.trim()
    assert not storage.folder.exists()
