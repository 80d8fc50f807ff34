"""Files: broken off, damaged, of another version, or no incident at all; and what is never in one."""

from __future__ import annotations

import asyncio
import gzip
import json
import os
import stat
from dataclasses import replace
from pathlib import Path

import pytest

from akeso.errors import PermanentError
from akeso.simulation.files import Lines
from akeso.wiring.simulate import simulate
from unit.engine.scenes import leak
from unit.simulation.recording import Recorded

CANARY = "hunter2-canary"


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A leak that was healed."""
    world, _ = leak(replicas=2)
    [file] = asyncio.run(
        Recorded(world, tmp_path_factory.mktemp("incident")).until(world.completed())
    )
    return file


def played(content: bytes, tmp_path: Path, name: str = "cut"):
    path = tmp_path / name
    path.write_bytes(content)
    return asyncio.run(simulate([path]))


@pytest.mark.parametrize("share", [0.35, 0.7, 0.999])
@pytest.mark.parametrize("packed", [False, True])
def test_a_file_that_breaks_off_is_played_to_its_end_and_says_so(
    share: float, packed: bool, whole: Path, tmp_path: Path
):
    content = whole.read_bytes()
    content = gzip.compress(content) if packed else content
    full = asyncio.run(simulate([whole]))
    replay = played(content[: int(share * len(content))], tmp_path)
    [ending] = replay.endings
    assert ending.path == tmp_path / "cut" and ending.how.startswith(("in the", "after line"))
    assert 0 < replay.cycles <= full.cycles
    assert list(replay.told) == list(full.told[: len(replay.told)])
    # A process may die between a decision and the line that tells of it.
    assert 0 <= len(replay.told) - len(replay.recorded) <= 1


def test_a_file_that_breaks_off_before_its_first_cycle_holds_nothing(whole: Path, tmp_path: Path):
    header = whole.read_bytes().splitlines(keepends=True)[0]
    with pytest.raises(PermanentError, match="ends before its first cycle"):
        played(header, tmp_path)
    with pytest.raises(PermanentError, match="is not a recorded incident"):
        played(header[:40], tmp_path)


def test_damage_is_named_with_its_line_and_what_to_do(whole: Path, tmp_path: Path):
    lines = whole.read_bytes().splitlines(keepends=True)
    for spoilt in (b"}{\n", b"\xff\xfe\n", b"[]\n", b'{"call": "records.save"}\n', b'{"odd": 1}\n'):
        with pytest.raises(PermanentError, match=r"cut, line 21,? is damaged: "):
            played(b"".join([*lines[:20], spoilt, *lines[20:]]), tmp_path)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "it is empty"),
        (b"apiVersion: v1\n", "it begins with 'apiVersion: v1'"),
        (b'{"kind": "Healing"}\n', "it holds a Healing"),
        (b"[1, 2]\n", "its first line is not the header of one"),
        (b"\x00\x01\xff\xfe\n", "it begins with"),
        (b"\x1f\x8bnothing", "is not a recorded incident"),
        (gzip.compress(b"hello\n", mtime=0), "it begins with 'hello'"),
        (b'{"akeso": "diary", "format": 1}\n', "line 1, is damaged"),
    ],
)
def test_what_is_no_incident_is_said_to_be_none(content: bytes, said: str, tmp_path: Path):
    with pytest.raises(PermanentError) as error:
        played(content, tmp_path)
    assert said in str(error.value)
    assert str(tmp_path / "cut") in str(error.value)


def test_a_newer_format_names_the_version_that_wrote_it(whole: Path, tmp_path: Path):
    first, rest = whole.read_bytes().split(b"\n", 1)
    header = json.loads(first) | {"format": 2, "version": "9.0"}
    with pytest.raises(PermanentError, match=r"format 2, written by Akeso 9\.0; this one reads up"):
        played(json.dumps(header).encode() + b"\n" + rest, tmp_path)


def test_what_another_version_asked_for_is_passed_over(whole: Path, tmp_path: Path):
    lines = whole.read_bytes().splitlines(keepends=True)
    odd = b'{"call": "oracle.ask", "of": "[]", "list": []}\n'
    replay = played(b"".join([*lines[:20], odd, *lines[20:]]), tmp_path)
    assert replay.same and replay.endings == ()


def test_a_file_that_is_not_there_or_a_folder_is_said_to_be_that(tmp_path: Path):
    with pytest.raises(PermanentError, match="There is no file"):
        asyncio.run(simulate([tmp_path / "absent"]))
    with pytest.raises(PermanentError, match="is a folder"):
        asyncio.run(simulate([tmp_path]))


def test_nothing_secret_is_written_down(tmp_path: Path):
    """Passwords stand in pod templates, and in what leads to Prometheus and to the receiver."""
    settings = {
        "prometheus_url": f"http://localhost:9090/{CANARY}",
        "webhook_url": f"https://hooks/{CANARY}",
        "kubeconfig": f"/home/{CANARY}",
    }
    world, w = leak(replicas=2, settings=settings)
    secret = {"env": [{"name": "PASSWORD", "value": CANARY}]}
    w.template = {**w.template, **secret}
    w.revisions = [replace(r, template={**(r.template or {}), **secret}) for r in w.revisions]
    [file] = asyncio.run(Recorded(world, tmp_path).until(world.completed()))
    text = file.read_text()
    assert '"digest"' in text and CANARY not in text
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert asyncio.run(simulate([file])).same


def test_a_full_disk_ends_the_recording_and_not_the_healing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
):
    real = Lines.write
    written: list[str] = []

    def full(self: Lines, line: str) -> None:
        written.append(line)
        if len(written) > 30:
            raise OSError(28, "No space left on device")
        real(self, line)

    monkeypatch.setattr(Lines, "write", full)
    world, _ = leak(replicas=2)
    [file] = asyncio.run(Recorded(world, tmp_path).until(world.completed()))
    assert "Verified" in world.notifier.story()
    assert caplog.text.count("ends here, healing goes on") == 1
    assert len(written) == 31
    assert asyncio.run(simulate([file])).cycles >= 1


@pytest.mark.parametrize("where", ["", "absent"])
def test_where_nothing_can_be_written_the_operator_says_so_at_its_start(where: str, tmp_path: Path):
    world, _ = leak(replicas=1)
    (tmp_path / "run-0.jsonl").mkdir()
    with pytest.raises(PermanentError, match="--record-path"):
        Recorded(world, tmp_path / where)
    assert os.listdir(tmp_path) == ["run-0.jsonl"]
