"""Which series a report shows, and what it says where there are none."""

from __future__ import annotations

from datetime import timedelta

import pytest

from akeso.errors import PermanentError, TransientError
from akeso.report.measure import MOST_SERIES, NO_SOURCE, POINTS, span_of
from akeso.report.model import Role, Unit
from unit.cli.objects import NOW, policy
from unit.report.samples import (
    AFTER,
    MIB,
    OPENED,
    PODS,
    Prometheus,
    healed,
    leak,
    leaking,
    measured,
    row,
)

ERRORS = 'sum by (namespace, pod) (rate(failed{app="shop"}[1m]))'
ROLLOUT = (policy(signals=[{"name": "memory", "builtin": "RolloutFailing"}]),)
QUERY = {
    "name": "memory",
    "query": ERRORS,
    "threshold": {"operator": "Above", "value": "0.5"},
    "forSeconds": 30,
}


def test_only_series_of_the_workload_are_shown_and_each_is_known_for_what_it_is():
    [panel] = measured(healed(), Prometheus(leaking())).panels
    assert {s.label: s.role for s in panel.series} == {
        **dict.fromkeys(PODS, Role.CONCERNED),
        **dict.fromkeys(AFTER, Role.SUCCESSOR),
    }
    assert (panel.unit, panel.threshold) == (Unit.BYTES, 128 * MIB)


def test_another_workload_is_shown_beside_it_only_where_it_is_asked_for():
    twin = row("twin-6f7c9d4b8-x2k4z", -600, 300, lambda _: 80 * MIB)
    source = Prometheus([*leaking(), twin])
    [panel] = measured(healed(), source, compared={"twin": "its twin"}).panels
    [beside] = [s for s in panel.series if s.role is Role.COMPARED]
    assert (beside.label, beside.remark) == ("twin-6f7c9d4b8-x2k4z", "its twin")


def test_names_are_data_in_the_query():
    source = Prometheus(leaking())
    measured(healed(), source)
    assert 'namespace="shop"' in source.asked[0]
    assert 'pod=~"web-[' in source.asked[0]


def test_without_a_source_it_says_so_and_shows_what_the_healing_records():
    found = measured(healed(), None)
    assert found.notes == (NO_SOURCE,)
    [panel] = found.panels
    assert panel.series == ()
    assert panel.seen == (OPENED.timestamp() - 2, 96 * MIB)
    assert panel.outlook is not None
    assert panel.outlook.middle == OPENED.timestamp() + 298


@pytest.mark.parametrize(
    "error",
    [
        TransientError("Prometheus cannot be reached: refused"),
        PermanentError("Prometheus refuses the query"),
    ],
)
def test_a_source_that_fails_is_a_note_and_no_error(error: PermanentError):
    found = measured(healed(), Prometheus(error=error))
    assert len(found.panels) == 1 and found.panels[0].series == ()
    assert found.notes == (f"Memory working set of web is not shown: {error}",)


def test_a_source_that_has_forgotten_is_a_note_with_what_was_asked():
    found = measured(healed(), Prometheus())
    [note] = found.notes
    assert "Prometheus has nothing for that time" in note
    assert "storage.tsdb.retention.time" in note
    assert found.panels[0].query in note
    assert found.panels[0].seen is not None


def test_a_policy_that_is_gone_leaves_what_can_be_known_without_it():
    assert len(measured(healed(), Prometheus(leaking()), ()).panels[0].series) == 4
    query = leak({"timeToThresholdSeconds": None})
    query = query.model_copy(update={"spec": query.spec.model_copy(update={"origin": "Threshold"})})
    found = measured(query, Prometheus(leaking()), ())
    assert "has no signal memory with a query any more" in found.notes[0]
    assert found.panels[0].series == ()


def test_a_query_signal_shows_its_own_query_with_its_threshold():
    source = Prometheus(leaking())
    [panel] = measured(leak(), source, (policy(signals=[QUERY]),)).panels
    assert source.asked == [ERRORS]
    assert (panel.query, panel.threshold) == (ERRORS, 0.5)
    assert {s.label for s in panel.series} == {*PODS, *AFTER}


def test_cpu_is_shown_as_the_signal_sees_it_of_all_pods_together():
    cpu = policy(signals=[{"name": "memory", "builtin": "CPUSaturation"}])
    source = Prometheus([row("", -60, 60, lambda _: 2.5, container="")])
    [panel] = measured(leak(), source, [cpu]).panels
    assert source.asked[0].startswith("sum by (namespace) (rate(container_cpu_usage_seconds_total{")
    assert panel.title == "CPU use of all pods of web, in cores"
    assert [s.role for s in panel.series] == [Role.CONCERNED]


@pytest.mark.parametrize(
    ("message", "metric"), [("full", "available_bytes"), ("out of inodes", "inodes_free")]
)
def test_of_volumes_the_one_is_shown_that_the_evidence_names(message: str, metric: str):
    volumes = policy(signals=[{"name": "memory", "builtin": "VolumeFilling"}])
    rows = [
        row("", -60, 60, lambda _: 91.0, container="", persistentvolumeclaim=claim)
        for claim in ("data", "data-2")
    ]
    found = leak()
    said = {"message": f"volume data is 91.0 % {message}, above 90 % for 60 s"}
    spec = found.spec.model_copy(update={"evidence": found.spec.evidence.model_copy(update=said)})
    source = Prometheus(rows)
    [panel] = measured(found.model_copy(update={"spec": spec}), source, [volumes]).panels
    assert metric in source.asked[0]
    assert [s.role for s in panel.series] == [Role.CONCERNED]


@pytest.mark.parametrize("known", [True, False])
def test_an_alert_has_no_series_and_its_report_says_where_to_look(known: bool):
    by_alert = {"name": "memory", "alert": {"matchLabels": {"alertname": "Slow"}}}
    healing = leak(
        {"message": "alert Slow fires since 12:00", "timeToThresholdSeconds": None},
    )
    spec = healing.spec.model_copy(update={"origin": "Event"})
    healing = healing.model_copy(update={"spec": spec})
    source = Prometheus(leaking())
    found = measured(healing, source, (policy(signals=[by_alert]),) if known else ())
    assert source.asked == [] and found.panels[0].series == ()
    assert "signal memory is an alert of Alertmanager" in found.notes[0]


def test_a_rollout_shows_errors_and_ready_pods_where_somebody_counts_them():
    ready = [row("", -600, 600, lambda _: 3, container="", deployment="web")]
    found = measured(healed(), Prometheus(ready), ROLLOUT)
    assert [p.title for p in found.panels] == [
        "Share of failed requests per pod of web",
        "Ready pods of web",
    ]
    assert found.panels[1].unit is Unit.COUNT
    without = measured(healed(), Prometheus(leaking()), ROLLOUT)
    assert without.panels[0].series


def test_a_limit_that_changed_is_drawn_and_a_constant_one_is_the_threshold():
    constant = [row(PODS[0], -600, 20, lambda _: 128 * MIB)]
    raised = [row(PODS[0], -600, 20, lambda t: (128 if t < 0 else 192) * MIB)]
    assert measured(healed(), Prometheus(leaking(), constant)).panels[0].limits == ()
    [limit] = measured(healed(), Prometheus(leaking(), raised)).panels[0].limits
    assert {v for _, v in limit.points} == {128 * MIB, 192 * MIB}


def test_of_many_series_those_concerned_are_kept_and_the_rest_is_counted():
    others = [
        row(f"web-6f7c9d4b8-b{a}{b}cd", -600, 600, lambda _: MIB) for a in "bcdf" for b in "ghjk"
    ]
    other = [*others, *leaking()]
    [panel] = measured(healed(), Prometheus(other)).panels
    assert len(panel.series) == MOST_SERIES
    assert panel.left_out == 4 + 16 - MOST_SERIES
    assert [s.label for s in panel.series[:2]] == sorted(PODS)


def test_the_time_shown_has_the_way_there_and_a_while_after():
    span = span_of(healed(), NOW, 5)
    assert span.start <= OPENED.timestamp() - 600
    assert OPENED.timestamp() + 560 < span.end <= NOW.timestamp()
    assert (span.end - span.start) / span.step <= POINTS


def test_an_old_healing_is_shown_as_it_was_and_one_open_for_weeks_until_now():
    later = NOW + timedelta(days=40)
    assert span_of(healed(), later, 5).end < NOW.timestamp() + 600
    weeks = span_of(leak(), later, 5)
    assert weeks.end == later.timestamp()
    assert (weeks.end - weeks.start) / weeks.step <= POINTS
