"""The files a recording is written to: lines, compressed or not, and the parts before them."""

from __future__ import annotations

import gzip
import os
from itertools import pairwise
from pathlib import Path
from typing import IO

from akeso.errors import PermanentError

COMPRESSION = 4  # half the time of the usual 9, a tenth larger


class Lines:
    """One file of lines, compressed where its name ends in .gz."""

    def __init__(self, path: Path) -> None:
        # Whoever may read it learns the names of all workloads.
        self._raw = os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb")
        self._file: IO[bytes] | gzip.GzipFile = self._raw
        if path.suffix == ".gz":
            self._file = gzip.GzipFile("", "wb", COMPRESSION, self._raw, mtime=0)

    def write(self, line: str) -> None:
        self._file.write(line.encode() + b"\n")

    def flush(self) -> None:
        self._file.flush()
        self._raw.flush()

    @property
    def size(self) -> int:
        """Bytes on the disk so far."""
        return self._raw.tell()

    def close(self) -> None:
        if self._file is not self._raw:
            self._file.close()
        self._raw.close()


def check(path: Path) -> None:
    """PermanentError where a recording can't be written, before anything else begins."""
    folder = path.parent
    if path.is_dir():
        raise PermanentError(f"--record-path {path} is a folder; name a file in it.")
    if not folder.is_dir():
        raise PermanentError(f"--record-path {path}: there is no folder {folder}; create it.")
    if not os.access(path if path.exists() else folder, os.W_OK):
        raise PermanentError(f"--record-path {path} may not be written; check its rights.")


def rotate(path: Path, parts: int) -> None:
    """FILE becomes FILE.1, that FILE.2, and so on; `parts` files remain beside the next one."""
    older = [path, *(path.with_name(f"{path.name}.{n}") for n in range(1, parts))]
    for source, target in reversed(list(pairwise(older))):
        if source.exists():
            source.replace(target)
