"""What one program costs while it runs: its own time, memory and CPU, and what it asks of others.

Nothing is taken from the program's own word but the length of its cycles. Memory and CPU come
from /proc, calls from the API server's audit log by user, queries from Prometheus's own counters.
"""

from __future__ import annotations

import json
import os
import re
import signal
import statistics
import subprocess
import time
import urllib.request
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any

from akeso_lab import Lab

TICKS = os.sysconf("SC_CLK_TCK")
MIB = 1024.0  # /proc counts in KiB
QUERIES = ("/api/v1/query", "/api/v1/query_range")
WRITES = ("create", "update", "patch", "delete", "deletecollection")
_OPENER = urllib.request.build_opener(urllib.request.ProxyHandler({}))


class Program(AbstractContextManager["Program"]):
    """A process of its own; stopped when its block ends."""

    def __init__(self, command: Sequence[str], environment: Mapping[str, str], log: Path) -> None:
        self.log = log
        self.began = time.monotonic()
        with log.open("wb") as out:
            self._process = subprocess.Popen(
                command, env={**os.environ, **environment}, stdout=out, stderr=out
            )

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._process.send_signal(signal.SIGTERM)
        try:
            self._process.wait(20)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    @property
    def pid(self) -> int:
        return self._process.pid

    def check(self) -> None:
        """Raises with its last words where it has ended."""
        if self._process.poll() is not None:
            last = "\n".join(self.log.read_text().splitlines()[-15:])
            raise RuntimeError(f"it ended with {self._process.returncode}:\n{last}")

    def lines(self) -> list[dict[str, Any]]:
        """The JSON objects that it wrote so far."""
        said = self.log.read_text().splitlines()
        return [json.loads(line) for line in said if line.startswith("{") and line.endswith("}")]


def cpu_seconds(pid: int) -> float:
    """User and system time of a process and of the children it has waited for."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return sum(map(int, fields[11:15])) / TICKS


def memory_mib(pid: int) -> tuple[float, float]:
    """Resident now, and at its peak."""
    said = Path(f"/proc/{pid}/status").read_text()
    found = {key: float(value) for key, value in re.findall(r"(VmRSS|VmHWM):\s+(\d+)", said)}
    return found["VmRSS"] / MIB, found["VmHWM"] / MIB


def metrics_of(url: str) -> dict[str, float]:
    """Every series of a metrics endpoint by its name with labels."""
    with _OPENER.open(f"{url}/metrics", timeout=10) as answer:
        lines = answer.read().decode().splitlines()
    rows = (line.rpartition(" ") for line in lines if line and not line.startswith("#"))
    return {name: float(value) for name, _, value in rows}


def queries(prometheus: str) -> float:
    """How many Prometheus has answered so far."""
    return sum(
        value
        for name, value in metrics_of(prometheus).items()
        if name.startswith("prometheus_http_requests_total{")
        and any(f'handler="{handler}"' in name for handler in QUERIES)
    )


@dataclass
class Calls:
    """Requests to the API server of one user in one span of the audit log."""

    verbs: Counter[str] = field(default_factory=Counter[str])
    lease_writes: int = 0
    other_writes: Counter[str] = field(default_factory=Counter[str])

    @property
    def total(self) -> int:
        return self.verbs.total()


class AuditLog:
    """The API server's record, read on from where it was opened."""

    def __init__(self, lab: Lab) -> None:
        if lab.audit_log is None:
            raise RuntimeError(f"lab {lab.name} has no audit log")
        self._path = lab.audit_log
        self._position = self._path.stat().st_size

    def calls(self, user: str) -> Calls:
        """What this user asked for since the log was opened; a watch counts once."""
        found = Calls()
        seen: set[str] = set()
        with self._path.open("rb") as lines:
            lines.seek(self._position)
            for line in lines:
                event = json.loads(line) if line.endswith(b"\n") else {}
                if not event or event["user"]["username"] != user or event["auditID"] in seen:
                    continue
                seen.add(event["auditID"])
                self._count(found, event)
        return found

    def _count(self, found: Calls, event: Mapping[str, Any]) -> None:
        verb, about = event["verb"], event.get("objectRef", {})
        if event["stage"] == "ResponseComplete" and verb == "watch":
            return  # began before the span: no new request
        found.verbs[verb] += 1
        if verb not in WRITES:
            return
        if about.get("resource") == "leases":
            found.lease_writes += 1
        else:
            name = "/".join(filter(None, (about.get("resource"), about.get("subresource"))))
            found.other_writes[f"{verb} {name}"] += 1


@dataclass(frozen=True)
class Figures:
    """One program at rest. Rates are per minute, CPU in percent of one core."""

    load_average: float  # of the whole machine, at the end
    cycles: int
    cycle_p50_s: float
    cycle_p95_s: float
    cycle_max_s: float
    rss_mib: float
    peak_mib: float
    cpu_percent: float
    cpu_per_cycle_s: float
    apiserver_cpu_percent: float
    prometheus_cpu_percent: float
    api_calls: float
    api_lists: float
    api_writes: float
    api_writes_without_lease: float
    prometheus_queries: float
    writes: Mapping[str, int]

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


class Gauge:
    """Takes figures over a span: made at its beginning, read at its end."""

    def __init__(self, lab: Lab, pid: int, user: str) -> None:
        self._lab, self._pid, self._user = lab, pid, user
        self._audit = AuditLog(lab)
        self._queries = queries(str(lab.prometheus))
        self._cpu = self._cpus()
        self._began = time.monotonic()

    def _cpus(self) -> tuple[float, float, float]:
        pids = self._lab.pids
        mine, server = cpu_seconds(self._pid), cpu_seconds(pids["kube-apiserver"])
        return mine, server, cpu_seconds(pids["prometheus"])

    def read(self, cycles: Sequence[float]) -> Figures:
        """`cycles` are the lengths in seconds of those that ended in the span."""
        minutes = (time.monotonic() - self._began) / 60
        cpu = [100 * (b - a) / 60 / minutes for a, b in zip(self._cpu, self._cpus(), strict=True)]
        asked = queries(str(self._lab.prometheus)) - self._queries
        calls = self._audit.calls(self._user)
        middle, high, longest = spread(cycles)
        rss, peak = memory_mib(self._pid)
        writes = calls.other_writes.total()
        return Figures(
            load_average=os.getloadavg()[0],
            cycles=len(cycles),
            cycle_p50_s=middle,
            cycle_p95_s=high,
            cycle_max_s=longest,
            rss_mib=rss,
            peak_mib=peak,
            cpu_percent=cpu[0],
            cpu_per_cycle_s=cpu[0] / 100 * 60 * minutes / len(cycles),
            apiserver_cpu_percent=cpu[1],
            prometheus_cpu_percent=cpu[2],
            api_calls=calls.total / minutes,
            api_lists=calls.verbs["list"] / minutes,
            api_writes=(writes + calls.lease_writes) / minutes,
            api_writes_without_lease=writes / minutes,
            prometheus_queries=asked / minutes,
            writes=dict(calls.other_writes),
        )


def spread(values: Sequence[float]) -> tuple[float, float, float]:
    """Median, 95th percentile and maximum of at least two values."""
    parts = statistics.quantiles(values, n=20, method="inclusive")
    return statistics.median(values), parts[-1], max(values)


def until(condition: Callable[[], bool], seconds: float, what: str, every: float = 0.5) -> None:
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            raise TimeoutError(f"{what}: not within {seconds:.0f} s")
        time.sleep(every)
