from __future__ import annotations

import hashlib
import io
import json
import tarfile
from pathlib import Path

import pytest

from akeso_lab.image import Image, assemble


@pytest.fixture
def image(tmp_path: Path) -> Image:
    binary = tmp_path / "akeso-lab-service"
    binary.write_bytes(b"\x7fELF and so on")
    return assemble(binary)


def _read(archive: bytes, name: str) -> bytes:
    with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
        member = tar.extractfile(name)
        assert member is not None
        return member.read()


def test_the_same_binary_gives_the_same_image(image: Image, tmp_path: Path) -> None:
    assert assemble(tmp_path / "akeso-lab-service") == image


def test_another_binary_has_another_tag(image: Image, tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.write_bytes(b"another")

    assert assemble(other).tag != image.tag


def test_every_config_names_the_layer_by_its_digest(image: Image) -> None:
    for entry in json.loads(_read(image.archive, "manifest.json")):
        config = json.loads(_read(image.archive, entry["Config"]))
        (layer,) = entry["Layers"]
        digest = hashlib.sha256(_read(image.archive, layer)).hexdigest()
        assert config["rootfs"]["diff_ids"] == [f"sha256:{digest}"]


def test_the_image_runs_unprivileged_and_holds_one_executable(image: Image) -> None:
    config = json.loads(_read(image.archive, "service.json"))["config"]
    layer = io.BytesIO(_read(image.archive, "layer.tar"))
    with tarfile.open(fileobj=layer) as tar:
        (program,) = tar.getmembers()

    assert int(config["User"].split(":")[0]) > 0
    assert config["Entrypoint"] == [f"/{program.name}"]
    assert program.mode == 0o755


def test_the_tags_are_the_ones_pods_ask_for(image: Image) -> None:
    tags = [tag for e in json.loads(_read(image.archive, "manifest.json")) for tag in e["RepoTags"]]

    assert tags == [image.tag, "akeso.local/service:dev", image.pause_tag]
