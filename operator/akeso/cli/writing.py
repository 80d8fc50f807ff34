"""Files that commands write: whole or not at all."""

from __future__ import annotations

from pathlib import Path

from akeso.errors import PermanentError


def write(file: Path, content: bytes, remedy: str = "Give another file.") -> None:
    """Replaces the file; PermanentError names it and why not, and leaves what was there."""
    try:
        _write(file.resolve(), content)
    except OSError as error:
        why = error.strerror or str(error)
        raise PermanentError(f"{file} can't be written: {why}. {remedy}") from error


def _write(file: Path, content: bytes) -> None:
    if file.exists() and not file.is_file():
        file.write_bytes(content)  # a device or a pipe can't be replaced; a folder says so
        return
    unfinished = file.with_name(f".{file.name[:200]}.unfinished")
    try:
        unfinished.write_bytes(content)
        unfinished.replace(file)
    except OSError:
        unfinished.unlink(missing_ok=True)
        raise
