"""`akeso forecast`: one series and its band, in the terminal, as a picture, for programs."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest

from akeso.cli import chart, main
from unit.backtest.prometheus_server import Series, Server, serving

START = 1_790_000_000


@pytest.fixture
def daily(tmp_path: Path) -> Path:
    t = np.arange(0, 4 * 1440, 10)
    noise = np.random.default_rng(2).normal(0, 1.5, len(t))
    values = 50 + 18 * np.sin(2 * np.pi * t / 1440) + noise
    file = tmp_path / "daily.csv"
    rows = "".join(f"{START + 60 * a},{v:.3f}\n" for a, v in zip(t, values, strict=True))
    file.write_text(f"timestamp,value\n{rows}")
    return file


def asked(capsys: pytest.CaptureFixture[str], *arguments: object) -> dict[str, Any]:
    assert main(["forecast", *map(str, arguments), "-o", "json"]) == 0
    out, err = capsys.readouterr()
    assert err == ""
    found: dict[str, Any] = json.loads(out)
    return found


def test_a_daily_wave_goes_on_and_its_band_is_ordered(
    capsys: pytest.CaptureFixture[str], daily: Path
):
    found = asked(capsys, "--csv", daily, "--horizon", "1d", "--limit", 65)
    assert len(found["points"]) == 144 and found["stepSeconds"] == 600
    means = [p["mean"] for p in found["points"]]
    t = np.arange(1, 145) * 10 + 4 * 1440 - 10
    assert np.abs(np.array(means) - 50 - 18 * np.sin(2 * np.pi * t / 1440)).mean() < 3
    for point in found["points"]:
        (low80, low95), (high80, high95) = point["lower"], point["upper"]
        assert low95 <= low80 <= point["mean"] <= high80 <= high95
    assert "season" in found["model"]
    assert found["reached"]["earliest"] <= found["reached"]["mean"]


def test_the_json_has_these_keys(capsys: pytest.CaptureFixture[str], daily: Path):
    found = asked(capsys, "--csv", daily, "--limit", 90)
    assert set(found) == {
        *("version", "made", "source", "query", "series", "start", "end", "samples", "value"),
        *("stepSeconds", "horizonSeconds", "model", "levels", "points", "reached", "notes"),
    }
    assert set(found["points"][0]) == {"at", "mean", "lower", "upper"}
    assert set(found["reached"]) == {"limit", "mean", "earliest", "probablePercent"}


def test_without_a_season_the_wave_is_not_seen(capsys: pytest.CaptureFixture[str], daily: Path):
    found = asked(capsys, "--csv", daily, "--season", "none", "--horizon", "1d")
    assert "season" not in found["model"]
    named = asked(capsys, "--csv", daily, "--season", "1d", "--horizon", "1d")
    assert "season" in named["model"]


@pytest.mark.parametrize("columns", [30, 80, 120, 300])
def test_the_chart_fits_the_terminal_and_needs_no_colour(
    capsys: pytest.CaptureFixture[str], daily: Path, monkeypatch: pytest.MonkeyPatch, columns: int
):
    monkeypatch.setenv("COLUMNS", str(columns))
    assert main(["forecast", "--csv", str(daily), "--horizon", "1d", "--limit", "90"]) == 0
    out = capsys.readouterr().out
    assert max(map(len, out.splitlines())) <= columns
    assert "\x1b" not in out
    for sign in "●━▒░╌":
        assert sign in out.split("measured")[0]
    assert "80 %" in out and "Model: " in out


def test_a_terminal_without_such_letters_gets_others():
    drawn = chart.Lines(
        [0.0, 60.0, 120.0], [1.0, float("nan"), 2.0], [180.0], [2.5], [([2.0], [3.0])], 2.8, (0, 4)
    )
    lines = chart.chart(drawn, 60, str, chart.ASCII)
    assert "".join(lines).isascii() and "*" in "".join(lines) and len(lines) == chart.HEIGHT + 2


def test_pictures_are_written_whole(daily: Path, tmp_path: Path, capfdbinary: Any):
    png, svg = tmp_path / "a.png", tmp_path / "a.svg"
    assert main(["forecast", "--csv", str(daily), "--png", str(png), "--svg", str(svg)]) == 0
    assert png.read_bytes().startswith(b"\x89PNG")
    assert ElementTree.fromstring(svg.read_bytes()).tag.endswith("svg")
    assert sorted(os.listdir(tmp_path)) == ["a.png", "a.svg", "daily.csv"]
    capfdbinary.readouterr()
    assert main(["forecast", "--csv", str(daily), "--png", "-"]) == 0
    assert capfdbinary.readouterr().out.startswith(b"\x89PNG")


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        ("60,5\n", "1 sample is no history to forecast"),
        ("60,5\n120,6\n", "2 samples say too little to forecast"),
        ("60,\n120,\n180,\n", "is no history to forecast"),
    ],
)
def test_what_says_too_little_is_said_so(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, rows: str, said: str
):
    file = tmp_path / "few.csv"
    file.write_text(f"timestamp,value\n{rows}")
    assert main(["forecast", "--csv", str(file)]) == 1
    assert said in capsys.readouterr().err


def test_of_several_series_one_must_be_named(capsys: pytest.CaptureFixture[str], tmp_path: Path):
    rows = "".join(f"{60 * i},s{k},{i + k}\n" for i in range(30) for k in range(9))
    file = tmp_path / "many.csv"
    file.write_text(f"timestamp,series,value\n{rows}")
    assert main(["forecast", "--csv", str(file)]) == 1
    err = capsys.readouterr().err
    assert "That is 9 series" in err and "s0; s1; s2; s3; s4 and 4 more" in err
    assert "--series" in err
    assert asked(capsys, "--csv", file, "--series", "s3", "--horizon", "10m")["series"] == "s3"
    assert main(["forecast", "--csv", str(file), "--series", "x"]) == 1
    assert "There is no series 'x'; there are: s0;" in capsys.readouterr().err


def climb(start: float) -> Callable[[float], float | None]:
    return lambda t: start + t % 86_400 / 3600


def test_a_query_is_asked_of_prometheus(capsys: pytest.CaptureFixture[str]):
    rising: list[Series] = [({"pod": p}, climb(k)) for k, p in enumerate("ab")]
    with serving(Server({"up": rising, "one": rising[:1]})) as server:
        given = ["--prometheus-url", server.url, "--last", "3h", "--horizon", "1h"]
        found = asked(capsys, "one", *given)
        assert found["query"] == "one" and found["series"] == '{pod="a"}'
        assert found["samples"] in (180, 181)
        assert asked(capsys, "up", *given, "--series", '"b"')["series"] == '{pod="b"}'
        assert main(["forecast", "up", *given]) == 1
        err = capsys.readouterr().err
        assert "narrow the query with labels or sum it up" in err
        assert main(["forecast", "nothing", *given]) == 1
        assert "has nothing for that time" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((), "give a QUERY, or --csv FILE"),
        (("up", "--csv", "x"), "give a QUERY, or --csv FILE"),
        (("up",), "a QUERY needs --prometheus-url URL"),
        (("--csv", "x", "--season", "weekly"), "'weekly' is no duration"),
        (("--csv", "x", "--limit", "much"), "--limit 'much' is no number"),
        (("--csv", "x", "--png", "-", "--svg", "-"), "can't both go to standard output"),
    ],
)
def test_a_wrong_question_is_usage(
    capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...], said: str
):
    assert main(["forecast", *arguments]) == 2
    assert said in capsys.readouterr().err


def test_too_many_steps_ahead_are_refused(capsys: pytest.CaptureFixture[str], daily: Path):
    assert main(["forecast", "--csv", str(daily), "--horizon", "900d"]) == 1
    assert "give a longer --step, or a nearer --horizon" in capsys.readouterr().err
