"""Builtins that are one query of ours: from what is measured to what a person reads."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest

from akeso.api.conditions import get_condition
from akeso.api.policy import STANDARD, Builtin, Signal
from akeso.domain.finding import Origin, Outcome
from akeso.domain.workload import Autoscaler
from akeso.engine.observe import query_key
from akeso.errors import TransientError
from akeso.protocols import Reading
from akeso.settings import Settings
from akeso_predictors.classes import CLASSES, class_of
from unit.engine.sim import NOW, World
from unit.engine.sim_workload import SimWorkload


@dataclass(frozen=True)
class Case:
    builtin: Builtin
    bad: float
    fine: float
    said: str  # of a threshold that is crossed


CASES = {
    case.builtin: case
    for case in (
        Case(
            Builtin.CPU_THROTTLING, 40.0, 5.0,
            "pod {pod} is throttled in 40.0 % of its CPU periods, above 25 % for 15 min",
        ),
        Case(
            Builtin.DESCRIPTOR_EXHAUSTION, 93.0, 20.0,
            "pod {pod} uses 93.0 % of its file descriptors, above 90 % for",
        ),
        Case(
            Builtin.ERROR_RATIO, 0.2, 0.01,
            "pod {pod} answers 0.2 of its requests with errors, above 0.05 for 5 min",
        ),
        Case(
            Builtin.AUTOSCALER_CEILING, 100.0, 50.0,
            "its HorizontalPodAutoscaler wants 100 % of its maxReplicas, above 99 % for 15 min",
        ),
    )
}  # fmt: skip


def asked(builtin: Builtin) -> str:
    key = query_key(Signal(name="s", builtin=builtin), Settings())
    assert key is not None
    return key[0]


def scene(
    builtin: Builtin, value: Callable[[float], float], **signal: Any
) -> tuple[World, SimWorkload]:
    """A workload of two pods, the first of which has this value by seconds from now."""
    world = World()
    world.policy({"name": "s", "builtin": builtin.value, **signal})
    w = world.cluster.add(replicas=2)
    if builtin is Builtin.AUTOSCALER_CEILING:
        most = round(200 / value(0))
        w.autoscaler = Autoscaler("web", "uid-hpa", "1", min_replicas=1, max_replicas=most)
        w.asked_for = 2
    else:
        world.source.answers[asked(builtin)] = lambda now: told(w, value(now - NOW), now)
    return world, w


def told(w: SimWorkload, value: float, now: float) -> list[Reading]:
    pods = [
        (w.ref.namespace, p.ref.name, value if i == 0 else 0.0) for i, p in enumerate(w.present)
    ]
    stray = [("bank", w.present[0].ref.name, 1_000.0)] if w.present else []
    return [
        Reading({"namespace": namespace, "pod": pod}, now, v) for namespace, pod, v in pods + stray
    ]


def test_every_such_builtin_has_a_case_a_bound_and_a_class() -> None:
    assert CASES.keys() == STANDARD.keys()
    for builtin, standard in STANDARD.items():
        signal = Signal(name="s", builtin=builtin)
        assert signal.bound is not None
        assert standard.metric_class in CLASSES
        foresight = signal.foresight
        if foresight is not None:
            assert foresight.horizon_seconds == class_of(standard.metric_class).horizon


@pytest.mark.parametrize("builtin", CASES)
async def test_what_is_above_its_bound_is_told_to_a_person_and_clears(builtin: Builtin) -> None:
    case = CASES[builtin]
    world, w = scene(builtin, lambda t: case.bad if t >= 0 else case.fine)
    await world.until(world.opened(), within=2_400)
    [healing] = world.healings()
    assert healing.spec.origin is Origin.THRESHOLD
    pod = w.present[0].ref.name
    assert healing.spec.evidence.message.startswith(case.said.format(pod=pod))
    await world.run(60)
    assert world.condition("NeedsHuman") == "NoLadder"
    assert world.journal.of_users() == []
    if builtin is Builtin.AUTOSCALER_CEILING:
        assert w.autoscaler is not None
        w.autoscaler = Autoscaler("web", "uid-hpa", "2", min_replicas=1, max_replicas=8)
    else:
        world.source.answers[asked(builtin)] = lambda now: told(w, case.fine, now)
    await world.until(world.completed(), within=600)
    assert world.outcomes() == [Outcome.CLEARED]


@pytest.mark.parametrize("builtin", CASES)
async def test_what_is_fine_is_no_finding(builtin: Builtin) -> None:
    world, _ = scene(builtin, lambda t: CASES[builtin].fine)
    await world.run(1_200)
    assert world.healings() == []
    assert signals_ready(world) == "Working"


async def test_descriptors_that_leak_are_foreseen() -> None:
    world, w = scene(Builtin.DESCRIPTOR_EXHAUSTION, lambda t: 20 + t / 40)  # 90 % after 2,800 s
    await world.until(world.opened(), within=2_800)
    [healing] = world.healings()
    assert healing.spec.origin is Origin.FORECAST
    assert 2_800 - (healing.spec.evidence.sampled_at.timestamp() - NOW) >= 600
    said = healing.spec.evidence.message
    assert said.startswith(f"pod {w.present[0].ref.name} uses ")
    assert " % of its file descriptors and reaches 90 % in about " in said


async def test_a_ceiling_that_is_raised_is_a_limit_that_is_raised_and_no_fall() -> None:
    world, w = scene(Builtin.AUTOSCALER_CEILING, lambda t: 50.0, forecast={"horizon": "30m"})
    w.asked_for = 16
    found = []
    for most in (20, 40):
        w.autoscaler = Autoscaler("web", "uid-hpa", str(most), min_replicas=1, max_replicas=most)
        await world.run(300)
        [forecast] = world.engine.predictor.evaluate(world.cluster.now, 1_800.0).values()
        found.append(forecast)
    before, after = found
    assert (before.value, before.limit) == pytest.approx((16, 0.99 * 20))
    assert (after.value, after.limit) == pytest.approx((16, 0.99 * 40))
    assert after.samples > before.samples  # the leg goes on


async def test_a_ladder_of_ones_own_is_tried() -> None:
    world, _ = scene(
        Builtin.DESCRIPTOR_EXHAUSTION, lambda t: 95.0, ladder=[{"healer": "RestartPods"}]
    )
    await world.until(world.wrote(), within=300)
    assert world.journal.of_users()


@pytest.mark.parametrize(
    "builtin", [b for b, standard in STANDARD.items() if standard.query is not None]
)
@pytest.mark.parametrize(
    ("fault", "reason"), [("down", "MetricsSourceDown"), ("silent", "NoFreshData")]
)
async def test_without_data_the_policy_says_what_is_missing(
    builtin: Builtin, fault: str, reason: str
) -> None:
    world, _ = scene(builtin, lambda t: CASES[builtin].bad)
    if fault == "down":
        world.source.down = TransientError("no route to Prometheus")
    else:
        world.source.answers = {}
    await world.run(120)
    assert world.healings() == []
    assert signals_ready(world) == reason


async def test_an_autoscaler_that_cannot_scale_has_no_ceiling() -> None:
    world, w = scene(Builtin.AUTOSCALER_CEILING, lambda t: 100.0)
    w.autoscaler = Autoscaler("web", "uid-hpa", "1", min_replicas=2, max_replicas=2)
    await world.run(1_200)
    assert world.healings() == []
    assert signals_ready(world) == "Working"


async def test_autoscalers_that_may_not_be_read_are_told() -> None:
    world, w = scene(Builtin.AUTOSCALER_CEILING, lambda t: 100.0)
    w.autoscaler = Autoscaler("", readable=False)
    await world.run(120)
    assert signals_ready(world) == "NoFreshData"


def test_the_queries_take_the_operators_own_matchers() -> None:
    more = Settings.model_validate({"metric_matchers": 'job="kubelet"'})
    for builtin in (Builtin.CPU_THROTTLING, Builtin.DESCRIPTOR_EXHAUSTION):
        asks = Signal(name="s", builtin=builtin).asked(more)
        assert asks is not None
        assert asks.count('job="kubelet"') == 2


def signals_ready(world: World) -> str:
    (policy,) = world.records.policies()
    found = get_condition(policy.status.conditions, "SignalsReady")
    return found.reason if found else ""
