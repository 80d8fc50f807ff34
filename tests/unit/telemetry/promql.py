"""Which metrics and labels a PromQL expression names; enough of its grammar for our own files.

Whether it is PromQL at all, Prometheus' own tools say (tests/cluster/test_alert_rules.py,
test_dashboards.py).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from prometheus_client import CollectorRegistry

from akeso.telemetry.metrics import PROCESS, Metrics

# What Prometheus and its operator put on every series of a target.
OF_TARGETS = frozenset({"namespace", "job", "instance", "pod"})
ARGUMENTS = r"\b(?:by|without|on|ignoring|group_left|group_right)\s*\(([^)]*)\)"
NAMED = r"\b((?:akeso|process)_[a-z_]+)\s*(?:\{([^}]*)\})?"


def known() -> Mapping[str, frozenset[str]]:
    """Every series that Akeso exports, with the labels it has."""
    found = {name: OF_TARGETS for name in PROCESS}
    for told in Metrics(CollectorRegistry()).described:
        labels = OF_TARGETS | set(told.labels)
        if told.type == "histogram":
            found |= {f"{told.name}_{part}": labels for part in ("sum", "count")}
            found[f"{told.name}_bucket"] = labels | {"le"}
        else:
            found[told.name] = labels
    return found


def metrics_in(query: str) -> set[str]:
    return {name for name, _ in re.findall(NAMED, query)}


def mistakes(query: str) -> Iterator[str]:
    """What the expression names and Akeso does not export."""
    exported = known()
    used = metrics_in(query)
    yield from (f"no metric {name}" for name in sorted(used - exported.keys()))
    for name, matchers in re.findall(NAMED, query):
        for label in re.findall(r"(\w+)\s*(?:=~|!~|!=|=)", matchers):
            if label not in exported.get(name, ()):
                yield f"{name} has no label {label}"
    labels = frozenset[str]().union(*(exported.get(name, frozenset()) for name in used))
    for grouped in re.findall(ARGUMENTS, query):
        for label in filter(None, (part.strip() for part in grouped.split(","))):
            if label not in labels:
                yield f"nothing in it has a label {label}"
