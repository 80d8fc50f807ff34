"""What the metrics source's answers mean: labels, duplicates, clocks and sample intervals. Pure."""

from __future__ import annotations

import statistics
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise

from akeso.cli.doctor.checks import Check, failure, ok, skipped, warning
from akeso.clients.promql import matcher
from akeso.engine.words import seconds_of
from akeso.protocols import Reading, Usage
from akeso.settings import Settings

PROMETHEUS, CLOCK, MEMORY, LABELS, TWICE, INTERVAL = (
    "Prometheus",
    "Clock of Prometheus",
    "Memory metric",
    "Labels of memory",
    "Duplicates",
    "Scrape interval",
)
CLOCKS_AGREE = 2.0
# A series counts when it has a sample of the last 300 s, as with Prometheus's own default.
LOOKBACK_SECONDS = 300.0
# A measured interval this much off the setting is another one.
OFF_BY = 0.25
IDENTITY = ("namespace", "pod", "container")
# Labels of the endpoint, as Prometheus and its operator name them, the most telling first. A
# container that restarted has two series as well; those differ in labels of its own.
ENDPOINT = ("metrics_path", "endpoint", "job", "service", "instance")


def clock(theirs: float, before: float, after: float, stale_after: float) -> Check:
    """Their Unix seconds, read between two moments of ours."""
    apart = max(0.0, before - theirs, theirs - after)
    if apart <= CLOCKS_AGREE:
        return ok(CLOCK, "It agrees with this machine's.")
    which = "behind" if theirs < before else "ahead of"
    told = f"It is {seconds_of(apart)} {which} this machine's"
    remedy = "Set both by NTP."
    if apart < stale_after:
        return warning(CLOCK, f"{told}: samples look older or newer than they are.", remedy)
    return failure(CLOCK, f"{told}: every sample counts as stale.", remedy)


def no_series(settings: Settings, without_matchers: int) -> Check:
    metric = settings.memory_metric
    if without_matchers and settings.metric_matchers:
        return failure(
            MEMORY,
            f"{metric} has {without_matchers} series, but none fits {{{settings.metric_matchers}}}.",
            "Correct --metric-matchers (AKESO_METRIC_MATCHERS).",
        )
    return failure(
        MEMORY,
        f"Prometheus has no sample of {metric} of the last {seconds_of(LOOKBACK_SECONDS)}.",
        "Let it scrape every kubelet's /metrics/cadvisor, or name your metric with --memory-metric.",
    )


def no_labels(settings: Settings, labels: Mapping[str, str]) -> Check:
    missing = [label for label in IDENTITY if not labels.get(label)]
    there = ", ".join(sorted(set(labels) - {"__name__"})) or "none"
    return failure(
        LABELS,
        f"No series of {settings.memory_metric} has all of {', '.join(IDENTITY)}; one that was"
        f" looked at lacks {', '.join(missing) or 'none, but is a pod or its pause container'} and"
        f" has {there}.",
        "Rename the labels by relabelling (metric_relabel_configs), or record the metric with them"
        " and name that with --memory-metric.",
    )


def duplicates(twice: int, count: int, series: Sequence[Reading]) -> Check:
    """`series` are those of one container that several endpoints export."""
    values: dict[str, set[str]] = defaultdict(set)
    for one in series:
        for label in ENDPOINT:
            values[label].add(one.labels.get(label, ""))
    differ = [label for label in ENDPOINT if len(values[label]) > 1]
    label = differ[0] if differ else "job"
    # The kubelet's own endpoint is the one that is always there.
    choices = sorted(values[label], key=lambda v: ("cadvisor" not in v, "kubelet" not in v, v))
    told = " and ".join(f"{label}={value!r}" for value in choices)
    chosen = matcher(label, choices[0] if choices else "")
    return warning(
        TWICE,
        f"Several endpoints export the memory of {twice} of {count} containers ({told}): samples"
        " mix, and forecasts are late.",
        f"Choose one of them: --metric-matchers '{chosen}' (AKESO_METRIC_MATCHERS).",
    )


def spacing(usages: Iterable[Usage]) -> float | None:
    """The median distance of samples in seconds; None: too few to tell."""
    times: dict[tuple[str, str, str], set[float]] = defaultdict(set)
    for usage in usages:
        times[usage.namespace, usage.pod, usage.container].add(usage.time)
    apart: list[float] = []
    for moments in map(sorted, times.values()):
        apart += [b - a for a, b in pairwise(moments)]
    return statistics.median(apart) if len(apart) >= 2 else None


def interval(measured: float | None, setting: float, window: float) -> Check:
    if measured is None:
        return skipped(
            INTERVAL,
            f"Too few samples in the last {seconds_of(window)} to measure it.",
            "Try again when Prometheus has scraped for a while.",
        )
    if abs(measured - setting) <= max(OFF_BY * setting, 0.5):
        return ok(INTERVAL, f"A sample comes every {measured:.3g} s; the setting is {setting:g} s.")
    told = f"A sample comes every {measured:.3g} s, but the setting is {setting:g} s"
    remedy = (
        f"Set --scrape-interval-seconds {max(1, round(measured))} (or scrape at {setting:g} s)."
    )
    if measured > 3 * setting:
        return failure(INTERVAL, f"{told}: every sample counts as stale.", remedy)
    why = "samples look missing" if measured > setting else "failures are seen later than need be"
    return warning(INTERVAL, f"{told}: {why}.", remedy)
