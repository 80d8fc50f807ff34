"""What a real operator met is recorded, and decided again without it."""

from __future__ import annotations

import asyncio
import gzip
import json
import os
import sys
from pathlib import Path
from typing import Any

import pytest

from cluster.harness import World
from cluster.operators import SOURCES
from cluster.workloads import ROLLOUT_SIGNAL, broken, policy, query_signal, workload

CANARY = "hunter2-canary"


async def simulated(*words: str) -> tuple[int, Any]:
    """Exit code and JSON of `akeso simulate`, with nothing in its environment of any cluster."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "akeso", "simulate", *words, "-o", "json"),
        env={"PYTHONPATH": os.pathsep.join(SOURCES), "PATH": os.environ["PATH"]},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, err = await process.communicate()
    assert err == b"", err.decode()
    return process.returncode or 0, json.loads(out)


def logged(here: World) -> list[tuple[str, str, str]]:
    """The decisions that the operator's own log tells of."""
    return [
        (line["decision"], line["reason"], line["message"])
        for line in here.operator.said()
        if "decision" in line
    ]


def secret(kind: str = "Deployment") -> dict[str, Any]:
    """A workload with a password in its template."""
    made = workload(kind, replicas=2)
    [container] = made["spec"]["template"]["spec"]["containers"]
    container["env"] = [{"name": "PASSWORD", "value": CANARY}]
    return made


@pytest.mark.parametrize("killed", [False, True])
async def test_a_recorded_live_run_is_decided_the_same_again(
    here: World, tmp_path: Path, killed: bool
) -> None:
    """Tired pods, a bad release, and, in between, the end of one operator."""
    file = tmp_path / "incident.jsonl.gz"
    good = secret()
    await here.apply(good)
    await here.rolled_out("Deployment")
    quick = {"cooldownSeconds": 0}
    await here.apply(policy(query_signal(here.name), ROLLOUT_SIGNAL, guardrails=quick))
    here.operator.start(record_path=str(file))
    await here.condition("Ready", "True")
    await here.tire()
    await here.healed()
    if killed:
        here.operator.kill()
        await here.operator.ended()
        here.operator.start()
    await here.remember("Deployment", "web", [await here.revision("Deployment")])
    await here.apply(broken(good))
    await here.healed(2)
    await here.quiet()
    here.operator.terminate()
    assert await here.operator.ended() == 0

    files = sorted(str(path) for path in tmp_path.iterdir())
    assert len(files) == (2 if killed else 1)
    code, told = await simulated(*files)
    assert (code, told["same"], told["departure"]) == (0, True, None), told["differences"]
    assert told["runs"] == len(files)
    decided = [(d["decision"], d["reason"], d["message"]) for d in told["decisions"]]
    assert decided == logged(here)
    assert {"Opened", "Planned", "Wrote", "Verified"} <= {what for what, *_ in decided}
    for name in files:
        with gzip.open(name) as lines:
            try:
                text = lines.read()
            except EOFError:
                continue  # of the one that was killed; what is in it is in memory only
            assert CANARY.encode() not in text and b"PRIVATE KEY" not in text
