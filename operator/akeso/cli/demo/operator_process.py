"""Akeso itself as the demo runs it: its own process, with the rights of examples/rbac.yaml."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import sys
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from akeso.cli.demo import names
from akeso.cli.flags import flag_of
from akeso_lab import Lab

STOP_SECONDS = 10.0
TAIL_LINES = 5


@dataclass(frozen=True, slots=True)
class Decision:
    """One of the operator's decision lines."""

    at: str
    what: str
    reason: str
    target: str
    message: str
    healer: str


class Operator:
    """A running operator process: its decisions so far, and whether it still runs."""

    def __init__(self, process: asyncio.subprocess.Process, log: Path) -> None:
        self.process = process
        self.log = log
        self.decisions: list[Decision] = []
        self.last_lines: list[str] = []

    @property
    def died(self) -> str | None:
        """How it ended by itself; None while it runs."""
        if self.process.returncode is None:
            return None
        tail = " | ".join(self.last_lines[-TAIL_LINES:])
        return f"exit code {self.process.returncode}: {tail} (log: {self.log})"

    async def read(self) -> None:
        """Keeps its log and picks out the decisions; ends when the process does."""
        stream = self.process.stderr
        if stream is None:
            return
        with self.log.open("w") as log:
            async for raw in stream:
                line = raw.decode(errors="replace")
                log.write(line)
                log.flush()
                self._take(line)

    def _take(self, line: str) -> None:
        found = parse(line)
        if found is not None:
            self.decisions.append(found)
        else:
            self.last_lines = [*self.last_lines[-TAIL_LINES:], line.strip()]


def parse(line: str) -> Decision | None:
    """A decision line; None for every other line of the log."""
    try:
        said: Any = json.loads(line)
    except ValueError:
        return None
    match said:
        case {"decision": str(what), "reason": str(reason), "at": str(at), "name": str(name)}:
            return Decision(
                at, what, reason, name, str(said.get("message")), str(said.get("healer"))
            )
        case _:
            return None


def command(lab: Lab, kubeconfig: Path) -> list[str]:
    """How a person would start it, with what dies together with its parent where there is one."""
    settings: Mapping[str, str] = {
        "namespace": names.SYSTEM,
        "watch_namespaces": names.NAMESPACE,
        "kubeconfig": str(kubeconfig),
        "prometheus_url": lab.prometheus or "",
        "metric_matchers": names.MATCHERS,
        "scrape_interval_seconds": str(lab.scrape_interval_seconds),
        **names.OPERATOR_SETTINGS,
    }
    flags = [word for name, value in settings.items() if value for word in (flag_of(name), value)]
    own = [sys.executable, "-m", "akeso", "operator", *flags]
    setpriv = shutil.which("setpriv")
    return [setpriv, "--pdeathsig", "TERM", *own] if setpriv else own


@asynccontextmanager
async def running(lab: Lab, kubeconfig: Path) -> AsyncGenerator[Operator]:
    """The operator process for as long as the context lasts."""
    log = lab.state / "demo-operator.log"
    process = await asyncio.create_subprocess_exec(
        *command(lab, kubeconfig),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.PIPE,
        # Its lines may quote long answers; the default of 64 KiB would end the reader.
        limit=2**22,
        # Ctrl-C is for the demo, which then stops the operator in order.
        start_new_session=True,
        env=_environment(),
    )
    operator = Operator(process, log)
    reading = asyncio.create_task(operator.read(), name="operator's log")
    try:
        yield operator
    finally:
        await _stop(process)
        await reading


def _environment() -> dict[str, str]:
    """Ours without settings of another installation, and without a proxy: all is on this machine."""
    return {
        name: value
        for name, value in os.environ.items()
        if not name.startswith("AKESO_") and not name.lower().endswith("_proxy")
    }


async def _stop(process: asyncio.subprocess.Process) -> None:
    if process.returncode is not None:
        return
    process.terminate()
    try:
        async with asyncio.timeout(STOP_SECONDS):
            await process.wait()
    except TimeoutError:
        process.kill()
        await process.wait()
