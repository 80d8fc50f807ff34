"""The command line as people run it: a process of its own, on a real cluster."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from cluster.harness import World
from cluster.operators import SOURCES


@dataclass(frozen=True, slots=True)
class Done:
    """How it ended; `out` and `err` have single spaces, so that no line break is in the way."""

    code: int
    out: str
    err: str


class Command:
    """One run of `akeso`, in a world's namespaces and with anybody's credentials."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.process = process

    async def line(self, words: str) -> str:
        """Reads on until a line has these words in it."""
        assert self.process.stdout is not None
        async with asyncio.timeout(60):
            while line := (await self.process.stdout.readline()).decode():
                if words in line:
                    return line
        raise AssertionError(f"{words!r} was never said")

    async def done(self, within: float = 120.0) -> Done:
        async with asyncio.timeout(within):
            out, err = await self.process.communicate()
        assert self.process.returncode is not None
        said = (" ".join(text.decode().split()) for text in (out, err))
        return Done(self.process.returncode, *said)


async def begin(here: World, *words: str, kubeconfig: Path | None = None) -> Command:
    environment: Mapping[str, str] = {
        "PATH": os.environ["PATH"],
        "HOME": os.environ.get("HOME", "/"),
        "PYTHONPATH": os.pathsep.join(SOURCES),
        "PYTHONUNBUFFERED": "1",
        "AKESO_NAMESPACE": here.own,
        "AKESO_KUBECONFIG": str(kubeconfig or here.stage.lab.kubeconfig),
    }
    return Command(
        await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "akeso",
            *words,
            env=environment,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
    )


async def akeso(here: World, *words: str, kubeconfig: Path | None = None) -> Done:
    """Runs it to its end."""
    return await (await begin(here, *words, kubeconfig=kubeconfig)).done()
