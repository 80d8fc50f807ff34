"""Rates of counters from their raw samples, each at the time of its newest sample.

PromQL's rate() is stamped with the time of the query, so that nobody could tell a fresh rate from
one whose samples are a minute old.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import pairwise

from akeso.clients.kubernetes.raw import Json, part, text
from akeso.protocols import Usage

# Labels that tell parts of one container's counter apart; its other series are other containers of
# that name (the one before a restart) or another endpoint's view of it.
# https://github.com/google/cadvisor/blob/v0.52.1/docs/storage/prometheus.md
PARTS = frozenset({"cpu", "__name__"})

Samples = Sequence[tuple[float, float]]


def rates(found: Iterable[Json]) -> Iterator[Usage]:
    """Rows of a matrix of CPU seconds as cores per container.

    Where several series claim to be one container, the one with the newest sample counts.
    """
    views: dict[tuple[str, str, str], dict[frozenset[tuple[str, str]], list[Samples]]]
    views = defaultdict(lambda: defaultdict(list))
    for series in found:
        labels = part(series, "metric")
        name = text(labels, "namespace"), text(labels, "pod"), text(labels, "container")
        samples = _samples(series.get("values") or ())
        if all(name) and len(samples) >= 2:
            views[name][_view(labels)].append(samples)
    for name, by_view in views.items():
        newest = max(by_view.values(), key=lambda parts: max(s[-1][0] for s in parts))
        yield Usage(*name, max(s[-1][0] for s in newest), sum(_rate(s) for s in newest))


def _view(labels: Mapping[str, str]) -> frozenset[tuple[str, str]]:
    return frozenset((k, v) for k, v in labels.items() if k not in PARTS)


def _samples(values: Iterable[Sequence[float | str]]) -> Samples:
    """Finite samples, oldest first, each moment once."""
    numbers = {float(time): float(said) for time, said in values}
    return sorted((t, v) for t, v in numbers.items() if math.isfinite(v) and v >= 0)


def _rate(samples: Samples) -> float:
    """Increase per second; a fall is a counter that began anew at zero."""
    pairs = pairwise(samples)
    increase = sum(b - a if b >= a else b for (_, a), (_, b) in pairs)
    return increase / (samples[-1][0] - samples[0][0])
