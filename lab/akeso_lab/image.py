"""Assembles the lab's container image without a registry or an image builder."""

from __future__ import annotations

import hashlib
import io
import json
import platform
import tarfile
from dataclasses import dataclass
from pathlib import Path

REPOSITORY = "akeso.local/service"
PAUSE_REPOSITORY = "akeso.local/pause"
_PROGRAM = "akeso-lab-service"
# Any unprivileged number will do: pods that demand runAsNonRoot must be able to use the image.
_USER = "65532:65532"
_ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}


@dataclass(frozen=True)
class Image:
    """One layer under two names: the test service, and the pause container."""

    archive: bytes
    tag: str
    pause_tag: str


def assemble(binary: Path) -> Image:
    """A docker-archive holding the static ``binary`` and nothing else; the same binary always
    gives the same bytes."""
    content = binary.read_bytes()
    short = hashlib.sha256(content).hexdigest()[:12]
    tag, pause_tag = f"{REPOSITORY}:{short}", f"{PAUSE_REPOSITORY}:{short}"
    layer = _tar({_PROGRAM: content}, mode=0o755)
    service, pause = _config(layer, "serve"), _config(layer, "pause")
    manifest = [
        _entry("service.json", [tag, f"{REPOSITORY}:dev"]),
        _entry("pause.json", [pause_tag]),
    ]
    files = {
        "layer.tar": layer,
        "service.json": service,
        "pause.json": pause,
        "manifest.json": json.dumps(manifest).encode(),
    }
    return Image(_tar(files, mode=0o644), tag, pause_tag)


def _entry(config: str, tags: list[str]) -> dict[str, object]:
    return {"Config": config, "RepoTags": tags, "Layers": ["layer.tar"]}


def _config(layer: bytes, command: str) -> bytes:
    machine = platform.machine()
    document: dict[str, object] = {
        "architecture": _ARCHITECTURES.get(machine, machine),
        "os": "linux",
        "config": {
            "Entrypoint": [f"/{_PROGRAM}"],
            "Cmd": [command],
            "User": _USER,
            "ExposedPorts": {"8080/tcp": dict[str, str]()},
        },
        "rootfs": {"type": "layers", "diff_ids": [f"sha256:{hashlib.sha256(layer).hexdigest()}"]},
    }
    return json.dumps(document).encode()


def _tar(files: dict[str, bytes], mode: int) -> bytes:
    output = io.BytesIO()
    with tarfile.open(fileobj=output, mode="w") as archive:
        for name, content in files.items():
            entry = tarfile.TarInfo(name)
            entry.size, entry.mode = len(content), mode
            archive.addfile(entry, io.BytesIO(content))
    return output.getvalue()
