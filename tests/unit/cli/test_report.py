"""`akeso report`: which Healing, in which form, into which file, and what is said when it can't."""

from __future__ import annotations

import json
import os
import stat
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from akeso.api.healing import Healing
from akeso.cli import main
from akeso.cli.writing import write
from akeso.engine.records import BrokenObject
from akeso.errors import PermanentError, TransientError
from akeso.settings import Settings
from akeso.wiring.view import View
from unit.cli.objects import policy, working_control
from unit.report.samples import Prometheus, healed, leak, leaking

PNG = b"\x89PNG"


class OwnRecords:
    """Two Healings, one that can't be read, their policy and the HealingControl."""

    def __init__(self) -> None:
        old = leak()
        older = old.metadata.model_copy(update={"name": "old"})
        self.found: tuple[Healing, ...] = (old.model_copy(update={"metadata": older}), healed())

    def healings(self) -> Any:
        return self.found

    def policies(self) -> Any:
        return (policy(),)

    def control(self) -> Any:
        return working_control()

    def broken(self) -> Any:
        return (BrokenObject("Healing", "shop", "odd", "Healing shop/odd can't be read: spec"),)


@pytest.fixture
def records() -> OwnRecords:
    return OwnRecords()


@pytest.fixture
def source() -> Prometheus:
    return Prometheus(leaking())


@pytest.fixture(autouse=True)
def _cluster(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, records: OwnRecords, source: Prometheus
) -> list[Settings]:
    """The settings that the source was asked with."""
    asked: list[Settings] = []

    @asynccontextmanager
    async def open_view(settings: Settings) -> AsyncGenerator[View]:
        own: Any = records
        nothing: Any = None
        yield View(nothing, settings, own)

    class Source(Prometheus):
        def __init__(self, settings: Settings) -> None:
            super().__init__(source.rows, source.limits, source.error)
            asked.append(settings)

        async def close(self) -> None:
            pass

    monkeypatch.setattr("akeso.wiring.open_view", open_view)
    monkeypatch.setattr("akeso.wiring.reporting.PrometheusSource", Source)
    monkeypatch.chdir(tmp_path)
    return asked


WITH = ("-n", "shop", "--prometheus-url", "http://localhost:9090")


def test_a_page_is_named_after_its_healing(capsys: pytest.CaptureFixture[str]):
    assert main(["report", "web-memory-1", *WITH]) == 0
    assert capsys.readouterr() == ("web-memory-1.html\n", "")
    assert Path("web-memory-1.html").read_text().startswith("<!doctype html>")
    assert os.listdir() == ["web-memory-1.html"]


def test_latest_is_the_one_opened_last(capsys: pytest.CaptureFixture[str], records: OwnRecords):
    first, last = records.found
    for found in ((first, last), (last, first)):
        records.found = found
        assert main(["report", "latest", *WITH, "-o", "json"]) == 0
        assert json.loads(capsys.readouterr().out)["name"] == "web-memory-1"


def test_a_picture_and_a_file_of_ones_own(tmp_path: Path):
    assert main(["report", "web-memory-1", *WITH, "--png", "a.png"]) == 0
    assert Path("a.png").read_bytes().startswith(PNG)
    assert main(["report", "web-memory-1", *WITH, "--html", str(tmp_path / "b")]) == 0
    assert "</html>" in Path("b").read_text()


def test_a_dash_is_standard_output(capfdbinary: pytest.CaptureFixture[bytes]):
    assert main(["report", "web-memory-1", *WITH, "--png", "-"]) == 0
    out, err = capfdbinary.readouterr()
    assert out.startswith(PNG) and err == b""
    assert main(["report", "web-memory-1", "-n", "shop", "--html", "-"]) == 0
    out, err = capfdbinary.readouterr()
    assert out.startswith(b"<!doctype html>") and b"no Prometheus was given" in err
    assert os.listdir() == []


def test_the_json_has_these_keys(capsys: pytest.CaptureFixture[str]):
    assert main(["report", "web-memory-1", *WITH, "-o", "json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert set(told) == {
        *("name", "namespace", "uid", "kind", "target", "policy", "signal", "title", "badge"),
        *("mood", "opened", "closed", "made", "said", "figures", "evidence", "moments"),
        *("attempts", "guards", "panels", "notes"),
    }
    assert set(told["panels"][0]) == {
        *("title", "unit", "query", "step", "series", "limits", "threshold", "thresholdLabel"),
        *("outlook", "seen", "leftOut"),
    }


def test_what_could_not_be_measured_is_said_and_the_page_is_there(
    capsys: pytest.CaptureFixture[str], source: Prometheus
):
    source.error = TransientError("Prometheus cannot be reached: refused")
    assert main(["report", "web-memory-1", *WITH]) == 0
    said = capsys.readouterr()
    assert said.out == "web-memory-1.html\n"
    assert said.err.startswith("Memory working set of web is not shown: Prometheus cannot be")
    assert "Prometheus cannot be reached" in Path("web-memory-1.html").read_text()


def test_the_operators_own_interval_is_taken_unless_one_is_given(_cluster: list[Settings]):
    main(["report", "latest", *WITH])
    main(["report", "latest", *WITH, "--scrape-interval-seconds", "30"])
    assert [s.scrape_interval_seconds for s in _cluster] == [15, 30]


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (
            ["web-memory-2", "-n", "shop"],
            "There is no Healing web-memory-2 in namespace shop; the latest there:"
            + " web-memory-1, old.",
        ),
        (["odd", "-n", "shop"], "Healing shop/odd can't be read: spec"),
        (
            ["latest", "-n", "empty"],
            "There is no Healing in namespace empty; see where there are:"
            + " kubectl get healings.akeso.dev -A",
        ),
    ],
)
def test_one_that_is_not_there_is_one_sentence_and_no_file(
    words: list[str], sentence: str, capsys: pytest.CaptureFixture[str]
):
    assert main(["report", *words]) == 1
    assert capsys.readouterr() == ("", f"akeso: {sentence}\n")
    assert os.listdir() == []


@pytest.mark.parametrize("words", [["-o", "-"], ["-o", "yaml"], ["--html", "a", "--png", "b"]])
def test_wrong_options_are_exit_code_2(words: list[str], capsys: pytest.CaptureFixture[str]):
    with pytest.raises(SystemExit) as ended:
        main(["report", "latest", *words])
    assert ended.value.code == 2
    assert "usage: akeso report" in capsys.readouterr().err


def test_a_file_that_is_there_is_replaced_and_keeps_to_be_a_link(tmp_path: Path):
    write(tmp_path / "a", b"old")
    (tmp_path / "link").symlink_to("a")
    write(tmp_path / "link", b"new")
    assert (tmp_path / "a").read_bytes() == b"new"
    assert (tmp_path / "link").is_symlink()


def test_a_device_is_written_to_and_stays_one():
    write(Path("/dev/null"), b"x")
    assert stat.S_ISCHR(os.stat("/dev/null").st_mode)


@pytest.mark.parametrize("file", ["folder", "absent/a.html", "file/a.html", "x" * 300])
def test_what_cant_be_written_is_named_with_a_remedy_and_nothing_is_left(
    file: str, capsys: pytest.CaptureFixture[str]
):
    Path("folder").mkdir()
    Path("file").write_text("kept")
    assert main(["report", "latest", *WITH, "--html", file]) == 1
    said = capsys.readouterr().err
    assert said.startswith(f"akeso: {file} can't be written: ")
    assert said.endswith("Give another file with --html or --png, or - for standard output.\n")
    assert sorted(os.listdir()) == ["file", "folder"]
    assert Path("file").read_text() == "kept"


def test_a_disk_that_is_full_leaves_what_was_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    write(tmp_path / "a", b"old")

    def full(self: Path, content: bytes) -> int:
        with self.open("wb") as file:
            file.write(content[:1])
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(PermanentError, match="No space left"):
        write(tmp_path / "a", b"new")
    assert os.listdir(tmp_path) == ["a"]
    assert (tmp_path / "a").read_text() == "old"
