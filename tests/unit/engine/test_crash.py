"""The process dies at any write, before or after it: the end is the same, each effect happens once.

What survives is only what an API server keeps. `WRITES` is how many writes each story takes in
all, users' objects and Akeso's own; a test of its own checks that none is left out.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import replace

import pytest

from akeso.api.healing import ActionType
from akeso.domain.workload import Autoscaler, Kind
from akeso.engine import record
from unit.engine.scenes import bad_release, leak, overloaded
from unit.engine.sim import World, stem
from unit.engine.sim_workload import MIB, SimWorkload

RAISE = {"healer": "RaiseMemory", "ceiling": "1Gi"}
LASTING = {"healer": "RaiseMemoryTemplate", "ceiling": "1Gi", "mode": "Heal"}
PROPOSED = {"healer": "RaiseMemoryTemplate", "ceiling": "1Gi"}
Scene = Callable[[], tuple[World, SimWorkload]]

SCENES: dict[str, Scene] = {
    "raise": lambda: leak([RAISE], replicas=2, leak=0.0, heap=250 * MIB),
    "raise, and more proposed": lambda: leak(
        [RAISE, PROPOSED], replicas=1, leak=0.0, heap=250 * MIB
    ),
    "raise for good": lambda: leak([LASTING], replicas=2, leak=0.0),
    "raise for good, taken back": lambda: stuck(),
    "surge": lambda: leak(replicas=1, leak=0.0),
    "two evictions": lambda: leak(replicas=2, leak=0.0),
    "StatefulSet restart": lambda: leak(replicas=2, leak=0.0, kind=Kind.STATEFUL_SET),
    "Deployment rollback": lambda: bad_release(Kind.DEPLOYMENT),
    "StatefulSet rollback": lambda: bad_release(Kind.STATEFUL_SET),
    "DaemonSet rollback": lambda: bad_release(Kind.DAEMON_SET),
    "scale out": lambda: overloaded(),
    "scale out of a StatefulSet": lambda: overloaded(kind=Kind.STATEFUL_SET),
    "scale out at an HPA's ceiling": lambda: overloaded(
        autoscaler=Autoscaler("web", "uid-hpa", "1", 1, 2, managers=("kubectl",)), asked_for=2
    ),
}
WRITES = {
    "raise": 14,
    "raise, and more proposed": 12,
    "raise for good": 16,
    "raise for good, taken back": 19,
    "surge": 22,
    "two evictions": 14,
    "StatefulSet restart": 14,
    "Deployment rollback": 13,
    "StatefulSet rollback": 15,
    "DaemonSet rollback": 13,
    "scale out": 16,
    "scale out of a StatefulSet": 16,
    "scale out at an HPA's ceiling": 20,
}


def stuck() -> tuple[World, SimWorkload]:
    """The new pods never get ready."""
    world, w = leak([{**LASTING, "timeoutSeconds": 60}], replicas=2, leak=0.0, heap=182 * MIB)
    w.bad["v2"] = "unready"
    return world, w


def crashes() -> list[object]:
    return [
        pytest.param(scene, index, when, id=f"{scene}, {when} write {index}")
        for scene, count in WRITES.items()
        for index in range(count)
        for when in ("before", "after")
    ]


def end_of(world: World, w: SimWorkload) -> tuple[object, ...]:
    """What everybody sees in the end; generated pod names are the controller's."""
    pods = sorted((p.revision, p.ready, p.limit, p.wanted) for p in w.present)
    hpa = replace(w.autoscaler, resource_version="") if w.autoscaler else None
    return (
        w.replicas,
        w.template,
        w.managers,
        hpa,
        pods,
        world.outcomes(),
        world.condition("NeedsHuman"),
        world.condition("Proposed"),
    )


def added(world: World) -> bool:
    """Pods are owed back; memory that a leak still needs stays."""
    return any(
        h.status.attempts[i].actions[j].type is not ActionType.RESIZE
        for h in filter(record.due, world.healings())
        for i, j in record.owed(h)
    )


async def finish(world: World) -> None:
    await world.until(world.completed(), within=2_000)
    await world.until(lambda: not added(world), within=2_000)
    await world.run(60)


@pytest.mark.parametrize("scene", SCENES)
async def test_the_faultless_story_has_as_many_writes_as_are_tried(scene: str) -> None:
    world, _ = SCENES[scene]()
    await finish(world)
    assert len(world.journal.writes) == WRITES[scene], world.told()


@pytest.mark.parametrize(("scene", "index", "when"), crashes())
async def test_a_crash_at_any_write_ends_like_no_crash_with_each_effect_once(
    scene: str, index: int, when: str
) -> None:
    world, w = SCENES[scene]()
    world.journal.kill = (index, when)
    await finish(world)
    assert world.crashes == 1
    faultless, of_it = await without_crash(scene)
    assert end_of(world, w) == end_of(faultless, of_it), world.told()
    assert _effects(world) == _effects(faultless), world.told()


def _effects(world: World) -> tuple[list[str], Counter[str]]:
    creations = [x for x in world.journal.writes if x.startswith("create ")]
    return [stem(x) for x in world.journal.of_users()], Counter(creations)


_faultless: dict[str, tuple[World, SimWorkload]] = {}


async def without_crash(scene: str) -> tuple[World, SimWorkload]:
    if scene not in _faultless:
        _faultless[scene] = SCENES[scene]()
        await finish(_faultless[scene][0])
    return _faultless[scene]
