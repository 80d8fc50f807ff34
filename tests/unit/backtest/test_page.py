"""The page of a back-test: whole, self-contained, and no name from a file is markup in it."""

from __future__ import annotations

import re
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest

from akeso.backtest.judge import Question
from akeso.backtest.page import page
from akeso.backtest.regular import histories
from akeso.clients.tables.columns import Columns
from akeso.wiring.backtesting import Judgement, Recorded, judge
from unit.report.test_page import HOSTILE, Elements

START = 1_790_000_000.0
_SVG = re.compile(r"<svg.*?</svg>", re.DOTALL)


def made(values: list[np.ndarray], names: list[str], limit: float = 90.0) -> Judgement:
    count = [len(v) for v in values]
    time = np.concatenate([START + 60 * np.arange(n) for n in count])
    series = np.repeat(np.arange(len(names)), count)
    columns = Columns("file.csv", tuple(names), series, time, np.concatenate(values))
    recorded = Recorded("file.csv", histories(columns, limit), limit=limit)
    return judge(recorded, Question(3600.0, 0.8))


def leak() -> np.ndarray:
    climb = np.concatenate([np.full(240, 40.0), 40 + 60 * np.arange(241) / 240, np.full(90, 5.0)])
    return climb + np.random.default_rng(4).normal(0, 0.3, len(climb))


@pytest.fixture(scope="module")
def judgement() -> Judgement:
    return made([leak(), np.full(300, 30.0)], ["shop/web-0/app", HOSTILE])


@pytest.fixture(scope="module")
def text(judgement: Judgement) -> str:
    return page(judgement.told, judgement.drawn)


def test_it_says_what_came_of_it_and_every_element_closes(text: str):
    Elements(text)
    for said in ("Akeso would have foreseen 1 of 1 failure", "shop/web", "predict_linear"):
        assert said in text
    assert "kind: HealingPolicy" in text and "mode: Observe" in text
    assert len(_SVG.findall(text)) == 2


def test_it_loads_nothing_and_runs_nothing_whatever_the_file_says(text: str):
    elements = Elements(text)
    assert not elements.names & {"script", "img", "link", "iframe", "object", "embed", "base"}
    for name, attributes in elements.found:
        assert not any(key.startswith("on") for key in attributes)
        for key in ("src", "href", "xlink:href"):
            assert (attributes.get(key) or "#").startswith("#"), (name, attributes)
    assert "&lt;script&gt;" in text
    for drawn in _SVG.findall(text):
        ElementTree.fromstring(drawn.replace("\x00", "").replace("\x1b", ""))


def test_both_themes_have_every_colour(text: str):
    assert not re.search(r"#[0-9a-f]{6}", "".join(_SVG.findall(text)))
    light, dark = text.split("prefers-color-scheme: dark")[:2]
    used = set(re.findall(r"var\(--(\w+)\)", text)) - {"mood"}
    assert used <= set(re.findall(r"--(\w+):", light)) & set(re.findall(r"--(\w+):", dark))


def test_the_same_back_test_is_the_same_page(judgement: Judgement, text: str):
    assert page(judgement.told, judgement.drawn) == text


def test_of_a_long_series_the_way_to_the_failure_is_drawn_too_and_lines_are_thinned():
    long = np.concatenate([np.full(20_000, 40.0), leak()])
    found = made([long], ["shop/web-0/app"])
    text = page(found.told, found.drawn)
    assert len(_SVG.findall(text)) == 2 and "the way to" in text
    assert len(text) < 400_000


@pytest.mark.parametrize(
    "values", [[np.full(50, np.nan)], [np.array([5.0])], [np.full(50, 0.0)], [np.full(50, 500.0)]]
)
def test_what_says_nothing_is_a_page_too(values: list[np.ndarray]):
    found = made(values, ["a"])
    text = page(found.told, found.drawn)
    Elements(text)
    assert "No failure" in text


def test_the_command_writes_it(
    tmp_path: Path, capfdbinary: pytest.CaptureFixture[bytes], monkeypatch: pytest.MonkeyPatch
):
    from akeso.cli import main

    monkeypatch.setenv("COLUMNS", "120")
    file = tmp_path / "one.csv"
    rows = "".join(f"{START + 60 * i:.0f},{v:.3f}\n" for i, v in enumerate(leak()))
    file.write_text(f"timestamp,value\n{rows}")
    asked = ["backtest", "--csv", str(file), "--limit", "90", "--html"]
    assert main([*asked, str(tmp_path / "page.html")]) == 0
    assert (tmp_path / "page.html").read_text().startswith("<!doctype html>")
    assert b"WORKLOAD" in capfdbinary.readouterr().out
    assert main([*asked, "-"]) == 0
    assert capfdbinary.readouterr().out.startswith(b"<!doctype html>")
    assert main([*asked, str(tmp_path / "nowhere" / "page.html")]) == 1
    assert b"can't be written" in capfdbinary.readouterr().err
