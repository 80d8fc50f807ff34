"""Numbers as people read them, with their units."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping


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


def set_limits(
    kind: str,
    name: str,
    namespace: str,
    limits: Mapping[str, float],
    requested: Iterable[str] = (),
) -> str:
    """The command that sets memory limits (bytes, by container) in a workload's pod template.

    Of the containers `requested` the request is to be as large as the limit.
    """
    where, too = f"kubectl set resources {kind.lower()}/{name} -n {namespace}", set(requested)
    return " && ".join(
        f"{where} -c {container} --limits=memory={quantity_of(limit)}"
        + (f" --requests=memory={quantity_of(limit)}" if container in too else "")
        for container, limit in limits.items()
    )


# Largest first: the largest that fits is never longer than what a person wrote.
_MEMORY_UNITS = (
    ("Ti", 2**40), ("T", 10**12), ("Gi", 2**30), ("G", 10**9),
    ("Mi", 2**20), ("M", 10**6), ("Ki", 2**10), ("k", 10**3),
)  # fmt: skip
