"""A person asks for a healing: the same guards, the same record, and an end."""

from __future__ import annotations

from typing import Any

from akeso.api.healing import Healing
from akeso.api.scalars import format_time, from_unix
from akeso.domain.finding import Outcome
from unit.engine.sim import MEMORY, World
from unit.engine.sim_workload import SimWorkload


def asked(world: World, w: SimWorkload, name: str = "asked", **spec: Any) -> Healing:
    policy = world.records.policies()[0]
    at = format_time(from_unix(world.cluster.now))
    wire = {
        "metadata": {"name": name, "namespace": w.ref.namespace},
        "spec": {
            "policyRef": {"name": policy.metadata.name, "uid": policy.metadata.uid},
            "target": {"kind": w.ref.kind.value, "name": w.ref.name, "uid": w.ref.uid},
            "signal": "memory",
            "fingerprint": "asked",
            "origin": "Request",
            "requestedBy": "alice",
            "evidence": {
                "message": "alice asked for it: it feels slow",
                "sampledAt": at,
                "since": at,
                "pods": [{"name": p.ref.name, "uid": p.ref.uid} for p in w.present],
            },
            **spec,
        },
    }
    return world.records.put(Healing.parse(wire))


def scene(**policy: Any) -> tuple[World, SimWorkload]:
    world = World()
    world.policy(dict(MEMORY), **policy)
    return world, world.cluster.add(replicas=2)


async def test_a_healthy_workload_is_healed_because_a_person_asked() -> None:
    world, w = scene()
    await world.run(300)
    assert world.healings() == []
    asked(world, w)
    await world.until(world.completed(), within=600)
    assert world.journal.of_users() == ["evict web-v1-0", "evict web-v1-1"]
    assert world.outcomes() == [Outcome.VERIFIED]
    await world.run(600)
    assert len(world.journal.of_users()) == 2


async def test_what_no_guard_allows_in_time_is_given_up() -> None:
    world, w = scene(mode="Observe")
    await world.run(300)
    asked(world, w)
    await world.run(100)
    assert world.condition("Blocked") is not None and world.outcomes() == [None]
    await world.run(world.settings.request_seconds)
    assert world.outcomes() == [Outcome.CLEARED]
    assert "asked for by alice, and not allowed in time" in (world.healing().status.message or "")
    assert world.journal.of_users() == []


async def test_only_the_healer_that_was_asked_for_is_tried() -> None:
    world, w = scene()
    await world.run(300)
    asked(
        world, w, healer="Rollback"
    )  # not in this signal's ladder: the policy lends no such right
    await world.run(world.settings.request_seconds + 100)
    assert world.journal.of_users() == []
    assert world.outcomes() == [Outcome.CLEARED]


async def test_a_request_and_a_finding_are_not_healed_at_the_same_time() -> None:
    world, w = scene()
    await world.run(300)
    asked(world, w)
    w.leak_of = {p.ref.uid: 400_000.0 for p in w.present}
    await world.until(world.completed(), within=900)
    assert len(world.healings()) == 1


async def test_a_request_waits_out_the_cooldown_of_an_earlier_healing() -> None:
    world, w = scene()
    await world.run(300)
    asked(world, w)
    await world.until(world.completed(), within=600)
    writes = len(world.journal.of_users())
    asked(world, w, "asked-again")
    await world.run(100)
    assert world.condition("Blocked") == "Cooldown"
    assert len(world.journal.of_users()) == writes
