"""Around every healing the user's releases work, with no force, and mean what they say.

Helm 4 applies server-side, and so do many people; both fail on a field that somebody else owns.
Who re-applies all the time, as GitOps controllers do, has the last word.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from akeso_lab.proxy import Match, Reject
from cluster.effects import in_words
from cluster.harness import MERGE, World, brief
from cluster.releases import Refused, Releases
from cluster.workloads import ROLLOUT_SIGNAL, Json, policy, query_signal

TOOLS = ("helm", "server-side", "client-side")
OURS = "akeso"


@dataclass(frozen=True)
class Heal:
    """How a healer comes to act on what the chart has made.

    `first` is released, then `second` where it is given; `signal` finds the problem that `begin`
    makes, for a rung of so many seconds. `write` is the effect that changes what the chart says.
    `held` are the requests that are refused while that is to stand. `left` are values that a
    client-side apply leaves behind: it removes only what its own last one had, as after
    `kubectl rollout undo`.
    """

    signal: Callable[[World, int], Json]
    begin: Callable[[World], Awaitable[object]]
    effects: list[str]
    write: str
    first: Json = field(default_factory=dict[str, object])
    second: Json | None = None
    held: Match | None = None
    left: Json = field(default_factory=dict[str, object])


async def tire(here: World) -> None:
    await here.tire()


def fatigue(here: World, seconds: int) -> Json:
    rung = {"healer": "RestartPods", "timeoutSeconds": seconds}
    return {**query_signal(here.name), "ladder": [rung]}


async def nothing(here: World) -> None:
    """The release itself is the problem."""


HEALS = {
    "RestartPods with a surge": Heal(
        signal=fatigue,
        begin=tire,
        # One: what nobody owns, as replicas after the first, the scale sub-resource does not track.
        effects=[
            "change /metadata/managedFields",
            "evict",
            "scale to 1",
            "scale to 2",
        ],
        write="scale to 2",
        held=Match(path="/eviction$", verbs="write"),
    ),
    "Rollback": Heal(
        signal=lambda here, seconds: ROLLOUT_SIGNAL,
        begin=nothing,
        effects=["change /metadata/managedFields", "change /spec/template"],
        write="change /spec/template",
        first={"replicas": 2, "env": {"KEPT": "1", "DROPPED": "1"}},
        second={
            "replicas": 2,
            "image": "app:2",
            "behaviour": "unready",
            "env": {"KEPT": "1", "ADDED": "1"},
        },
        left={"env": {"DROPPED": "1", "KEPT": "2"}},
    ),
}
NEXT: Json = {"replicas": 3, "image": "app:3", "memory": "300Mi", "env": {"KEPT": "2"}}


async def begin(here: World, releases: Releases, heal: Heal, seconds: int = 120) -> None:
    """The workload as the chart made it, with a problem, and the operator at work."""
    await releases.release(**heal.first)
    await here.rolled_out("Deployment")
    await here.apply(policy(heal.signal(here, seconds)))
    if heal.second is not None:
        revision = await here.revision("Deployment")
        await releases.release(**heal.second)
        await here.remember("Deployment", "web", [revision])
    await heal.begin(here)
    here.operator.start()


async def released(here: World, releases: Releases, left: Json | None = None) -> None:
    """NEXT goes through, and the workload is what it says, no more (but `left`) and no less."""
    await releases.release(**NEXT)
    assert (await here.get("Deployment", "web"))["spec"] == await releases.meant(
        **{**NEXT, **(left or {})}
    )


async def managers(here: World) -> set[str]:
    raw = await here.get("Deployment", "web")
    return {entry["manager"] for entry in raw["metadata"]["managedFields"] if entry.get("manager")}


@pytest.mark.parametrize("tool", TOOLS)
@pytest.mark.parametrize("name", HEALS)
async def test_after_a_healing_nothing_is_owned_and_the_next_release_is_what_it_says(
    here: World, tmp_path: Path, name: str, tool: str
) -> None:
    heal, releases = HEALS[name], await Releases.by(tool, here, tmp_path)
    await begin(here, releases, heal)
    [healed] = await here.healed()
    assert brief(healed)["verdict"] == "Verified"
    assert in_words(here.effects()) == heal.effects
    assert OURS not in await managers(here)
    await released(here, releases, heal.left if tool == "client-side" else None)
    assert (await here.rolled_out("Deployment"))["spec"]["replicas"] == 3


@pytest.mark.parametrize("tool", TOOLS)
@pytest.mark.parametrize("name", [name for name, heal in HEALS.items() if heal.held])
async def test_a_release_while_a_changed_value_stands_works_too_and_is_not_undone(
    here: World, tmp_path: Path, name: str, tool: str
) -> None:
    heal, releases = HEALS[name], await Releases.by(tool, here, tmp_path)
    held(here, heal)
    await begin(here, releases, heal)
    await written_and_given_up(here, heal)
    await released(here, releases)
    here.proxy.reset()
    await here.healed()
    await here.quiet()
    assert OURS not in await managers(here)
    assert (await here.get("Deployment", "web"))["spec"] == await releases.meant(**NEXT)


@pytest.mark.parametrize("tool", ["helm", "server-side"])
async def test_what_somebody_else_keeps_owning_stops_a_release(
    here: World, tmp_path: Path, tool: str
) -> None:
    """Else the tests above would prove nothing."""
    releases = await Releases.by(tool, here, tmp_path)
    await releases.release()
    scale = here.path("Deployment", "web") + "/scale"
    await here.api.patch(scale, {"spec": {"replicas": 2}}, {"fieldManager": OURS}, MERGE)
    with pytest.raises(Refused, match="conflict"):
        await releases.release(**NEXT)


@pytest.mark.parametrize("name", HEALS)
async def test_who_re_applies_what_was_healed_is_not_fought(
    here: World, tmp_path: Path, name: str
) -> None:
    """A pipeline that nobody could know for one: not among the managers that guards look for."""
    heal, releases = HEALS[name], await Releases.by("server-side", here, tmp_path)
    held(here, heal)
    await begin(here, releases, heal, seconds=30)
    await written_and_given_up(here, heal)
    wanted = heal.second or heal.first
    await releases.release(**wanted)
    here.proxy.reset()
    async with re_applying(releases, wanted):
        await here.healed()
        await here.quiet()
    assert in_words(here.effects()).count(heal.write) == 1
    assert OURS not in await managers(here)
    assert (await here.get("Deployment", "web"))["spec"] == await releases.meant(**wanted)


def held(here: World, heal: Heal) -> None:
    if heal.held is not None:
        here.proxy.add(Reject(status=429, match=heal.held, message="not now"))


async def written_and_given_up(here: World, heal: Heal) -> None:
    async def done() -> bool:
        wrote = heal.write in in_words(here.effects())
        return wrote and OURS not in await managers(here)

    await here.until(done, what=f"{heal.write}, and its ownership given up,")


@asynccontextmanager
async def re_applying(releases: Releases, values: Json) -> AsyncGenerator[None]:
    """The same release again and again, as long as the block runs."""

    async def again() -> None:
        while True:
            await releases.release(**values)
            await asyncio.sleep(0.5)

    work = asyncio.create_task(again())
    try:
        yield
        assert not work.done(), "a release was refused"
    finally:
        work.cancel()
        await asyncio.gather(work, return_exceptions=True)
