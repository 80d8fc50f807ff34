from __future__ import annotations

import math

import pytest

from akeso.api.policy import (
    Builtin,
    Comparison,
    Forecast,
    HealingPolicySpec,
    LabelSelector,
    Rung,
    Signal,
    Target,
    Threshold,
)
from akeso.domain.workload import Kind


def selector(*, labels=None, key="tier", operator=None, values=()) -> LabelSelector:
    expressions = [{"key": key, "operator": operator, "values": values}] if operator else []
    return LabelSelector.model_validate(
        {"matchLabels": labels or {}, "matchExpressions": expressions}
    )


def test_an_empty_selector_selects_everything():
    assert selector().matches({})
    assert selector().matches({"tier": "web"})


@pytest.mark.parametrize(
    ("operator", "values", "web", "other", "absent"),
    [
        ("In", ["web", "api"], True, False, False),
        ("NotIn", ["web", "api"], False, True, True),
        ("Exists", [], True, True, False),
        ("DoesNotExist", [], False, False, True),
    ],
)
def test_expressions_mean_what_they_mean_everywhere_in_kubernetes(
    operator, values, web, other, absent
):
    found = selector(operator=operator, values=values)
    assert found.matches({"tier": "web"}) is web
    assert found.matches({"tier": "db"}) is other
    assert found.matches({"other": "web"}) is absent


def test_all_requirements_must_hold():
    found = selector(labels={"app": "cart"}, operator="Exists")
    assert found.matches({"app": "cart", "tier": ""})
    assert not found.matches({"app": "cart"})
    assert not found.matches({"tier": ""})


def test_a_target_selects_only_its_kinds():
    target = Target(name="sets", kinds=(Kind.STATEFUL_SET,), selector=selector())
    assert target.selects(Kind.STATEFUL_SET, {})
    assert not target.selects(Kind.DEPLOYMENT, {})


def test_a_policy_selects_what_any_of_its_targets_selects():
    spec = HealingPolicySpec(
        targets=(
            Target(name="web", selector=selector(labels={"tier": "web"})),
            Target(name="sets", kinds=(Kind.STATEFUL_SET,), selector=selector()),
        ),
        signals=(Signal(name="m", builtin=Builtin.MEMORY_EXHAUSTION),),
    )
    assert spec.selects(Kind.DEPLOYMENT, {"tier": "web"})
    assert spec.selects(Kind.STATEFUL_SET, {})
    assert not spec.selects(Kind.DEPLOYMENT, {})


@pytest.mark.parametrize(
    ("signal", "healers"),
    [
        (Signal(name="m", builtin=Builtin.MEMORY_EXHAUSTION), ["RestartPods"]),
        (Signal(name="r", builtin=Builtin.ROLLOUT_FAILING), ["Rollback"]),
        (Signal(name="q", query="up"), []),
        (Signal(name="m", builtin=Builtin.MEMORY_EXHAUSTION, ladder=()), []),
        (Signal(name="q", query="up", ladder=(Rung(healer="Rollback"),)), ["Rollback"]),
    ],
)
def test_a_ladder_left_out_is_the_default_one_and_an_empty_one_tries_nothing(signal, healers):
    assert [rung.healer for rung in signal.rungs] == healers


def test_only_memory_is_forecast_and_with_defaults_when_nothing_is_said():
    assert Signal(name="m", builtin=Builtin.MEMORY_EXHAUSTION).foresight == Forecast()
    own = Forecast(horizon_seconds=60)
    assert Signal(name="m", builtin=Builtin.MEMORY_EXHAUSTION, forecast=own).foresight == own
    assert Signal(name="r", builtin=Builtin.ROLLOUT_FAILING).foresight is None
    assert Signal(name="q", query="up").foresight is None


@pytest.mark.parametrize(
    ("operator", "below", "above"),
    [(Comparison.ABOVE, False, True), (Comparison.BELOW, True, False)],
)
def test_a_threshold_is_crossed_on_its_wrong_side_only(operator, below, above):
    threshold = Threshold(operator=operator, value=0.05)
    assert threshold.crossed_by(0.04) is below
    assert threshold.crossed_by(0.06) is above
    assert not threshold.crossed_by(0.05)
    assert not threshold.crossed_by(math.nan)
