"""What every healer must hold to; a new one joins by being listed and having scenarios."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import pytest

from akeso.domain.action import Plan
from akeso.domain.workload import Kind, Snapshot
from akeso.protocols import Healer
from akeso_healers import BUILT_IN
from unit.healers.scenarios import FITTING, LOOK_ALIKES, MANAGER, Scenario
from unit.healers.simulator import Crash, Simulator, carry_out, writes_of

HEALERS = {healer.name: healer for healer in BUILT_IN}
SECTIONS = ["Watches", "Acts when", "Does", "Blast radius", "Undo", "Known false alarms"]

fitting = pytest.mark.parametrize("scenario", FITTING, ids=str)
every_healer = pytest.mark.parametrize("healer", BUILT_IN, ids=lambda h: h.name)


def plan_of(scenario: Scenario) -> Plan:
    healer = HEALERS[scenario.healer]
    return healer.plan(scenario.finding, scenario.seen, scenario.context)


def world_of(scenario: Scenario) -> Simulator:
    return Simulator(scenario.seen, MANAGER, scenario.broken)


def end_of(world: Simulator) -> tuple[object, ...]:
    """The state that users see once all is quiet; names of new pods are the controller's."""
    world.settle()
    seen = world.seen
    named = frozenset(p.ref for p in seen.pods if p.ref.uid.count("-") == 2)
    revisions = sorted(p.revision for p in seen.pods)
    limits = sorted(c.memory_limit or 0.0 for p in seen.pods for c in p.containers)
    own = seen.replicas, seen.template, seen.managers, seen.ready, revisions, named
    return *own, limits, _hpa(seen)


def _hpa(seen: Snapshot) -> tuple[int, int, tuple[str, ...]] | None:
    found = seen.autoscaler
    return (found.min_replicas, found.max_replicas, found.managers) if found else None


@every_healer
def test_has_a_name_kinds_and_documentation_in_fixed_sections(healer: Healer) -> None:
    assert healer.name == type(healer).__name__
    assert healer.kinds and healer.kinds <= set(Kind)
    lines = [line.strip() for line in (type(healer).__doc__ or "").splitlines()]
    found = [s for line in lines for s in SECTIONS if line.startswith(f"{s}: ")]
    assert found == SECTIONS


@every_healer
def test_has_workloads_it_fits_of_each_of_its_kinds_and_look_alikes(healer: Healer) -> None:
    kinds = {s.seen.ref.kind for s in FITTING if s.healer == healer.name}
    assert kinds == healer.kinds
    assert any(s.healer == healer.name for s in LOOK_ALIKES)


def test_names_are_unique() -> None:
    assert len(HEALERS) == len(BUILT_IN)


@fitting
def test_fits_a_workload_that_really_fails_and_plans_for_it(scenario: Scenario) -> None:
    healer = HEALERS[scenario.healer]
    verdict = healer.diagnose(scenario.finding, scenario.seen, scenario.context)
    assert verdict.allowed, verdict.sentence
    made = plan_of(scenario)
    assert made.actions and made.summary
    assert (made.healer, made.target) == (healer.name, scenario.seen.ref)
    assert made.effect is healer.effect
    assert 0 <= made.blast_radius <= len(scenario.seen.present)


@pytest.mark.parametrize("scenario", LOOK_ALIKES, ids=str)
def test_refuses_a_look_alike_and_says_why(scenario: Scenario) -> None:
    healer = HEALERS[scenario.healer]
    verdict = healer.diagnose(scenario.finding, scenario.seen, scenario.context)
    assert not verdict.allowed
    assert (verdict.guard, verdict.reason) == (healer.name, scenario.reason)
    assert str(scenario.seen.ref) in verdict.sentence


@fitting
def test_the_same_view_gives_the_same_plan_with_or_without_templates(scenario: Scenario) -> None:
    informed = replace(
        scenario.seen,
        template=None,
        live=False,
        revisions=tuple(replace(r, template=None) for r in scenario.seen.revisions),
    )
    assert plan_of(scenario) == plan_of(scenario)
    assert plan_of(scenario) == plan_of(replace(scenario, seen=informed))


@fitting
def test_no_action_is_in_effect_before_it_is_done_except_the_way_back(scenario: Scenario) -> None:
    first = plan_of(scenario).actions[0]
    assert not first.in_effect(scenario.seen) and not first.superseded(scenario.seen)


@fitting
def test_the_plan_comes_to_its_end_and_the_workload_is_well(scenario: Scenario) -> None:
    world = world_of(scenario)
    carry_out(plan_of(scenario).actions, world)
    world.settle()
    assert not world.seen.failing and not world.seen.rolling
    scaled = scenario.healer == "ScaleOut"
    assert (world.seen.replicas > scenario.seen.replicas) == scaled
    assert MANAGER not in world.seen.managers
    assert MANAGER not in (_hpa(world.seen) or (1, 1, ()))[2]
    if scenario.healer == "RestartPods":
        assert not any(world.seen.pod(ref.uid) for ref in scenario.finding.pods)


@fitting
def test_never_fewer_ready_pods_than_the_policy_keeps(scenario: Scenario) -> None:
    world = world_of(scenario)
    carry_out(plan_of(scenario).actions, world)
    world.settle()
    assert world.fewest >= scenario.context.min_available


@fitting
def test_done_once_more_it_writes_nothing(scenario: Scenario) -> None:
    world = world_of(scenario)
    actions = plan_of(scenario).actions
    carry_out(actions, world)
    world.settle()
    done = len(world.writes)
    carry_out(actions, world)
    assert len(world.writes) == done


@fitting
@pytest.mark.parametrize("pause", [0, 1, 50], ids="{} ticks later".format)
def test_a_crash_after_any_write_ends_like_no_crash_with_each_write_once(
    scenario: Scenario, pause: int
) -> None:
    made = plan_of(scenario)
    faultless = world_of(scenario)
    carry_out(made.actions, faultless)
    expected = end_of(faultless)
    for crash_after in range(1, len(faultless.writes) + 1):
        world = world_of(scenario)
        with pytest.raises(Crash):
            carry_out(made.actions, world, crash_after)
        for _ in range(pause):
            world.tick()
        carry_out(made.actions, world)
        assert world.writes == faultless.writes
        assert end_of(world) == expected


@fitting
def test_what_a_write_owns_is_given_up_by_the_very_next_write(scenario: Scenario) -> None:
    """The user's next apply may come at any time, also while the plan waits for pods."""
    made, owned = plan_of(scenario), [False]
    for written in range(1, writes_of(made, scenario.seen, MANAGER, scenario.broken) + 1):
        world = world_of(scenario)
        with pytest.raises(Crash):
            carry_out(made.actions, world, written)
        owned.append(MANAGER in world.seen.managers)
    assert not any(earlier and later for earlier, later in pairwise(owned))


@fitting
def test_undone_after_any_write_nothing_of_ours_is_left_or_no_undo_is_promised(
    scenario: Scenario,
) -> None:
    made = plan_of(scenario)
    undo = made.undo + made.afterwards
    if not undo:
        promised = (type(HEALERS[scenario.healer]).__doc__ or "").partition("Undo: ")[2]
        assert promised.startswith(("none", "an eviction is not undone"))
        return
    for written in range(1, writes_of(made, scenario.seen, MANAGER, scenario.broken) + 1):
        world = world_of(scenario)
        with pytest.raises(Crash):
            carry_out(made.actions, world, written)
        carry_out(undo, world)
        world.settle()
        new_pods = scenario.healer in ("RestartPods", "RaiseMemoryTemplate")
        assert end_of(world) == end_of(world_of(scenario)) or new_pods
        assert world.seen.template == scenario.seen.template
        assert world.seen.asks == scenario.seen.asks
        assert world.seen.replicas == scenario.seen.replicas
        assert world.seen.managers == scenario.seen.managers
        assert _hpa(world.seen) == _hpa(scenario.seen)
        assert world.seen.ready == scenario.seen.ready
        assert world.fewest >= scenario.context.min_available


@fitting
def test_every_undoing_write_brings_the_users_own_state_back(scenario: Scenario) -> None:
    made = plan_of(scenario)
    assert all(action.restore for action in made.undo + made.afterwards)
