"""What a person sees of `akeso status`: every section, every empty one, on any terminal."""

from __future__ import annotations

import io
from datetime import timedelta
from typing import Any

import pytest
from rich.console import Console

from akeso.cli.leader import Leader
from akeso.cli.overview import UNKNOWN, overview
from akeso.cli.status import render
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


def shown(
    *healings: Any,
    policies: Any = (),
    namespace: str | None = None,
    control: Any = None,
    width: int = 200,
    leader: Leader = UNKNOWN,
) -> str:
    console = Console(file=io.StringIO(), width=width, highlight=False)
    held = control if control is not None else working_control()
    found = overview(held, policies, healings, (), namespace, NOW, leader)
    render(console, found, "akeso")
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


WATCHED = policy(conditions=(condition("Ready", True, "Ready", "watching"),))


def test_akeso_itself_comes_first_with_what_it_can_catch():
    text = shown(policies=[WATCHED])
    assert text.startswith("Akeso: watching\n")
    assert "metrics: Prometheus; a sample every 15 s" in text
    assert "a failure that takes less than 4 min comes too fast to be caught" in text
    assert "watching 3 workloads with 7 containers" in text


def test_a_risk_shows_when_how_likely_and_what_was_seen():
    text = shown(healing(), policies=[WATCHED])
    assert "deployment/web -n shop" in text
    assert "in 10 min (09:40:00 UTC)" in text
    assert "93 %" in text
    assert "uses 96 MiB of 128 MiB" in text


def test_what_is_left_to_a_person_is_shown_beside_the_risk_and_the_end():
    left = condition("Proposed", True, "RaiseMemoryTemplate", "more memory: akeso heal web")
    ended = healing("b", completedAt=ago(5), verdict="Verified", conditions=[left])
    text = shown(healing(conditions=[left]), ended, policies=[WATCHED], width=400)
    assert text.count("Left to you: more memory: akeso heal web") == 2


def test_a_moment_that_has_passed_is_not_counted_down():
    late = healing(evidence={"timeToThresholdSeconds": {"p50": 60}})
    assert "was due at 09:29:00 UTC" in shown(late, policies=[WATCHED])


def test_a_healing_shows_how_far_it_is():
    assert "1 of 2 steps done" in shown(healing(attempts=[attempt()]))
    done = attempt(actions=[{**attempt()["actions"][0]}], checks={"good": 2})
    assert "verifying, 2 good checks so far" in shown(healing(attempts=[done]))


def test_a_refusal_shows_whether_it_passes_by_itself():
    def refused(retry: int | None) -> str:
        blocked = condition("Blocked", True, "Cooldown", "The last healing ended just now.")
        said = [guard("cooldown", "Cooldown", "The last healing ended just now.", retry)]
        return shown(healing(conditions=[blocked], guards=said), policies=[WATCHED])

    assert "by itself" in refused(300)
    assert "needs you" in refused(None)
    assert "The last healing ended just now." in refused(None)


def test_an_end_shows_verdict_and_when():
    ended = healing(completedAt=ago(90), verdict="Verified", message="it worked")
    text = shown(ended, policies=[WATCHED])
    assert "Verified" in text
    assert "90 s ago (09:28:30 UTC)" in text
    assert "it worked" in text


def test_yesterday_has_a_date():
    ended = healing(completedAt=ago(86_400), verdict="Verified")
    assert "24.0 h ago (2026-11-30 09:30 UTC)" in shown(ended)


def test_nothing_to_do_is_said_with_the_next_step():
    text = shown(policies=[WATCHED])
    assert "Nothing is at risk, being healed or refused in any namespace now." in text
    assert "akeso explain" in text


def test_without_policies_the_next_step_is_one_that_only_observes():
    text = shown(namespace="shop")
    assert "There is no HealingPolicy in namespace shop, so nothing is watched there." in text
    assert "kubectl apply -f examples/observe.yaml" in text


def test_without_a_control_the_next_step_is_to_start_the_operator():
    console = Console(file=io.StringIO(), width=200)
    render(console, overview(None, (), (), (), None, NOW), "akeso")
    assert isinstance(console.file, io.StringIO)
    text = console.file.getvalue()
    assert "Akeso has not reported yet." in text
    assert "--akeso-namespace" in text


def test_a_control_nobody_reported_on_asks_whether_the_operator_runs():
    assert "is the operator running?" in shown(control=control())


def test_a_dead_operator_is_the_first_line_whatever_its_last_words_were():
    dead = Leader(running=False, holder="pod-a", heard_at=NOW - timedelta(minutes=9))
    text = shown(policies=[WATCHED], leader=dead)
    assert text.startswith("No operator is running, the last sign of one was 9 min ago")
    assert "Akeso: watching" not in text


def test_who_may_not_read_the_lease_is_told_nothing_wrong():
    assert "No operator" not in shown(policies=[WATCHED], leader=Leader())


def test_a_pause_is_the_first_line_with_reason_and_end():
    paused = working_control({"reason": "stocktaking", "until": ago(-3600)})
    first = shown(control=paused).splitlines()[0]
    assert first.startswith("Akeso is paused until 10:30:00 UTC: stocktaking")
    assert "akeso resume" in first


def test_degraded_says_what_is_missing():
    degraded = control(
        conditions=(
            condition("Ready", True, message="watching"),
            condition("Degraded", True, message="no Prometheus: signals with a query are off"),
        )
    )
    assert "Degraded: no Prometheus: signals with a query are off" in shown(control=degraded)


def test_a_policy_that_is_not_ready_says_why_and_a_paused_one_too():
    broken = policy(
        conditions=(condition("Ready", False, "NoData", "the query returns no series"),),
        guardrails={"pauseReasons": ["load test"]},
    )
    text = shown(policies=[broken])
    assert " no " in text
    assert "paused: load test. the query returns no series" in text


@pytest.mark.parametrize("width", [40, 60, 80, 119, 120, 200])
def test_no_line_is_wider_than_the_terminal_and_no_word_is_lost(width: int):
    blocked = healing(
        conditions=[condition("Blocked", True, "Cooldown", "The last healing ended just now.")]
    )
    text = shown(blocked, policies=[WATCHED], width=width)
    assert all(len(line) <= width for line in text.splitlines())
    folded = "".join(text.split())
    for word in ("deployment/web", "Cooldown", "Thelasthealingendedjustnow.", "watching"):
        assert word in folded


def test_text_of_objects_is_text_and_never_markup():
    hostile = policy(conditions=(condition("Ready", False, "Bad", "[bold red]x[/] [link=a]b"),))
    assert "[bold red]x[/] [link=a]b" in shown(policies=[hostile])
