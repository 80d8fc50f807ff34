"""`akeso backtest` on files: what it says, in which form, and what it says when it can't."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from akeso.api.policy import HealingPolicy, Mode
from akeso.cli import main

START = 1_790_000_000


def leak(healthy: int = 240, minutes: int = 240, after: int = 120, seed: int = 5) -> list[float]:
    rng = np.random.default_rng(seed)
    climb = 40 + 60 * np.arange(minutes) / minutes
    made = np.concatenate([np.full(healthy, 40.0), climb, np.full(after, 6.0)])
    return (made + rng.normal(0, 0.3, len(made))).round(3).tolist()


def write(file: Path, series: dict[str, list[float]], step: int = 60) -> Path:
    rows = [
        f"{START + step * i},{n},{v}" for n, values in series.items() for i, v in enumerate(values)
    ]
    file.write_text("\n".join(["timestamp,series,value", *rows]) + "\n")
    return file


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return write(
        tmp_path / "pods.csv",
        {
            "shop/web-6f7c9d4b8-x2k4z/app": leak(),
            "shop/web-6f7c9d4b8-b7c5d/app": leak(seed=6, minutes=120),
            "shop/cart-0/app": [30.0] * 500,
        },
    )


def asked(capsys: pytest.CaptureFixture[str], *arguments: object) -> dict[str, Any]:
    assert main(["backtest", *map(str, arguments), "-o", "json"]) == 0
    out, err = capsys.readouterr()
    assert err == ""
    found: dict[str, Any] = json.loads(out)
    return found


def test_a_leak_is_foreseen_and_both_methods_are_shown(
    capsys: pytest.CaptureFixture[str], file: Path
):
    found = asked(capsys, "--csv", file, "--limit", 90, "--horizon", "1h")
    assert found["total"]["failures"] == 2
    assert found["total"]["akeso"]["foreseen"] == 2
    assert found["total"]["akeso"]["falseAlarms"] == 0
    assert found["total"]["predictLinear"]["foreseen"] == 2
    assert [w["name"] for w in found["workloads"]] == ["shop/cart", "shop/web"]
    web = found["workloads"][1]
    assert (web["series"], web["failures"]) == (2, 2)
    failure = found["series"][1]["failures"][0]
    assert failure["kind"] == "Reached" and failure["limit"] == 90
    assert failure["akesoLeadSeconds"] >= 1200
    raised = [a for a in found["series"][1]["alarms"] if a["method"] == "Akeso"]
    assert [a["verdict"] for a in raised] == ["Foretold"]
    early, middle, late = raised[0]["expected"]
    assert 0 < early <= middle <= late


def test_the_json_has_these_keys(capsys: pytest.CaptureFixture[str], file: Path):
    found = asked(capsys, "--csv", file, "--limit", 90)
    score = {
        *("foreseen", "late", "missed", "falseAlarms", "falseAlarmsPerSeriesDay", "unknown"),
        *("medianLeadSeconds", "shortestLeadSeconds"),
    }
    workload = {
        *("name", "series", "days", "failures", "akeso", "predictLinear"),
        *("abstainedPercent", "abstentions"),
    }
    assert set(found) == {
        *("version", "made", "source", "metricClass", "query", "limitQuery", "start", "end"),
        *("horizonSeconds", "probabilityPercent", "leadSeconds", "calibrated", "rule", "total"),
        *("workloads", "series", "notes", "policy", "advice"),
    }
    assert set(found["total"]) == set(found["workloads"][0]) == workload
    assert set(found["total"]["akeso"]) == score
    assert set(found["series"][0]) == {
        *("name", "workload", "samples", "stepSeconds", "start", "end", "days", "limit", "highest"),
        *("akeso", "predictLinear", "failures", "alarms", "abstainedPercent", "abstentions"),
        "notes",
    }
    assert set(found["series"][1]["failures"][0]) == {
        *("at", "kind", "value", "limit", "akesoLeadSeconds", "predictLinearLeadSeconds"),
    }
    assert set(found["series"][1]["alarms"][0]) == {
        *("method", "at", "until", "verdict", "value", "limit", "probability", "expected"),
    }


def test_it_ends_with_a_policy_that_only_watches(capsys: pytest.CaptureFixture[str], file: Path):
    found = asked(capsys, "--csv", file, "--limit", 90, "--horizon", "1h", "--probability", "90")
    policy = HealingPolicy.model_validate(yaml.safe_load(found["policy"]))
    assert policy.spec.mode is Mode.OBSERVE and policy.metadata.namespace == "shop"
    foresight = policy.spec.signals[0].foresight
    assert foresight is not None
    assert (foresight.horizon_seconds, foresight.probability_percent) == (3600, 90)
    saved = file.with_name("policy.yaml")
    assert main(["backtest", "--csv", str(file), "--limit", "90", "--save-policy", str(saved)]) == 0
    assert yaml.safe_load(saved.read_text())["kind"] == policy.kind
    assert yaml.safe_load(capsys.readouterr().out.split("only watches\n")[1])["kind"] == policy.kind


@pytest.mark.parametrize("columns", [40, 80, 120, 200])
def test_no_line_is_wider_than_the_terminal_but_the_policy(
    capsys: pytest.CaptureFixture[str], file: Path, monkeypatch: pytest.MonkeyPatch, columns: int
):
    monkeypatch.setenv("COLUMNS", str(columns))
    assert main(["backtest", "--csv", str(file), "--limit", "90"]) == 0
    out = capsys.readouterr().out
    for said in ("shop/web", "predict_linear", "2 of 2", "reached its limit 90"):
        assert said in " ".join(out.split())
    told = out.split("A policy that only watches")[0]
    assert max(map(len, told.splitlines())) <= columns


def test_what_is_abstained_from_is_in_the_report_with_its_reason(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
):
    nothing = [float("nan")] * 50
    file = write(tmp_path / "odd.csv", {"one": [5.0], "none": nothing, "over": [95.0] * 50})
    found = asked(capsys, "--csv", file, "--limit", 90)
    reasons = {s["name"]: s["abstentions"][0] for s in found["series"]}
    assert reasons["one"]["said"] == "one sample is no history"
    assert reasons["none"]["reason"] == "NoData"
    assert reasons["over"]["reason"] == "NoLimit"
    assert all(s["abstainedPercent"] == 100 for s in found["series"])
    assert any("nothing was claimed in 100 % of the time" in said for said in found["advice"])


def test_a_limit_recorded_beside_the_values_holds(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
):
    file = tmp_path / "limits.csv"
    rows = [f"{START + 60 * i},{v},90,0" for i, v in enumerate(leak())]
    file.write_text("\n".join(["timestamp,value,limit,restart", *rows]))
    assert asked(capsys, "--csv", file)["total"]["failures"] == 1
    assert asked(capsys, "--csv", file, "--limit", 200)["total"]["failures"] == 0


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((), "say where the history is"),
        (("--csv", "FILE"), "has no limits: give the one that holds with --limit"),
        (("--csv", "FILE", "--limit", "0"), "--limit '0' bounds nothing"),
        (("--csv", "FILE", "--limit", "-5"), "--limit '-5' bounds nothing"),
        (("--csv", "FILE", "--limit", "nan"), "--limit 'nan' bounds nothing"),
        (("--csv", "FILE", "--limit", "lots"), "is no number such as 90 or 512Mi"),
        (("--csv", "FILE", "--limit", "9", "--horizon", "soon"), "'soon' is no duration"),
        (("--csv", "FILE", "--limit", "9", "--probability", "0.8"), "no whole number of per cent"),
        (("--csv", "FILE", "--limit", "9", "--class", "mood"), "metric_class must be one of"),
        (("--csv", "FILE", "--limit", "9", "--class", "certificate"), "approached from above"),
    ],
)
def test_a_wrong_question_is_usage(
    capsys: pytest.CaptureFixture[str], file: Path, arguments: tuple[str, ...], said: str
):
    given = [str(file) if a == "FILE" else a for a in arguments]
    # argparse takes -5 for a flag unless it is joined.
    joined = [f"{a}={b}" for a, b in zip(given[::2], given[1::2], strict=True)]
    assert main(["backtest", *joined]) == 2
    out, err = capsys.readouterr()
    assert out == "" and said in err and "See: akeso backtest --help" in err


def test_a_broken_file_is_one_sentence(capsys: pytest.CaptureFixture[str], tmp_path: Path):
    file = tmp_path / "broken.csv"
    file.write_text("timestamp,value\n60,1\n120,x\n")
    assert main(["backtest", "--csv", str(file), "--limit", "9"]) == 1
    out, err = capsys.readouterr()
    assert out == "" and err.count("\n") == 1
    assert f"{file}, line 3, column value: 'x' is no number" in err
    assert os.listdir(tmp_path) == ["broken.csv"]


def test_what_one_history_teaches_corrects_the_next(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
):
    from akeso_predictors import Calibration

    many = {f"s{i}": leak(seed=i, minutes=150 + 10 * i) for i in range(6)}
    first, lesson = write(tmp_path / "first.csv", many), tmp_path / "lesson.json"
    told = asked(capsys, "--csv", first, "--limit", 90, "--save-calibration", lesson)
    assert told["calibrated"] is False
    known = Calibration.from_json(lesson.read_text())
    assert known.of("memory").weight > 0
    after = asked(capsys, "--csv", first, "--limit", 90, "--calibration", lesson)
    assert after["calibrated"] is True
    alarms = [[a["probability"] for s in t["series"] for a in s["alarms"]] for t in (told, after)]
    assert alarms[0] != alarms[1]


@pytest.mark.parametrize("content", [b"", b"{}", b"\xff", b'{"akeso": "calibration"}'])
def test_what_is_no_calibration_is_refused(
    capsys: pytest.CaptureFixture[str], file: Path, tmp_path: Path, content: bytes
):
    lesson = tmp_path / "lesson.json"
    lesson.write_bytes(content)
    assert (
        main(["backtest", "--csv", str(file), "--limit", "90", "--calibration", str(lesson)]) == 1
    )
    assert f"{lesson} is no calibration: " in capsys.readouterr().err


def test_real_pods_are_watched_without_a_false_alarm(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
):
    from unit.predictors.injected import pods

    series = {name: x.tolist() for name, x in list(pods("mem", False).items())[:3]}
    file = write(tmp_path / "real.csv", series)
    found = asked(capsys, "--csv", file, "--limit", 100)
    assert found["total"]["akeso"]["falseAlarms"] == 0
    assert found["total"]["days"] > 1
