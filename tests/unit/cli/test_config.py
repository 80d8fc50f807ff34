"""What holds, where it comes from, and that no secret is shown."""

from __future__ import annotations

import json
from typing import Any

import pytest

from akeso.cli import main
from akeso.settings import Settings
from akeso.settings.reading import HIDDEN, shown


@pytest.fixture(autouse=True)
def _clean(monkeypatch: pytest.MonkeyPatch) -> None:
    import os

    for name in [n for n in os.environ if n.upper().startswith("AKESO_")]:
        monkeypatch.delenv(name)


def asked(capsys: pytest.CaptureFixture[str], *words: str) -> dict[str, Any]:
    assert main(["config", "-o", "json", *words]) == 0
    return json.loads(capsys.readouterr().out)


def setting(found: dict[str, Any], name: str) -> dict[str, Any]:
    return next(s for s in found["settings"] if s["name"] == name)


def test_each_setting_has_its_value_and_its_source(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    monkeypatch.setenv("AKESO_FAILURES_PER_DAY", "5")
    monkeypatch.setenv("AKESO_SCRAPE_INTERVAL_SECONDS", "30")
    found = asked(capsys, "--scrape-interval-seconds", "5")
    assert {s["name"] for s in found["settings"]} == set(Settings.model_fields)
    one = setting(found, "scrape_interval_seconds")
    assert set(one) == {"name", "value", "source", "flag", "variable", "key", "description"}
    assert (one["value"], one["source"]) == (5, "flag")
    assert (one["flag"], one["variable"]) == (
        "--scrape-interval-seconds",
        "AKESO_SCRAPE_INTERVAL_SECONDS",
    )
    one = setting(found, "failures_per_day")
    assert (one["value"], one["source"]) == (5, "environment")
    one = setting(found, "prometheus_url")
    assert (one["value"], one["source"]) == (None, "default")


def test_a_person_sees_which_variable_it_was(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    monkeypatch.setenv("akeso_failures_per_day", "5")  # read whatever its case
    assert main(["config", "--log-level", "DEBUG"]) == 0
    lines = capsys.readouterr().out.splitlines()
    row = next(line.split() for line in lines if line.startswith("failures_per_day"))
    assert row[1:] == ["AKESO_FAILURES_PER_DAY", "5"]
    row = next(line.split() for line in lines if line.startswith("log_level"))
    assert row[1:] == ["--log-level", "DEBUG"]


def test_a_mistyped_variable_is_named_with_the_right_one(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    monkeypatch.setenv("AKESO_PROMETEUS_URL", "http://prometheus:9090")
    monkeypatch.setenv("AKESO_LAB_CACHE", "/cache")
    assert asked(capsys)["unknown"] == [
        "AKESO_PROMETEUS_URL is no setting; did you mean AKESO_PROMETHEUS_URL?"
    ]


def test_secrets_and_logins_are_not_shown(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    monkeypatch.setenv("AKESO_PROMETHEUS_URL", "https://reader:hush@metrics.example/prometheus")
    assert main(["config"]) == 2
    said = capsys.readouterr().err
    assert "hush" not in said and "reader" not in said
    assert "AKESO_PROMETHEUS_URL: must not hold a user or password" in said
    assert "https://***@metrics.example/prometheus" in said
    assert shown("chat_token", "hush") == HIDDEN
    assert shown("chat_token", "") is None
    assert shown("webhook_url", "https://chat.example/hush") == HIDDEN  # whoever has it may post
    assert shown("webhook_timeout_seconds", 10.0) == 10.0
    assert shown("webhook_secret_file", "/etc/akeso/secret") == "/etc/akeso/secret"


def test_a_wrong_value_is_said_and_is_exit_code_2(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    monkeypatch.setenv("AKESO_LISTEN_PORT", "http")
    assert main(["config"]) == 2
    assert "AKESO_LISTEN_PORT" in capsys.readouterr().err
