"""Which version of Akeso this is."""

from __future__ import annotations

from importlib import metadata


def version() -> str:
    try:
        return metadata.version("akeso")
    except metadata.PackageNotFoundError:
        return "0.1.0.dev0 (source tree)"
