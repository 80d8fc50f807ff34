"""What a healing did for the time being is brought back when it is needed no more."""

from __future__ import annotations

from typing import Any

import pytest

from akeso.api.healing import ActionState, Healing
from akeso.domain.action import Effect, Plan, Scale
from akeso.domain.finding import Finding, Outcome
from akeso.domain.verdict import Verdict, allow
from akeso.domain.workload import Kind, Snapshot
from akeso.engine import record
from akeso.protocols import HealerContext, Reading
from unit.engine.scenes import leak
from unit.engine.sim import World
from unit.engine.sim_workload import SimWorkload

CALM = 300.0
LOAD = {
    "name": "load",
    "query": "load",
    "workloadLabel": "deployment",
    "threshold": {"operator": "Above", "value": "10"},
    "ladder": [{"healer": "OneMore"}],
}


class OneMore:
    """Adds a replica for as long as it is needed."""

    name = "OneMore"
    proposed = False
    effect = Effect.REMOVES_CAUSE
    kinds = frozenset(Kind)

    def diagnose(self, finding: Finding, seen: Snapshot, context: HealerContext) -> Verdict:
        return allow(self.name, "It fits.")

    def plan(self, finding: Finding, seen: Snapshot, context: HealerContext) -> Plan:
        bases = [a.to for a in context.owed if isinstance(a, Scale)]
        base, to = min([seen.replicas, *bases]), seen.replicas + 1
        return Plan(
            healer=self.name,
            target=seen.ref,
            effect=self.effect,
            actions=(Scale(seen.replicas, to),),
            undo=(),
            summary=f"one more than {seen.replicas}",
            blast_radius=0,
            afterwards=(Scale(to, base, restore=True),),
        )


class Load:
    """Requests per replica, as the query shows them; None: no data."""

    def __init__(self, w: SimWorkload) -> None:
        self.w = w
        self.total: float | None = 0.0

    def __call__(self, now: float) -> list[Reading]:
        if self.total is None:
            return []
        ref = self.w.ref
        labels = {"namespace": ref.namespace, "deployment": ref.name}
        return [Reading(labels, now, self.total / max(1, self.w.ready))]


def scene(**settings: Any) -> tuple[World, SimWorkload, Load]:
    world = World(OneMore(), **settings)
    w = world.cluster.add(replicas=2)
    load = Load(w)
    world.source.answers["load"] = load
    world.policy(dict(LOAD), guardrails={"cooldownSeconds": 0})
    return world, w, load


async def scaled() -> tuple[World, SimWorkload, Load]:
    world, w, load = scene()
    load.total = 24.0
    await world.until(world.completed())
    assert w.replicas == 3 and world.outcomes() == [Outcome.VERIFIED]
    return world, w, load


def owed(healing: Healing) -> int:
    return len(record.owed(healing))


async def test_it_is_brought_back_only_after_a_lull() -> None:
    world, w, load = await scaled()
    load.total = 31.0  # a second wave, per replica above the threshold again
    await world.run(60)
    assert w.replicas >= 3
    load.total = 5.0
    await world.until(world.completed(len(world.healings())))
    before = w.replicas
    began = world.cluster.now
    await world.until(lambda: w.replicas < before)
    assert world.cluster.now - began >= CALM - world.settings.cycle
    await world.run(600)
    assert w.replicas == 2  # what the user had, however often more was added
    assert all(owed(h) == 0 for h in world.healings())
    assert "Restored" in world.notifier.story()
    assert world.condition("Undone") == "NeedPassed"


async def test_while_it_is_waited_for_nothing_is_written() -> None:
    world, _, load = await scaled()
    load.total = 25.0
    await world.run(30)
    before = len(world.journal.writes)
    await world.run(200)
    assert world.journal.writes[before:] == []


async def test_without_data_nothing_is_brought_back() -> None:
    world, w, load = await scaled()
    load.total = None
    await world.run(3 * CALM)
    assert w.replicas == 3 and owed(world.healing()) == 1


async def test_a_number_that_somebody_else_set_meanwhile_holds() -> None:
    world, w, load = await scaled()
    world.cluster.scale(w, 7)
    load.total = 1.0
    await world.run(2 * CALM)
    assert w.replicas == 7
    assert world.healing().status.attempts[0].actions[1].state is ActionState.SKIPPED
    assert world.condition("Undone") == "Overtaken"


async def test_the_kill_switch_stops_it_and_lets_it_go_on_later() -> None:
    world, w, load = await scaled()
    load.total = 1.0
    world.pause("an exercise")
    await world.run(2 * CALM)
    assert w.replicas == 3
    world.pause(None)
    await world.run(2 * CALM)
    assert w.replicas == 2


async def test_a_target_that_is_gone_is_owed_nothing() -> None:
    world, w, _ = await scaled()
    world.cluster.remove(w)
    await world.run(180)
    assert owed(world.healing()) == 0


async def test_a_policy_that_is_gone_does_not_leave_it_behind() -> None:
    world, w, load = await scaled()
    load.total = 1.0
    world.records.delete(world.records.policies()[0])
    await world.run(180)
    assert w.replicas == 2


@pytest.mark.parametrize("where", ["before", "after"])
async def test_killed_at_any_write_it_is_brought_back_once(where: str) -> None:
    plain, w, load = await scaled()
    load.total = 1.0
    first = len(plain.journal.writes)
    await plain.run(2 * CALM)
    writes = plain.journal.writes[first:]
    assert [x for x in writes if x.startswith("scale")] == ["scale 3->2"]
    for index in range(len(writes)):
        world, w, load = await scaled()
        load.total = 1.0
        world.journal.kill = (len(world.journal.writes) + index, where)
        await world.run(3 * CALM)
        assert world.crashes == 1
        assert w.replicas == 2 and owed(world.healing()) == 0
        assert sum(x == "scale 3->2" for x in world.journal.writes) == 1


async def test_a_person_who_asks_for_it_need_not_wait_for_the_lull() -> None:
    world, w, load = await scaled()
    load.total = 24.0
    ask_to_undo(world, world.healing())
    first = world.healing()
    await world.run(600)
    assert w.replicas == 2  # although its problem is there again
    assert world.condition("Undone", world.healings()[0]) == "Requested"
    again = world.healing()
    assert again.metadata.uid != first.metadata.uid
    assert "taken back (by alice: a mistake)" in (again.status.message or "")
    assert world.condition("NeedsHuman", again) == "TakenBack"


async def test_asking_again_for_what_was_brought_back_changes_nothing() -> None:
    world, _, load = await scaled()
    load.total = 1.0
    await world.run(2 * CALM)
    done = world.healing()
    ask_to_undo(world, done)
    await world.run(60)
    assert world.condition("Undone") == "NeedPassed"  # it was brought back before


async def test_asked_in_the_middle_it_ends_and_what_was_done_is_brought_back() -> None:
    world, w, load = scene()
    load.total = 24.0
    await world.until(lambda: world.journal.of_users() == ["scale 2->3"])
    ask_to_undo(world, world.healing())
    await world.run(60)
    assert w.replicas == 2
    assert world.outcomes()[0] is Outcome.INCONCLUSIVE
    assert "alice" in (world.healings()[0].status.message or "")


def ask_to_undo(world: World, healing: Healing) -> None:
    wire = world.records.wire(healing)
    wire["spec"]["undo"] = {"requestedBy": "alice", "reason": "a mistake"}
    world.records.overwrite(healing, wire)


async def test_asked_to_take_back_what_left_nothing_it_says_so_and_writes_once() -> None:
    world, _ = leak(replicas=2)
    await world.until(world.completed())
    ask_to_undo(world, world.healings()[0])
    await world.run(60)
    stands = next(c for c in world.healings()[0].status.conditions if c.type == "Undone")
    assert (stands.status, stands.reason) == ("False", "NothingToUndo")
    assert stands.message == "RestartPods left nothing that could be taken back"
    before = [x for x in world.journal.writes if world.healings()[0].metadata.name in x]
    await world.run(120)
    assert [x for x in world.journal.writes if world.healings()[0].metadata.name in x] == before
