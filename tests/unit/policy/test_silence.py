"""What people said to Alertmanager: heard for every signal, under every name of the problem."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from akeso.domain.action import EvictPod, ReleaseOwnership, Resize, SetTemplate
from akeso.domain.alert import Matcher, Operator, Silence
from akeso.domain.finding import Signal
from akeso.policy.case import Case, Silences
from akeso.policy.chain import judge
from akeso.policy.silence import identities, silence
from unit.policy.cases import case, cases, denied, silences, steady
from unit.world import NOW, daemon_set, deployment, finding, pod, stateful_set


def silenced(labels: Mapping[str, str], until: float = NOW + 600, id: str = "s-1") -> Silence:
    """On alerts with these labels, by ana."""
    matchers = tuple(Matcher(name, Operator.EQUAL, value) for name, value in labels.items())
    return Silence(id, matchers, until, "ana", "we are at it")


def under(*active: Silence, **fields: Any) -> Case:
    return case(silences=Silences(active), **fields)


@pytest.mark.parametrize(
    "labels",
    [
        {"namespace": "shop"},
        {"deployment": "web"},
        {"workload": "web"},
        {"namespace": "shop", "deployment": "web", "alertname": "memory"},  # the signal
        {"alertname": "MemoryExhaustion"},  # what it is about
        {"pod": "web-0"},  # one of the finding's
        {"namespace": "shop", "severity": ""},  # a label nobody set
    ],
)
def test_a_silence_that_matches_the_target_denies_and_says_whose_it_is(
    labels: dict[str, str],
) -> None:
    verdict = silence(under(silenced(labels)))
    words = ("ana", "we are at it", "until 2027-01-15 08:10:00 UTC", "expire silence s-1")
    assert denied(verdict, "Silenced", "Deployment shop/web", *words)
    assert verdict.retry_after == 600


@pytest.mark.parametrize(
    "labels",
    [
        {"namespace": "other"},
        {"deployment": "api"},
        {"statefulset": "web"},
        {"namespace": "shop", "severity": "warning"},  # meant for one alert, which this is not
        {"alertname": "Rollout"},
        {"pod": "web-2"},  # neither named by the finding nor touched by the plan
        {"pod": "web-0", "alertname": "other"},
    ],
)
def test_a_silence_on_something_else_denies_nothing(labels: dict[str, str]) -> None:
    verdict = silence(under(silenced(labels)))
    assert verdict.allowed and "None of 1 active silence" in verdict.sentence


@pytest.mark.parametrize(
    ("seen", "label"), [(stateful_set(3), "statefulset"), (daemon_set(3), "daemonset")]
)
def test_each_kind_has_its_own_label(seen: Any, label: str) -> None:
    assert not silence(case(seen, silences=Silences((silenced({label: "web"}),)))).allowed


def test_a_pod_that_the_plan_touches_counts_though_the_finding_does_not_name_it() -> None:
    seen = deployment(3)
    known = Silences((silenced({"pod": "web-2"}),))
    assert silence(case(seen, EvictPod(pod("web-1").ref, 1), silences=known)).allowed
    assert not silence(case(seen, EvictPod(pod("web-2").ref, 1), silences=known)).allowed
    assert not silence(case(seen, Resize(pod("web-2").ref, "app", 1, 2), silences=known)).allowed
    rollback = (SetTemplate("v2", "v1"), ReleaseOwnership("akeso"))
    assert not silence(case(seen, *rollback, silences=known)).allowed


def test_the_labels_of_the_alert_itself_count_alone_and_with_the_targets() -> None:
    seen = deployment(3)
    alert = {"alertname": "Slow", "severity": "page", "pod": "web-1"}
    found = finding(seen, about=Signal.ALERT, alerts=(alert,))
    for labels in ({"severity": "page"}, {"severity": "page", "workload": "web"}):
        assert not silence(under(silenced(labels), finding=found)).allowed
    # Its name is the alert's own; the signal's is nobody's business.
    assert silence(under(silenced({"alertname": "memory"}), finding=found)).allowed


def test_of_several_the_silence_that_ends_last_is_named() -> None:
    first, last = (
        silenced({"namespace": "shop"}),
        silenced({"pod": "web-0"}, until=NOW + 9_000, id="s-2"),
    )
    other = silenced({"namespace": "other"}, until=NOW + 99_000, id="s-3")
    verdict = silence(under(first, last, other))
    assert denied(verdict, "Silenced", "silence s-2")
    assert verdict.retry_after == 9_000


def test_a_matcher_that_can_not_be_judged_counts_as_matching_and_is_named() -> None:
    odd = Matcher("pod", Operator.MATCHES, "(a+)+")
    found = Silence("s-1", (Matcher("namespace", Operator.EQUAL, "shop"), odd), NOW + 60)
    assert denied(silence(under(found)), "Silenced", 'pod=~"(a+)+" can\'t be judged', "somebody")
    rude = Matcher("pod", Operator.MATCHES, "\x1b[2J\n(a+)+" + "x" * 900)
    verdict = silence(under(replace(found, matchers=(rude,))))
    assert verdict.sentence.isprintable() and len(verdict.sentence) < 500
    elsewhere = replace(found, matchers=(Matcher("namespace", Operator.EQUAL, "x"), odd))
    assert silence(under(elsewhere)).allowed


def test_an_alertmanager_that_does_not_answer_is_no_consent() -> None:
    unknown = Silences(error="Alertmanager gave no answer within 10 s.")
    verdict = silence(case(silences=unknown))
    assert denied(
        verdict, "SilencesUnknown", "no answer within 10 s; nothing", "AKESO_ALERTMANAGER_URL"
    )
    assert verdict.retry_after is not None


def test_without_an_alertmanager_nothing_is_silenced() -> None:
    verdict = silence(case())
    assert verdict.allowed and "No Alertmanager is set" in verdict.sentence


def test_an_alert_that_alertmanager_suppresses_for_its_own_reasons_is_left_alone() -> None:
    found = finding(deployment(3), about=Signal.ALERT, suppressed=True)
    assert denied(silence(case(finding=found)), "Suppressed", "silences or inhibits")


@steady
@given(cases())
def test_a_silence_on_everything_stops_every_write_but_a_restoring_one(any_case: Case) -> None:
    spoilt = replace(any_case, silences=Silences((silenced({"zone": ""}),)))
    verdict = next(v for v in judge(spoilt) if v.guard == "silence")
    assert verdict.allowed is spoilt.restoring


@steady
@given(cases(), st.lists(silences, max_size=3))
def test_more_silences_never_turn_a_denial_into_an_allowance(
    any_case: Case, more: list[Silence]
) -> None:
    known = any_case.silences
    quieter = replace(known, active=(*known.active, *more))
    before, after = silence(any_case), silence(replace(any_case, silences=quieter))
    assert before.allowed or not after.allowed


@steady
@given(cases())
def test_not_to_know_is_never_better_than_to_know(any_case: Case) -> None:
    blind = replace(any_case, silences=replace(any_case.silences, error="it is down"))
    assert silence(blind).reason == "SilencesUnknown"


@steady
@given(cases(), silences)
def test_it_denies_exactly_when_a_silence_covers_an_identity(any_case: Case, one: Silence) -> None:
    asked = replace(
        any_case,
        silences=Silences((one,)),
        finding=replace(any_case.finding, suppressed=False),
    )
    covered = any(one.covers(labels) for labels in identities(asked))
    assert silence(asked).allowed is not covered


@steady
@given(cases())
def test_every_identity_but_an_alerts_own_names_namespace_workload_and_problem(
    any_case: Case,
) -> None:
    ref = any_case.seen.ref
    own = any_case.finding.alerts
    found = list(identities(any_case))
    assert found[: len(own)] == list(own)
    assert len(found) > len(own)
    for labels in found[len(own) :]:
        assert labels["namespace"] == ref.namespace and labels["workload"] == ref.name
        assert labels[ref.kind.value.lower()] == ref.name
        assert own or labels["alertname"]
