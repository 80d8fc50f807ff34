"""Builtins that are one query of ours: what is asked, in which words it is told, what must be there."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from akeso.settings import Settings

WORKLOAD = "workload"  # the label that holds a workload's name where no query is asked


@dataclass(frozen=True, slots=True)
class Standard:
    """One such builtin. `query` gives PromQL whose series carry `namespace` and `pod`; None: the
    informers tell it, by the label `workload`. `metric_class` is one of `akeso_predictors.classes`,
    `says` what is told of a value, `needs` what must be scraped or readable, `unit` follows values."""

    metric_class: str
    says: str
    needs: str
    query: Callable[[Settings], str] | None = None
    unit: str = " %"

    @property
    def workload_label(self) -> str | None:
        return WORKLOAD if self.query is None else None

    def told(self, value: float, pod: str) -> str:
        return self.says.format(value=value, pod=pod)


def _throttled(settings: Settings) -> str:
    """Five minutes as in kube-prometheus' CPUThrottlingHigh: single periods hurt nobody."""
    chosen = ",".join(m for m in ('container!=""', settings.metric_matchers) if m)
    periods = "container_cpu_cfs_{}periods_total{{{}}}[5m]"
    sums = (
        f"sum by (namespace, pod) (increase({periods.format(which, chosen)}))"
        for which in ("throttled_", "")
    )
    throttled, all_of_them = sums
    return f"100 * {throttled} / ({all_of_them} > 0)"


def _descriptors(settings: Settings) -> str:
    """Sockets are descriptors too. The process that has the fewest left counts."""
    more = f"{{{settings.metric_matchers}}}" if settings.metric_matchers else ""
    return f"100 * max by (namespace, pod) (process_open_fds{more} / process_max_fds{more})"


THROTTLING = Standard(
    "throttling",
    "pod {pod} is throttled in {value:.1f} % of its CPU periods",
    "container_cpu_cfs_periods_total (cAdvisor; only containers with a CPU limit have it)",
    _throttled,
)
DESCRIPTORS = Standard(
    "connections",
    "pod {pod} uses {value:.1f} % of its file descriptors",
    "process_open_fds and process_max_fds (every Prometheus client library has them)",
    _descriptors,
)
ERRORS = Standard(
    "errors",
    "pod {pod} answers {value:.3g} of its requests with errors",
    "what the setting error_ratio_query asks for",
    lambda settings: settings.error_ratio_query,
    unit="",
)
CEILING = Standard(
    "replicas",
    "its HorizontalPodAutoscaler wants {value:.0f} % of its maxReplicas",
    "the right to read HorizontalPodAutoscalers",
)
