"""What `akeso status` gathers: which Healing stands in which section, and the JSON's shape."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from akeso.api.scalars import parse_time
from akeso.cli.overview import overview
from akeso.cli.sections import Overview
from akeso.engine.records import BrokenObject
from unit.cli.objects import (
    NOW,
    ago,
    attempt,
    condition,
    control,
    guard,
    healing,
    policy,
    working_control,
)


def seen(*healings: Any, policies: Any = (), namespace: str | None = None, **more: Any) -> Overview:
    return overview(
        more.get("control", working_control()),
        policies,
        healings,
        more.get("broken", ()),
        namespace,
        NOW,
    )


def test_an_open_healing_is_a_risk_and_its_quantiles_are_moments():
    found = seen(healing())

    (risk,) = found.at_risk
    assert (risk.kind, risk.name, risk.probability_percent) == ("Deployment", "web", 93)
    assert risk.likely == parse_time(ago(120)) + timedelta(seconds=720)
    assert risk.earliest is not None and risk.latest is not None
    assert not (found.healing or found.refused or found.finished)


def test_a_risk_without_a_foreseeable_end_has_no_moments():
    found = seen(healing(evidence={"timeToThresholdSeconds": {"p10": 60}}))

    (risk,) = found.at_risk
    assert risk.earliest is not None
    assert (risk.likely, risk.latest) == (None, None)


def test_the_most_urgent_risk_comes_first_and_the_unforeseeable_last():
    later = healing("a", evidence={"timeToThresholdSeconds": {"p50": 900}})
    never = healing("b", evidence={"timeToThresholdSeconds": {}})
    sooner = healing("c", evidence={"timeToThresholdSeconds": {"p50": 300}})

    assert [r.healing for r in seen(later, never, sooner).at_risk] == ["c", "a", "b"]


def test_a_healing_with_a_running_attempt_is_under_way_and_not_a_risk():
    found = seen(healing(attempts=[attempt()], message="RestartPods: evict pod web-0"))

    (under_way,) = found.healing
    assert (under_way.healer, under_way.written, under_way.writes) == ("RestartPods", 1, 2)
    assert found.at_risk == ()


def test_a_blocked_healing_is_refused_with_its_reason_and_still_a_risk():
    blocked = healing(
        conditions=[condition("Blocked", True, "Cooldown", "The last healing ended just now.")],
        guards=[guard("cooldown", "Cooldown", "The last healing ended just now.", 300)],
    )

    found = seen(blocked)
    (refusal,) = found.refused
    assert (refusal.reason, refusal.passes) == ("Cooldown", True)
    assert len(found.at_risk) == 1


def test_a_refusal_needs_a_person_when_any_of_its_reasons_does():
    blocked = healing(
        conditions=[condition("Blocked", True, "Cooldown", "wait")],
        guards=[
            guard("cooldown", "Cooldown", "wait", 300),
            guard("mode", "ModeObserve", "Set mode: Heal to have it done."),
        ],
    )

    (refusal,) = seen(blocked).refused
    assert not refusal.passes
    assert refusal.other_reasons == ("Set mode: Heal to have it done.",)


def test_finished_healings_are_shown_newest_first_and_at_most_ten():
    ended = [healing(f"h{i}", completedAt=ago(i), verdict="Verified") for i in range(12)]

    found = seen(*reversed(ended))
    assert [e.healing for e in found.finished] == [f"h{i}" for i in range(10)]
    assert found.at_risk == ()


def test_a_finished_healing_that_asks_for_a_person_says_so():
    ended = healing(
        completedAt=ago(5), verdict="Failed", conditions=[condition("NeedsHuman", True)]
    )

    (found,) = seen(ended).finished
    assert (found.verdict, found.needs_human, found.healer) == ("Failed", True, None)


def test_what_is_left_to_a_person_is_told_of_open_and_finished_healings():
    left = condition("Proposed", True, "RaiseMemoryTemplate", "more memory: akeso heal web")
    done = condition("Proposed", False, "Planned", "it was done after all")
    going, ended = (
        healing("a", conditions=[left]),
        healing("b", completedAt=ago(5), verdict="Verified"),
    )
    assert seen(going).at_risk[0].proposed == "more memory: akeso heal web"
    assert seen(healing("c", conditions=[done])).at_risk[0].proposed is None
    assert seen(ended).finished[0].proposed is None


def test_another_namespace_is_left_out_everywhere():
    found = seen(
        healing(namespace="other"),
        policies=[policy(namespace="other"), policy()],
        namespace="shop",
        broken=[BrokenObject("HealingPolicy", "other", "x", "can't be read")],
    )

    assert [p.namespace for p in found.policies] == ["shop"]
    assert (found.at_risk, found.unreadable) == ((), ())


def test_a_pause_that_has_ended_is_no_pause():
    ended = working_control({"reason": "stocktaking", "until": ago(1)})
    holding = working_control({"reason": "stocktaking", "until": ago(-1)})

    after, during = seen(control=ended).akeso, seen(control=holding).akeso
    assert after is not None and after.paused is None
    assert during is not None and during.paused is not None
    assert during.paused.reason == "stocktaking"


def test_a_control_that_nobody_has_reported_on_is_not_ready_and_not_unready():
    found = seen(control=control()).akeso
    assert found is not None and found.ready is None


def test_a_policy_that_nobody_has_looked_at_is_neither_ready_nor_not():
    (line,) = seen(policies=[policy()]).policies
    assert (line.ready, line.reason) == (None, "NotSeen")


def test_the_json_has_these_keys_and_no_others():
    """Programs stand on them: a key that goes, or is renamed, breaks somebody."""
    found = seen(
        healing("risk"),
        healing("now", attempts=[attempt()]),
        healing("no", conditions=[condition("Blocked", True, "Cooldown", "wait")]),
        healing("done", completedAt=ago(5), verdict="Verified"),
        policies=[policy(conditions=(condition("Ready", True, message="watching"),))],
        control=working_control({"reason": "stocktaking"}),
    ).model_dump(mode="json", by_alias=True)

    of = {"namespace", "healing", "kind", "name", "signal", "policy"}
    assert set(found) == {
        *("at", "namespace", "leader", "akeso", "policies", "atRisk", "healing", "refused"),
        *("finished", "unreadable"),
    }
    assert set(found["leader"]) == {"running", "holder", "heardAt"}
    assert set(found["akeso"]) == {
        *("ready", "message", "degraded", "paused", "metricsSource", "scrapeIntervalSeconds"),
        *("shortestFailureSeconds", "watched"),
    }
    assert set(found["policies"][0]) == {
        *("namespace", "name", "mode", "targets", "healing", "ready", "reason", "message"),
        "pauseReasons",
    }
    assert set(found["atRisk"][0]) == of | {
        *("message", "since", "value", "threshold", "probabilityPercent"),
        *("earliest", "likely", "latest", "needsHuman", "proposed"),
    }
    assert set(found["healing"][0]) == of | {
        *("healer", "attempt", "startedAt", "deadline", "writes", "written", "undoing"),
        *("goodChecks", "message"),
    }
    assert set(found["refused"][0]) == of | {
        *("reason", "message", "since", "passes", "otherReasons"),
    }
    assert set(found["finished"][0]) == of | {
        *("healer", "verdict", "message", "completedAt", "needsHuman", "proposed"),
    }
    assert found["at"] == "2026-12-01T09:30:00Z"
