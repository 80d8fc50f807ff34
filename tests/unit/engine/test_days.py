"""Days of load are read at start, a few pieces in a cycle, and what they say is acted on."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any

import pytest

from akeso.api.policy import HealingPolicy
from akeso.domain.finding import Origin
from akeso.domain.workload import Kind
from akeso.engine import follow
from akeso.engine.load import Watched, cpu_of_workloads
from akeso.engine.volumes import SPACE, queries
from akeso.errors import PermanentError
from akeso.protocols import Reading
from akeso.settings import Settings
from unit.engine.sim import NOW, World
from unit.engine.sim_workload import SimWorkload

DAY = 86_400.0
QUEUE = "queue_length"
SIGNALS: dict[str, dict[str, Any]] = {
    "queue": {
        "name": "queue",
        "query": QUEUE,
        "workloadLabel": "deployment",
        "threshold": {"value": "90"},
        "forecast": {"horizonSeconds": 1_800},
    },
    "cpu": {"name": "cpu", "builtin": "CPUSaturation"},
    "volumes": {
        "name": "volumes", "builtin": "VolumeFilling", "forecast": {"horizonSeconds": 1_800},
    },
}  # fmt: skip
STARTS = NOW + 3_600  # when the ramp of today begins


def ramp(now: float) -> float:
    """Percent by time: every day at the same hour, within twenty minutes, from 30 to 95."""
    hours = (now - STARTS) % DAY / 3_600
    return 30 + 65 * min(1.0, hours * 3) if hours < 8 else 30.0


def world(name: str, load: Callable[[float], float] = ramp, **settings: Any) -> World:
    made = World(**settings)
    made.policy(SIGNALS[name])
    w = made.cluster.add(replicas=2, claims=("data",))
    here = {"namespace": "shop"}
    if name == "queue":
        answers(made, QUEUE, {**here, "deployment": w.ref.name}, load)
    elif name == "volumes":
        answers(made, queries(Settings())[SPACE], {**here, "persistentvolumeclaim": "data"}, load)
    else:
        w.demand = lambda now: 2 * load(now) / 100  # of two cores
        answers(made, cpu_query(), {**here, "workload": w.ref.name}, lambda t: 2 * load(t) / 100)
    return made


def answers(
    made: World, query: str, labels: dict[str, str], load: Callable[[float], float]
) -> None:
    def now_is(now: float) -> Sequence[Reading]:
        return [
            Reading(labels, now, load(now)),
            Reading({**labels, "namespace": "bank"}, now, 99.0),
        ]

    made.source.answers[query] = now_is


def cpu_query() -> str:
    made = World()
    policy: HealingPolicy = made.policy(SIGNALS["cpu"])
    w: SimWorkload = made.cluster.add()
    seen = made.cluster.snapshot(w, live=False)
    return cpu_of_workloads(
        Kind.DEPLOYMENT, [Watched(policy.spec.signals[0], "CPU 90", seen)], made.settings
    )


@pytest.mark.parametrize("name", SIGNALS)
async def test_a_ramp_that_comes_every_day_is_told_before_it_begins(name: str) -> None:
    made = world(name)
    await made.until(made.opened(), within=3_600)
    [healing] = made.healings()
    assert healing.spec.origin is Origin.FORECAST
    assert made.cluster.now < STARTS
    assert " and reaches " in healing.spec.evidence.message


@pytest.mark.parametrize("name", SIGNALS)
async def test_without_days_it_is_told_when_it_is_there(name: str) -> None:
    made = world(name, history_days=0)
    await made.run(3_600)
    assert made.healings() == []


async def test_days_are_read_in_pieces_over_several_cycles(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(follow, "SAMPLES_AT_ONCE", 100)
    made = world("queue")
    asked: list[tuple[float, float]] = []
    real = made.source.evaluate_range

    async def counted(query: str, start: float, end: float, step: float) -> Any:
        if step == follow.DAYS_STEP:
            asked.append((start, end))
        return await real(query, start, end, step)

    monkeypatch.setattr(made.source, "evaluate_range", counted)
    await made.cycle()
    assert len(asked) == follow.PIECES_PER_CYCLE
    await made.run(300)
    assert asked[0][0] <= NOW - 13.9 * DAY
    assert asked[-1][1] == NOW
    assert [end for _, end in asked] == sorted(end for _, end in asked)
    assert all(after[0] - before[1] <= follow.DAYS_STEP for before, after in pairwise(asked))
    pieces = len(asked)
    await made.run(300)
    assert len(asked) == pieces


async def test_a_source_without_history_is_asked_no_further(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    made = world("queue")

    async def refused(query: str, start: float, end: float, step: float) -> Any:
        raise PermanentError("no ranges here")

    monkeypatch.setattr(made.source, "evaluate_range", refused)
    await made.run(1_800)
    assert made.healings() == []


async def test_a_release_does_not_forget_the_days_before_it() -> None:
    made = world("queue")
    w = next(iter(made.cluster.workloads.values()))
    await made.run(600)
    made.cluster.roll_out(w, "v2")
    await made.until(made.opened(), within=3_000)
    assert made.cluster.now < STARTS


def test_the_cpu_of_workloads_is_asked_for_by_the_names_of_their_pods() -> None:
    asked = cpu_query()
    assert asked.startswith("sum by (namespace, workload) (label_replace(rate(container_cpu_usage")
    assert 'namespace=~"shop"' in asked
    assert '"workload", "$1", "pod", "(.+)-[' in asked
