"""Every metric is described, and what is described exists."""

from __future__ import annotations

import math
import sys

import pytest
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.parser import text_string_to_metric_families

from akeso.domain.finding import Decision
from akeso.domain.workload import Kind, WorkloadRef
from akeso.telemetry.metrics import PROCESS, Metrics

LABELS_OF_ONE_OBJECT = {"namespace", "name", "pod", "container", "workload", "policy", "healing"}


@pytest.fixture
def metrics() -> Metrics:
    return Metrics(CollectorRegistry())


def test_every_metric_that_is_exported_is_described_with_its_type_and_labels(
    metrics: Metrics,
) -> None:
    described = {m.name: m for m in metrics.described}
    found = {}
    for family in metrics.registry.collect():
        name = family.name + ("_total" if family.type == "counter" else "")
        found[name] = family
    assert set(found) - set(PROCESS) == set(described)
    for name, told in described.items():
        assert found[name].type == told.type and found[name].documentation == told.told
    assert len(described) == len(metrics.described), "one name, one metric"


def test_names_follow_the_conventions_of_prometheus(metrics: Metrics) -> None:
    """https://prometheus.io/docs/practices/naming/"""
    for told in metrics.described:
        assert told.name.startswith("akeso_")
        assert told.name.endswith("_total") == (told.type == "counter"), told.name
        assert told.type != "histogram" or told.name.endswith("_seconds"), told.name


def test_no_label_names_one_object_so_series_do_not_grow_with_the_cluster(
    metrics: Metrics,
) -> None:
    for told in metrics.described:
        assert not LABELS_OF_ONE_OBJECT & set(told.labels), told.name
        assert all(told.labels.values()), f"{told.name}: a label without a meaning"


@pytest.mark.skipif(sys.platform != "linux", reason="the process's own metrics are read from /proc")
def test_memory_and_cpu_of_the_process_are_exported(metrics: Metrics) -> None:
    text = generate_latest(metrics.registry).decode()
    found = {s.name for f in text_string_to_metric_families(text) for s in f.samples}
    assert set(PROCESS) <= found
    resident = metrics.registry.get_sample_value("process_resident_memory_bytes")
    assert resident is not None and resident > 1e6


def test_counters_that_alerts_wait_for_begin_at_zero(metrics: Metrics) -> None:
    """The first increase of a series that was not there is none to Prometheus."""
    value = metrics.registry.get_sample_value
    assert value("akeso_needs_human_total") == 0
    for part in ("open", "advance", "restore", "notify"):
        assert value("akeso_cycle_errors_total", {"part": part}) == 0
    for result in ("delivered", "failed", "refused"):
        assert value("akeso_notifications_total", {"result": result}) == 0


def test_a_standby_that_has_done_nothing_yet_alarms_nobody(metrics: Metrics) -> None:
    text = generate_latest(metrics.registry).decode()
    values = {
        s.name: s.value
        for f in text_string_to_metric_families(text)
        for s in f.samples
        if s.name.startswith("akeso_") and "created" not in s.name
    }
    assert all(value == 0 for value in values.values() if not math.isnan(value)), values
    assert "akeso_watch_age_seconds" not in values


def test_a_decision_is_counted_by_what_and_why_and_asking_a_person_once_more(
    metrics: Metrics,
) -> None:
    ref = WorkloadRef(Kind.DEPLOYMENT, "shop", "web", "uid")
    for what in ("Opened", "NeedsHuman"):
        told = Decision(what, "Recurring", "said", 0.0, ref, "memory", "shop/h", "u", "RestartPods")
        metrics.count(told)
    labels = {"reason": "Recurring", "signal": "memory", "healer": "RestartPods"}
    value = metrics.registry.get_sample_value
    assert value("akeso_decisions_total", {"decision": "NeedsHuman", **labels}) == 1
    assert value("akeso_needs_human_total") == 1
