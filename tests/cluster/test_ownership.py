"""Around every healing the user's releases work, with no force, and mean what they say.

Helm 4 applies server-side, and so do many people; both fail on a field that somebody else owns.
Who re-applies all the time, as GitOps controllers do, has the last word.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from akeso_healers import BUILT_IN
from akeso_lab.proxy import Match, Reject
from cluster.effects import in_words
from cluster.harness import MERGE, Stage, World, brief, world
from cluster.loads import queue, queue_is, service
from cluster.releases import Refused, Releases
from cluster.workloads import ROLLOUT_SIGNAL, VERIFY, Json, policy, query_signal, raise_signals

OURS = "akeso"
BOTH = ("helm", "server-side")
Story = Callable[[World, Releases], Awaitable[None]]


@asynccontextmanager
async def a_bad_release(here: World) -> AsyncGenerator[None]:
    """The release itself is the problem."""
    yield


@asynccontextmanager
async def tired_pods(here: World) -> AsyncGenerator[None]:
    await here.tire()
    yield


@asynccontextmanager
async def a_leak(here: World) -> AsyncGenerator[None]:
    await here.tire()
    await here.leak(share=0.5, rate=0.005)  # a forecast soon
    yield


@asynccontextmanager
async def a_load(here: World, per_pod: float = 130.0) -> AsyncGenerator[None]:
    """Too much for the pods there are, and gone when the block is."""
    work = per_pod * len(await here.pods())
    async with service(here, lambda: work):
        yield
    queue_is(here, 10.0)


@dataclass(frozen=True)
class Heal:
    """How a healer comes to act on what the chart has made.

    `first` is released, then `second` where it is given, and later NEXT with `more`. `signals`
    find the `problem`, for a rung of so many seconds. `write` is the effect that changes what the
    chart says, or the last of them. `held` are the requests that are refused while that is to
    stand. `left` are values that a client-side apply leaves behind: it removes only what its own
    last one had, as after `kubectl rollout undo`. What is `lasting` is brought back only when a
    person asks.
    """

    healer: str
    signals: Callable[[World, int], tuple[Json, ...]]
    problem: Callable[[World], AbstractAsyncContextManager[None]]
    effects: list[str]
    write: str
    first: Json = field(default_factory=dict[str, object])
    second: Json | None = None
    more: Json = field(default_factory=dict[str, object])
    held: Match | None = None
    left: Json = field(default_factory=dict[str, object])
    tools: tuple[str, ...] = BOTH
    lasting: bool = False

    @property
    def next(self) -> Json:
        return {**NEXT, **self.more}

    @property
    def autoscaled(self) -> bool:
        return "autoscaler" in self.first


def fatigue(here: World, seconds: int) -> tuple[Json]:
    rung = {"healer": "RestartPods", "timeoutSeconds": seconds}
    return ({**query_signal(here.name), "ladder": [rung]},)


def rollout(here: World, seconds: int) -> tuple[Json]:
    return ({**ROLLOUT_SIGNAL, "ladder": [{"healer": "Rollback", "timeoutSeconds": seconds}]},)


def load(here: World, seconds: int) -> tuple[Json]:
    rung = {"healer": "ScaleOut", "maxReplicas": 5, "timeoutSeconds": seconds}
    return (queue(here.name, ladder=[rung]),)


def for_good(here: World, seconds: int) -> tuple[Json, ...]:
    asks, foresees = raise_signals(here.name)
    lasting = {"healer": "RaiseMemoryTemplate", "ceiling": "1Gi", "mode": "Heal"}
    return {**asks, "ladder": [{**lasting, "timeoutSeconds": seconds}]}, foresees


RELEASED = "change /metadata/managedFields"
CONTAINER = "/spec/template/spec/containers/0"
LIMIT, REQUEST = (f"{CONTAINER}/resources/{kind}/memory" for kind in ("limits", "requests"))
MORE = f"change {CONTAINER}/name {LIMIT} {LIMIT} {REQUEST}"
HEALS = {
    "RestartPods with a surge": Heal(
        healer="RestartPods",
        signals=fatigue,
        problem=tired_pods,
        # Released once: what nobody owns, as replicas after it, the scale sub-resource does not
        # track.
        effects=[RELEASED, "evict", "scale to 1", "scale to 2"],
        write="scale to 2",
        held=Match(path="/eviction$", verbs="write"),
    ),
    "Rollback": Heal(
        healer="Rollback",
        signals=rollout,
        problem=a_bad_release,
        effects=[RELEASED, "change /spec/template"],
        write="change /spec/template",
        first={"replicas": 2, "env": {"KEPT": "1", "DROPPED": "1"}},
        second={
            "replicas": 2,
            "image": "app:2",
            "behaviour": "unready",
            "env": {"KEPT": "1", "ADDED": "1"},
        },
        left={"env": {"DROPPED": "1", "KEPT": "2"}},
        tools=(*BOTH, "client-side"),
    ),
    "ScaleOut": Heal(
        healer="ScaleOut",
        signals=load,
        problem=a_load,
        effects=[RELEASED, "scale to 4"],
        write="scale to 4",
        first={"replicas": 2},
    ),
    "ScaleOut of an autoscaler": Heal(
        healer="ScaleOut",
        signals=load,
        problem=a_load,
        effects=[RELEASED, "change /spec/maxReplicas", "change /spec/minReplicas"],
        write="change /spec/minReplicas",
        first={"autoscaler": {"min": 1, "max": 1}},
        more={"autoscaler": {"min": 3, "max": 3}},
    ),
    "RaiseMemory": Heal(
        healer="RaiseMemory",
        signals=lambda here, seconds: raise_signals(here.name),
        problem=a_leak,
        effects=["resize to 384Mi"],
        write="resize to 384Mi",
    ),
    "RaiseMemoryTemplate": Heal(
        healer="RaiseMemoryTemplate",
        signals=for_good,
        problem=a_leak,
        effects=[RELEASED, MORE],
        write=MORE,
        lasting=True,
    ),
}
NEXT: Json = {"replicas": 3, "image": "app:3", "memory": "300Mi", "env": {"KEPT": "2"}}
# What somebody else has changed stays so: there is nothing to wait for.
SURE = {"inconclusiveLimit": 3}
# RaiseMemory writes to pods only: there is nothing that a release or an applier could undo.
OF_MANIFESTS = [name for name, heal in HEALS.items() if heal.healer != "RaiseMemory"]


def test_every_healer_is_here() -> None:
    assert {heal.healer for heal in HEALS.values()} == {healer.name for healer in BUILT_IN}


@pytest.mark.every_kubernetes
@pytest.mark.parametrize("name", HEALS)
async def test_after_a_healing_nothing_is_owned_and_the_next_release_is_what_it_says(
    stage: Stage, tmp_path: Path, name: str
) -> None:
    heal = HEALS[name]

    async def story(here: World, releases: Releases) -> None:
        async with begun(here, releases, heal):
            [healed] = await here.healed()
            assert brief(healed)["verdict"] == "Verified"
            assert in_words(here.effects()) == heal.effects
            assert OURS not in await releases.managers()
            left = heal.left if releases.tool == "client-side" else {}
            await released(releases, heal, **left)
            rolled = await here.rolled_out("Deployment")
        assert heal.autoscaled or rolled["spec"]["replicas"] == NEXT["replicas"]
        limits = [p["spec"]["containers"][0]["resources"]["limits"] for p in await here.pods()]
        assert {limit["memory"] for limit in limits} == {NEXT["memory"]}
        if left:
            await releases.replace(**heal.next)
            assert await releases.there() == await releases.meant(**heal.next)

    await with_each(heal.tools, heal, stage, tmp_path, story)


@pytest.mark.parametrize("name", OF_MANIFESTS)
async def test_a_release_while_a_changed_value_stands_works_too_and_is_not_undone(
    stage: Stage, tmp_path: Path, name: str
) -> None:
    heal = HEALS[name]

    async def story(here: World, releases: Releases) -> None:
        held(here, heal)
        async with begun(here, releases, heal, calm=2, **SURE):
            await written_and_given_up(here, releases, heal)
            await released(releases, heal)
            here.proxy.reset()
            await ended(here)
        if not heal.lasting:
            await here.until(lambda: all_over(here), what="an end of all that was begun")
        await here.quiet()
        assert OURS not in await releases.managers()
        assert await releases.there() == await releases.meant(**heal.next)

    await with_each(("helm",), heal, stage, tmp_path, story)


@pytest.mark.parametrize("name", OF_MANIFESTS)
async def test_who_re_applies_what_was_healed_is_not_fought(
    stage: Stage, tmp_path: Path, name: str
) -> None:
    """A pipeline that nobody could know for one: not among the managers that guards look for."""
    heal = HEALS[name]
    wanted = heal.second or heal.first

    async def story(here: World, releases: Releases) -> None:
        held(here, heal)
        async with begun(here, releases, heal, seconds=10, **SURE):
            await written_and_given_up(here, releases, heal)
            async with re_applying(releases, wanted):
                await here.until(lambda: as_meant(releases, wanted), what="the applier's word")
                here.proxy.reset()
                await ended(here)
                await here.quiet()
                assert in_words(here.effects()).count(heal.write) == 1
        assert OURS not in await releases.managers()
        assert await as_meant(releases, wanted)

    await with_each(("server-side",), heal, stage, tmp_path, story)


@pytest.mark.parametrize("tool", BOTH)
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


async def with_each(
    tools: tuple[str, ...], heal: Heal, stage: Stage, folder: Path, story: Story
) -> None:
    """The story in worlds of their own at a time: they mostly wait."""

    async def one(tool: str) -> None:
        async with world(stage) as here:
            await story(here, await Releases.by(tool, here, folder / tool, heal.autoscaled))

    async with asyncio.TaskGroup() as group:
        for tool in tools:
            group.create_task(one(tool))


@asynccontextmanager
async def begun(
    here: World, releases: Releases, heal: Heal, seconds: int = 120, calm: int = 300, **verify: int
) -> AsyncGenerator[None]:
    """The workload as the chart made it, with a problem in the block, and the operator at work.

    `calm`: how many seconds without the problem bring back what was done for the time being.
    """
    await releases.release(**heal.first)
    await here.rolled_out("Deployment")
    await here.apply(policy(*heal.signals(here, seconds), verify={**VERIFY, **verify}))
    if heal.second is not None:
        revision = await here.revision("Deployment")
        await releases.release(**heal.second)
        await here.remember("Deployment", "web", [revision])
    async with heal.problem(here):
        here.operator.start(calm_seconds=str(calm))
        yield


async def released(releases: Releases, heal: Heal, **left: object) -> None:
    """NEXT goes through, and all is as it says, no more (but `left`) and no less."""
    await releases.release(**heal.next)
    assert await releases.there() == await releases.meant(**{**heal.next, **left})


async def as_meant(releases: Releases, values: Json) -> bool:
    return await releases.there() == await releases.meant(**values)


def held(here: World, heal: Heal) -> None:
    if heal.held is not None:
        here.proxy.add(Reject(status=429, match=heal.held, message="not now"))


async def written_and_given_up(here: World, releases: Releases, heal: Heal) -> None:
    async def done() -> bool:
        wrote = heal.write in in_words(here.effects())
        return wrote and OURS not in await releases.managers()

    await here.until(done, what=f"{heal.write}, and its ownership given up,")


async def ended(here: World) -> None:
    """The first Healing; the next one of what lasts waits for the cooldown."""

    async def done() -> bool:
        found = await here.healings()
        return any(h.get("status", {}).get("completedAt") for h in found)

    await here.until(done, within=90, what="a finished healing")


async def all_over(here: World) -> bool:
    """Nothing is left to be done, or to be brought back."""
    attempts = (t for h in await here.healings() for t in _attempts(h))
    return all(a["state"] != "Pending" for t in attempts for a in t["actions"])


def _attempts(healing: Json) -> list[Json]:
    return healing.get("status", {}).get("attempts", [])


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
