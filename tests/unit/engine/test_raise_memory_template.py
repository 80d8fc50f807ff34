"""More memory for good: proposed, asked for, rolled out, and taken back."""

from __future__ import annotations

from typing import Any

import pytest

from akeso.api.conditions import get_condition
from akeso.api.healing import Healing
from akeso.domain.capacity import Amount, Capacity, Node
from akeso.domain.finding import Outcome
from akeso.domain.workload import Kind
from akeso.engine import record
from akeso.engine.explain import explain
from akeso.engine.judge import Circumstances
from akeso.errors import TransientError
from unit.engine.scenes import LEAK, leak
from unit.engine.sim import MEMORY, World
from unit.engine.sim_cluster import GIB
from unit.engine.sim_workload import LIMIT, MIB, SimWorkload
from unit.engine.test_requests import asked

RAISE = {"healer": "RaiseMemory", "ceiling": "1Gi", "timeoutSeconds": 300}
RESTART = {"healer": "RestartPods", "timeoutSeconds": 300}
LASTING = {"healer": "RaiseMemoryTemplate", "ceiling": "1Gi", "timeoutSeconds": 300}
HEAL = {**LASTING, "mode": "Heal"}


def growing(*ladder: dict[str, Any], **fields: Any) -> tuple[World, SimWorkload]:
    """Pods that leak, fresh ones more slowly: time bought by a rollout lasts."""
    slow = {"replicas": 1, "leak": LEAK / 4, **fields}
    return leak(ladder, {"webhook": True, **fields.pop("settings", {})}, **slow)


def proposed(healing: Healing) -> str | None:
    """What the condition says, where it holds."""
    found = get_condition(healing.status.conditions, "Proposed")
    return found.message if found and found.status == "True" else None


async def raised(world: World) -> None:
    """The first rung has been verified; its limit stands in the running pod only."""
    world.policy({**MEMORY, "ladder": [RAISE, LASTING]}, guardrails={"cooldownSeconds": 0})
    await world.until(world.completed())
    assert world.outcomes() == [Outcome.VERIFIED], world.told()


async def test_a_rung_that_is_only_proposed_is_passed_over_and_told_once() -> None:
    world, w = growing(LASTING, RESTART)
    await world.until(world.completed())
    healing = world.healing()
    assert [a.healer for a in healing.status.attempts] == ["RestartPods"]
    said = proposed(healing)
    assert said is not None
    assert "raise the memory limit of container app from 256 MiB to 384 MiB" in said
    assert (
        "akeso heal deployment/web -n shop --healer RaiseMemoryTemplate --reason" in said
        and "kubectl set resources deployment/web -n shop -c app --limits=memory=384Mi" in said
    )
    assert world.notifier.story().count("Proposed") == 1
    assert w.template == {"image": "v1"} and w.limit == LIMIT


async def test_where_nothing_else_fits_a_person_is_asked_and_nothing_is_written_at_rest() -> None:
    world, w = growing({**LASTING, "timeoutSeconds": 200}, leak=0.0)
    await world.until(lambda: world.healings() and world.condition("NeedsHuman"))
    assert world.condition("NeedsHuman") == "Proposed"
    human = get_condition(world.healing().status.conditions, "NeedsHuman")
    assert human is not None and "akeso heal deployment/web" in human.message
    assert world.condition("Proposed") == "RaiseMemoryTemplate"
    of_it = [x for x in world.journal.writes if "web-memory" in x]
    await world.run(60)
    assert [x for x in world.journal.writes if "web-memory" in x][len(of_it) + 1 :] == []
    assert world.notifier.story().count("NeedsHuman") == 1
    assert "Proposed" not in world.notifier.story()  # the sentence of NeedsHuman has it
    assert world.channel is not None
    [message] = world.channel.taken
    assert message.body["data"]["proposed"]["healer"] == "RaiseMemoryTemplate"  # type: ignore[index]
    assert world.journal.of_users() == [] and w.limit == LIMIT


async def test_beside_a_rung_that_does_not_fit_the_person_reads_both() -> None:
    world, _ = growing({**RAISE, "ceiling": "300Mi"}, LASTING)
    await world.until(lambda: world.healings() and world.condition("NeedsHuman"))
    assert world.condition("NeedsHuman") == "CeilingReached"
    human = get_condition(world.healing().status.conditions, "NeedsHuman")
    assert human is not None and "--healer RaiseMemoryTemplate" in human.message


async def test_after_a_failed_rung_the_end_names_what_is_left_to_a_person() -> None:
    world, w = growing(RESTART, LASTING, leak=LEAK)
    await world.until(lambda: len(w.pods) == 1 and w.pods[0].born > world.began)
    w.base = 0.95 * LIMIT
    await world.until(world.completed())
    assert world.outcomes() == [Outcome.FAILED], world.told()
    assert world.condition("NeedsHuman") == "FailedAtTheEnd"


async def test_what_would_make_a_verified_raise_last_is_told_with_its_end() -> None:
    world, w = growing(leak=0.0)
    await raised(world)
    await world.run(60)
    healing = world.healings()[0]
    said = proposed(healing)
    assert said is not None and "from 256 MiB to 384 MiB" in said
    assert world.notifier.story().count("Proposed") == 1
    assert world.channel is not None
    [message] = world.channel.taken
    data: Any = message.body["data"]
    assert data["verdict"] == "Verified"
    assert data["proposed"] == {"healer": "RaiseMemoryTemplate", "message": said}
    assert w.limit == LIMIT and w.template == {"image": "v1"}


async def test_the_verdict_stands_when_what_follows_can_not_be_looked_up() -> None:
    world, _ = growing(leak=0.0)
    world.policy({**MEMORY, "ladder": [RAISE, LASTING]})
    await world.until(world.verifying)
    world.cluster.faults["capacity"] = TransientError("nodes can't be read now")
    await world.until(world.completed())
    assert world.outcomes() == [Outcome.VERIFIED] and proposed(world.healing()) is None


@pytest.mark.parametrize("kind", list(Kind))
async def test_a_request_by_its_name_carries_it_out_by_one_rollout(kind: Kind) -> None:
    world, w = growing(leak=0.0, replicas=2, kind=kind)
    await raised(world)
    done = len(world.journal.of_users())
    asked(world, w, healer="RaiseMemoryTemplate")
    await world.until(world.completed(2))
    assert world.outcomes() == [Outcome.VERIFIED] * 2, world.told()
    assert world.journal.of_users()[done:] == ["template limit 256->384", "release"]
    assert {p.limit for p in w.present} == {384 * MIB} and w.managers == ("kubectl",)
    assert w.fewest_ready >= 1
    await world.run(600)
    assert record.owed(world.healings()[0]) == ()  # the raised pods are gone
    assert w.limit == 384 * MIB  # for good


async def test_a_request_for_any_healing_does_not_carry_it_out() -> None:
    world, w = growing(LASTING)
    asked(world, w)
    await world.run(300)
    assert all(x not in ("release",) for x in world.journal.of_users()) and w.limit == LIMIT


async def test_mode_heal_carries_it_out_when_its_turn_comes() -> None:
    world, w = growing(HEAL)
    await world.until(world.completed())
    assert world.outcomes() == [Outcome.VERIFIED], world.told()
    assert world.journal.of_users() == ["template limit 256->384", "release"]
    assert w.limit == 384 * MIB and proposed(world.healing()) is None


async def test_a_proposal_that_is_carried_out_after_all_stands_no_longer() -> None:
    world, _ = growing(LASTING)
    await world.until(lambda: world.healings() and world.condition("Proposed"))
    world.policy({**MEMORY, "ladder": [HEAL]})
    await world.until(world.completed())
    assert world.outcomes() == [Outcome.VERIFIED] and proposed(world.healing()) is None


async def test_any_rung_may_be_only_proposed() -> None:
    world, _ = growing({**RESTART, "mode": "Propose"})
    await world.until(lambda: world.healings() and world.condition("NeedsHuman"))
    assert world.condition("Proposed") == "RestartPods"
    assert "it would start a second pod" in (proposed(world.healing()) or "")
    assert world.journal.of_users() == []


async def test_observe_mode_proposes_as_well_and_shows_what_the_ladder_would_do() -> None:
    world, _ = growing(LASTING, RESTART)
    world.policy({**MEMORY, "ladder": [LASTING, RESTART]}, mode="Observe")
    await world.until(lambda: world.healings() and world.condition("Blocked"))
    assert world.condition("Blocked") == "ModeObserve"
    assert world.condition("Proposed") == "RaiseMemoryTemplate"


async def test_explain_tells_of_the_proposal_beside_what_is_done() -> None:
    world, _ = growing(LASTING, RESTART)
    world.policy({**MEMORY, "ladder": [LASTING, RESTART]}, mode="Observe")
    await world.until(lambda: world.healings() and world.condition("Proposed"))
    policies = world.records.policies()
    observation = await world.engine.observer.observe(policies)
    [seen] = observation.selection.targets[policies[0].metadata.uid]
    around = {
        p.metadata.uid: Circumstances(p, world.control, observation, world.records.healings())
        for p in policies
    }
    found = explain(seen, policies, observation, around, world.engine.judge, world.settings)
    [told] = found.signals[0].judgement.proposals
    assert told.healer == "RaiseMemoryTemplate" and "would raise" in told.sentence


async def test_without_room_for_the_rollout_nothing_is_proposed() -> None:
    world, _ = growing(LASTING, RESTART)
    full = Node("node-1", Amount(4.0, GIB), Amount(0.0, GIB))
    world.cluster.room = Capacity((), (), (full,))
    await world.until(world.completed())
    assert proposed(world.healing()) is None


async def test_new_pods_that_do_not_come_up_get_the_old_template_back_at_once() -> None:
    world, w = growing({**HEAL, "timeoutSeconds": 60}, replicas=2)
    w.bad["v2"] = "unready"
    await world.until(world.completed())
    assert world.outcomes() == [Outcome.FAILED], world.told()
    assert world.journal.of_users() == [
        "template limit 256->384",
        "release",
        "template limit 384->256",
        "release",
    ]
    assert w.limit == LIMIT and w.managers == ("kubectl",)
    assert world.condition("Undone") == "Failed" and record.owed(world.healing()) == ()


async def test_a_limit_that_was_not_enough_stays_for_less_would_help_less() -> None:
    world, w = growing(HEAL)
    await world.until(world.wrote())
    w.base, w.leak = 330 * MIB, 0.0
    await world.until(world.completed())
    assert world.outcomes() == [Outcome.FAILED], world.told()
    await world.run(600)
    assert w.limit == 384 * MIB and len(world.journal.of_users()) == 2


async def made_permanent() -> tuple[World, SimWorkload]:
    world, w = growing(HEAL)
    await world.until(world.completed())
    assert world.outcomes() == [Outcome.VERIFIED], world.told()
    return world, w


def take_back(world: World) -> None:
    wire = world.records.wire(world.healing())
    wire["spec"]["undo"] = {"requestedBy": "alice", "reason": "we found the leak"}
    world.records.overwrite(world.healing(), wire)


async def test_a_person_may_have_it_taken_back_by_another_rollout() -> None:
    world, w = await made_permanent()
    take_back(world)
    await world.run(120)
    assert w.limit == LIMIT and {p.limit for p in w.present} == {float(LIMIT)}
    assert w.managers == ("kubectl",) and w.fewest_ready == 1
    assert world.condition("Undone") == "Requested" and record.owed(world.healing()) == ()


async def test_an_undo_that_has_to_wait_is_done_when_it_may() -> None:
    world, w = await made_permanent()
    world.pause("stocktaking")
    take_back(world)
    await world.run(60)
    waits = get_condition(world.healing().status.conditions, "Undone")
    assert waits is not None and (waits.status, waits.reason) == ("False", "KillSwitch")
    assert w.limit == 384 * MIB
    world.pause(None)
    await world.run(60)
    assert w.limit == LIMIT and world.condition("Undone") == "Requested"


async def test_what_somebody_else_set_meanwhile_is_not_taken_back() -> None:
    world, w = await made_permanent()
    w.limit = 700 * MIB
    take_back(world)
    await world.run(120)
    assert w.limit == 700 * MIB and len(world.journal.of_users()) == 2


async def test_a_limit_that_somebody_else_sets_during_the_check_holds() -> None:
    world, w = growing(HEAL)
    await world.until(world.verifying)
    w.limit = 700 * MIB
    await world.until(world.completed())
    assert world.outcomes() == [Outcome.INCONCLUSIVE] and w.limit == 700 * MIB


async def test_a_made_permanent_healing_is_pruned_like_any_other() -> None:
    world, _ = await made_permanent()
    healing = world.healing()
    assert record.owed(healing) and not record.due(healing)
    attempt = healing.status.attempts[0]
    assert [a.type.value for a in attempt.actions] == [
        "SetTemplateMemory",
        "ReleaseOwnership",
        "SetTemplateMemory",
        "ReleaseOwnership",
    ]
