"""A Healing in words: what was expected, what was done, how it ended, in the order it happened."""

from __future__ import annotations

from typing import Any

import pytest

from akeso.api.healing import Healing
from akeso.report.model import Mood
from unit.cli.objects import action, attempt, condition, policy
from unit.report.samples import at, healed, leak, told


def tried(verdict: str = "Failed", **fields: Any) -> dict[str, Any]:
    done = [action("Done", at=at(20))]
    return attempt(
        **{
            "startedAt": at(15),
            "finishedAt": at(400),
            "verdict": verdict,
            "actions": done,
            **fields,
        }
    )


def ended(verdict: str) -> Healing:
    return leak(verdict=verdict, completedAt=at(500), attempts=[tried(verdict)])


def test_the_title_says_problem_deed_margin_and_end():
    assert told(healed()).title == (
        "web was going to run out of memory around 09:24:58 UTC; Akeso restarted 2 pods in good"
        " order 5 min ahead of that, and it worked."
    )


@pytest.mark.parametrize(
    ("verdict", "said", "mood"),
    [
        ("Failed", "but it did not help", Mood.BAD),
        ("Error", "but could not carry it out", Mood.BAD),
        ("Inconclusive", "whether it worked can't be told", Mood.UNSURE),
        ("Cleared", "and the problem went away", Mood.QUIET),
    ],
)
def test_only_what_is_verified_is_said_to_have_worked(verdict: str, said: str, mood: Mood):
    report = told(ended(verdict))
    assert said in report.title
    assert "it worked." not in report.title
    assert (report.badge, report.mood) == (verdict, mood)


def test_one_under_way_has_no_end_yet():
    report = told(leak(attempts=[attempt(startedAt=at(15), actions=[action("Pending")])]))
    assert (report.badge, report.closed) == ("Healing", None)
    assert "is expected to run out of memory" in report.title
    assert report.title.endswith("; nothing is done yet.")


def test_what_holds_it_back_is_in_the_title():
    stands = condition("Blocked", True, "CoolingDown", "web rests until 10:00.")
    report = told(leak(conditions=[stands]))
    assert report.badge == "Held back"
    assert report.title.endswith("; Akeso holds back: web rests until 10:00.")
    assert "Held back" in [m.what for m in report.moments]


def test_moments_are_in_order_and_name_every_write():
    moments = told(healed()).moments
    assert [m.at for m in moments] == sorted(m.at for m in moments)
    assert [m.what for m in moments] == [
        *("Opened", "Planned", "Done", "Done", "Expected", "Checked", "Verified")
    ]
    assert moments[2].said == "evict pod web-6f7c9d4b8-x2k4z"


def test_a_rung_that_failed_before_the_last_is_a_moment_of_its_own():
    second = attempt(healer="Rollback", startedAt=at(410), actions=[])
    whats = [m.what for m in told(leak(attempts=[tried(), second])).moments]
    assert "Failed" in whats


def test_a_rollback_is_told_as_one():
    back = action("Done", at=at(20), type="SetTemplate", to="5c9f", **{"from": "77d1"})
    healing = leak(
        {"timeToThresholdSeconds": None, "probabilityPercent": None},
        verdict="Verified",
        completedAt=at(60),
        attempts=[tried("Verified", actions=[back])],
    )
    rollout = policy(signals=[{"name": "memory", "builtin": "RolloutFailing"}])
    report = told(healing, None, (rollout,))
    assert report.title == (
        "A rollout of web went wrong; Akeso put revision 5c9f back, and it worked."
    )
    assert "seen ahead" not in [f.name for f in report.figures]


def test_an_action_of_a_later_version_is_told_as_it_is_recorded():
    odd = action("Done", at=at(20), type="Scale", uid=None)
    report = told(leak(attempts=[tried(actions=[odd])]))
    assert report.attempts[0].actions[0].said == "Scale web-0"


def test_the_numbers_that_matter():
    figures = {f.name: f.said for f in told(healed()).figures}
    assert figures == {
        "seen ahead": "5 min",
        "probability": "93 %",
        "first action after": "20 s",
        "writes": "2",
        "verdict after": "9 min",
    }
