"""Pieces of history: bounded, polite, kept, never mixed up, and good after a kill."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Generator
from math import ceil, floor
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from akeso.clients.access import Access
from akeso.clients.prometheus_archive import POINTS, WAITS, Archive, Found, Range
from akeso.clients.prometheus_history import LONGEST_RANGE, Way
from akeso.errors import PermanentError, TransientError
from unit.backtest.prometheus_server import Series, Server, serving

DAY = 86_400.0
NOW = 1_790_000_000.0
BUSY = (503, '{"status": "error", "errorType": "unavailable", "error": "busy"}')


@pytest.fixture
def server() -> Generator[Server]:
    series: list[Series] = [
        ({"pod": "a"}, lambda t: t % 1000),
        ({"pod": "b"}, lambda t: 5.0 if t > NOW else 4.0),
    ]
    with serving(Server({"up": series, "down": []})) as found:
        yield found


class Slept(list[float]):
    async def __call__(self, seconds: float) -> None:
        self.append(seconds)


def archive(server: Server, folder: Path | None, slept: Slept | None = None, **more) -> Archive:
    way = Way(Access("Prometheus", server.url, **more), 10.0, 2**26)
    return Archive(way, folder, NOW, sleep=slept if slept is not None else Slept())


def asked(days: float = 5.0, query: str = "up", step: float = 60.0, end: float = NOW) -> Range:
    return Range(query, end - days * DAY, end, step)


def same(one: list[Found], other: list[Found]) -> bool:
    return [(f.labels, f.time.tolist(), f.value.tolist()) for f in one] == [
        (f.labels, f.time.tolist(), f.value.tolist()) for f in other
    ]


@given(st.floats(0, 2e9), st.floats(0, 2e6), st.integers(1, 7200))
def test_pieces_cover_every_point_once_and_none_is_too_long(start: float, long: float, step: int):
    pieces = Range("up", start, start + long, step).pieces()
    points = [int(p) for low, high in pieces for p in np.arange(low, high + step / 2, step)]
    assert points == list(range(ceil(start / step) * step, floor(start + long) + 1, step))
    assert all((high - low) / step < min(POINTS, LONGEST_RANGE) for low, high in pieces)


async def test_a_range_comes_whole_and_in_order(server: Server, tmp_path: Path):
    heard: list[float] = []
    found = await archive(server, tmp_path).read(asked(), heard.append)
    assert [f.labels["pod"] for f in found] == ["a", "b"]
    assert found[0].time.tolist() == list(np.arange(NOW - 5 * DAY + 40, NOW, 60))
    assert found[0].value.tolist() == [t % 1000 for t in found[0].time]
    assert sum(heard) == len(asked().pieces()) == len(server.asked)


async def test_what_was_read_is_not_asked_for_again_but_the_newest_is(
    server: Server, tmp_path: Path
):
    first = await archive(server, tmp_path).read(asked())
    server.asked.clear()
    again = await archive(server, tmp_path).read(asked())
    assert same(first, again)
    assert len(server.asked) == 1 and server.asked[0][2] == pytest.approx(NOW, abs=90)
    server.asked.clear()
    await archive(server, tmp_path).read(asked(end=NOW - 3600, days=4.5))
    assert len(server.asked) == 2  # its first piece and its last one


async def test_after_a_failure_it_goes_on_where_it_was(server: Server, tmp_path: Path):
    server.fails = lambda count: BUSY if count > 3 else None
    with pytest.raises(TransientError, match=r"3 of 6 pieces are read; they are kept in .* run it"):
        await archive(server, tmp_path).read(asked())
    assert len(server.asked) == 3 + 1 + len(WAITS)
    server.asked.clear()
    server.fails = lambda _: None
    found = await archive(server, tmp_path).read(asked())
    assert len(server.asked) == 3
    assert same(found, await archive(server, None).read(asked()))


async def test_an_outage_is_waited_for_once_it_has_answered(server: Server, tmp_path: Path):
    server.fails = lambda count: BUSY if count in (2, 3) else None
    slept = Slept()
    await archive(server, tmp_path, slept).read(asked())
    assert WAITS[0] in slept and WAITS[1] in slept
    server.fails = lambda _: BUSY
    with pytest.raises(TransientError, match="busy"):
        await archive(server, None, slept := Slept()).read(asked())
    assert slept == []  # one that never answered is not there


async def test_it_pauses_after_every_answer(server: Server):
    slept = Slept()
    await archive(server, None, slept).read(asked())
    assert len(slept) == len(server.asked)
    assert all(0.05 <= s <= 5 for s in slept)


async def test_another_query_step_server_or_tenant_is_never_mixed_in(
    server: Server, tmp_path: Path
):
    await archive(server, tmp_path).read(asked())
    for way, range_ in (
        (archive(server, tmp_path), asked(query="up + 0")),
        (archive(server, tmp_path), asked(step=120.0)),
        (archive(server, tmp_path, tenant="other"), asked()),
    ):
        server.asked.clear()
        await way.read(range_)
        assert len(server.asked) == len(range_.pieces())


async def test_a_piece_that_says_it_answers_something_else_is_not_believed(
    server: Server, tmp_path: Path
):
    await archive(server, tmp_path).read(asked(query="up + 0"))
    (other,) = tmp_path.iterdir()
    await archive(server, tmp_path).read(asked())
    own = next(f for f in tmp_path.iterdir() if f != other)
    for file in own.iterdir():
        (other / file.name).replace(file)
    server.asked.clear()
    await archive(server, tmp_path).read(asked())
    assert len(server.asked) == 6


@pytest.mark.parametrize("damage", [b"", b"PK\x03\x04", b"nonsense" * 50])
async def test_a_damaged_piece_is_asked_for_again(server: Server, tmp_path: Path, damage: bytes):
    whole = await archive(server, tmp_path).read(asked())
    file = sorted(next(tmp_path.iterdir()).iterdir())[2]
    file.write_bytes(damage)
    server.asked.clear()
    assert same(whole, await archive(server, tmp_path).read(asked()))
    assert len(server.asked) == 2
    truncated = sorted(next(tmp_path.iterdir()).iterdir())[3]
    truncated.write_bytes(truncated.read_bytes()[:-40])
    assert same(whole, await archive(server, tmp_path).read(asked()))


async def test_what_is_too_much_at_once_comes_in_halves(server: Server, tmp_path: Path):
    whole = await archive(server, None).read(asked())
    server.asked.clear()
    too_many = '{"status": "error", "errorType": "execution", "error": "loading too many samples"}'

    def fails(_: int) -> tuple[int, str] | None:
        low, high = server.asked[-1][1:]
        return (422, too_many) if high - low > 0.3 * DAY else None

    server.fails = fails
    assert same(whole, await archive(server, tmp_path).read(asked()))
    server.fails = lambda _: (422, too_many)
    with pytest.raises(TransientError, match="too many samples"):
        await archive(server, tmp_path).read(asked(query="down"))


async def test_a_wrong_query_is_said_at_once(server: Server, tmp_path: Path):
    wrong = (400, '{"status": "error", "errorType": "bad_data", "error": "parse error"}')
    server.fails = lambda _: wrong
    with pytest.raises(PermanentError, match="parse error"):
        await archive(server, tmp_path).read(asked())
    assert len(server.asked) == 1


async def test_a_folder_that_cannot_be_written_is_named(server: Server, tmp_path: Path):
    file = tmp_path / "file"
    file.write_text("")
    with pytest.raises(
        PermanentError, match="file can't hold what is read.*--cache, or --no-cache"
    ):
        await archive(server, file).read(asked())


def test_killed_in_the_middle_and_run_again_it_goes_on(server: Server, tmp_path: Path):
    stop = tmp_path / "reached"

    def fails(count: int) -> tuple[int, str] | None:
        if count == 4 and not stop.exists():
            stop.touch()
            os.kill(process.pid, signal.SIGKILL)
        return None

    def command(*more: str) -> list[str]:
        arguments = ["backtest", "--prometheus-url", server.url, "--query", "up", "--limit", "5000"]
        span = ["--start", "2026-09-16T16:00", "--end", "2026-09-21T12:00"]
        return [
            sys.executable,
            "-m",
            "akeso",
            *arguments,
            *span,
            "--cache",
            str(tmp_path / "c"),
            *more,
        ]

    server.fails = fails
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    process = subprocess.Popen(command(), env=environment, stderr=subprocess.PIPE)
    process.communicate(timeout=60)
    assert process.returncode == -signal.SIGKILL
    done = server.of("up")[:3]
    server.asked.clear()
    again = subprocess.run(
        command("-o", "json"),
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert not set(done) & set(server.of("up"))
    assert '"series": 2' in again.stdout and again.stderr == ""
