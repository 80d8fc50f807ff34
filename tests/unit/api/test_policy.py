from __future__ import annotations

import math

import pytest

from akeso.api.policy import (
    FULL,
    SATURATED,
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
        (Signal(name="c", builtin=Builtin.CPU_SATURATION), []),
        (Signal(name="l", builtin=Builtin.CRASH_LOOPING), []),
        (Signal(name="v", builtin=Builtin.VOLUME_FILLING), []),
        (Signal(name="q", query="up"), []),
        (Signal(name="m", builtin=Builtin.MEMORY_EXHAUSTION, ladder=()), []),
        (Signal(name="q", query="up", ladder=(Rung(healer="Rollback"),)), ["Rollback"]),
    ],
)
def test_a_ladder_left_out_is_the_default_one_and_an_empty_one_tries_nothing(signal, healers):
    assert [rung.healer for rung in signal.rungs] == healers


@pytest.mark.parametrize("builtin", [Builtin.MEMORY_EXHAUSTION, Builtin.CPU_SATURATION])
def test_memory_and_cpu_are_forecast_and_with_defaults_when_nothing_is_said(builtin):
    assert Signal(name="m", builtin=builtin).foresight == Forecast()
    own = Forecast(horizon_seconds=60)
    assert Signal(name="m", builtin=builtin, forecast=own).foresight == own


def test_volumes_are_looked_at_for_as_long_ahead_as_a_person_needs():
    own = Forecast(horizon_seconds=60)
    assert Signal(name="v", builtin=Builtin.VOLUME_FILLING).foresight == Forecast(
        horizon_seconds=14_400
    )
    assert Signal(name="v", builtin=Builtin.VOLUME_FILLING, forecast=own).foresight == own


def test_a_query_is_forecast_when_its_policy_says_so_and_a_failing_rollout_never():
    own = Forecast(horizon_seconds=60)
    assert Signal(name="q", query="up").foresight is None
    assert Signal(name="q", query="up", forecast=own).foresight == own
    assert Signal(name="r", builtin=Builtin.ROLLOUT_FAILING).foresight is None


def test_cpu_and_volumes_have_a_threshold_of_their_own_where_none_is_set():
    own = Threshold(value=50.0)
    assert Signal(name="c", builtin=Builtin.CPU_SATURATION).bound == SATURATED
    assert Signal(name="c", builtin=Builtin.CPU_SATURATION, threshold=own).bound == own
    assert Signal(name="v", builtin=Builtin.VOLUME_FILLING).bound == FULL
    assert Signal(name="v", builtin=Builtin.VOLUME_FILLING, threshold=own).bound == own
    assert Signal(name="q", query="up", threshold=own).bound == own
    assert Signal(name="m", builtin=Builtin.MEMORY_EXHAUSTION).bound is None


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
