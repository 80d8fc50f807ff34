"""Rollback: only of the cause, only to what worked."""

from __future__ import annotations

from dataclasses import replace

import pytest

from akeso.domain.action import DeletePod, ReleaseOwnership, SetTemplate
from akeso.domain.finding import Signal
from akeso.domain.workload import Snapshot
from akeso.protocols import HealerContext
from akeso_healers import Rollback, built_in
from unit.healers.scenarios import NODES, ORDERED, ROLLOUT, bad
from unit.healers.simulator import Simulator, carry_out
from unit.world import NOW, finding, pod, revision

HEALER = Rollback()
CONTEXT = HealerContext(1, ("v1",), "akeso-heal")
FAILING = finding(ROLLOUT, about=Signal.ROLLOUT_FAILING)


def test_the_newest_healthy_revision_that_still_exists_is_put_back() -> None:
    seen = replace(ROLLOUT, revisions=(*ROLLOUT.revisions, revision("v0", 0)))
    made = HEALER.plan(FAILING, seen, replace(CONTEXT, healthy=("pruned", "v0", "v1")))
    assert made.actions == (SetTemplate("v2", "v0"), ReleaseOwnership("akeso-heal"))
    assert made.undo == () and made.blast_radius == 1
    assert made.summary == "put revision v0 back in place of v2"


def test_no_plan_goes_back_to_the_revision_that_fails() -> None:
    made = HEALER.plan(FAILING, ROLLOUT, replace(CONTEXT, healthy=("v2", "v1")))
    assert made.actions[0] == SetTemplate("v2", "v1")


def test_an_ordered_stateful_set_would_wait_for_ever_for_its_broken_pod() -> None:
    world = Simulator(ORDERED, "akeso-heal", broken=["v2"])
    carry_out([SetTemplate("v2", "v1")], world)
    world.settle()
    assert world.seen.failing


def test_broken_pods_of_an_ordered_stateful_set_are_deleted_the_highest_first() -> None:
    pods = (pod("web-0"), bad("web-2"), bad("web-10"), pod("web-3", revision="v2"))
    made = HEALER.plan(FAILING, replace(ORDERED, pods=pods), CONTEXT)
    assert made.actions[2:] == (DeletePod(pods[2].ref), DeletePod(pods[1].ref))
    assert made.summary.endswith("and delete web-10, web-2")


@pytest.mark.parametrize(
    "seen", [ROLLOUT, NODES, replace(ORDERED, ordered=False)], ids=lambda s: str(s.ref.kind)
)
def test_other_controllers_replace_broken_pods_themselves(seen: Snapshot) -> None:
    made = HEALER.plan(FAILING, seen, CONTEXT)
    assert not any(isinstance(a, DeletePod) for a in made.actions)


def test_no_pod_is_deleted_before_the_controller_has_seen_the_template() -> None:
    step = DeletePod(bad("web-2").ref)
    unseen = replace(ORDERED, generation=2)
    assert step.waits_for(unseen) is not None
    assert step.waits_for(replace(unseen, observed_generation=2)) is None


def test_a_broken_pod_that_recovered_is_not_deleted() -> None:
    recovered = replace(ORDERED, pods=(pod("web-2"),))
    assert DeletePod(pod("web-2").ref).superseded(recovered)


@pytest.mark.parametrize(
    ("since", "reason"),
    [
        (NOW - 300, "Allowed"),
        (NOW - 299, "Allowed"),
        (NOW - 300.5, "BeganBeforeRollout"),
        (NOW + 1_500, "Allowed"),
        (NOW + 1_501, "RolloutTooOld"),
        (float("nan"), "RolloutTooOld"),
    ],
)
def test_a_query_blames_a_rollout_from_its_start_to_the_end_of_the_window(
    since: float, reason: str
) -> None:
    found = finding(ROLLOUT, about=Signal.QUERY, since=since)
    assert HEALER.diagnose(found, ROLLOUT, CONTEXT).reason == reason


def test_the_blame_window_is_the_installations() -> None:
    found = finding(ROLLOUT, about=Signal.QUERY, since=NOW - 200)
    strict = next(h for h in built_in(blame_seconds=60) if h.name == "Rollback")
    verdict = strict.diagnose(found, ROLLOUT, CONTEXT)
    assert verdict.reason == "RolloutTooOld" and "blamed for 60 s" in verdict.sentence


def test_a_database_outage_after_a_good_release_rolls_nothing_back() -> None:
    for about in (Signal.QUERY, Signal.ROLLOUT_FAILING):
        found = finding(ROLLOUT, about=about, since=NOW - 200)
        verdict = HEALER.diagnose(found, ROLLOUT, replace(CONTEXT, healthy=("v2", "v1")))
        assert verdict.reason == "RevisionWasHealthy"


def test_a_revision_never_seen_healthy_is_only_suggested_with_the_command() -> None:
    revisions = (revision("v0", 4), *ROLLOUT.revisions, revision("vx", 3))
    seen = replace(ROLLOUT, revisions=revisions)
    verdict = HEALER.diagnose(FAILING, seen, replace(CONTEXT, healthy=("pruned",)))
    assert verdict.reason == "RevisionInferred"
    assert "v0 (revision 4)" in verdict.sentence
    assert verdict.sentence.endswith("kubectl rollout undo deployment/web -n shop --to-revision=4")


def test_a_template_is_in_effect_once_it_is_the_workloads_own() -> None:
    step = SetTemplate("v2", "v1")
    assert not step.in_effect(ROLLOUT)
    assert step.in_effect(replace(ROLLOUT, template={"image": "v1"}))
    assert not step.in_effect(replace(ROLLOUT, template={"image": "v1"}, revisions=()))


def test_a_newer_rollout_supersedes_the_rollback() -> None:
    newer = replace(ROLLOUT, update_revision="v3", template={"image": "v3"})
    assert SetTemplate("v2", "v1").superseded(newer)


def test_planning_what_diagnosis_refuses_is_a_mistake_and_says_so() -> None:
    with pytest.raises(ValueError, match="ask diagnose"):
        HEALER.plan(FAILING, ROLLOUT, replace(CONTEXT, healthy=()))
