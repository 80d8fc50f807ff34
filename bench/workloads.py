"""What watching 1,000 workloads costs, beside a plain list-and-poll loop.

    bench/run --only workloads [--quick] [-o json]

Brings up the lab `bench` (control plane, fake nodes, Prometheus), deploys, lets the real operator
and then `bench/poll.py` watch the same cluster one after the other, and takes the lab down.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import yaml
from fleet import ROOT, Fleet, deploy, exporting, healings
from measure import AuditLog, Figures, Gauge, Program, memory_mib, metrics_of, until

from akeso.api.meta import GROUP
from akeso_lab import Lab, down, up

LAB = "bench"
SCRAPE_SECONDS = 5
OPERATOR = "system:serviceaccount:akeso:akeso-operator"  # as examples/rbac.yaml names it
POLLER = "poller"
# A revision is remembered after this long, which writes to the policies once: afterwards Akeso is
# at rest. The default, 300 s, would only make the bench longer.
HEALTHY_SECONDS = 60
QUIET_SECONDS = 30
RBAC = "rbac.authorization.k8s.io"
# Looked at by the operator cluster-wide where it watches all namespaces; examples/rbac.yaml grants
# these in its own namespace, and no list and watch of leases.
LOOK = ["get", "list", "watch"]
Json = dict[str, Any]


def operator(lab: Lab, folder: Path, name: str, scrape: int = SCRAPE_SECONDS) -> Program:
    """The real process, as a user with the rights that `grant` gives."""
    settings = {
        "KUBECONFIG": str(lab.user_kubeconfig(OPERATOR)),
        "PROMETHEUS_URL": str(lab.prometheus),
        "SCRAPE_INTERVAL_SECONDS": str(scrape),
        "REVISION_HEALTHY_SECONDS": str(HEALTHY_SECONDS),
        "LISTEN_HOST": "127.0.0.1",
        "LISTEN_PORT": "0",
    }
    paths = os.pathsep.join(str(ROOT / p) for p in ("operator", "healers", "predictors"))
    environment = {f"AKESO_{key}": value for key, value in settings.items()}
    command = [sys.executable, "-m", "akeso", "operator"]
    return Program(command, {**environment, "PYTHONPATH": paths}, folder / f"{name}.log")


class Cycles:
    """The length of each cycle, from the differences of the operator's own histogram."""

    def __init__(self, program: Program) -> None:
        self._program = program
        self._url = ""
        self.took: list[float] = []
        until(self._listening, 60, "the operator listens")
        self._count, self._sum = 0.0, 0.0

    def _listening(self) -> bool:
        self._program.check()
        words = (line.get("message", "") for line in self._program.lines())
        ports = [w.split()[-1].rstrip(".") for w in words if w.startswith("Listening on port")]
        self._url = f"http://127.0.0.1:{ports[0]}" if ports else ""
        return bool(ports)

    def look(self) -> int:
        """How many cycles have ended; several since the last look count with their mean."""
        self._program.check()
        found = metrics_of(self._url)
        count = found["akeso_cycle_duration_seconds_count"]
        total = found["akeso_cycle_duration_seconds_sum"]
        more = round(count - self._count)
        self.took += [(total - self._sum) / more] * more if more else []
        self._count, self._sum = count, total
        return len(self.took)

    def metric(self, name: str) -> float:
        return metrics_of(self._url).get(name, 0.0)


def watch(lab: Lab, fleet: Fleet, count: int, folder: Path) -> tuple[Json, Figures]:
    """Akeso: how it starts, and `count` cycles at rest."""
    with operator(lab, folder, "operator") as program:
        cycles, started = started_up(program, fleet)
        rest = at_rest(lab, cycles)
        print(f"  at rest after {rest:.0f} s", file=sys.stderr)
        gauge, before = Gauge(lab, program.pid, OPERATOR), cycles.look()
        until(lambda: cycles.look() >= before + count, 60 * count, f"{count} cycles")
        figures = gauge.read(cycles.took[before:])
        errors = sum(line.get("level") == "error" for line in program.lines())
    return {**started, "rest_after_s": rest, "errors_logged": errors}, figures


def started_up(program: Program, fleet: Fleet) -> tuple[Cycles, Json]:
    """Waits for the first whole cycle."""
    cycles = Cycles(program)
    until(lambda: cycles.look() > 0, 300, "the first cycle", every=0.1)
    since = time.monotonic() - program.began
    watched = cycles.metric("akeso_targets")
    if watched != fleet.workloads:
        raise RuntimeError(f"the operator watches {watched:.0f} of {fleet.workloads} workloads")
    peak = memory_mib(program.pid)[1]
    return cycles, {"first_cycle_after_s": since, "first_cycle_s": cycles.took[0], "peak_mib": peak}


def at_rest(lab: Lab, cycles: Cycles) -> float:
    """Waits until nothing but the Lease has been written for a while; how long that took."""
    began = time.monotonic()
    end = began + HEALTHY_SECONDS + 240
    while time.monotonic() < end:
        audit = AuditLog(lab)
        until_time = time.monotonic() + QUIET_SECONDS
        while time.monotonic() < until_time:
            cycles.look()
            time.sleep(1)
        if not audit.calls(OPERATOR).other_writes:
            return time.monotonic() - began
    return time.monotonic() - began


def poll(lab: Lab, queries: str, count: int, folder: Path, seconds: float) -> Figures:
    """The plain loop: its first cycle is not counted, and a slow one gets no more than `seconds`."""
    command = [
        sys.executable, str(ROOT / "bench" / "poll.py"), "--queries", queries, "--period",
        str(SCRAPE_SECONDS), "--kubeconfig", str(lab.user_kubeconfig(POLLER)), "--prometheus",
        str(lab.prometheus),
    ]  # fmt: skip
    with Program(command, {}, folder / f"poll-{queries}.log") as program:

        def ended() -> int:
            program.check()
            return len(program.lines())

        until(lambda: ended() > 0, 300, "the first cycle of the poll loop")
        gauge, before, end = Gauge(lab, program.pid, POLLER), ended(), time.monotonic() + seconds
        until(
            lambda: (
                ended() >= before + count or (time.monotonic() > end and ended() >= before + 10)
            ),
            max(60.0 * count, 600.0),
            f"{count} cycles of the poll loop",
        )
        return gauge.read([line["took"] for line in program.lines()[before:]])


def restart(lab: Lab, fleet: Fleet, folder: Path) -> Json:
    """Akeso again, with all the history to back-fill that has come together by now."""
    with operator(lab, folder, "restart") as program:
        cycles, started = started_up(program, fleet)
        until(lambda: cycles.look() >= 5, 120, "five cycles")
        rss, peak = memory_mib(program.pid)
    return {**started, "rss_mib": rss, "peak_mib": peak}


def grant(lab: Lab) -> None:
    """The operator's rights and the poll loop's: it may look at everything."""
    lab.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "akeso"}})
    lab.apply(*yaml.safe_load_all((ROOT / "examples" / "rbac.yaml").read_text()))
    looks = [
        {"apiGroups": ["coordination.k8s.io"], "resources": ["leases"], "verbs": LOOK},
        {"apiGroups": [GROUP], "resources": ["healingcontrols"], "verbs": LOOK},
    ]
    role = {"apiVersion": f"{RBAC}/v1", "kind": "ClusterRole", "metadata": {"name": "bench"}}
    lab.apply({**role, "rules": looks}, binding("bench", OPERATOR), binding("view", POLLER))


def binding(role: str, user: str) -> Json:
    return {
        "apiVersion": f"{RBAC}/v1",
        "kind": "ClusterRoleBinding",
        "metadata": {"name": f"bench-{role}"},
        "roleRef": {"apiGroup": RBAC, "kind": "ClusterRole", "name": role},
        "subjects": [{"apiGroup": RBAC, "kind": "User", "name": user}],
    }


def measure(lab: Lab, fleet: Fleet, count: int, folder: Path, say: Callable[[str], None]) -> Json:
    began = time.monotonic()
    deploy(lab, fleet)
    grant(lab)
    say(f"{fleet.workloads} workloads, {fleet.pods} pods ready in {time.monotonic() - began:.0f} s")
    with exporting(lab):
        until(lambda: len(lab.query("http_requests_total")) == 2 * fleet.pods, 60, "a whole scrape")
        say("Akeso ...")
        started, akeso = watch(lab, fleet, count, folder)
        found = {"akeso": akeso}
        for queries in ("workload", "cluster"):
            say(f"poll loop, one query per {queries} ...")
            found[f"poll_{queries}"] = poll(lab, queries, count, folder, 20.0 * count)
        say("Akeso, restarted ...")
        history = time.monotonic() - began
        again = restart(lab, fleet, folder) | {"history_s": history}
    return {
        "fleet": {**asdict(fleet), "pods": fleet.pods},
        "healings": healings(lab),
        "start": started,
        "restart": again,
        "rest": {name: figures.as_dict() for name, figures in found.items()},
    }


ROWS = (
    ("cycle, median, s", "cycle_p50_s", "{:.3f}"),
    ("cycle, 95th percentile, s", "cycle_p95_s", "{:.3f}"),
    ("cycle, longest, s", "cycle_max_s", "{:.3f}"),
    ("cycles measured", "cycles", "{:.0f}"),
    ("load of the machine meanwhile", "load_average", "{:.1f}"),
    ("memory (RSS), MiB", "rss_mib", "{:.0f}"),
    ("memory, peak, MiB", "peak_mib", "{:.0f}"),
    ("CPU, % of a core", "cpu_percent", "{:.1f}"),
    ("CPU seconds per cycle", "cpu_per_cycle_s", "{:.3f}"),
    ("CPU of the API server, %", "apiserver_cpu_percent", "{:.1f}"),
    ("CPU of Prometheus, %", "prometheus_cpu_percent", "{:.1f}"),
    ("API calls a minute", "api_calls", "{:.1f}"),
    ("  of these lists", "api_lists", "{:.1f}"),
    ("  writes", "api_writes", "{:.1f}"),
    ("  writes but the Lease", "api_writes_without_lease", "{:.1f}"),
    ("Prometheus queries a minute", "prometheus_queries", "{:.1f}"),
)
CONDITIONS = ("cycles", "load_average")  # of the measurement: their ratio says nothing
COLUMNS = (
    ("Akeso", "akeso"),
    ("poll, query per workload", "poll_workload"),
    ("poll, one query", "poll_cluster"),
)


def table(result: Json) -> str:
    """Markdown: figures, with how many times Akeso's each alternative takes."""
    heads = [COLUMNS[0][0], *(part for name, _ in COLUMNS[1:] for part in (name, "ratio"))]
    lines = [f"| at rest | {' | '.join(heads)} |", f"|---|{'---:|' * len(heads)}"]
    for title, key, form in ROWS:
        own, *others = (result["rest"][name][key] for _, name in COLUMNS)
        cells = [form.format(own)]
        for other in others:
            ratio = f"{other / own:.1f}" if own and key not in CONDITIONS else ""
            cells += [form.format(other), ratio]
        lines.append(f"| {title} | {' | '.join(cells)} |")
    return "\n".join([*lines, "", *_notes(result)])


def _notes(result: Json) -> list[str]:
    fleet, start, again = result["fleet"], result["start"], result["restart"]
    healed, writes = result["healings"], result["rest"]["akeso"]["writes"] or "none"
    return [
        f"- {fleet['workloads']} Deployments with {fleet['pods']} pods in {fleet['namespaces']}"
        + f" namespaces; {os.cpu_count()} cores",
        f"- start: {_start(start)}, at rest {start['rest_after_s']:.0f} s later",
        f"- restart with {again['history_s'] / 60:.0f} min of history: {_start(again)}",
        f"- Healings opened: {healed} (none would be right); writes at rest but the Lease: {writes};"
        + f" errors logged: {start['errors_logged']}",
    ]


def _start(found: Json) -> str:
    after, took = found["first_cycle_after_s"], found["first_cycle_s"]
    peak = found["peak_mib"]
    return f"first cycle ended after {after:.1f} s (it took {took:.2f} s), peak {peak:.0f} MiB"


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--quick", action="store_true", help="200 workloads and 10 cycles each")
    parser.add_argument("--keep", action="store_true", help="leave the lab up")
    parser.add_argument("-o", "--output", type=Path, help="write the figures as JSON")
    given = parser.parse_args()
    fleet, count = (Fleet(200, 4), 10) if given.quick else (Fleet(1000, 10), 36)

    def say(what: str) -> None:
        print(what, file=sys.stderr, flush=True)

    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # the lab is taken down then, too
    lab = up(LAB, scrape_interval_seconds=SCRAPE_SECONDS, report=say)
    try:
        with tempfile.TemporaryDirectory(prefix="akeso-bench-") as folder:
            result = measure(lab, fleet, count, Path(folder), say)
    finally:
        if not given.keep:
            down(LAB)
    print(table(result))
    if given.output:
        given.output.write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main()
