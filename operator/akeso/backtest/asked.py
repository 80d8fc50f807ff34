"""What Prometheus is asked for, and its answers as series with limits and restarts. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from akeso.api.policy import FULL, OUT_OF_INODES, Builtin, Signal
from akeso.backtest.regular import History, histories
from akeso.clients.prometheus import CONTAINERS
from akeso.clients.prometheus_archive import Found
from akeso.clients.promql import duration, matcher, selector
from akeso.clients.tables.columns import Columns
from akeso.engine.volumes import INODES, SPACE
from akeso.engine.volumes import queries as volumes
from akeso.errors import PermanentError
from akeso.settings import Settings

OWN = ("namespace", "pod", "container")
# Labels of cAdvisor's that name one run of a container. The others tell views of it apart.
# https://github.com/google/cadvisor/blob/v0.52.1/docs/storage/prometheus.md
RUNS = ("id", "name")
# kube-state-metrics; and cAdvisor, which gives 0 where there is no limit.
LIMITS = "kube_pod_container_resource_limits|container_spec_memory_limit_bytes"
RESTARTS = "kube_pod_container_status_restarts_total"
_SHOWN = 3


@dataclass(frozen=True, slots=True)
class Queries:
    """`values` and, where they come from Prometheus, `limits`; else `limit` holds for all;
    `restarts` where no label tells them. `containers`: their runs and views are one series each;
    else each label set is one."""

    values: str
    limits: str | None = None
    restarts: str | None = None
    containers: bool = False
    limit: float | None = None


# What the operator asks for, and the bound that holds where a policy says nothing else.
_STANDARD: Mapping[str, Builtin] = {
    "throttling": Builtin.CPU_THROTTLING,
    "connections": Builtin.DESCRIPTOR_EXHAUSTION,
    "errors": Builtin.ERROR_RATIO,
}
_VOLUMES = {"volume": (SPACE, FULL.value), "inodes": (INODES, OUT_OF_INODES.value)}
WITH_QUERIES = ("memory", *_STANDARD, *_VOLUMES)


def of_class(settings: Settings, name: str, step: float, namespace: str | None) -> Queries:
    """The operator's own query of a class of metrics. PermanentError where it has none."""
    if name == "memory":
        return memory(settings, step, namespace)
    if name in _VOLUMES:
        of, bound = _VOLUMES[name]
        return Queries(volumes(settings)[of], limit=bound)
    signal = Signal(name=name, builtin=_STANDARD[name]) if name in _STANDARD else None
    query = signal.asked(settings) if signal is not None else None
    if signal is None or query is None or signal.bound is None:
        raise PermanentError(
            f"Class {name} has no query of its own here (these have: {', '.join(WITH_QUERIES)});"
            " give --query, and --limit or --limit-query."
        )
    return Queries(query, limit=signal.bound.value)


def memory(settings: Settings, step: float, namespace: str | None) -> Queries:
    """The working set of every container, as the operator asks for it, and its limit."""
    where = matcher("namespace", namespace) if namespace is not None else ""
    # Wide enough for one sample at least; the usual look back shows what is gone for 5 min more.
    window = duration(max(step, 1.5 * settings.scrape_interval_seconds))
    by = "max by (namespace, pod, container)"
    chosen = selector(settings.memory_metric, *CONTAINERS, where, settings.metric_matchers)
    limits = ",".join(
        m
        for m in (
            matcher("__name__", LIMITS, "=~"),
            matcher("resource", "memory|", "=~"),
            *CONTAINERS,
            where,
        )
        if m
    )
    counts = selector(RESTARTS, *CONTAINERS, where)
    return Queries(
        values=f"last_over_time({chosen}[{window}])",
        limits=f"{by} (last_over_time({{{limits}}}[{window}])) > 0",
        restarts=f"{by} (last_over_time({counts}[{window}]))",
        containers=True,
    )


def told_runs(found: Iterable[Found]) -> bool:
    """Whether labels tell one run of a container from the next."""
    return all(any(series.labels.get(run) for run in RUNS) for series in found)


def of_containers(
    found: Sequence[Found], limits: Sequence[Found], restarts: Sequence[Found], step: float,
    limit: float | None,
) -> list[History]:  # fmt: skip
    """One series per container, whatever its runs and views; named namespace/pod/container."""
    bounds, counts = _by_container(limits), _by_container(restarts)
    made: list[History] = []
    for name, views in sorted(_by_container(found).items()):
        time, value, mark = _joined(views)
        counted = _at(counts.get(name, []), time, step)
        if np.isfinite(counted).any():
            mark |= np.diff(_held(counted), prepend=np.nan) > 0
        columns = Columns(
            "Prometheus", ("/".join(name),), np.zeros(len(time), np.int64), time, value,
            _at(bounds.get(name, []), time, step), mark.astype(np.float64),
        )  # fmt: skip
        made += histories(columns, limit, step)
    return made


def of_query(
    found: Sequence[Found], limits: Sequence[Found], step: float, limit: float | None
) -> list[History]:
    """One series per label set; PermanentError where more than one limit fits one of them."""
    names = _names([series.labels for series in found])
    match = _Limits(limits)
    made: list[History] = []
    for name, series in zip(names, found, strict=True):
        own = match.of(series.labels, name)
        columns = Columns(
            "Prometheus", (name,), np.zeros(len(series.time), np.int64), series.time, series.value,
            _at([] if own is None else [own], series.time, step),
        )  # fmt: skip
        made += histories(columns, limit, step)
    return sorted(made, key=lambda h: h.name)


def _by_container(found: Iterable[Found]) -> Mapping[tuple[str, ...], list[Found]]:
    by_name: defaultdict[tuple[str, ...], list[Found]] = defaultdict(list)
    for series in found:
        name = tuple(series.labels.get(label, "") for label in OWN)
        if all(name):
            by_name[name].append(series)
    return by_name


def _joined(
    views: Sequence[Found],
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.bool_]]:
    """Times, values and where another run begins. Where several series claim to be one container,
    the one that began last counts."""
    ordered = sorted(views, key=lambda v: (v.time[0], sorted(v.labels.items())))
    runs = [next((v.labels[r] for r in RUNS if v.labels.get(r)), "") for v in ordered]
    time = np.concatenate([v.time for v in ordered])
    which = np.repeat(np.arange(len(ordered)), [len(v.time) for v in ordered])
    value = np.concatenate([v.value for v in ordered])
    order = np.lexsort((which, time))
    time, value, which = time[order], value[order], which[order]
    last = np.append(time[1:] != time[:-1], True)
    time, value, which = time[last], value[last], which[last]
    numbers = {run: i for i, run in enumerate(dict.fromkeys(runs))}
    run = np.array([numbers[r] for r in runs])[which]
    return time, value, np.diff(run, prepend=run[:1]) != 0


def _at(series: Sequence[Found], time: NDArray[np.float64], step: float) -> NDArray[np.float64]:
    """What series say at these times, NaN where nothing; the largest where several do."""
    rows = np.rint(time / step).astype(np.int64)
    out = np.full(len(time), np.nan)
    for one in series:
        own = np.rint(one.time / step).astype(np.int64)
        spot = np.minimum(np.searchsorted(own, rows), len(own) - 1)
        hit = own[spot] == rows
        out[hit] = np.fmax(out[hit], one.value[spot[hit]])
    return out


def _held(values: NDArray[np.float64]) -> NDArray[np.float64]:
    rows = np.maximum.accumulate(np.where(np.isfinite(values), np.arange(len(values)), 0))
    return values[rows]


def _names(labels: Sequence[Mapping[str, str]]) -> list[str]:
    """namespace/pod/container where that tells the series apart, else all labels."""
    short = ["/".join(own[k] for k in OWN if own.get(k)) for own in labels]
    full = [named(own) for own in labels]
    return [
        s if s and short.count(s) == 1 and own.get("pod") else f
        for s, f, own in zip(short, full, labels, strict=True)
    ]


def named(labels: Mapping[str, str]) -> str:
    """`{a="b", c="d"}` as PromQL writes it, with the metric's name before it."""
    rest = ", ".join(matcher(k, v) for k, v in sorted(labels.items()) if k != "__name__")
    return f"{labels.get('__name__', '')}{{{rest}}}" if rest or "__name__" not in labels else (
        labels["__name__"]
    )  # fmt: skip


class _Limits:
    """Finds the one limit whose labels agree with those of a series."""

    def __init__(self, limits: Sequence[Found]) -> None:
        self._limits = limits
        self._tables: dict[frozenset[str], list[tuple[tuple[str, ...], dict[tuple[str, ...], list[Found]]]]] = {}  # fmt: skip

    def of(self, labels: Mapping[str, str], name: str) -> Found | None:
        own = frozenset(labels) - {"__name__"}
        if own not in self._tables:
            self._tables[own] = self._made(own)
        best: list[Found] = []
        most = -1
        for shared, table in self._tables[own]:
            fitting = table.get(tuple(labels[k] for k in shared), [])
            if fitting and len(shared) > most:
                best, most = list(fitting), len(shared)
            elif fitting and len(shared) == most:
                best += fitting
        if len(best) > 1:
            some = "; ".join(named(b.labels) for b in best[:_SHOWN])
            raise PermanentError(
                f"--limit-query gives {len(best)} limits for the series {name}: {some}. Leave one of"
                " each with max by (...) (...), by labels that the series have."
            )
        return best[0] if best else None

    def _made(
        self, own: frozenset[str]
    ) -> list[tuple[tuple[str, ...], dict[tuple[str, ...], list[Found]]]]:
        tables: defaultdict[tuple[str, ...], dict[tuple[str, ...], list[Found]]] = defaultdict(dict)
        for limit in self._limits:
            shared = tuple(sorted(own & frozenset(limit.labels)))
            key = tuple(limit.labels[k] for k in shared)
            tables[shared].setdefault(key, []).append(limit)
        return list(tables.items())
