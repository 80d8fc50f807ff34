"""Every setting is a flag, a variable and a default, and they win in that order."""

from __future__ import annotations

import argparse
from typing import Any

import pytest

from akeso.cli.flags import FIELDS, add_settings, flag_of, given, settings_of, variable_of
from akeso.cli.parser import Options, parser_of
from akeso.cli.usage import UsageError
from akeso.settings import Settings


@pytest.fixture(autouse=True)
def _bare(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in FIELDS:
        monkeypatch.delenv(variable_of(name), raising=False)


def parsed(*words: str) -> Options:
    parser = argparse.ArgumentParser()
    add_settings(parser)
    return parser.parse_args(words, Options())


def test_the_operator_has_a_flag_for_every_setting_and_its_help_names_unit_default_and_variable():
    told = " ".join(parser_of("operator").format_help().split())
    for name, field in FIELDS.items():
        assert flag_of(name) in told
        assert variable_of(name) in told.replace(" ", "")
        default = "unset" if field.default in (None, ()) else field.default
        assert f"(default: {default or chr(34) * 2};" in told
    assert "--scrape-interval-seconds SECONDS" in told


def test_without_flags_and_variables_the_defaults_hold():
    assert settings_of(parsed()) == Settings.model_validate({})


def test_a_flag_wins_over_the_variable_and_the_variable_over_the_default(
    monkeypatch: pytest.MonkeyPatch,
):
    monkeypatch.setenv("AKESO_SCRAPE_INTERVAL_SECONDS", "30")
    assert settings_of(parsed()).scrape_interval_seconds == 30
    assert settings_of(parsed("--scrape-interval-seconds", "5")).scrape_interval_seconds == 5


def test_what_the_command_itself_knows_wins_over_all():
    found = settings_of(parsed("--watch-namespaces", "a"), watch_namespaces=("b",))
    assert found.watch_namespaces == ("b",)


def test_it_is_known_who_chose(monkeypatch: pytest.MonkeyPatch):
    assert not given(parsed(), "error_ratio")
    assert given(parsed("--error-ratio", "0.1"), "error_ratio")
    monkeypatch.setenv("AKESO_ERROR_RATIO", "0.1")
    assert given(parsed(), "error_ratio")


def test_a_wrong_flag_is_named_with_its_value():
    with pytest.raises(UsageError, match=r"--error-ratio: .*less than or equal to 1.*'7'"):
        settings_of(parsed("--error-ratio", "7"))


def test_a_wrong_variable_is_named_and_not_a_flag_nobody_gave(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("AKESO_LISTEN_PORT", "many")
    with pytest.raises(UsageError, match=r"^AKESO_LISTEN_PORT: .*'many'"):
        settings_of(parsed())


def test_all_that_is_wrong_is_told_at_once():
    with pytest.raises(UsageError) as caught:
        settings_of(parsed("--error-ratio", "7", "--log-level", "LOUD"))
    assert "--error-ratio" in str(caught.value)
    assert "--log-level" in str(caught.value)


def test_a_flag_can_have_another_name_where_its_own_means_something_else():
    parser = argparse.ArgumentParser()
    add_settings(parser, ("namespace",), {"namespace": "--akeso-namespace"})
    options: Any = parser.parse_args(["--akeso-namespace", "own"], Options())
    assert settings_of(options).namespace == "own"
