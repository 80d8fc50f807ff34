"""What Akeso costs as it is installed: 200 workloads, policies in Observe, nothing to heal.

    bench/run --only idle [--quick] [-o json]

Brings up the lab `bench-idle` (control plane, fake nodes, Prometheus at 15 s), lets the real
operator watch with the default cycle of 15 s until it is at rest, and takes its memory and CPU for
some minutes, beside those of Kubernetes' own controllers of the same cluster.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import workloads
from fleet import Fleet, deploy, exporting, healings
from measure import AuditLog, Program, cpu_seconds, memory_mib, until

from akeso_lab import Lab, down, up

LAB = "bench-idle"
SCRAPE_SECONDS = 15
MOST_MIB, MOST_PERCENT = 180.0, 2.0
BESIDE = ("kube-controller-manager", "kube-scheduler")
Json = dict[str, Any]


class Observed(Fleet):
    """The same workloads under policies that only observe."""

    def objects(self, namespace: int) -> list[Json]:
        found = super().objects(namespace)
        for item in found:
            if item["kind"] == "HealingPolicy":
                item["spec"]["mode"] = "Observe"
        return found


@dataclass(frozen=True, slots=True)
class Cost:
    """One process over the span: resident memory in MiB, CPU in percent of one core."""

    rss_mib: float
    largest_mib: float
    cpu_percent: float


class Costs:
    """Memory every few seconds, CPU over the whole span."""

    def __init__(self, pids: Mapping[str, int]) -> None:
        self._pids = pids
        self._began = time.monotonic()
        self._cpu = {name: cpu_seconds(pid) for name, pid in pids.items()}
        self._memory: dict[str, list[float]] = {name: [] for name in pids}

    def look(self) -> None:
        for name, pid in self._pids.items():
            self._memory[name].append(memory_mib(pid)[0])

    def read(self) -> dict[str, Cost]:
        took = time.monotonic() - self._began
        return {
            name: Cost(
                statistics.median(self._memory[name]),
                max(self._memory[name]),
                100 * (cpu_seconds(pid) - self._cpu[name]) / took,
            )
            for name, pid in self._pids.items()
        }


def measure(
    lab: Lab, fleet: Fleet, minutes: float, folder: Path, say: Callable[[str], None]
) -> Json:
    deploy(lab, fleet)
    workloads.grant(lab)
    with exporting(lab):
        say(f"{fleet.workloads} workloads, {fleet.pods} pods; Akeso ...")
        with workloads.operator(lab, folder, "idle", SCRAPE_SECONDS) as program:
            cycles, started = workloads.started_up(program, fleet)
            rest = workloads.at_rest(lab, cycles)
            say(f"at rest after {rest:.0f} s; {minutes:g} min ...")
            return {
                "fleet": {**asdict(fleet), "pods": fleet.pods},
                "start": started,
                "rest_after_s": rest,
                **_span(lab, program, cycles, minutes),
                "healings": healings(lab),
            }


def _span(lab: Lab, program: Program, cycles: workloads.Cycles, minutes: float) -> Json:
    audit, before = AuditLog(lab), cycles.look()
    costs = Costs({"akeso": program.pid, **{name: lab.pids[name] for name in BESIDE}})
    end = time.monotonic() + 60 * minutes

    def over() -> bool:
        cycles.look()
        costs.look()
        return time.monotonic() > end

    until(over, 120 * minutes, "the span", every=5)
    took = cycles.took[before:]
    return {
        "minutes": minutes,
        "load_average": os.getloadavg()[0],
        "cycles": len(took),
        "cycle_p50_s": statistics.median(took),
        "writes": dict(audit.calls(workloads.OPERATOR).other_writes),
        "cost": {name: asdict(cost) for name, cost in costs.read().items()},
    }


def table(result: Json) -> str:
    lines = [
        "| process | memory (RSS), MiB | largest, MiB | CPU, % of a core |",
        "|---|---:|---:|---:|",
    ]
    for name, cost in result["cost"].items():
        figures = f"{cost['rss_mib']:.0f} | {cost['largest_mib']:.0f} | {cost['cpu_percent']:.2f}"
        lines.append(f"| {'Akeso' if name == 'akeso' else name} | {figures} |")
    fleet, own = result["fleet"], result["cost"]["akeso"]
    bars = (
        (f"at most {MOST_MIB:.0f} MiB", own["largest_mib"] <= MOST_MIB),
        (f"at most {MOST_PERCENT:.0f} % of a core", own["cpu_percent"] <= MOST_PERCENT),
    )
    return "\n".join(
        [
            *lines,
            "",
            f"- {fleet['workloads']} Deployments with {fleet['pods']} pods in"
            + f" {fleet['namespaces']} namespaces; {result['minutes']:g} min at rest,"
            + f" {result['cycles']} cycles of {result['cycle_p50_s']:.2f} s (median);"
            + f" {os.cpu_count()} cores, load {result['load_average']:.1f}",
            f"- peak since the start {result['start']['peak_mib']:.0f} MiB; Healings opened:"
            + f" {result['healings']} (none would be right); writes but the Lease:"
            + f" {result['writes'] or 'none'}",
            *(f"- {bar}: {'met' if met else 'missed'}" for bar, met in bars),
        ]
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--quick", action="store_true", help="50 workloads, one minute")
    parser.add_argument("--keep", action="store_true", help="leave the lab up")
    parser.add_argument("-o", "--output", type=Path, help="write the figures as JSON")
    given = parser.parse_args()
    fleet, minutes = (Observed(50, 2), 1.0) if given.quick else (Observed(200, 4), 5.0)

    def say(what: str) -> None:
        print(what, file=sys.stderr, flush=True)

    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # the lab is taken down then, too
    lab = up(LAB, scrape_interval_seconds=SCRAPE_SECONDS, report=say)
    try:
        with tempfile.TemporaryDirectory(prefix="akeso-bench-") as folder:
            result = measure(lab, fleet, minutes, Path(folder), say)
    finally:
        if not given.keep:
            down(LAB)
    print(table(result))
    if given.output:
        given.output.write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main()
