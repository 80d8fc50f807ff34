"""What the demo tells, from one look to the next, on a pipe and on a terminal."""

from __future__ import annotations

import io
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from rich.console import Console

from akeso.cli.demo import names, screen
from akeso.cli.demo.operator_process import Decision
from akeso.cli.demo.scene import Memory, Requests, Scene
from akeso.cli.demo.story import HEARTBEAT_SECONDS, Line, decided, happened, heartbeat
from unit.cli.demo.records import BEGAN, pod
from unit.cli.objects import NOW, healing

MIB = 2.0**20
NOTHING = Scene(BEGAN)


def scene(*pods: Any, **fields: Any) -> Scene:
    return Scene(NOW, tuple(pods), **fields)


def told(before: Scene, after: Scene) -> list[str]:
    return [line.text for line in happened(before, after)]


def test_a_pods_life_is_told_once_each():
    made = pod("checkout-1", names.CHECKOUT, "v1", ready=False)
    ready, ending = replace(made, ready=True), replace(made, ready=True, deleting=True)
    assert told(NOTHING, scene(made)) == ["pod checkout-1 (v1) was made"]
    assert told(scene(made), scene(ready)) == ["pod checkout-1 (v1) is ready"]
    assert told(scene(ready), scene(ready)) == []
    assert told(scene(ready), scene(ending)) == ["pod checkout-1 (v1) is ending in good order"]
    assert told(scene(ending), scene()) == ["pod checkout-1 is gone"]


def test_an_oom_kill_is_told_with_its_own_time_and_each_one_anew():
    first = pod("twin-0", names.TWIN, killed_at=BEGAN)
    second = replace(first, killed_at=NOW)
    (line,) = happened(scene(pod("twin-0", names.TWIN)), scene(first))
    assert (line.text, line.at) == ("pod twin-0 was OOM-killed", BEGAN)
    assert told(scene(first), scene(first)) == []
    assert told(scene(first), scene(second)) == ["pod twin-0 was OOM-killed"]


def test_load_generators_are_not_told_of():
    users = pod("leaky-users-1", names.users_of(names.LEAKY))
    assert told(NOTHING, scene(users)) == []
    assert told(scene(users), scene()) == []


def test_a_revision_that_proved_itself_is_told_once():
    after = scene(proven=frozenset({"checkout"}))
    assert told(NOTHING, after) == ["checkout: this revision is remembered as one that works"]
    assert told(after, after) == []


@pytest.mark.parametrize(
    ("what", "text"),
    [
        ("Opened", "leaky: sees a problem coming: it"),
        ("Planned", "leaky: will: RestartPods: it"),
        ("Wrote", "leaky: did: it"),
        ("Verified", "leaky: verified: it"),
        ("Blocked", "leaky: holds back: it"),
        ("NeedsHuman", "leaky: asks a person: it"),
        ("Inconclusive", "leaky: inconclusive: it"),
    ],
)
def test_decisions_are_told_in_plain_words(what: str, text: str):
    line = decided(Decision("2026-12-01T09:29:00+00:00", what, "r", "leaky", "it", "RestartPods"))
    assert (line.who, line.text) == ("Akeso", text)


def test_a_heartbeat_says_how_full_and_how_many():
    seen = scene(
        memory={"leaky": Memory("l", 32 * MIB, 64 * MIB, 80.0)},
        requests={"checkout": Requests(10, 2)},
    )
    assert heartbeat(seen).text == (
        "leaky 32 MiB of 64 MiB (full in 80 s at this pace); checkout: 10 requests ok, 2 failed"
    )
    assert heartbeat(NOTHING).text == "the services are starting"


def lines() -> tuple[screen.Lines, io.StringIO]:
    out = io.StringIO()
    return screen.Lines(Console(file=out, width=60)), out


def test_on_a_pipe_each_line_is_one_line_with_time_and_zone():
    shown, out = lines()
    shown.line(Line(NOW, "Akeso", "leaky: " + "did much " * 20))
    assert out.getvalue().startswith("09:30:00 UTC  Akeso    leaky: did much")
    assert out.getvalue().count("\n") == 1


def test_on_a_pipe_something_is_said_at_least_now_and_then():
    shown, out = lines()
    running = pod("a", names.LEAKY)
    shown.scene(scene())
    assert out.getvalue() == ""
    shown.scene(scene(running))
    assert out.getvalue().count("\n") == 1
    shown.scene(scene(running))
    assert out.getvalue().count("\n") == 1
    later = replace(scene(running), at=NOW + timedelta(seconds=HEARTBEAT_SECONDS))
    shown.scene(later)
    assert out.getvalue().count("\n") == 2


def test_the_picture_shows_every_service_with_bars_pods_and_requests():
    seen = scene(
        pod("a", names.LEAKY),
        pod("b", names.TWIN, killed_at=NOW),
        pod("c", names.CHECKOUT, "v1"),
        pod("d", names.CHECKOUT, "v2"),
        memory={"leaky": Memory("a", 60 * MIB, 64 * MIB, 12.0)},
        requests={"checkout": Requests(10, 2)},
        healings=(healing(target=names.LEAKY, message="RestartPods: evict pod a"),),
    )
    console = Console(file=io.StringIO(), width=160)
    console.print(screen.draw(seen, BEGAN))
    assert isinstance(console.file, io.StringIO)
    text = console.file.getvalue()
    for word in (
        *("4 min 0 s", "leaky", "60 MiB of 64 MiB, full in 12 s", "OOM-killed", "v1+v2"),
        *("10 ok, 2 failed", "RestartPods: evict pod a", "nobody protects it", "healthy"),
    ):
        assert word in text


def test_a_pipe_gets_lines_and_a_terminal_the_picture():
    with screen.opened(Console(file=io.StringIO())) as shown:
        assert isinstance(shown, screen.Lines)
    with screen.opened(Console(file=io.StringIO(), force_terminal=True)) as shown:
        assert isinstance(shown, screen.Picture)
        shown.line(Line(NOW, "demo", "[bold]not markup"))
        shown.scene(scene())
