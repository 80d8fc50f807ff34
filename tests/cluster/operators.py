"""Operator processes: real ones, with a pid to kill, started over and over.

Each is forked from a server process that has imported everything already. It runs the same
`akeso operator` with the same environment; only the second that Python takes to import is saved,
which decides whether some hundred crashes fit into minutes.
"""

from __future__ import annotations

import asyncio
import gc
import json
import multiprocessing
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
SOURCES = [str(ROOT / name) for name in ("operator", "healers", "predictors", "lab", "tests")]
MOST_STARTS = 30
RESTART_SECONDS = 1.0
FORKS = multiprocessing.get_context("forkserver")
FORKS.set_forkserver_preload(
    # The last is what NumPy imports with the first call of some functions.
    ["cluster.operators", "akeso.wiring.operator", "akeso.cli.operate", "numpy.ma"]
)


def _operate(environment: Mapping[str, str], log: str) -> None:
    """In the child: `akeso operator`, with this environment and nothing of the test's."""
    with open(log, "ab", buffering=0) as output:
        os.dup2(output.fileno(), 1)
        os.dup2(output.fileno(), 2)
    gc.freeze()  # a search for garbage in all that was imported would copy every page of it
    for name in [name for name in os.environ if name.startswith("AKESO_")]:
        del os.environ[name]
    os.environ.update(environment)
    from akeso.cli import main

    sys.exit(main(["operator"]))


class Operator:
    """One process at a time, with one environment. Started again when it ends by itself, as the kubelet would."""

    def __init__(self, environment: Mapping[str, str], log: Path) -> None:
        self.log = log
        self.starts = 0
        self.environment = dict(environment)
        self._process: Any = None
        self._ended = asyncio.Event()
        self._crash_only = False
        self._told = False

    @property
    def running(self) -> bool:
        return self._process is not None and self._process.exitcode is None

    @property
    def died(self) -> bool:
        """Whether it ended by itself and nobody starts it again, or it ends again and again."""
        ended = self._process is not None and self._process.exitcode is not None
        looping = self.starts > MOST_STARTS
        return looping or (ended and not self._told and not self._crash_only)

    @property
    def pid(self) -> int:
        return int(self._process.pid)

    def start(self, *, crash_only: bool = True, **more: str) -> None:
        """`more` are settings for this and later starts (`lease_seconds="5"`)."""
        self.environment |= {f"AKESO_{name.upper()}": value for name, value in more.items()}
        self._crash_only, self._told = crash_only, False
        self._ended.clear()
        os.environ["PYTHONPATH"] = os.pathsep.join(SOURCES)  # for the server that forks
        process = FORKS.Process(
            target=_operate, args=(self.environment, str(self.log)), daemon=True
        )
        process.start()
        self.starts += 1
        self._process = process
        asyncio.get_running_loop().add_reader(process.sentinel, self._end, process)

    def kill(self) -> None:
        """SIGKILL, now."""
        self._crash_only, self._told = False, True
        if self.running:
            self._process.kill()

    def terminate(self) -> None:
        """SIGTERM: what Kubernetes sends first."""
        self._crash_only, self._told = False, True
        if self.running:
            self._process.terminate()

    async def ended(self) -> int:
        """Its exit code, once it has ended; negative is a signal."""
        await self._ended.wait()
        return int(self._process.exitcode)

    async def stop(self) -> None:
        self.kill()
        if self._process is not None:
            await self._ended.wait()
            self._process.close()
            self._process = None

    def said(self) -> list[dict[str, Any]]:
        """What it logged, all starts together."""
        lines = self.log.read_text().splitlines() if self.log.exists() else []
        return [json.loads(line) for line in lines if line.startswith("{")]

    def tail(self, lines: int = 30) -> str:
        text = self.log.read_text() if self.log.exists() else "no log"
        return "\n".join(text.splitlines()[-lines:])

    def _end(self, process: Any) -> None:
        asyncio.get_running_loop().remove_reader(process.sentinel)
        process.join()
        self._ended.set()
        if self._crash_only and process is self._process:
            process.close()
            self._process = None
            asyncio.get_running_loop().call_later(RESTART_SECONDS, self._again)

    def _again(self) -> None:
        if self._crash_only and self._process is None:
            self.start()
