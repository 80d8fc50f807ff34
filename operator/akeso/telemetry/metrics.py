"""Akeso's own metrics, by name. Stable: dashboards stand on them."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from akeso.domain.finding import Decision


class Metrics:
    """All series Akeso exports; one instance per process."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.registry = registry
        self.decisions = Counter(
            "akeso_decisions_total",
            "Decisions by what was decided and why.",
            ["decision", "reason", "signal", "healer"],
            registry=registry,
        )
        self.cycle_seconds = Histogram(
            "akeso_cycle_duration_seconds",
            "How long one cycle of the loop took.",
            buckets=(0.01, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30),
            registry=registry,
        )
        self.last_cycle = Gauge(
            "akeso_last_cycle_timestamp_seconds", "When the last cycle ended.", registry=registry
        )
        self.targets = Gauge("akeso_targets", "Workloads that policies select.", registry=registry)
        self.at_risk = Gauge(
            "akeso_findings", "Problems found or forecast now.", ["signal"], registry=registry
        )
        self.open = Gauge("akeso_healings_open", "Healings not finished yet.", registry=registry)
        self.source_age = Gauge(
            "akeso_metrics_source_age_seconds",
            "Age of the newest sample of the metrics source.",
            registry=registry,
        )
        self.cycle_errors = Counter(
            "akeso_cycle_errors_total",
            "Parts of a cycle that failed, by where.",
            ["part"],
            registry=registry,
        )
        self.notifications = Counter(
            "akeso_notifications_total",
            "Messages to the webhook by how it went.",
            ["result"],
            registry=registry,
        )
        self.untold = Gauge(
            "akeso_notifications_waiting",
            "Healings that the webhook is still to be told of.",
            registry=registry,
        )
        self.leader = Gauge("akeso_leader", "1 while this process leads.", registry=registry)

    def count(self, decision: Decision) -> None:
        self.decisions.labels(
            decision.what, decision.reason, decision.signal, decision.healer
        ).inc()
