"""Volumes that fill: measured by kubelets, forecast, and told to a person, once."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from akeso.api.conditions import get_condition
from akeso.domain.finding import Origin, Outcome
from akeso.engine.explain import explain
from akeso.engine.judge import Circumstances
from akeso.engine.volumes import INODES, SPACE, VolumeUse, of_volumes, queries
from akeso.errors import TransientError
from akeso.protocols import Reading
from akeso.settings import Settings
from unit.engine.sim import NOW, World
from unit.engine.sim_workload import SimWorkload

VOLUMES: dict[str, Any] = {"name": "volumes", "builtin": "VolumeFilling"}
ASK = queries(Settings())


def filling(
    space: Callable[[float], float], *signals: dict[str, Any], inodes: float = 10.0
) -> tuple[World, SimWorkload]:
    """A workload with one claim; percent of `space` in use by seconds from now. A volume of the
    same name in another namespace, and another one of this namespace, are full."""
    world = World(webhook=True)
    world.policy(*(signals or (VOLUMES,)))
    w = world.cluster.add(replicas=2, claims=("data",))
    world.source.answers[ASK[SPACE]] = told(space)
    world.source.answers[ASK[INODES]] = told(lambda _: inodes)
    return world, w


def told(percent: Callable[[float], float]) -> Callable[[float], list[Reading]]:
    def answer(now: float) -> list[Reading]:
        claims = {
            ("shop", "data"): percent(now - NOW),
            ("bank", "data"): 100.0,
            ("shop", "other"): 100.0,
        }
        return [
            Reading({"namespace": namespace, "persistentvolumeclaim": claim}, now, value)
            for (namespace, claim), value in claims.items()
        ]

    return answer


async def test_a_volume_that_fills_is_told_to_a_person_once_hours_before_it_is_full() -> None:
    world, _ = filling(lambda t: 40 + t / 200)  # 90 % after 10,000 s
    await world.until(world.opened(), within=10_000)
    [healing] = world.healings()
    assert healing.spec.origin is Origin.FORECAST
    opened = healing.spec.evidence.sampled_at.timestamp() - NOW
    assert 10_000 - opened >= 1_800
    assert healing.spec.evidence.message.startswith("volume data is ")
    assert "% full and reaches 90 % in about" in healing.spec.evidence.message
    await world.run(3_600)
    assert world.notifier.story() == ["Opened", "NeedsHuman"]
    assert world.condition("NeedsHuman") == "NoHealer"
    asks = get_condition(world.healing().status.conditions, "NeedsHuman")
    assert asks is not None and asks.message.startswith("no healer makes room in a volume")
    assert world.channel is not None
    assert [m.body["type"] for m in world.channel.taken] == ["healing.needs_human"]
    assert world.journal.of_users() == []


async def test_a_volume_that_is_full_is_told_at_once_and_cleared_when_there_is_room() -> None:
    used = [91.5]
    world, _ = filling(lambda t: used[0])
    await world.until(world.opened(), within=60)
    evidence = world.healing().spec.evidence
    assert world.healing().spec.origin is Origin.THRESHOLD
    assert evidence.message.startswith("volume data is 91.5 % full, above 90 % for")
    assert len(evidence.pods) == 2
    used[0] = 60.0
    await world.until(world.completed(), within=600)
    assert world.outcomes() == [Outcome.CLEARED]


async def test_a_volume_may_run_out_of_inodes_while_there_is_space() -> None:
    world, _ = filling(lambda t: 20.0, inodes=95.5)
    await world.until(world.opened(), within=60)
    said = world.healing().spec.evidence.message
    assert said.startswith("volume data is 95.5 % out of inodes, above 95 %")


async def test_a_threshold_of_its_own_holds_for_space() -> None:
    world, _ = filling(lambda t: 85.0, {**VOLUMES, "threshold": {"value": "80"}})
    await world.until(world.opened(), within=60)
    assert "above 80 %" in world.healing().spec.evidence.message


async def test_a_volume_that_is_as_full_as_ever_raises_nothing() -> None:
    world, _ = filling(lambda t: 88.0 + 0.5 * (t % 600 > 300))
    await world.run(3_600)
    assert world.healings() == []


async def test_a_restart_is_refused_because_the_volume_stays() -> None:
    world, _ = filling(lambda t: 99.0, {**VOLUMES, "ladder": [{"healer": "RestartPods"}]})
    await world.until(world.opened(), within=60)
    await world.run(120)
    [healing] = world.healings()
    assert "VolumeStays" in {c.reason for c in healing.status.conditions}
    assert world.journal.of_users() == []


@pytest.mark.parametrize(
    ("fault", "reason"), [("down", "MetricsSourceDown"), ("silent", "NoFreshData")]
)
async def test_without_volume_statistics_nothing_is_found_and_the_policy_says_so(
    fault: str, reason: str
) -> None:
    world, _ = filling(lambda t: 99.0)
    if fault == "down":
        world.source.down = TransientError("no route to Prometheus")
    else:
        world.source.answers = {query: lambda now: [] for query in ASK.values()}
    await world.run(120)
    assert world.healings() == []
    assert signals_ready(world) == reason


async def test_workloads_without_volumes_are_no_complaint() -> None:
    world, w = filling(lambda t: 99.0)
    w.claims = ()
    await world.run(120)
    assert world.healings() == []
    assert signals_ready(world) == "Working"


def signals_ready(world: World) -> str:
    (policy,) = world.records.policies()
    found = get_condition(policy.status.conditions, "SignalsReady")
    return found.reason if found else ""


@pytest.mark.parametrize(
    ("claims", "said"),
    [
        (("data",), ["volume data is 50.0 % full", "volume data is 10.0 % out of inodes"]),
        ((), ["its pods have no PersistentVolumeClaim, so nothing can fill"]),
        (("gone",), ["nothing is known of its volumes: no such samples"]),
    ],
)
async def test_explain_says_how_full_volumes_are(claims: tuple[str, ...], said: list[str]) -> None:
    world, w = filling(lambda t: 50.0)
    w.claims = claims
    policies = world.records.policies()
    await world.cycle()
    observation = await world.engine.observer.observe(policies)
    [seen] = observation.selection.targets[policies[0].metadata.uid]
    around = {
        p.metadata.uid: Circumstances(p, world.control, observation, world.records.healings())
        for p in policies
    }
    found = explain(seen, policies, observation, around, world.engine.judge, world.settings)
    facts = found.signals[0].facts
    assert [fact.partition(" and reaches")[0] for fact in facts] == said


def test_nothing_asked_and_nothing_known_measure_nothing() -> None:
    assert list(of_volumes([], VolumeUse())) == []


def test_the_queries_take_the_operators_own_matchers() -> None:
    asked = queries(Settings.model_validate({"metric_matchers": 'job="kubelet"'}))
    assert asked[SPACE] == (
        "max by (namespace, persistentvolumeclaim) (100 - 100"
        ' * kubelet_volume_stats_available_bytes{job="kubelet"}'
        ' / kubelet_volume_stats_capacity_bytes{job="kubelet"})'
    )
    assert 'kubelet_volume_stats_inodes{job="kubelet"} > 0' in asked[INODES]
