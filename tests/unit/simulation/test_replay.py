"""What was recorded is decided again, and a what-if says from where on it is guesswork."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from akeso.api.policy import HealingPolicy, Mode
from akeso.domain.workload import Kind
from akeso.errors import TransientError
from akeso.simulation.replay import Replay
from akeso.wiring.simulate import simulate
from akeso_predictors import Calibration
from unit.engine.scenes import bad_release, leak, leaking
from unit.engine.sim import MEMORY, World
from unit.engine.sim_workload import SimWorkload
from unit.simulation.recording import Recorded

Scene = Callable[[], tuple[World, SimWorkload]]

SCENES: dict[str, Scene] = {
    "leak healed": lambda: leak(replicas=3),
    "surge": lambda: leak(replicas=1),
    "StatefulSet leak": lambda: leak(replicas=2, kind=Kind.STATEFUL_SET),
    "bad release": bad_release,
    "StatefulSet release": lambda: bad_release(Kind.STATEFUL_SET, "unready"),
}


def heal(policy: HealingPolicy) -> HealingPolicy:
    return in_mode(policy, Mode.HEAL)


def observe(policy: HealingPolicy) -> HealingPolicy:
    return in_mode(policy, Mode.OBSERVE)


def in_mode(policy: HealingPolicy, mode: Mode) -> HealingPolicy:
    return policy.model_copy(update={"spec": policy.spec.model_copy(update={"mode": mode})})


def assert_same(replay: Replay, world: World) -> None:
    assert replay.differences == ()
    assert list(replay.recorded) == world.notifier.heard
    assert list(replay.told) == world.notifier.heard
    assert replay.departure is None and not replay.missing


@pytest.mark.parametrize("suffix", ["jsonl", "jsonl.gz"])
@pytest.mark.parametrize("scene", SCENES)
async def test_a_replay_decides_what_was_decided(scene: str, suffix: str, tmp_path: Path) -> None:
    world, _ = SCENES[scene]()
    files = await Recorded(world, tmp_path, suffix).until(world.completed())
    assert len(world.notifier.heard) >= 5
    replay = await simulate(files)
    assert_same(replay, world)
    assert replay.endings == () and replay.runs == 1


async def test_a_replay_begins_with_what_had_been_learned(tmp_path: Path) -> None:
    """Claims that were mostly wrong so far: the alarm comes later, and so it does in the replay."""
    wrong = np.array([[p, 0.0, 20.0] for p in np.linspace(0.05, 0.95, 19)])
    learned = Calibration().learned("memory", wrong, np.zeros((0, 6)))
    told: list[float] = []
    for known in (None, learned.to_json()):
        world, _ = leak(replicas=1)
        status = world.control.status.model_copy(update={"calibration": known})
        await world.records.save_control(world.control.model_copy(update={"status": status}))
        folder = tmp_path / str(len(told))
        folder.mkdir()
        assert_same(await simulate(await Recorded(world, folder).until(world.opened())), world)
        told.append(world.cluster.now)
    assert told[1] > told[0]


async def test_a_refusal_is_refused_again(tmp_path: Path) -> None:
    world, w = leak(replicas=2)
    w.budget = 2  # no pod may go
    recorded = Recorded(world, tmp_path)
    await recorded.until(lambda: "Blocked" in world.notifier.story())
    assert_same(await simulate(recorded.files), world)


async def test_people_who_change_policy_and_control_are_heard_again(tmp_path: Path) -> None:
    world, _ = leak(replicas=2, settings={"failures_per_day": 5})
    world.pause("stocktaking")
    recorded = Recorded(world, tmp_path)
    await recorded.go(lambda: "Blocked" in world.notifier.story())
    world.pause(None)
    await recorded.go(world.wrote())
    world.policy(dict(MEMORY), mode="Observe")
    files = await recorded.run(120)
    assert_same(await simulate(files), world)


async def test_outages_are_met_again(tmp_path: Path) -> None:
    world, _ = leak(replicas=2)
    recorded = Recorded(world, tmp_path)
    world.source.down = TransientError("Prometheus is away", 5)
    await recorded.pass_by(60)
    world.source.down = None
    world.cluster.faults["live"] = TransientError("the API server is away")
    world.records.faults["save_policy"] = TransientError("the API server is away")
    await recorded.pass_by(90)
    world.cluster.faults.clear()
    world.records.faults.clear()
    files = await recorded.until(world.completed())
    assert_same(await simulate(files), world)


async def test_what_the_webhook_is_told_beside_the_loop_changes_nothing(tmp_path: Path) -> None:
    world = World(webhook=True)
    world.policy(dict(MEMORY))
    leaking(world, replicas=2)
    recorded = Recorded(world, tmp_path)
    await recorded.go(world.completed())
    files = await recorded.run(60)
    assert world.channel is not None and len(world.channel.taken) == 1
    assert world.condition("Notified", world.healings()[0]) == "Verified"
    replay = await simulate(files)
    assert_same(replay, world)


async def test_silences_are_met_again(tmp_path: Path) -> None:
    world, _ = leak(replicas=2, settings={"alertmanager_url": "http://localhost:9093"})
    recorded = Recorded(world, tmp_path)
    await recorded.pass_by(30)
    world.alerts.silence(600, namespace="shop")
    await recorded.go(lambda: "Blocked" in world.notifier.story())
    world.alerts.made.clear()
    files = await recorded.until(world.wrote())
    assert_same(await simulate(files), world)


@pytest.mark.parametrize(
    ("write", "when"), [(0, "before"), (1, "after"), (2, "before"), (4, "after"), (7, "after")]
)
async def test_a_crash_and_the_process_after_it_are_played_as_two_runs(
    write: int, when: str, tmp_path: Path
) -> None:
    world, _ = leak(replicas=2)
    world.journal.kill = (write, when)
    files = await Recorded(world, tmp_path).until(world.completed())
    assert world.crashes == 1 and len(files) == 2
    replay = await simulate(list(reversed(files)))  # their order is that of their headers
    assert replay.runs == (2 if replay.cycles else 0)
    assert_same(replay, world)


async def test_what_healing_would_have_done_is_told_up_to_its_first_write(tmp_path: Path) -> None:
    world, _ = leak(replicas=2)
    world.policy(dict(MEMORY), mode="Observe")
    files = await Recorded(world, tmp_path).run(400)
    assert world.notifier.story()[:2] == ["Opened", "Blocked"] and not world.journal.of_users()
    replay = await simulate(files, heal)
    assert [d.what for d in replay.told[:3]] == ["Opened", "Planned", "Wrote"]
    assert replay.told[1].healer == "RestartPods"
    assert replay.departure is not None
    assert replay.departure.after == 3
    assert "Deployment shop/web was not written to" in replay.departure.why
    assert not replay.beyond(2) and replay.beyond(3)
    assert replay.missing["cluster.perform"] >= 1 and replay.missing["cluster.live"] >= 1
    assert not replay.same


async def test_what_observing_would_have_done_stops_at_the_write_that_is_not_made(
    tmp_path: Path,
) -> None:
    world, _ = bad_release()
    files = await Recorded(world, tmp_path).until(world.completed())
    replay = await simulate(files, observe)
    assert [d.what for d in replay.told[:2]] == ["Opened", "Blocked"]
    assert replay.told[1].reason == "ModeObserve"
    assert replay.departure is not None and replay.departure.after == 2
    assert "not written in the replay" in replay.departure.why


async def test_a_change_that_changes_nothing_leaves_the_recording_whole(tmp_path: Path) -> None:
    world, _ = leak(replicas=3)
    files = await Recorded(world, tmp_path).until(world.completed())
    assert_same(await simulate(files, heal), world)


async def test_the_kill_switch_holds_in_a_what_if_too(tmp_path: Path) -> None:
    world, _ = leak(replicas=2)
    world.policy(dict(MEMORY), mode="Observe")
    recorded = Recorded(world, tmp_path)
    await recorded.pass_by(30)
    world.pause("stocktaking")
    files = await recorded.run(400)
    replay = await simulate(files, heal)
    assert replay.departure is None
    assert not {"Planned", "Wrote"} & {d.what for d in replay.told}
    assert {d.reason for d in replay.told if d.what == "Blocked"} == {"KillSwitch"}


async def test_parts_are_played_as_one_run(tmp_path: Path) -> None:
    world, _ = leak(replicas=3, settings={"record_max_mib": 0.01, "record_parts": 50})
    files = await Recorded(world, tmp_path).until(world.completed())
    parts = sorted(tmp_path.iterdir())
    assert len(parts) > 2 and files[0] in parts
    replay = await simulate(parts)
    assert replay.runs == 1 and replay.headless == ()
    assert_same(replay, world)


async def test_a_later_part_alone_says_what_it_lacks(tmp_path: Path) -> None:
    world, _ = leak(replicas=3, settings={"record_max_mib": 0.01, "record_parts": 2})
    files = await Recorded(world, tmp_path).until(world.completed())
    assert len(list(tmp_path.iterdir())) == 2
    replay = await simulate(files)
    assert len(replay.headless) == 1 and replay.headless[0] > 2
