"""How long a person waits for `akeso status` on 1,000 workloads, beside `kubectl get`.

    bench/run --only status [--quick] [-o json]

Brings up the lab `bench-status` (control plane, fake nodes), deploys the workloads of the bench
`workloads` and a Healing for each of them (finished, under way or refused, with every guard's
answer), asks again and again with a process of its own each time, and takes the lab down.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import resource
import signal
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from fleet import ROOT, Fleet, deploy

from akeso.api.meta import API_VERSION
from akeso.api.scalars import format_time
from akeso.clients.kubernetes.connection import ApiServer, connect
from akeso.policy.chain import GUARDS
from akeso.settings import Settings
from akeso_lab import Lab, down, up

LAB = "bench-status"
AT_A_TIME = 16
# Of the Healings so many are not over: half under way, half refused.
OPEN = 40
TARGET_SECONDS = 1.0
RUNS = 20
MERGE = "application/merge-patch+json"
Json = dict[str, Any]


async def record(lab: Lab, fleet: Fleet) -> None:
    """A Healing for every workload, and the HealingControl, as an operator leaves them."""
    api = await connect(Settings.model_validate({"kubeconfig": str(lab.kubeconfig)}))
    try:
        turns = asyncio.Semaphore(AT_A_TIME)

        async def one(number: int) -> None:
            async with turns:
                await _healing(api, fleet, number)

        await asyncio.gather(*map(one, range(fleet.workloads)))
        await _control(api, fleet)
    finally:
        await api.close()


async def _healing(api: ApiServer, fleet: Fleet, number: int) -> None:
    namespace = fleet.names()[number % fleet.namespaces]
    path = f"/apis/{API_VERSION}/namespaces/{namespace}/healings"
    now = datetime.now(UTC) - timedelta(seconds=number)
    made = await api.post(path, {**_head("Healing", f"memory-{number:04}"), "spec": _spec(number)})
    name = made["metadata"]["name"]
    await api.patch(f"{path}/{name}/status", {"status": _status(number, now)}, {}, MERGE)


def _head(kind: str, name: str) -> Json:
    return {"apiVersion": API_VERSION, "kind": kind, "metadata": {"name": name}}


def _spec(number: int) -> Json:
    at = format_time(datetime.now(UTC))
    pods = [{"name": f"service-{number:04}-7c56c9b888-{i}", "uid": f"uid-{i}"} for i in range(3)]
    evidence = {
        "message": "container app uses 212 MiB of 256 MiB and meets its limit in about 12 min",
        "value": "222298112",
        "threshold": "268435456",
        "probabilityPercent": 91,
        "timeToThresholdSeconds": {"p10": 480, "p50": 720, "p90": 1200},
        "sampledAt": at,
        "since": at,
        "pods": pods,
    }
    target = {"kind": "Deployment", "name": f"service-{number:04}", "uid": f"uid-{number}"}
    return {
        "policyRef": {"name": "everything", "uid": "uid-everything"},
        "target": target,
        "signal": "memory",
        "fingerprint": f"{number:010}",
        "origin": "Forecast",
        "evidence": evidence,
    }


def _status(number: int, now: datetime) -> Json:
    at = format_time(now)
    allowed = not (number < OPEN and number % 2)
    guards = [
        {
            "guard": guard.__name__.replace("_", "-"),
            "allowed": allowed,
            "reason": "Allowed" if allowed else "Cooldown",
            "message": "Deployment service was last healed 12 min ago, longer than its cooldown.",
        }
        for guard in GUARDS
    ]
    attempt: Json = {
        "healer": "RestartPods",
        "rung": 0,
        "intentKey": f"uid/{number}/0",
        "startedAt": at,
        "deadline": format_time(now + timedelta(minutes=10)),
        "actions": [
            {"type": "EvictPod", "name": f"pod-{i}", "uid": f"uid-{i}", "state": "Done", "at": at}
            for i in range(3)
        ],
    }
    if number >= OPEN:
        over = {"finishedAt": at, "verdict": "Verified", "message": "the problem is gone"}
        ended = {"verdict": "Verified", "completedAt": at, "message": "the problem is gone"}
        return {
            **ended,
            "guards": guards,
            "attempts": [attempt | over],
            "conditions": _conditions(at, "Planned", "Allowed", "Verified"),
        }
    if allowed:
        stands = _conditions(at, "Planned", "Allowed", "Acting")
        return {"guards": guards, "attempts": [attempt], "conditions": stands}
    return {"guards": guards, "conditions": _conditions(at, "Planned", "Blocked")}


def _conditions(at: str, *types: str) -> list[Json]:
    said = {"status": "True", "lastTransitionTime": at, "reason": "Said", "message": "so it is"}
    return [{"type": name, **said} for name in types]


async def _control(api: ApiServer, fleet: Fleet) -> None:
    await api.post("/api/v1/namespaces", {"metadata": {"name": "akeso"}})
    path = f"/apis/{API_VERSION}/namespaces/akeso/healingcontrols"
    await api.post(path, {**_head("HealingControl", "akeso"), "spec": {}})
    watched = {"workloads": fleet.workloads, "containers": fleet.pods}
    status = {
        "conditions": _conditions(format_time(datetime.now(UTC)), "Ready"),
        "metricsSource": "Prometheus",
        "scrapeIntervalSeconds": 15,
        "watched": watched,
    }
    await api.patch(f"{path}/akeso/status", {"status": status}, {}, MERGE)


@dataclass(frozen=True, slots=True)
class Waits:
    """Seconds from start to exit of one process, over all runs, and its CPU seconds per run."""

    median_s: float
    p95_s: float
    longest_s: float
    cpu_s: float
    bytes: int


def wait_for(command: Sequence[str], environment: Mapping[str, str]) -> Waits:
    """Runs it once to warm the disk's cache, then `RUNS` times."""
    took: list[float] = []
    said = b""
    used = 0.0
    for run in range(RUNS + 1):
        before, began = _children(), time.perf_counter()
        done = subprocess.run(command, env=environment, capture_output=True, check=False)
        seconds = time.perf_counter() - began
        if done.returncode:
            raise RuntimeError(f"{command} ended with {done.returncode}: {done.stderr.decode()}")
        if run:
            took.append(seconds)
            used += _children() - before
        said = done.stdout
    ordered = sorted(took)
    late = ordered[min(len(ordered) - 1, round(0.95 * len(ordered)))]
    return Waits(statistics.median(took), late, ordered[-1], used / RUNS, len(said))


def _children() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def measure(lab: Lab, fleet: Fleet, say: Callable[[str], None]) -> Json:
    say(f"{fleet.workloads} workloads ...")
    deploy(lab, fleet)
    asyncio.run(record(lab, fleet))
    paths = os.pathsep.join(str(ROOT / p) for p in ("operator", "healers", "predictors"))
    environment = {**os.environ, "PYTHONPATH": paths, "KUBECONFIG": str(lab.kubeconfig)}
    akeso = [sys.executable, "-m", "akeso"]
    kubectl = [str(lab.bin / "kubectl"), "get", "healingpolicies,healings,healingcontrols", "-A"]
    asked = {
        "status": [*akeso, "status"],
        "status_json": [*akeso, "status", "-o", "json"],
        "status_namespace": [*akeso, "status", "-n", fleet.names()[0]],
        "kubectl": kubectl,
        "version": [*akeso, "version"],
    }
    found = {}
    for name, command in asked.items():
        say(f"{name} ...")
        found[name] = asdict(wait_for(command, environment))
    return {
        "fleet": {**asdict(fleet), "pods": fleet.pods, "healings": fleet.workloads},
        "runs": RUNS,
        "load_average": os.getloadavg()[0],
        "waits": found,
    }


TITLES = {
    "status": "`akeso status`",
    "status_json": "`akeso status -o json`",
    "status_namespace": "`akeso status -n` one namespace of ten",
    "kubectl": "`kubectl get` of the same objects",
    "version": "`akeso version`: the start of the process alone",
}


def table(result: Json) -> str:
    lines = ["| process | median, s | 95 %, s | longest, s | CPU, s |", "|---|---:|---:|---:|---:|"]
    for name, title in TITLES.items():
        w = result["waits"][name]
        figures = (w["median_s"], w["p95_s"], w["longest_s"], w["cpu_s"])
        lines.append(f"| {title} | " + " | ".join(f"{f:.2f}" for f in figures) + " |")
    fleet, median = result["fleet"], result["waits"]["status"]["median_s"]
    verdict = "met" if median < TARGET_SECONDS else "missed"
    return "\n".join(
        [
            *lines,
            "",
            f"- {fleet['workloads']} Deployments with {fleet['pods']} pods in"
            + f" {fleet['namespaces']} namespaces, {fleet['healings']} Healings;"
            + f" {result['runs']} runs each, {os.cpu_count()} cores,"
            + f" load {result['load_average']:.1f}",
            f"- below {TARGET_SECONDS:.0f} s: {verdict} by the median",
        ]
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--quick", action="store_true", help="200 workloads")
    parser.add_argument("--keep", action="store_true", help="leave the lab up")
    parser.add_argument("-o", "--output", type=Path, help="write the figures as JSON")
    given = parser.parse_args()

    def say(what: str) -> None:
        print(what, file=sys.stderr, flush=True)

    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # the lab is taken down then, too
    lab = up(LAB, report=say)
    try:
        result = measure(lab, Fleet(200, 4) if given.quick else Fleet(1000, 10), say)
    finally:
        if not given.keep:
            down(LAB)
    print(table(result))
    if given.output:
        given.output.write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main()
