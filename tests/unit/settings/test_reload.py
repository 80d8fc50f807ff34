"""The settings file while Akeso runs: what may change does, what may not is named."""

from __future__ import annotations

import ast
import logging
import os
from pathlib import Path

import pytest

from akeso.settings import Settings
from akeso.settings.changes import RELOADED, take
from akeso.settings.reading import read
from akeso.wiring.reloading import EVERY_SECONDS, Reloader

ROOT = Path(__file__).parents[3]
# Set where the change is made, not where the value is read.
SET_ON_CHANGE = {("wiring/operator.py", "log_level"), ("wiring/reloading.py", "log_level")}
# Commands end with what they were asked for; nothing reloads meanwhile.
COMMANDS = {"wiring/backtesting.py", "wiring/outlook.py"}


class Clock:
    def __init__(self) -> None:
        self.time = 1_000.0

    def now(self) -> float:
        return self.time

    async def sleep(self, seconds: float) -> None:
        raise AssertionError


class Running:
    """A reloader on a file, and time that passes between its looks."""

    def __init__(self, file: Path) -> None:
        self.file = file
        self.clock = Clock()
        self.settings = read({"settings_file": str(file)})
        self.reloader = Reloader(
            self.settings, lambda: read({"settings_file": str(file)}), self.clock
        )

    def after(self, content: str) -> tuple[str, ...]:
        """What is wrong once the file has this content, and it was looked at."""
        self.file.write_text(content)
        self.clock.time += EVERY_SECONDS
        self.reloader.look()
        return tuple(self.reloader.problems())


@pytest.fixture
def running(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Running:
    for name in [n for n in os.environ if n.upper().startswith("AKESO_")]:
        monkeypatch.delenv(name)
    file = tmp_path / "settings.yaml"
    file.write_text("errorRatio: 0.1\n")
    return Running(file)


def test_a_reloadable_setting_holds_and_is_logged_with_both_values(
    running: Running, caplog: pytest.LogCaptureFixture
):
    with caplog.at_level(logging.INFO):
        assert running.after("errorRatio: 0.2\nhealers: [Rollback]\n") == ()
    assert (running.settings.error_ratio, running.settings.healers) == (0.2, ("Rollback",))
    assert "Setting errorRatio is 0.2 now, it was 0.1." in caplog.text
    assert "Setting healers is Rollback now, it was unset." in caplog.text


def test_one_that_is_left_out_again_has_its_default_again(running: Running):
    running.after("")
    assert running.settings.error_ratio == Settings.model_fields["error_ratio"].default


def test_one_that_needs_a_restart_is_named_until_it_is_taken_back(running: Running):
    (said,) = running.after("errorRatio: 0.2\nleaseSeconds: 30\nlistenPort: 1\n")
    assert said.endswith("wait for a restart: leaseSeconds, listenPort")
    assert (running.settings.error_ratio, running.settings.lease_seconds) == (0.2, 15)
    assert running.after("errorRatio: 0.2") == ()


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("errorRatio: 7", "errorRatio: Input should be less than or equal to 1"),
        ("errorRatios: 0.2", "errorRatios: there is no such setting; did you mean errorRatio?"),
        ("a: [", "not YAML"),
        ("healers: [Reboot]\nerrorRatio: 0.3", "there is no healer Reboot"),
        ("leaseSeconds: 1", "must be at most half of leaseSeconds (1)"),
    ],
)
def test_what_can_not_be_taken_changes_nothing_and_is_named_until_it_is_corrected(
    content: str, said: str, running: Running, caplog: pytest.LogCaptureFixture
):
    (problem,) = running.after(content)
    assert problem.startswith("the settings before it hold: ") and said in problem
    assert said in caplog.text
    assert (running.settings.error_ratio, running.settings.healers) == (0.1, None)
    assert running.after("errorRatio: 0.3\n") == ()
    assert running.settings.error_ratio == 0.3


def test_a_file_that_is_gone_is_named_and_what_held_goes_on(running: Running):
    running.file.unlink()
    running.clock.time += EVERY_SECONDS
    running.reloader.look()
    assert "can't be read" in running.reloader.problems()[0]
    assert running.settings.error_ratio == 0.1


def test_a_configmap_is_swapped_by_a_link(tmp_path: Path, running: Running):
    for name, ratio in (("one", 0.1), ("two", 0.4)):
        (tmp_path / name).mkdir()
        (tmp_path / name / "settings.yaml").write_text(f"errorRatio: {ratio}\n")
    (tmp_path / "data").symlink_to("one")
    mounted = tmp_path / "mounted.yaml"
    mounted.symlink_to("data/settings.yaml")
    pod = Running(mounted)
    (tmp_path / "next").symlink_to("two")
    (tmp_path / "next").rename(tmp_path / "data")
    pod.clock.time += EVERY_SECONDS
    pod.reloader.look()
    assert pod.settings.error_ratio == 0.4


def test_it_is_not_looked_at_more_often_than_every_few_seconds(running: Running):
    running.file.write_text("errorRatio: 0.2")
    running.clock.time += EVERY_SECONDS - 0.1
    running.reloader.look()
    assert running.settings.error_ratio == 0.1


def test_flags_and_variables_win_over_the_file_later_too(
    running: Running, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("AKESO_ERROR_RATIO", "0.1")
    running.after("errorRatio: 0.2\nfailuresPerDay: 9")
    assert (running.settings.error_ratio, running.settings.failures_per_day) == (0.1, 9)


def test_a_recording_is_played_with_the_settings_it_began_with(tmp_path: Path, running: Running):
    running.file.write_text(f"recordPath: {tmp_path / 'incident'}\n")
    recording = Running(running.file)
    (said,) = recording.after(f"recordPath: {tmp_path / 'incident'}\nerrorRatio: 0.2\n")
    assert said.endswith("wait for a restart: errorRatio")
    assert recording.settings.error_ratio == 0.05


def test_secrets_are_not_logged(running: Running, caplog: pytest.LogCaptureFixture):
    with caplog.at_level(logging.DEBUG):
        running.after("webhookUrl: https://hooks/canary\nwebhookTimeoutSeconds: 3\n")
        running.after("webhookUrl: 7\n")
    assert "canary" not in caplog.text + str(running.reloader.problems())


def test_who_must_know_of_a_change_is_called_once(running: Running):
    called: list[bool] = []
    running.reloader.changed.append(lambda: called.append(True))
    running.after("errorRatio: 0.1\n# a comment\n")
    assert not called
    running.after("errorRatio: 0.2\nfailuresPerDay: 9\n")
    assert called == [True]


def test_the_log_level_changes_what_is_logged(running: Running):
    root = logging.getLogger()
    level, handlers = root.level, root.handlers[:]
    try:
        running.after("logLevel: ERROR")
        assert root.level == logging.ERROR
    finally:
        root.handlers[:] = handlers
        root.setLevel(level)


def test_only_what_is_marked_is_taken():
    with pytest.raises(ValueError, match="not reloadable: lease_seconds"):
        take(Settings(), Settings(), ["lease_seconds"])


def test_nobody_keeps_a_copy_of_what_may_change():
    """Each reloadable setting is read where it is used: no attribute is made from it, and no
    constructor in the wiring is given its value."""
    copies: list[str] = []
    read_somewhere: set[str] = set()
    for path in (ROOT / "operator" / "akeso").rglob("*.py"):
        where = str(path.relative_to(ROOT / "operator" / "akeso"))
        tree = ast.parse(path.read_text())
        if not where.startswith(("settings/", "cli/")):
            read_somewhere |= set(_settings_read(tree))
        for node in ast.walk(tree):
            kept = isinstance(node, ast.Assign | ast.AnnAssign) and any(
                isinstance(t, ast.Attribute)
                for t in (node.targets if isinstance(node, ast.Assign) else [node.target])
            )
            given = isinstance(node, ast.Call) and where.startswith("wiring/")
            given = given and where not in COMMANDS
            if not (kept or given):
                continue
            for name in _settings_read(node):
                if (where, name) not in SET_ON_CHANGE:
                    copies.append(f"{where}:{node.lineno}: {name}")  # type: ignore[attr-defined]
    assert not copies
    # `healers` is asked through `enables`, costs through `bar`.
    assert RELOADED - read_somewhere <= {"healers", "cost_of_acting", "cost_of_failing"}


def _settings_read(node: ast.AST) -> list[str]:
    return [
        found.attr
        for found in ast.walk(node)
        if isinstance(found, ast.Attribute)
        and found.attr in RELOADED
        and ast.unparse(found.value).rpartition(".")[2].lstrip("_") in ("settings", "live")
    ]
