"""Numbers as people read them, with their units."""

from __future__ import annotations

import math


def bytes_of(value: float) -> str:
    """`268435456` -> `256 MiB`."""
    for unit in ("B", "KiB", "MiB", "GiB"):
        if abs(value) < 1024 or unit == "GiB":
            return f"{value:.3g} {unit}" if abs(value) < 1000 else f"{value:.0f} {unit}"
        value /= 1024
    raise AssertionError("unreachable")


def seconds_of(value: float) -> str:
    """`95` -> `95 s`, `600` -> `10 min`, `7300` -> `2.0 h`; infinity -> `never`."""
    if math.isinf(value):
        return "never"
    if value < 120:
        return f"{value:.0f} s"
    if value < 7200:
        return f"{value / 60:.0f} min"
    return f"{value / 3600:.1f} h"


def quantity_of(value: float) -> str:
    """Bytes as Kubernetes writes them, exactly: `100663296` -> `96Mi`, `64000000` -> `64M`."""
    whole = int(value)
    for unit, size in _MEMORY_UNITS:
        if whole and whole % size == 0:
            return f"{whole // size}{unit}"
    return str(whole)


# Largest first: the largest that fits is never longer than what a person wrote.
_MEMORY_UNITS = (
    ("Ti", 2**40), ("T", 10**12), ("Gi", 2**30), ("G", 10**9),
    ("Mi", 2**20), ("M", 10**6), ("Ki", 2**10), ("k", 10**3),
)  # fmt: skip
