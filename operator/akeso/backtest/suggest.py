"""The HealingPolicy that a back-test ends with: mode Observe, so that it only watches.

It is no tuning: horizon and probability are those that were tested. What the history speaks against
is said beside it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import yaml

from akeso.api.meta import API_VERSION
from akeso.api.policy import BOUNDS, Builtin, HealingPolicy
from akeso.backtest.model import SeriesResult, WorkloadResult
from akeso.report.words import many, plain

# False alarms per series and day from which a forecast is no basis for acting (predict.md's bar for
# what nobody can foresee).
MOST_FALSE = 0.1
# A share of rows without a claim above which the signal is hardly watched.
MOST_SILENT = 50.0
_NAMED = 5
LONGEST_QUERY = 4_096  # of a HealingPolicy's
WORKLOADS = ("workload", "deployment", "statefulset", "daemonset")


@dataclass(frozen=True, slots=True)
class Basis:
    """What the policy is made of: the class, horizon in seconds, the probability in per cent; a
    query of one's own, its limit and the labels that all of its series have."""

    metric_class: str
    horizon: float
    percent: int
    query: str | None = None
    limit: float | None = None
    labels: frozenset[str] = frozenset()


BUILT_IN = {
    "memory": Builtin.MEMORY_EXHAUSTION,
    "load": Builtin.CPU_SATURATION,
    "volume": Builtin.VOLUME_FILLING,
    "inodes": Builtin.VOLUME_FILLING,
    "throttling": Builtin.CPU_THROTTLING,
    "connections": Builtin.DESCRIPTOR_EXHAUSTION,
    "errors": Builtin.ERROR_RATIO,
}


def policy(basis: Basis, results: Sequence[SeriesResult]) -> str | None:
    """YAML of one policy; None where neither a built-in signal nor a query can watch it."""
    signal = _signal(basis)
    if signal is None:
        return None
    namespaces = sorted({r.name.split("/")[0] for r in results if r.name.count("/") == 2})
    raw: dict[str, Any] = {
        "apiVersion": API_VERSION,
        "kind": "HealingPolicy",
        "metadata": {"name": "forecast", "namespace": namespaces[0] if namespaces else "default"},
        "spec": {
            "mode": "Observe",
            "targets": [{"name": "all", "selector": {}}],
            "signals": [signal],
        },
    }
    HealingPolicy.model_validate(raw)
    head = list(_head(namespaces))
    return "".join(f"# {line}\n" for line in head) + yaml.safe_dump(raw, sort_keys=False)


def _head(namespaces: Sequence[str]) -> Iterator[str]:
    yield "Records what Akeso would do, and does nothing. Narrow the selector as you like, then:"
    yield "  kubectl apply -f FILE"
    if not namespaces:
        yield "Put your own namespace in: the file that was read does not say which it was."
    elif len(namespaces) > 1:
        others = ", ".join(namespaces[1 : 1 + _NAMED])
        more = f" and {len(namespaces) - 1 - _NAMED} more" if len(namespaces) > 1 + _NAMED else ""
        yield f"The same for namespace {others}{more}: a policy reaches only its own."


def _signal(basis: Basis) -> dict[str, Any] | None:
    horizon = max(30, min(86_400, round(basis.horizon)))
    forecast = {"horizonSeconds": horizon, "probabilityPercent": max(1, min(99, basis.percent))}
    if basis.query is None:
        builtin = BUILT_IN.get(basis.metric_class)
        if builtin is None:
            return None
        signal: dict[str, Any] = {
            "name": basis.metric_class,
            "builtin": builtin.value,
            "forecast": forecast,
        }
        bound = BOUNDS.get(builtin)
        if bound is not None and basis.limit is not None and basis.limit != bound.value:
            signal["threshold"] = _above(basis.limit)
        return signal
    by = _label(basis.labels)
    if basis.limit is None or by is None or len(basis.query) > LONGEST_QUERY:
        return None
    return {
        "name": basis.metric_class,
        "query": basis.query,
        **by,
        "forecast": forecast,
        "threshold": _above(basis.limit),
    }


def _label(labels: frozenset[str]) -> dict[str, str] | None:
    """How the series of a query name whose they are."""
    if "namespace" not in labels:
        return None
    if "pod" in labels:
        return {"podLabel": "pod"}
    workload = next((w for w in WORKLOADS if w in labels), None)
    return None if workload is None else {"workloadLabel": workload}


def _above(limit: float) -> dict[str, str]:
    return {"operator": "Above", "value": f"{limit:.10f}".rstrip("0").rstrip(".")}


def advice(basis: Basis, found: Sequence[WorkloadResult]) -> tuple[str, ...]:
    """What the history says for and against acting on these forecasts."""
    return tuple(_advice(basis, found))


def _advice(basis: Basis, found: Sequence[WorkloadResult]) -> Iterator[str]:
    if _signal(basis) is None:
        yield _no_policy(basis)
    failures = sum(w.failures for w in found)
    if not failures and any(w.days for w in found):
        yield (
            "Nothing reached its limit in this history: it shows how often Akeso would have cried"
            " wolf, and not what it would have foreseen. Give a longer one, or one with an incident."
        )
    noisy = [w for w in found if (w.akeso.false_alarms_per_series_day or 0.0) > MOST_FALSE]
    if noisy:
        yield (
            f"{_names(noisy)}: more than {MOST_FALSE:g} false alarms per series and day. Leave"
            " them in mode Observe, or ask for more probability (--probability 90)."
        )
    silent = [w for w in found if w.abstained_percent > MOST_SILENT]
    for workload in silent[:_NAMED]:
        why = workload.abstentions[0].said if workload.abstentions else "no claim"
        yield (
            f"{plain(workload.name, 80)}: nothing was claimed in {workload.abstained_percent:.0f} %"
            f" of the time: {why}."
        )
    if len(silent) > _NAMED:
        yield f"The same holds for {many(len(silent) - _NAMED, 'more workload')}."
    missed = [w for w in found if w.akeso.missed + w.akeso.late > w.akeso.foreseen]
    if missed:
        yield (
            f"{_names(missed)}: more failures came without warning than with one. A threshold on"
            " the value itself finds what no forecast can."
        )


def _no_policy(basis: Basis) -> str:
    if basis.query is None:
        return (
            f"No policy is suggested: class {basis.metric_class} is no builtin signal, so the policy"
            " needs the query that these values came from."
        )
    if _label(basis.labels) is None:
        return (
            "No policy is suggested: a policy's query names its pods or workloads. Sum it up with"
            " by (namespace, pod), or by (namespace, workload)."
        )
    return (
        "No policy is suggested: a policy's query is compared with one number. Divide by the limit"
        " in the query, and give --limit 1."
    )


def _names(found: Sequence[WorkloadResult]) -> str:
    more = f" and {len(found) - _NAMED} more" if len(found) > _NAMED else ""
    return ", ".join(plain(w.name, 80) for w in found[:_NAMED]) + more
