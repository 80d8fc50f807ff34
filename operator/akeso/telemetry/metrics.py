"""Akeso's own metrics, by name. Stable: alerts and dashboards stand on them.

No label names a workload, a policy or a Healing: the number of series does not grow with the
cluster. docs/reference/metrics.md is generated from here.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.process_collector import ProcessCollector

from akeso.domain.finding import Decision, Origin, Outcome

CYCLE_BUCKETS = (0.01, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)
# From a pod that is replaced to a leak whose predicted moment has to pass: 15 s to 24 h.
HEALING_BUCKETS = (15, 30, 60, 120, 300, 600, 1_200, 1_800, 3_600, 7_200, 21_600, 86_400)
SIGNAL = "kind of signal: the builtin's name, `Query` or `Alert`; empty: its policy is gone"

# What prometheus_client tells of every process on Linux.
PROCESS = (
    "process_cpu_seconds_total",
    "process_max_fds",
    "process_open_fds",
    "process_resident_memory_bytes",
    "process_start_time_seconds",
    "process_virtual_memory_bytes",
)


@dataclass(frozen=True, slots=True)
class Described:
    """What a metric means; `labels` are their names, each with what its values are."""

    name: str
    type: str
    told: str
    labels: Mapping[str, str] = field(default_factory=dict[str, str])


class Metrics:
    """All series Akeso exports; one instance per process.

    `now` (Unix seconds) is asked when ages are read, which is in no cycle: it is not the engine's
    clock, whose answers are recorded and played in their order.
    """

    def __init__(self, registry: CollectorRegistry, now: Callable[[], float] = time.time) -> None:
        self.registry = registry
        self.now = now
        self._heard: dict[str, float] = {}  # by source: time of its newest sample
        self.described: list[Described] = []
        ProcessCollector(registry=registry)
        self._of_the_process()
        self._of_cycles()
        self._of_sources()
        self._of_healings()
        self._of_messages()

    def _of_the_process(self) -> None:
        self.build_info = self._gauge(
            "akeso_build_info", "1; which version this is.", version="Akeso's version"
        )
        self.leader = self._gauge(
            "akeso_leader",
            "1 while this process leads, 0 on a standby. What follows from cycles"
            " is exported by the leader alone, or is 0 on a standby.",
        )
        self.lease_left = self._gauge(
            "akeso_lease_left_seconds",
            "How long this process still leads without another renewal; 0 on a standby.",
        )
        self.lease_transitions = self._gauge(
            "akeso_lease_transitions",
            "How often the Lease went from one holder to another, as the Lease says.",
        )
        self.degraded = self._gauge(
            "akeso_degraded",
            "How many things the condition Degraded of the HealingControl names.",
        )
        self.paused = self._gauge("akeso_paused", "1 while the kill switch stops all writes.")
        self.api_requests = self._counter(
            "akeso_api_requests_total",
            "Requests to the API server; the watch of Akeso's own kinds is not counted.",
            verb="`GET` (get and list), `WATCH`, `POST`, `PATCH` or `DELETE`",
            code="HTTP status; `none`: there was no answer",
        )
        self.watch_age = self._gauge(
            "akeso_watch_age_seconds",
            "Since when a watch was not heard. A quiet one is heard once a minute, or after 100 s."
            " NaN: it may not be read. Akeso's own kinds are not among them.",
            resource="plural of the kind; `leases` is Akeso's own Lease",
        )

    def _of_cycles(self) -> None:
        self.cycle_interval = self._gauge(
            "akeso_cycle_interval_seconds", "How often a cycle begins, as set."
        )
        self.cycle_seconds = self._histogram(
            "akeso_cycle_duration_seconds", "How long one cycle of the loop took.", CYCLE_BUCKETS
        )
        self.last_cycle = self._gauge(
            "akeso_last_cycle_timestamp_seconds",
            "When the last cycle ended, Unix time; 0 before the first, and on a standby.",
        )
        self.cycle_errors = self._counter(
            "akeso_cycle_errors_total",
            "Parts of a cycle that failed and are tried again in the next.",
            part="`open`, `advance` or `restore` (of a Healing), or `notify`: notifications have"
            " ended by a defect, the log has it",
        )
        for part in ("open", "advance", "restore", "notify"):
            self.cycle_errors.labels(part)
        self.targets = self._gauge("akeso_targets", "Workloads that policies select.")
        self.policies = self._gauge(
            "akeso_policies",
            "HealingPolicies, as the last cycle saw them.",
            mode="`Observe`, `Heal` or what else the policy says",
            ready="`true` or `false`: the condition Ready",
        )
        self.at_risk = self._gauge(
            "akeso_findings", "Problems found or forecast now.", signal=SIGNAL
        )

    def _of_sources(self) -> None:
        self.source_age = self._gauge(
            "akeso_metrics_source_age_seconds",
            "Age of the newest sample of a source that policies need; before the first, since when"
            " it is waited for.",
            source="`memory`, `cpu`, `volumes`, `queries` (all that signals name) or `alerts`",
        )
        self.stale_after = self._gauge(
            "akeso_stale_after_seconds",
            "Age from which a sample is stale: nothing is started or verified on it.",
        )

    def _of_healings(self) -> None:
        self.decisions = self._counter(
            "akeso_decisions_total",
            "Decisions by what was decided and why.",
            decision="what was decided ([all](../operations.md#the-decision-line))",
            reason="why; of `Blocked` the first guard's or healer's reason",
            signal="the signal's name in its policy",
            healer="the routine of the last attempt; empty before the first",
        )
        self.needs_human = self._counter(
            "akeso_needs_human_total", "How often a person was asked to look at a Healing."
        )
        self.open = self._gauge(
            "akeso_healings_open",
            "Healings not finished yet.",
            state="`acting` (an attempt is under way), `blocked` (a guard says not now),"
            " `needs-human` (a person is asked, nothing is under way) or `waiting` (none of these)",
        )
        self.blocked = self._gauge(
            "akeso_healings_blocked",
            "Open Healings that a guard or healer keeps waiting now.",
            reason="the first reason",
        )
        self.oldest = self._gauge(
            "akeso_healing_oldest_age_seconds",
            "Age of the oldest Healing with an attempt under way; 0 without one.",
        )
        self.overdue = self._gauge(
            "akeso_healing_overdue_seconds",
            "How long the latest attempt under way should have had its verdict; 0: none is late.",
        )
        self.opened = self._counter(
            "akeso_healings_opened_total",
            "Healings that were opened.",
            origin="how the problem was found: `Forecast`, `Threshold`, `Event`, or `Request`",
            signal=SIGNAL,
        )
        self.healings = self._counter(
            "akeso_healings_total",
            "Healings that ended.",
            verdict="`Verified`, `Failed`, `Inconclusive`, `Error` or `Cleared`",
            healer="the routine of the last attempt; empty: nothing was done",
            signal=SIGNAL,
        )
        self.undone = self._counter(
            "akeso_undone_total",
            "Healings whose changes were taken back.",
            healer="the routine of the last attempt",
            reason="the condition Undone's: a verdict, `Requested`, `NeedPassed` or `Overtaken`",
        )
        self.healing_seconds = self._histogram(
            "akeso_healing_duration_seconds",
            "From detection to verdict.",
            HEALING_BUCKETS,
            verdict="as of `akeso_healings_total`",
            signal=SIGNAL,
        )
        self.lead_seconds = self._histogram(
            "akeso_forecast_lead_seconds",
            "How far ahead the forecast failure was (the median of its forecast) when the first"
            " attempt began.",
            HEALING_BUCKETS,
            signal=SIGNAL,
        )

        self.matured = self._counter(
            "akeso_forecast_matured_total",
            "Forecasts that claimed something and whose horizon has passed, one every twelfth of the"
            " horizon, by what became of them. Of workloads that a policy heals none is counted.",
            metric_class="class of metric ([all](../forecasting.md#classes-of-metrics))",
            outcome="`Reached` (the limit, in time), `NotReached`, `Censored` (nobody will know:"
            " restarted, acted upon, limit changed, samples missing) or `Missed` (a limit was"
            " reached that nothing had claimed)",
        )
        for outcome in ("Reached", "NotReached", "Censored", "Missed"):
            self.matured.labels("memory", outcome)

    def _of_messages(self) -> None:
        self.notifications = self._counter(
            "akeso_notifications_total",
            "Messages to the webhook.",
            result="`delivered`, `failed` (tried again) or `refused` (given up)",
        )
        for result in ("delivered", "failed", "refused"):
            self.notifications.labels(result)
        self.untold = self._gauge(
            "akeso_notifications_waiting", "Healings that the webhook is still to be told of."
        )

    def count(self, decision: Decision) -> None:
        self.decisions.labels(
            decision.what, decision.reason, decision.signal, decision.healer
        ).inc()
        if decision.what == "NeedsHuman":
            self.needs_human.inc()

    def expect(self, signal: str, healers: Iterable[str]) -> None:
        """What policies may lead to begins at 0: to Prometheus the first increase of a series that
        was not there is none."""
        for origin in Origin:
            self.opened.labels(origin.value, signal)
        self.lead_seconds.labels(signal)
        for outcome in Outcome:
            self.healing_seconds.labels(outcome.value, signal)
            for healer in ("", *healers):
                self.healings.labels(outcome.value, healer, signal)

    def hear(self, source: str, at: float) -> None:
        """The time of a source's newest sample; its age grows from then on."""
        if source not in self._heard:
            self.source_age.labels(source).set_function(partial(self._age, source))
        self._heard[source] = at

    def forget(self, source: str) -> None:
        """Nobody needs the source any more."""
        del self._heard[source]
        self.source_age.remove(source)

    def _age(self, source: str) -> float:
        return max(0.0, self.now() - self._heard[source])

    def answered(self, verb: str, code: str) -> None:
        """One request to the API server, and its status."""
        self.api_requests.labels(verb, code).inc()

    def _counter(self, name: str, told: str, **labels: str) -> Counter:
        self._describe(name, "counter", told, labels)
        return Counter(name, told, list(labels), registry=self.registry)

    def _gauge(self, name: str, told: str, **labels: str) -> Gauge:
        self._describe(name, "gauge", told, labels)
        return Gauge(name, told, list(labels), registry=self.registry)

    def _histogram(
        self, name: str, told: str, buckets: Sequence[float], **labels: str
    ) -> Histogram:
        self._describe(name, "histogram", told, labels)
        return Histogram(name, told, list(labels), registry=self.registry, buckets=buckets)

    def _describe(self, name: str, type: str, told: str, labels: Mapping[str, str]) -> None:
        self.described.append(Described(name, type, told, labels))
