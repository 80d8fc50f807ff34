"""What the forecast is told of the lives before: of the same container, and of the workload's other pods."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from akeso.domain.forecast import SeriesKey
from akeso.protocols import Usage
from unit.engine.sim import MEMORY, NOW, SCRAPE, World
from unit.engine.sim_workload import MIB


async def test_at_start_the_lives_of_the_pod_s_earlier_containers_are_read_back() -> None:
    world = World()
    world.policy(dict(MEMORY))
    (pod,) = world.cluster.add(replicas=1, base=60 * MIB).present
    pod.born = pod.started = NOW
    await world.run(100 * SCRAPE)
    pod.restarts, pod.started = 1, world.cluster.now
    restarted = pod.started
    await world.run(20 * SCRAPE)

    # Of longer than the pod is there: a predecessor of its name is nobody.
    async def history(start: float, end: float) -> Sequence[Usage]:
        times = [start + SCRAPE * i for i in range(round((end - start) / SCRAPE))]
        return [Usage("shop", pod.ref.name, "app", t, 60 * MIB) for t in times]

    world.source.memory_history = history  # type: ignore[method-assign]
    world.restart()
    await world.run(2 * SCRAPE)
    key = SeriesKey("shop", pod.ref.name, "app")
    times, _ = world.engine.predictor.history(key)
    assert pod.born <= times[0] <= pod.born + 2 * SCRAPE < restarted
    # Its legs are told apart: that of the running container is young.
    assert world.engine.predictor.peek(key, world.cluster.now, 600.0).samples < 40


async def test_pods_of_one_workload_are_told_to_be_kin_once() -> None:
    world = World()
    world.policy(dict(MEMORY))
    told: list[Mapping[SeriesKey, str]] = []
    belong = world.engine.predictor.belong

    def heard(groups: Mapping[SeriesKey, str]) -> None:
        told.append(dict(groups))
        belong(groups)

    world.engine.predictor.belong = heard  # type: ignore[method-assign]
    one, other = world.cluster.add(replicas=2), world.cluster.add(name="other", replicas=1)
    await world.run(5 * SCRAPE)
    groups = {key: group for part in told for key, group in part.items()}
    assert sum(map(len, told)) == len(groups) == 3
    assert {len({groups[key(p)] for p in w.present}) for w in (one, other)} == {1}
    assert len(set(groups.values())) == 2


def key(pod: object) -> SeriesKey:
    return SeriesKey("shop", pod.ref.name, "app")  # type: ignore[attr-defined]
