"""Starts, recognises and ends the lab's own processes, and no others.

Every process gets the lab's state folder in its environment, which its children inherit; so
what a killed ``up`` left behind is found even though it was never written down.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path

from akeso_lab.errors import LabError

OWNER = "AKESO_LAB_OWNER"


def local_environment() -> dict[str, str]:
    """Ours without proxies: all that a part talks to is on this machine."""
    return {key: text for key, text in os.environ.items() if not key.lower().endswith("_proxy")}


@dataclass(frozen=True)
class Process:
    """A started part. ``started`` is the kernel's start time: it tells a reused pid apart."""

    part: str
    pid: int
    started: int
    log: str

    def alive(self) -> bool:
        return start_time(self.pid) == self.started


def start_time(pid: int) -> int | None:
    """Clock ticks after boot (field 22 of proc(5) stat); None if there is no such process."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return None
    # The command name in brackets may itself hold spaces and brackets.
    fields = stat.rpartition(")")[2].split()
    return None if fields[0] in "ZX" else int(fields[19])


# The longest waits, both for what the kernel does in a moment: a new program's environment to be
# there, and a killed child to be dead.
MARK_SECONDS = REAP_SECONDS = 5.0


# Steps of niceness by which a favoured process is before others: each is a quarter more of the processor.
_FAVOUR = 5


@dataclass(frozen=True)
class Supervisor:
    """Starts processes for the lab whose state folder this is."""

    state: Path

    def start(self, part: str, command: Sequence[str | Path], **environment: str) -> Process:
        """Start ``command`` in a session of its own and write its pid down."""
        log = self.state / "logs" / f"{part}.log"
        log.parent.mkdir(parents=True, exist_ok=True)
        with log.open("ab") as output:
            popen = subprocess.Popen(
                [str(word) for word in command],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                cwd=self.state,
                env=local_environment() | environment | {OWNER: str(self.state)},
            )
        # The child outlives us on purpose; without this its Popen object warns when collected.
        popen.returncode = 0
        self._wait_for_mark(popen.pid)
        return self.record(part, popen.pid, log)

    def favour(self, process: Process) -> None:
        """Let a process have the processor before others, as far as we may: on a cluster's own machines nothing
        competes with its API server, here the pods and operators of all tests do."""
        with suppress(OSError):
            # Of a single process only its first thread would change.
            group = os.getpgid(process.pid)
            usual = os.getpriority(os.PRIO_PGRP, group)
            os.setpriority(os.PRIO_PGRP, group, usual - _FAVOUR)
        with suppress(OSError):
            # Where the kernel shares out by session first, that is what counts.
            Path(f"/proc/{process.pid}/autogroup").write_text(str(-_FAVOUR))

    def _wait_for_mark(self, pid: int) -> None:
        """Popen returns a moment before the new program's environment is there to be read, and
        whoever cleaned up just then would miss the process."""
        deadline = time.monotonic() + MARK_SECONDS
        while not _marked(pid, self.state) and start_time(pid) and time.monotonic() < deadline:
            time.sleep(0.001)

    def record(self, part: str, pid: int, log: Path) -> Process:
        process = Process(part, pid, start_time(pid) or 0, str(log))
        folder = self.state / "processes"
        folder.mkdir(exist_ok=True)
        (folder / f"{part}.json").write_text(json.dumps(asdict(process)))
        return process

    def recorded(self) -> tuple[Process, ...]:
        files = sorted((self.state / "processes").glob("*.json"))
        return tuple(Process(**json.loads(file.read_text())) for file in files)

    def wait_until(
        self, process: Process, ready: Callable[[], bool], seconds: float, what: str = "ready"
    ) -> None:
        """Poll ``ready`` until it holds; a dead process or the deadline is a LabError."""
        deadline = time.monotonic() + seconds
        while not ready():
            if not process.alive():
                raise self.failure(process, "ended while it started")
            if time.monotonic() > deadline:
                raise self.failure(process, f"was not {what} within {seconds:.0f} s")
            time.sleep(0.1)

    def failure(self, process: Process, what: str) -> LabError:
        log = Path(process.log)
        tail = "\n".join(log.read_text(errors="replace").splitlines()[-12:])
        remedy = f"run `python -m akeso_lab down --name {self.state.name}`, then `up` again"
        return LabError(process.part, what, remedy, log, tail)


def owned_processes(state: Path, cgroup: str) -> Iterator[int]:
    """Every process that carries this lab's mark or lives in its cgroup."""
    for pid in _all_pids():
        if pid == os.getpid() or start_time(pid) is None:
            continue
        if _marked(pid, state) or _in_cgroup(pid, cgroup):
            yield pid


def _marked(pid: int, state: Path) -> bool:
    return f"{OWNER}={state}".encode() in _read(pid, "environ").split(b"\0")


def _in_cgroup(pid: int, cgroup: str) -> bool:
    lines = _read(pid, "cgroup").decode(errors="replace").splitlines()
    return any(f"{line.split(':', 2)[2]}/".startswith(f"/{cgroup}/") for line in lines)


def _all_pids() -> Iterator[int]:
    return (int(entry) for entry in os.listdir("/proc") if entry.isdigit())


def _read(pid: int, file: str) -> bytes:
    """Empty when the process is gone or another user's."""
    try:
        return Path(f"/proc/{pid}/{file}").read_bytes()
    except (FileNotFoundError, ProcessLookupError, PermissionError):
        return b""


def children(pid: int) -> tuple[int, ...]:
    """Read from stat: /proc/<pid>/task/<pid>/children is a kernel option."""
    found: list[int] = []
    for candidate in _all_pids():
        fields = _read(candidate, "stat").rpartition(b")")[2].split()
        if len(fields) > 1 and int(fields[1]) == pid:
            found.append(candidate)
    return tuple(found)


# A process shows no environment while the kernel puts a new program in its place.
LOOKS = 2


def kill_all(list_pids: Callable[[], Iterator[int]], seconds: float = 20) -> tuple[int, ...]:
    """Kill what ``list_pids`` names until it names nothing; returns what would not die."""
    deadline = time.monotonic() + seconds
    killed: set[int] = set()
    empty = 0
    while empty < LOOKS:
        pids = tuple(list_pids())
        if pids and time.monotonic() > deadline:
            return pids
        for pid in pids:
            _kill(pid)
        killed.update(pids)
        empty = 0 if pids else empty + 1
        time.sleep(0.05)
    for pid in killed:
        _reap(pid)
    return ()


def _kill(pid: int) -> None:
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        pass  # it ended by itself


def _reap(pid: int) -> None:
    """A child of ours would stay a zombie as long as we live, and a test run lives long.

    One that is dying shows no environment any more, so it may not be dead yet.
    """
    deadline = time.monotonic() + REAP_SECONDS
    try:
        while os.waitpid(pid, os.WNOHANG) == (0, 0) and time.monotonic() < deadline:
            time.sleep(0.01)
    except ChildProcessError:
        pass  # somebody else's child, as after a separate ``up``
