#!/usr/bin/env python3
"""Records the terminal session of the README: real commands, operator and API server.

    python docs/session.py              record anew, in a lab of its own, and draw it
    python docs/session.py --draw       only draw what was recorded
    python docs/session.py --check      write nothing, fail when the picture is not of the recording

session.ansi is what the terminal showed, as it came; session.svg is drawn from it and nothing else.
The pods are fake (kwok) and so is their metric; what Akeso decides and writes is not.
"""

from __future__ import annotations

import argparse
import contextlib
import fcntl
import io
import os
import pty
import re
import shlex
import struct
import subprocess
import sys
import termios
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
FOLDERS = ("operator", "healers", "predictors", "lab", "tests")
sys.path[:0] = [str(ROOT / folder) for folder in FOLDERS]
IMAGES = ROOT / "docs" / "images"
RECORDING, PICTURE = IMAGES / "session.ansi", IMAGES / "session.svg"
LAB = "docs-session"
COLUMNS = 124
PATIENCE = 120.0
MEMORY = "container_memory_working_set_bytes"
SHOP, OWN = "shop", "akeso"
COMMANDS = (
    "akeso status",
    'akeso heal deployment/cart -n shop --signal errors --reason "slow since noon" --wait',
    "akeso history deployment/cart -n shop",
    "akeso heal deployment/cart -n shop --signal errors --wait --timeout 3s",
    'akeso pause --reason "stocktaking" --for 2h',
)
# What a person installs; faster than the defaults, so that a session takes a minute.
SETTINGS = {
    "AKESO_LISTEN_HOST": "127.0.0.1",
    "AKESO_LISTEN_PORT": "0",
    "AKESO_SCRAPE_INTERVAL_SECONDS": "1",
    "AKESO_IDENTITY": "akeso-operator-0",
}
FAMILIES = re.compile(r"@font-face \{.*?\}\n?", re.DOTALL)


def record() -> str:
    """What the terminal showed."""
    from akeso_lab import down, up

    lab = up(LAB, report=lambda line: print(line, file=sys.stderr))
    try:
        with _operator_at_work(lab) as environment:
            return "".join(_typed(line, environment) for line in COMMANDS)
    finally:
        down(LAB)


@contextmanager
def _operator_at_work(lab: Any) -> Iterator[Mapping[str, str]]:
    """Cluster, workloads and operator; the environment of alice, who may do everything."""
    from cluster.exporter import exporting
    from cluster.workloads import MEMORY_SIGNAL, policy, query_signal, workload

    lab.add_kwok_nodes(2)
    lab.apply_crds(ROOT / "crds")
    for namespace in (SHOP, OWN):
        lab.kubectl("create", "namespace", namespace)
    alice = lab.user_kubeconfig("alice", ("system:masters",))
    environment = {
        **{name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ},
        "PYTHONPATH": os.pathsep.join(str(ROOT / folder) for folder in FOLDERS),
        "TERM": "xterm-256color",
        "AKESO_KUBECONFIG": str(alice),
    }
    signal = query_signal(SHOP, name="errors")
    for item in (
        workload(name="cart"),
        workload(name="checkout", replicas=2),
        policy(signal, MEMORY_SIGNAL, name="backend"),
    ):
        lab.apply({**item, "metadata": {**item["metadata"], "namespace": SHOP}})
    for name in ("cart", "checkout"):
        lab.kubectl("-n", SHOP, "rollout", "status", f"deployment/{name}", "--timeout=60s")
    more = {**SETTINGS, "AKESO_PROMETHEUS_URL": str(lab.prometheus)}
    with exporting(lab) as exporter, _measured(lab, exporter):
        with open(lab.state / "operator.log", "wb") as log:
            operator = subprocess.Popen(
                [sys.executable, "-m", "akeso", "operator"],
                env={**environment, **more},
                stdout=log,
                stderr=log,
            )
        try:
            _until_ready(lab)
            yield environment
        finally:
            operator.terminate()
            operator.wait()


@contextmanager
def _measured(lab: Any, exporter: Any) -> Iterator[None]:
    """Every pod that comes measures that nothing ails it."""
    over = threading.Event()

    def measure() -> None:
        while not over.wait(0.5):
            names = lab.kubectl("-n", SHOP, "get", "pods", "-o", "name").split()
            for name in names:
                labels = {"namespace": SHOP, "pod": name.partition("/")[2]}
                exporter.put("fatigue", 0.0, **labels)
                exporter.put(MEMORY, 40 * 2.0**20, container="app", **labels)

    thread = threading.Thread(target=measure)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def _until_ready(lab: Any) -> None:
    lab.kubectl(
        "-n", SHOP, "wait", "--for=condition=Ready", "healingpolicy/backend", "--timeout=60s"
    )
    measured = "jsonpath={.status.watched.containers}=5"
    lab.kubectl("-n", OWN, "wait", f"--for={measured}", "healingcontrol/akeso", "--timeout=60s")


def _typed(line: str, environment: Mapping[str, str]) -> str:
    """One command in a terminal of its own, with the prompt before it."""
    parent, child = pty.openpty()
    fcntl.ioctl(child, termios.TIOCSWINSZ, struct.pack("HHHH", 40, COLUMNS, 0, 0))
    command = [sys.executable, "-m", *shlex.split(line)]
    print(f"$ {line}", file=sys.stderr)
    done = subprocess.Popen(command, env=environment, stdin=child, stdout=child, stderr=child)
    os.close(child)
    said, end = b"", time.monotonic() + PATIENCE
    with contextlib.suppress(OSError):  # Linux ends a terminal with EIO
        while time.monotonic() < end and (part := os.read(parent, 4096)):
            said += part
    os.close(parent)
    done.wait(PATIENCE)
    prompt = f"\x1b[1;32m$\x1b[0m \x1b[1m{line}\x1b[0m\n"
    return prompt + said.decode().replace("\r\n", "\n").rstrip("\n") + "\n\n"


def draw(recording: str) -> str:
    """The picture: the same for the same recording; nothing in it is loaded from elsewhere."""
    from rich.console import Console
    from rich.text import Text

    console = Console(
        record=True, width=COLUMNS, file=io.StringIO(), force_terminal=True, highlight=False
    )
    console.print(Text.from_ansi(recording.rstrip("\n")))
    drawn = console.export_svg(title="akeso", unique_id="session")
    return FAMILIES.sub("", drawn)


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    what = parser.add_mutually_exclusive_group()
    what.add_argument("--draw", action="store_true", help="only draw what was recorded")
    what.add_argument("--check", action="store_true", help="whether the picture is of it")
    given = parser.parse_args()
    if given.check:
        same = PICTURE.read_text() == draw(RECORDING.read_text())
        print(f"{PICTURE.relative_to(ROOT)}: {'as recorded' if same else 'not of the recording'}")
        return 0 if same else 1
    if not given.draw:
        RECORDING.write_text(record())
    PICTURE.write_text(draw(RECORDING.read_text()))
    return 0


if __name__ == "__main__":
    sys.exit(main())
