"""People's word: switches, labels, pauses and modes."""

from __future__ import annotations

import pytest

from akeso.domain.workload import Ask
from akeso.policy.case import Control
from akeso.policy.consent import (
    conflict,
    control_known,
    enabled,
    kill_switch,
    mode,
    opt_out,
    pause,
    proposal,
    protected_namespace,
)
from unit.policy.cases import FOR_GOOD, case, denied
from unit.world import NOW, deployment


def test_no_healing_control_means_no_write() -> None:
    verdict = control_known(case(control=Control(known=False)))
    assert denied(verdict, "ControlUnknown", "namespace akeso", "kubectl get hctl")
    assert control_known(case()).allowed


@pytest.mark.parametrize("reason", ["exam week", ""])
def test_a_paused_control_stops_everything_with_or_without_a_reason(reason: str) -> None:
    assert denied(kill_switch(case(control=Control(paused=reason))), "KillSwitch", "spec.paused")


def test_a_pause_with_an_end_says_when_and_lasts_until_then() -> None:
    verdict = kill_switch(case(control=Control(paused="exam week", until=NOW + 60)))
    assert denied(verdict, "KillSwitch", "exam week", "until 2027-01-15 08:01:00 UTC")
    assert verdict.retry_after == 60


@pytest.mark.parametrize("until", [NOW, NOW - 1])
def test_a_pause_whose_end_has_come_is_over(until: float) -> None:
    verdict = kill_switch(case(control=Control(paused="exam week", until=until)))
    assert verdict.allowed and "ended at" in verdict.sentence


def test_a_pause_with_an_end_nobody_understands_holds() -> None:
    verdict = kill_switch(case(control=Control(paused="exam week", until=float("nan"))))
    assert denied(verdict, "KillSwitch", "unknown time")


@pytest.mark.parametrize("namespace", ["kube-system", "kube-public", "kube-node-lease", "payments"])
def test_protected_namespaces_are_never_healed(namespace: str) -> None:
    control = Control(protected=Control().protected | {"payments"})
    verdict = protected_namespace(case(deployment(namespace=namespace), control=control))
    assert denied(verdict, "ProtectedNamespace", namespace, "protectedNamespaces")


def test_akeso_never_heals_itself() -> None:
    seen = deployment(namespace="tools")
    verdict = protected_namespace(case(seen, control=Control(own_namespace="tools")))
    assert denied(verdict, "ProtectedNamespace", "Deployment tools/web", "never heals itself")
    assert protected_namespace(case(seen)).allowed


def test_a_healer_that_is_not_enabled_says_what_it_would_do_and_where_it_is_enabled() -> None:
    assert enabled(case()).allowed
    verdict = enabled(case(enabled=False))
    assert denied(verdict, "HealerNotEnabled", "RestartPods is not enabled", "settings.healers")
    would = case().plan
    assert would is not None and f"it would {would.summary}." in verdict.sentence


@pytest.mark.parametrize("labels", [{}, {"akeso.dev/heal": ""}, {"akeso.dev/heal": "true"}])
def test_without_an_opt_out_the_policy_decides(labels: dict[str, str]) -> None:
    assert opt_out(case(deployment(labels=labels))).allowed


@pytest.mark.parametrize("value", ["false", "False", "no", "TRUE", "treu"])
def test_an_opt_out_label_stops_and_so_does_one_nobody_understands(value: str) -> None:
    verdict = opt_out(case(deployment(labels={"akeso.dev/heal": value})))
    assert denied(verdict, "OptedOut", "Deployment shop/web", f'"{value}"', "remove the label")


def test_any_pause_reason_pauses_the_policy_and_is_told() -> None:
    assert denied(
        pause(case(pause_reasons=("a sale", "an audit"))), "PolicyPaused", "a sale; an audit"
    )
    assert pause(case()).allowed


def test_a_conflict_only_informs_because_the_stricter_mode_holds_already() -> None:
    verdict = conflict(case(conflict=("a", "b"), mode="Observe"))
    assert verdict.allowed and "a, b" in verdict.sentence and "Observe" in verdict.sentence
    assert conflict(case()).allowed


def test_observe_denies_and_says_what_would_be_done() -> None:
    assert denied(mode(case(mode="Observe")), "ModeObserve", "would do: evict pod web-0")
    assert denied(mode(case(mode="Observe", plan=None)), "ModeObserve", "nothing is planned")
    assert mode(case()).allowed


def test_a_mode_this_version_does_not_know_is_not_heal() -> None:
    assert denied(mode(case(mode="Suggest")), "ModeNotHeal", "Suggest")


def test_what_is_only_proposed_says_what_it_would_do_and_how_to_have_it_done() -> None:
    verdict = proposal(case(proposed=True))
    assert denied(verdict, "Proposed", "RestartPods", "would evict pod web-0")
    wish = 'akeso heal deployment/web -n shop --healer RestartPods --reason "..."'
    assert verdict.sentence.endswith(wish) and verdict.retry_after is None


def test_a_proposal_without_a_plan_is_none_the_less_not_done() -> None:
    assert denied(proposal(case(proposed=True, plan=None)), "Proposed", "nothing is planned")


def test_a_person_who_asks_for_the_very_healer_gets_it() -> None:
    verdict = proposal(case(proposed=True, requested=True))
    assert verdict.allowed and "A person asked for RestartPods" in verdict.sentence
    assert proposal(case()).allowed


@pytest.mark.parametrize(
    ("request_", "also"), [(64.0, ""), (128.0, " --requests=memory=192Mi")], ids=["less", "equal"]
)
def test_limits_in_the_template_come_with_the_command_for_the_manifest(
    request_: float, also: str
) -> None:
    seen = deployment(asks=(Ask("app", 0.1, request_ * 2**20, None, 128.0 * 2**20),))
    said = proposal(case(seen, *FOR_GOOD, proposed=True)).sentence
    line = f"kubectl set resources deployment/web -n shop -c app --limits=memory=192Mi{also}"
    assert said.endswith(line)
