"""One run of the demo from an empty stage to an empty stage, whatever happens in between."""

from __future__ import annotations

import asyncio
import fcntl
import signal
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime

from rich.console import Console

from akeso.cli.demo import names, screen
from akeso.cli.demo.director import Director, GaveUpError
from akeso.cli.demo.evidence import Evidence, gather, position
from akeso.cli.demo.operator_process import Operator, running
from akeso.cli.demo.screen import Screen
from akeso.cli.demo.stage import Stage
from akeso.cli.demo.story import Line, decided, happened
from akeso.cli.demo.watcher import LOOK_SECONDS, Watcher, watching
from akeso.errors import PermanentError


@dataclass(frozen=True)
class Show:
    """What is played, where it is watched, and for how long at most (seconds)."""

    stage: Stage
    console: Console
    timeout: float
    keep: bool

    @contextmanager
    def played(self) -> Generator[Evidence]:
        """Plays once; clears up when the context ends, also after Ctrl-C and SIGTERM, which come
        out as KeyboardInterrupt."""
        with self._alone():
            try:
                yield asyncio.run(self._perform())
            except asyncio.CancelledError:
                raise KeyboardInterrupt from None
            finally:
                self._strike()

    async def _perform(self) -> Evidence:
        task = asyncio.current_task()
        if task is not None:
            asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
        with screen.opened(self.console) as seen:
            _say(seen, "clearing away what an earlier run may have left")
            await asyncio.to_thread(self.stage.clear)
            _say(seen, "installing Akeso with the rights of examples/rbac.yaml")
            kubeconfig = await asyncio.to_thread(self.stage.install)
            async with (
                running(self.stage.lab, kubeconfig) as operator,
                watching(self.stage.lab) as watcher,
            ):
                return await self._play(operator, watcher, seen)

    async def _play(self, operator: Operator, watcher: Watcher, seen: Screen) -> Evidence:
        began, audit_from = datetime.now(UTC), position(self.stage.lab)
        director = Director(self.stage, watcher, operator, lambda text: _say(seen, text))
        async with asyncio.TaskGroup() as group:
            telling = group.create_task(_tell(operator, watcher, seen), name="telling")
            gave_up = await self._directed(director)
            telling.cancel()
        return await asyncio.to_thread(gather, self.stage, watcher, began, audit_from, gave_up)

    async def _directed(self, director: Director) -> str | None:
        """Why the play did not get to its end; None: it did."""
        try:
            async with asyncio.timeout(self.timeout):
                await director.play()
        except TimeoutError:
            waited = " and for ".join(sorted(director.waiting))
            return f"after {self.timeout:.0f} s it still waited for {waited}"
        except GaveUpError as error:
            return str(error)
        return None

    def _strike(self) -> None:
        if self.keep:
            self.console.print(
                f"Kept: namespaces {names.NAMESPACE} and {names.SYSTEM}; the next run removes them."
            )
            return
        with self.console.status("clearing up"):
            self.stage.clear()

    @contextmanager
    def _alone(self) -> Generator[None]:
        """Two demos in one lab would clear each other away."""
        with (self.stage.lab.state / "demo.lock").open("w") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise PermanentError(
                    f"Another demo runs in lab {self.stage.lab.name} already; wait for it, or use"
                    " another lab with --lab."
                ) from None
            yield


async def _tell(operator: Operator, watcher: Watcher, seen: Screen) -> None:
    told = 0
    while True:
        before = watcher.scene
        after = await watcher.look()
        lines = [*happened(before, after), *map(decided, operator.decisions[told:])]
        told = len(operator.decisions)
        for line in sorted(lines, key=lambda line: line.at):
            seen.line(line)
        seen.scene(after)
        await asyncio.sleep(LOOK_SECONDS)


def _say(seen: Screen, text: str) -> None:
    seen.line(Line(datetime.now(UTC), "demo", text))
