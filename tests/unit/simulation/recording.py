"""Virtual worlds with a recorder in front of their ports."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from prometheus_client import CollectorRegistry

from akeso.engine.loop import Loop
from akeso.settings import Settings
from akeso.simulation.ports import Ports
from akeso.simulation.recorder import Recorder
from akeso.telemetry.metrics import Metrics
from akeso.wiring.engine import engine
from unit.engine.sim import World
from unit.engine.sim_cluster import Crash


class NoProblems:
    def problems(self) -> Sequence[str]:
        return ()


class Enough(Exception):
    """What was waited for holds."""


class Ticking:
    """Time passes between any two looks at this clock, as it does for a real operator: a replay
    that looks less or more often than the recorded one tells other times."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._looks = 0
        self.done: Callable[[], object] = lambda: True
        self.end = 0.0

    def now(self) -> float:
        self._looks += 1
        return self._world.clock.now() + self._looks / 1024

    async def sleep(self, seconds: float) -> None:
        await self._world.tell()
        self._world.clock.advance(self._world.settings.cycle)
        self._looks = 0
        if self.done():
            raise Enough
        assert self._world.cluster.now < self.end, self._world.told()


def ports_of(world: World, clock: Ticking) -> Ports:
    return Ports(
        clock=clock,
        metrics=world.source,
        cluster=world.cluster,
        notifier=world.notifier,
        records=world.records,
        informers=NoProblems(),
        messages=world.engine.herald,  # writes past the recorder, as an operator's does
        alerts=world.alerts if world.settings.alertmanager_url else None,
    )


class Recorded:
    """One operator after the other in one world, each with a recording of its own."""

    def __init__(self, world: World, folder: Path, suffix: str = "jsonl") -> None:
        self.world = world
        self.clock = Ticking(world)
        self.files: list[Path] = []
        self._folder = folder
        self._suffix = suffix
        self.start()

    def start(self) -> None:
        """A new process."""
        settings: Settings = self.world.settings
        path = self._folder / f"run-{len(self.files)}.{self._suffix}"
        self.files.append(path)
        self.recorder = Recorder(settings, "1.2.3", self.clock, path)
        self.ports = self.recorder.ports(ports_of(self.world, self.clock))
        self.loop: Loop = engine(self.ports, settings, Metrics(CollectorRegistry()))

    def kill(self) -> None:
        """What was not flushed is lost."""
        path = self.files[-1]
        there = path.read_bytes() if path.exists() else None
        self.recorder.close()
        if there is not None:
            path.write_bytes(there)

    async def until(self, done: Callable[[], object], within: float = 7_200) -> list[Path]:
        """The last cycles of a recording, until something holds; its files."""
        await self.go(done, within)
        self.recorder.close()
        return self.files

    async def run(self, seconds: float) -> list[Path]:
        """The last cycles of a recording, for so long; its files."""
        end = self.world.cluster.now + seconds
        return await self.until(lambda: self.world.cluster.now >= end)

    async def go(self, done: Callable[[], object], within: float = 7_200) -> None:
        """Lets the operator run, and start anew after a crash, until something holds."""
        self.clock.done, self.clock.end = done, self.world.cluster.now + within
        while True:
            try:
                await self.loop.run()
            except Enough:
                return
            except Crash:
                self.world.crashes += 1
                self.kill()
                self.world.clock.advance(1)
                self.start()

    async def pass_by(self, seconds: float) -> None:
        end = self.world.cluster.now + seconds
        await self.go(lambda: self.world.cluster.now >= end)
