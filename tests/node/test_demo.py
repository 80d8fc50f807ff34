"""The demo, end to end on a real node: it proves what it says, and leaves nothing behind.

It runs after one that was killed, as it would on the machine of somebody who lost patience.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from akeso.cli.demo import names
from akeso_lab import Lab
from akeso_lab.locks import exclusive

ROOT = Path(__file__).resolve().parents[2]
LONGEST_SECONDS = 360.0  # what the demo promises, clearing up included
CLAIMS = {
    "twin-killed",
    "leaky-never-killed",
    "foreseen",
    "leaky-verified",
    "rollout-undone",
    "requests",
    "next-release",
    "healthy-untouched",
    "twin-untouched",
}


@pytest.fixture(autouse=True)
def _alone(lab: Lab) -> Iterator[None]:
    """There is one stage in a lab: these tests wait for each other, in whatever process."""
    with exclusive(lab.state / ".demo-tests.lock"):
        yield


def _demo(lab: Lab, *words: str) -> subprocess.Popen[str]:
    roots = ("operator", "healers", "predictors", "lab")
    environment = {k: v for k, v in os.environ.items() if not k.startswith("AKESO_")}
    environment |= {k: v for k, v in os.environ.items() if k.startswith("AKESO_LAB_")}
    return subprocess.Popen(
        [sys.executable, "-m", "akeso", "demo", "--lab", lab.name, *words],
        env={**environment, "PYTHONPATH": os.pathsep.join(str(ROOT / r) for r in roots)},
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def _read_until(demo: subprocess.Popen[str], sentence: str) -> list[str]:
    """The lines of the story up to the one with this sentence."""
    assert demo.stderr is not None
    read: list[str] = []
    for line in demo.stderr:
        read.append(line)
        if sentence in line:
            return read
    pytest.fail(f"the demo ended without {sentence!r}: {''.join(read)}")


def _operators(lab: Lab) -> list[str]:
    """Command lines of operators that the demo started in this lab."""
    found: list[str] = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            words = (folder / "cmdline").read_text().split("\0")
        except OSError:
            continue
        if names.SYSTEM in words and any(str(lab.state) in word for word in words):
            found.append(" ".join(words))
    return found


def _namespaces(lab: Lab) -> set[str]:
    found = json.loads(lab.kubectl("get", "namespaces", "-o", "json"))
    return {n["metadata"]["name"] for n in found["items"]} & {names.NAMESPACE, names.SYSTEM}


def _wait_for_no_operator(lab: Lab) -> None:
    deadline = time.monotonic() + 15
    while _operators(lab):
        assert time.monotonic() < deadline, f"still there: {_operators(lab)}"
        time.sleep(0.1)


def test_the_demo_proves_every_claim_also_after_one_that_was_killed(lab: Lab, tmp_path: Path):
    killed = _demo(lab, "-o", "json")
    _read_until(killed, "opening:")
    assert _operators(lab)
    killed.send_signal(signal.SIGKILL)
    killed.communicate()
    _wait_for_no_operator(lab)
    assert _namespaces(lab), "a killed run can't clear up"

    began = time.monotonic()
    demo = _demo(lab, "-o", "json", "--reports", str(tmp_path / "reports"))
    out, story = demo.communicate()

    assert demo.returncode == 0, f"{story}\n{out}"
    summary = json.loads(out)
    assert summary["passed"]
    assert summary["gaveUp"] is None
    assert {c["name"] for c in summary["checks"]} == CLAIMS
    assert time.monotonic() - began < LONGEST_SECONDS
    assert _namespaces(lab) == set()
    assert _operators(lab) == []
    assert "Traceback" not in story
    _reports_are_there(tmp_path / "reports", {h["name"] for h in summary["healings"]})


def _reports_are_there(folder: Path, healings: set[str]) -> None:
    """A page with a measured plot and a picture of every Healing, and a page that leads there."""
    assert {f.stem for f in folder.glob("*.png")} == healings
    assert {f.name for f in folder.glob("*.html")} == {f"{h}.html" for h in healings} | {
        "index.html"
    }
    for name in healings:
        assert f'href="{name}.html"' in (folder / "index.html").read_text()
        text = (folder / f"{name}.html").read_text()
        assert "no measured series" not in text
        assert (f"Memory working set of {names.LEAKY}." in text) == (names.TWIN in text)


def test_ctrl_c_ends_the_demo_and_clears_up(lab: Lab):
    demo = _demo(lab, "-o", "json")
    _read_until(demo, "opening:")
    demo.send_signal(signal.SIGINT)
    out, story = demo.communicate(timeout=120)

    assert demo.returncode == 130
    assert out == ""
    assert "Traceback" not in story
    assert _namespaces(lab) == set()
    assert _operators(lab) == []


def test_a_demo_that_runs_out_of_time_says_what_is_missing_and_fails(lab: Lab):
    demo = _demo(lab, "-o", "json", "--timeout", "10")
    out, story = demo.communicate(timeout=150)

    assert demo.returncode == 1, story
    summary = json.loads(out)
    assert not summary["passed"]
    assert "it still waited for" in summary["gaveUp"]
    assert _namespaces(lab) == set()


def test_two_demos_in_one_lab_do_not_disturb_each_other(lab: Lab):
    first = _demo(lab, "-o", "json")
    try:
        _read_until(first, "installing Akeso")
        second = _demo(lab)
        _, said = second.communicate(timeout=60)
        assert second.returncode == 1
        assert f"Another demo runs in lab {lab.name} already" in said
        assert first.poll() is None
    finally:
        first.send_signal(signal.SIGTERM)
        first.communicate(timeout=120)
    assert _namespaces(lab) == set()
