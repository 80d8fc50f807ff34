"""The namespace of the kubeconfig's current context, which kubectl takes as the default."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import yaml

FALLBACK = "default"


def current_namespace(path: str | None) -> str:
    """What `kubectl` would use; a file that can't be read is the connection's to complain about."""
    for file in _files(path):
        try:
            config = yaml.safe_load(file.read_text())
        except (OSError, ValueError, yaml.YAMLError):
            continue
        found = _namespace(config)
        if found is not None:
            return found
    return FALLBACK


def _files(path: str | None) -> list[Path]:
    if path is not None:
        return [Path(path).expanduser()]
    chosen = os.environ.get("KUBECONFIG", "")
    listed = [Path(part) for part in chosen.split(os.pathsep) if part]
    return listed or [Path.home() / ".kube" / "config"]


def _namespace(config: Any) -> str | None:
    match config:
        case {"current-context": str(current), "contexts": [*contexts]}:
            for entry in contexts:
                match entry:
                    case {"name": name, "context": {"namespace": str(namespace)}} if (
                        name == current and namespace
                    ):
                        return namespace
                    case _:
                        continue
        case _:
            pass
    return None
