from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from akeso_lab.cleanup import find_leftovers, sweep
from akeso_lab.errors import LabError
from akeso_lab.processes import Supervisor, kill_all, owned_processes


@pytest.fixture
def state(tmp_path: Path) -> Iterator[Path]:
    state = tmp_path / "test"
    state.mkdir()
    yield state
    sweep(state)


def test_a_started_process_is_written_down_and_alive(state: Path) -> None:
    process = Supervisor(state).start("sleeper", ["sleep", "60"])

    assert Supervisor(state).recorded() == (process,)
    assert process.alive()


def test_a_reused_pid_is_not_taken_for_the_lab_s_process(state: Path) -> None:
    process = Supervisor(state).start("sleeper", ["sleep", "60"])

    assert not replace(process, started=process.started - 1).alive()


def test_a_process_nobody_wrote_down_is_found_by_its_mark(state: Path) -> None:
    process = Supervisor(state).start("parent", ["sh", "-c", "sleep 60 & wait"])
    (state / "processes" / "parent.json").unlink()

    def both() -> bool:
        return len(tuple(owned_processes(state, "no-cgroup"))) == 2

    Supervisor(state).wait_until(process, both, seconds=5)


def test_sweep_ends_the_whole_family_and_removes_the_folder(state: Path) -> None:
    Supervisor(state).start("parent", ["sh", "-c", "sleep 60 & sleep 60 & wait"])

    sweep(state)

    assert not find_leftovers(state)


def test_another_labs_processes_are_left_alone(state: Path, tmp_path: Path) -> None:
    other = tmp_path / "test-2"
    other.mkdir()
    process = Supervisor(other).start("sleeper", ["sleep", "60"])

    sweep(state)

    assert process.alive()
    sweep(other)


def test_a_process_that_only_mentions_the_folder_is_left_alone(state: Path, tmp_path: Path) -> None:
    reader = Supervisor(tmp_path).start("reader", ["sh", "-c", "sleep 60", str(state)])

    assert reader.pid not in owned_processes(state, "no-cgroup")
    kill_all(lambda: (pid for pid in (reader.pid,) if reader.alive()))


def test_a_part_that_dies_at_start_is_reported_with_its_last_words(state: Path) -> None:
    supervisor = Supervisor(state)
    process = supervisor.start("broken", ["sh", "-c", "echo cannot bind; exit 1"])

    with pytest.raises(LabError) as error:
        supervisor.wait_until(process, lambda: False, seconds=5)

    text = str(error.value)
    assert "broken: ended while it started" in text
    assert "cannot bind" in text
    assert str(state / "logs" / "broken.log") in text
    assert "what to do: " in text


def test_a_part_that_never_gets_ready_is_reported(state: Path) -> None:
    supervisor = Supervisor(state)
    process = supervisor.start("slow", ["sleep", "60"])

    with pytest.raises(LabError, match="was not ready within"):
        supervisor.wait_until(process, lambda: False, seconds=0.2)


def test_a_process_can_be_found_from_the_moment_it_is_started(state: Path) -> None:
    for number in range(20):
        process = Supervisor(state).start(f"sleeper-{number}", ["sleep", "60"])
        assert process.pid in owned_processes(state, "no-cgroup")
    sweep(state)


def test_killed_children_do_not_stay_zombies(state: Path) -> None:
    process = Supervisor(state).start("sleeper", ["sleep", "60"])

    sweep(state)

    with pytest.raises(ProcessLookupError):
        os.kill(process.pid, 0)
