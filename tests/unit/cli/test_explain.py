"""What `akeso explain` says: facts, plan, every guard, and one conclusion."""

from __future__ import annotations

import io
import json
from typing import Any

import pytest
from rich.console import Console

from akeso.api.policy import Signal
from akeso.cli.account import Account, account
from akeso.cli.explain import render
from akeso.domain.action import Effect, EvictPod, Plan
from akeso.domain.forecast import Forecast, Readiness, SeriesKey
from akeso.domain.verdict import Verdict, allow, deny
from akeso.domain.workload import Autoscaler, PodRef
from akeso.engine.detect import Problem
from akeso.engine.explain import Explanation, SignalExplained
from akeso.engine.judge import Judgement, Proposal
from unit.cli.objects import healing, policy
from unit.world import deployment, finding

SEEN = deployment(3)
PLAN = Plan(
    healer="RestartPods",
    target=SEEN.ref,
    effect=Effect.BUYS_TIME,
    actions=(EvictPod(PodRef("web-0", "uid-web-0"), 3),),
    undo=(),
    summary="evict pod web-0, so that a fresh one takes its place",
    blast_radius=1,
)
FINE = allow("kill-switch", "Akeso is not paused.")
COOLING = deny("cooldown", "Cooldown", "The last healing ended just now.", 299.2)


def forecast(**fields: Any) -> Forecast:
    return Forecast(
        **{
            "key": SeriesKey("shop", "web-0", "app"),
            "readiness": Readiness.READY,
            "horizon": 1800.0,
            "probability": 0.934,
            "ttf": (480.0, 720.0, float("inf")),
            "value": 96.0 * 2**20,
            "limit": 128.0 * 2**20,
            "sampled_at": 1_800_000_000.0,
            **fields,
        }
    )


def told(
    *verdicts: Verdict,
    found: bool = False,
    plan: Plan | None = PLAN,
    mode: str = "Heal",
    healings: Any = (),
    probability: float = 0.5,
    proposals: tuple[Proposal, ...] = (),
) -> Account:
    signal = Signal.model_validate({"name": "memory", "builtin": "MemoryExhaustion"})
    asked = policy(mode=mode)
    problem = Problem(finding(SEEN, SEEN.pods[0]), asked, signal, SEEN) if found else None
    said = verdicts or (FINE,)
    judgement = Judgement(0 if plan else None, None, plan, said, proposals=proposals)
    coming = (forecast(probability=probability),)
    facts = ("web-0 uses 96 MiB",)
    explained = SignalExplained(asked, signal, facts, problem, judgement, coming, bar=0.8)
    return account(Explanation(SEEN, coming, (explained,)), healings)


def shown(found: Account, width: int = 200) -> str:
    console = Console(file=io.StringIO(), width=width, highlight=False)
    render(console, found)
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def conclusion(*verdicts: Verdict, **more: Any) -> str:
    (signal,) = told(*verdicts, **more).signals
    return signal.conclusion


def test_every_guard_is_shown_with_its_answer_and_when_to_ask_again():
    text = shown(told(FINE, COOLING, found=True))
    assert "✓ Akeso is not paused." in text
    assert "✗ The last healing ended just now. (worth asking again in 5 min)" in text


def test_what_would_be_done_is_shown_with_steps_undo_and_reach():
    text = shown(told())
    assert "RestartPods: evict pod web-0, so that a fresh one takes its place" in text
    assert "(this buys time)" in text
    assert "Step by step: evict pod web-0" in text
    assert "Undo: none needed or possible" in text
    assert "At most 1 pod affected" in text


def test_a_rung_that_is_left_to_a_person_is_shown_once() -> None:
    left = Proposal("RaiseMemoryTemplate", "RaiseMemoryTemplate is only proposed: akeso heal ...")
    assert "Left to you: RaiseMemoryTemplate is only proposed" in shown(told(proposals=(left,)))
    refusal = deny("proposal", "Proposed", left.sentence)
    assert shown(told(refusal, proposals=(left,))).count("is only proposed") == 2  # once, and why


def test_the_probability_from_which_akeso_acts_is_shown():
    assert "a forecast counts from a probability of 80% on" in shown(told())


def test_the_head_says_what_it_is_and_how_it_is():
    first = shown(told()).splitlines()[0]
    assert first == "Deployment shop/web  3 of 3 pods ready, revision v1"


def test_when_something_is_wrong_and_allowed_akeso_acts():
    assert conclusion(found=True) == "Akeso acts now."


def test_when_something_is_wrong_and_refused_the_first_refusal_is_the_reason():
    paused = deny("kill-switch", "KillSwitch", "Akeso is paused everywhere.")
    said = conclusion(paused, COOLING, found=True)
    assert said == "Akeso does not act: Akeso is paused everywhere."


def test_when_nothing_is_wrong_it_is_said_what_would_be():
    assert conclusion() == "Nothing is wrong now; if it were, Akeso would act."
    said = conclusion(COOLING)
    assert said == (
        "Nothing is wrong now; if it were, Akeso would not act: The last healing ended just now."
    )


def test_a_policy_that_observes_is_told_from_one_that_refuses():
    observes = deny("mode", "ModeObserve", "Policy backend is in mode Observe.")
    assert conclusion(FINE, observes, found=True, mode="Observe") == (
        "Akeso would act, but this policy only observes."
    )
    paused = deny("kill-switch", "KillSwitch", "Akeso is paused everywhere.")
    assert conclusion(paused, observes, found=True, mode="Observe").startswith("Akeso does not act")


def test_without_a_ladder_a_person_is_told():
    assert conclusion(found=True, plan=None) == "Its ladder names no healer, so a person is told."


def test_one_forecast_above_the_bar_is_said_to_be_no_problem_yet():
    assert conclusion(probability=0.8).endswith("several in a row make a problem.")
    assert conclusion(found=True) == "Akeso acts now."


def test_an_open_healing_is_the_operators_own_word():
    going = healing(target="web", message="RestartPods: evict pod web-0")
    ended = healing("old", target="web", completedAt="2026-12-01T09:00:00Z", verdict="Verified")
    other = healing("other", target="api")
    (signal,) = told(healings=[other, ended, going]).signals
    assert signal.healing == "web-memory-1"
    assert signal.conclusion == "Healing web-memory-1 is open: RestartPods: evict pod web-0"


def test_a_workload_no_policy_selects_is_said_to_be_left_alone():
    text = shown(account(Explanation(SEEN, (), ())))
    assert "No HealingPolicy in namespace shop selects it, so Akeso leaves it alone." in text


def test_owners_are_named():
    seen = deployment(3, controller="Rollout/web", autoscaler=Autoscaler("web"))
    text = shown(account(Explanation(seen, (), ())))
    assert "owned by Rollout/web" in text
    assert "owned by HorizontalPodAutoscaler/web" in text


@pytest.mark.parametrize("width", [40, 80, 200])
def test_no_line_is_wider_than_the_terminal(width: int):
    text = shown(told(FINE, COOLING, found=True), width)
    assert all(len(line) <= width for line in text.splitlines())


def test_the_json_has_these_keys_and_no_infinite_numbers():
    found = told(FINE, COOLING, found=True).model_dump(mode="json", by_alias=True)
    json.dumps(found, allow_nan=False)
    assert set(found) == {
        *("kind", "namespace", "name", "ready", "replicas", "revision", "owners"),
        *("forecasts", "signals"),
    }
    assert set(found["forecasts"][0]) == {
        *("pod", "container", "readiness", "message", "value", "limit", "probabilityPercent"),
        *("secondsToLimit", "alarm", "sampledAt", "samples"),
    }
    assert found["forecasts"][0]["secondsToLimit"] == [480, 720, None]
    assert found["forecasts"][0]["probabilityPercent"] == 50
    signal = found["signals"][0]
    assert set(signal) == {
        *(
            "policy",
            "mode",
            "signal",
            "about",
            "facts",
            "actsFromPercent",
            "problem",
            "healing",
            "plan",
        ),
        *("allowed", "conclusion", "proposals", "guards"),
    }
    assert set(signal["plan"]) == {
        *("healer", "summary", "effect", "actions", "undo", "blastRadius"),
    }
    assert set(signal["guards"][1]) == {
        *("guard", "allowed", "reason", "message", "retryAfterSeconds"),
    }
    assert signal["guards"][1]["retryAfterSeconds"] == 300
