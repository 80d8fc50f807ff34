"""Every claim of the demo holds when all went well, and fails when its own point does not."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from rich.console import Console

from akeso.cli.demo import names
from akeso.cli.demo.checks import Check, check_all
from akeso.cli.demo.evidence import Evidence
from akeso.cli.demo.scene import Kill, Requests
from akeso.cli.demo.summary import as_data, passed, render
from unit.cli.demo.records import after, all_well, pod, write
from unit.cli.objects import ago, healing

WELL = all_well()


def named(name: str, evidence: Evidence) -> Check:
    return next(c for c in check_all(evidence) if c.name == name)


def failing(evidence: Evidence) -> set[str]:
    return {c.name for c in check_all(evidence) if not c.holds}


def without(app: str) -> Evidence:
    return replace(WELL, pods=tuple(p for p in WELL.pods if p.app != app))


def changed(name: str, **fields: Any) -> Evidence:
    pods = tuple(replace(p, **fields) if p.name == name else p for p in WELL.pods)
    return replace(WELL, pods=pods)


def written(name: str, verb: str, resource: str, at: float = 50) -> Evidence:
    return replace(WELL, writes=(*WELL.writes, write(name, verb, resource, at)))


def requests(app: str, ok: int, failed: int) -> Evidence:
    return replace(WELL, requests={**WELL.requests, app: Requests(ok, failed)})


def ended(verdict: str) -> Evidence:
    made = healing("h", names.NAMESPACE, names.LEAKY, completedAt=ago(1), verdict=verdict)
    return replace(WELL, healings=(*WELL.healings, made))


def test_all_claims_hold_when_all_went_well():
    assert failing(WELL) == set()


def test_the_claims_say_when_and_how_many():
    said = {c.name: c.said for c in check_all(WELL)}
    assert "OOM-killed at 09:29:00 UTC, 2 min 58 s after it started" in said["twin-killed"]
    assert "1 restart in good order (09:27:50 UTC)" in said["leaky-never-killed"]
    assert "0 of its users' 900 requests failed" in said["leaky-never-killed"]
    assert "1 min 15 s ahead" in said["foreseen"]
    assert "between 09:28:45 UTC and 09:29:15 UTC" in said["foreseen"]
    assert "probability 93 %" in said["foreseen"]
    assert "undone in 15 s" in said["rollout-undone"]
    assert "31 of 3631 requests failed (0.9%)" in said["requests"]


SPOILED: tuple[tuple[str, str, Callable[[], Evidence]], ...] = (
    ("twin-killed", "the twin was not killed", lambda: replace(WELL, kills=())),
    (
        "leaky-never-killed",
        "leaky was killed",
        lambda: replace(WELL, kills=(*WELL.kills, Kill(names.LEAKY, "leaky-old", after(100)))),
    ),
    ("leaky-never-killed", "leaky's container restarted", lambda: changed("leaky-new", restarts=1)),
    (
        "leaky-never-killed",
        "leaky was down in between",
        lambda: replace(WELL, fewest_ready={names.LEAKY: 0}),
    ),
    ("leaky-never-killed", "nobody counted its pods", lambda: replace(WELL, fewest_ready={})),
    ("leaky-never-killed", "nothing was evicted", lambda: replace(WELL, writes=WELL.writes[2:])),
    (
        "leaky-never-killed",
        "the eviction was refused",
        lambda: replace(WELL, writes=(replace(WELL.writes[1], code=429), *WELL.writes[2:])),
    ),
    ("foreseen", "there was no healing", lambda: replace(WELL, healings=())),
    ("foreseen", "the twin was not killed", lambda: replace(WELL, kills=())),
    (
        "foreseen",
        "the healing came after the twin's end",
        lambda: replace(WELL, healings=(healing("h", names.NAMESPACE, names.LEAKY, created=30),)),
    ),
    ("leaky-verified", "a healing failed", lambda: ended("Failed")),
    ("leaky-verified", "it can't be told whether one worked", lambda: ended("Inconclusive")),
    ("leaky-verified", "none has ended", lambda: replace(WELL, healings=())),
    ("rollout-undone", "v2 never came", lambda: without(names.CHECKOUT)),
    (
        "rollout-undone",
        "a pod of v2 is still there",
        lambda: replace(WELL, present=WELL.present | {"uid-checkout-bad"}),
    ),
    (
        "rollout-undone",
        "nobody knows when it went",
        lambda: replace(WELL, writes=tuple(w for w in WELL.writes if w.verb != "delete")),
    ),
    ("rollout-undone", "a pod of v1 is missing", lambda: changed("checkout-0", ready=False)),
    (
        "rollout-undone",
        "somebody else undid it",
        lambda: replace(WELL, writes=tuple(w for w in WELL.writes if w.name != "checkout")),
    ),
    ("requests", "too many failed", lambda: requests(names.CHECKOUT, 700, 300)),
    ("requests", "none failed, so the release was not bad", lambda: requests("checkout", 700, 0)),
    ("requests", "nobody counted", lambda: replace(WELL, requests={})),
    ("requests", "there were no users", lambda: requests(names.CHECKOUT, 0, 0)),
    ("requests", "some failed afterwards", lambda: replace(WELL, failed_after_undo=3)),
    ("requests", "afterwards is unknown", lambda: replace(WELL, failed_after_undo=None)),
    ("next-release", "it conflicts", lambda: replace(WELL, next_release_conflict="conflict")),
    ("next-release", "there was none", lambda: without(names.CHECKOUT)),
    ("healthy-untouched", "it was patched", lambda: written("healthy", "patch", "deployments")),
    ("healthy-untouched", "its pod was evicted", lambda: written("healthy-0", "create", "pods/e")),
    (
        "healthy-untouched",
        "it has another pod now",
        lambda: replace(WELL, present=WELL.present - {"uid-healthy-0"}),
    ),
    ("healthy-untouched", "it was restarted", lambda: changed("healthy-0", restarts=1)),
    (
        "healthy-untouched",
        "a problem was seen",
        lambda: replace(
            WELL, healings=(*WELL.healings, healing("h", names.NAMESPACE, names.HEALTHY))
        ),
    ),
    ("healthy-untouched", "it never ran", lambda: without(names.HEALTHY)),
    ("twin-untouched", "it was scaled", lambda: written("leaky-twin", "patch", "deployments/s")),
    ("twin-untouched", "it never ran", lambda: without(names.TWIN)),
)


@pytest.mark.parametrize(
    ("check", "spoil"), [pytest.param(c, s, id=f"{c}: {why}") for c, why, s in SPOILED]
)
def test_a_claim_that_is_not_so_is_refuted(check: str, spoil: Callable[[], Evidence]):
    found = named(check, spoil())
    assert not found.holds
    assert found.said


def test_a_demo_of_which_nothing_is_known_proves_nothing():
    nothing = Evidence(began=WELL.began, ended=WELL.ended)
    assert failing(nothing) == {c.name for c in check_all(nothing)}


def test_events_and_healings_are_no_touching():
    told = replace(
        WELL,
        writes=(
            *WELL.writes,
            write("healthy", "create", "events", 50),
            write("healthy", "create", "healings", 50),
        ),
    )
    assert "healthy-untouched" not in failing(told)


def test_writes_of_others_are_not_akesos():
    other = write("healthy", "patch", "deployments", 50, user="alice")
    assert "healthy-untouched" not in failing(replace(WELL, writes=(*WELL.writes, other)))


def test_a_leak_that_came_back_counts_every_restart_and_kill():
    again = replace(
        WELL,
        kills=(*WELL.kills, Kill(names.TWIN, "twin-0", after(230))),
        writes=(*WELL.writes, write("leaky-new", "create", "pods/eviction", 220)),
    )
    said = {c.name: c.said for c in check_all(again)}
    assert "2 restarts in good order" in said["leaky-never-killed"]
    assert "09:29:00 UTC, 09:29:50 UTC" in said["twin-killed"]


def test_bad_time_begins_with_the_first_bad_pod():
    early = pod("checkout-first", names.CHECKOUT, names.BAD, ready=False, ready_at=None)
    assert replace(WELL, pods=(*WELL.pods, early)).bad_from() == early.created_at


def test_the_summary_for_programs_has_these_keys():
    checks = check_all(WELL)
    data = as_data(WELL, checks)
    json.dumps(data, allow_nan=False)
    assert set(data) == {"passed", "began", "ended", "gaveUp", "checks", "healings", "requests"}
    assert data["passed"] is True
    assert set(data["checks"][0]) == {"name", "holds", "message", "source"}
    assert data["requests"]["checkout"] == {"ok": 3600, "failed": 31}
    assert data["healings"][0]["verdict"] == "Verified"


def test_the_summary_marks_each_claim_and_counts_those_that_fail():
    def shown(evidence: Evidence) -> str:
        console = Console(file=io.StringIO(), width=160)
        render(console, evidence, check_all(evidence))
        assert isinstance(console.file, io.StringIO)
        return console.file.getvalue()

    well = shown(WELL)
    assert well.count("✓") == len(check_all(WELL))
    assert "All of it holds." in well
    spoiled = shown(replace(WELL, next_release_conflict="conflict", gave_up="it took too long"))
    assert spoiled.count("✗") == 1
    assert "1 of 9 fail." in spoiled
    assert "it took too long" in spoiled


def test_no_checks_are_no_proof():
    assert not passed(())
