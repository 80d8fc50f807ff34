"""PromQL made by construction: label values are escaped in one place and nowhere pasted."""

from __future__ import annotations

import re

_NAME = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]*")
_METRIC = re.compile(r"[a-zA-Z_:][a-zA-Z0-9_:]*")
_OPERATORS = frozenset({"=", "!=", "=~", "!~"})
# https://prometheus.io/docs/prometheus/latest/querying/basics/#string-literals
_ESCAPES = str.maketrans({"\\": r"\\", '"': r"\"", "\n": r"\n", "\r": r"\r", "\t": r"\t"})


def matcher(label: str, value: str, operator: str = "=") -> str:
    """`label="value"`, whatever the value contains. ValueError for anything but a label name."""
    if not _NAME.fullmatch(label) or operator not in _OPERATORS:
        raise ValueError(f"not a label matcher: {label!r} {operator!r}")
    return f'{label}{operator}"{value.translate(_ESCAPES)}"'


def selector(metric: str, *matchers: str, seconds: float | None = None) -> str:
    """`metric{matchers}`, as a range of whole milliseconds where `seconds` is given.

    Empty matchers are left out; those of the settings are the operator's own PromQL.
    """
    if not _METRIC.fullmatch(metric):
        raise ValueError(f"not a metric name: {metric!r}")
    wanted = ",".join(m for m in matchers if m)
    return f"{metric}{{{wanted}}}" + (f"[{duration(seconds)}]" if seconds is not None else "")


def duration(seconds: float) -> str:
    """In milliseconds, which PromQL knows and fractions of a second need."""
    return f"{max(1, round(seconds * 1000))}ms"
