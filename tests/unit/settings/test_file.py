"""The settings file: the same tree as flags and variables, and one line for what is wrong."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from akeso.cli import main
from akeso.settings import Settings
from akeso.settings.names import key_of, unknown_variables, variable_of
from akeso.settings.reading import read
from akeso.settings.sources import SettingsError


@pytest.fixture(autouse=True)
def _bare(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [n for n in os.environ if n.upper().startswith("AKESO_")]:
        monkeypatch.delenv(name)


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    found = tmp_path / "settings.yaml"
    monkeypatch.setenv("AKESO_SETTINGS_FILE", str(found))
    return found


def refused(file: Path, content: str | bytes) -> str:
    file.write_bytes(content.encode() if isinstance(content, str) else content)
    with pytest.raises(SettingsError) as caught:
        read()
    said = str(caught.value)
    assert said.startswith(str(file)) and "\n" not in said
    assert caught.value.in_file
    return said.removeprefix(str(file))


def test_a_flag_wins_over_a_variable_that_over_the_file_and_that_over_the_default(
    file: Path, monkeypatch: pytest.MonkeyPatch
):
    assert Settings.model_fields["failures_per_day"].default == 3
    file.write_text("failuresPerDay: 4\nhealers: [Rollback]\nwatchNamespaces: [shop, office]\n")
    assert read().failures_per_day == 4
    assert (read().healers, read().watch_namespaces) == (("Rollback",), ("shop", "office"))
    monkeypatch.setenv("akeso_failures_per_day", "5")
    assert read().failures_per_day == 5
    assert read({"failures_per_day": "6"}).failures_per_day == 6
    other = file.with_name("other.yaml")
    other.write_text("errorRatio: 0.5")
    assert read({"settings_file": str(other)}).error_ratio == 0.5
    assert read({"settings_file": None}).healers is None


def test_every_setting_but_the_file_itself_has_a_key(file: Path):
    defaults = read({"settings_file": None})
    for name in Settings.model_fields:
        if name == "settings_file":
            continue
        value = getattr(defaults, name)
        shown = "null" if value is None else repr(list(value) if value == () else value)
        file.write_text(f"{key_of(name)}: {shown}")
        assert getattr(read(), name) == value


def test_an_empty_file_says_nothing(file: Path):
    file.write_text("# nothing yet\n")
    assert read().model_fields_set == {"settings_file"}


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("scrapeInterval: 5", ": scrapeInterval: there is no such setting; did you mean scrapeInt"),
        ("lease_seconds: 5", ": lease_seconds: there is no such setting; did you mean leaseSec"),
        ("xyzzy: 5", ": xyzzy: there is no such setting."),
        ("settingsFile: a", ": settingsFile: a file can't name another one."),
        ("errorRatio: 7", ": errorRatio: Input should be less than or equal to 1, but it is 7"),
        ("errorRatio: no", ": errorRatio: must not be a truth value, but it is False"),
        ("namespace: [a]", ": namespace: Input should be a valid string, but it is 'a'"),
        ("watchNamespaces: [a, B]", ": watchNamespaces[1]: String should match pattern"),
        ("logLevel: info", ": logLevel: Input should be 'DEBUG', 'INFO', 'WARNING' or 'ERROR'"),
        ("prometheusUrl: prometheus:9090", ": prometheusUrl: must be a URL such as https://"),
        ("prometheusUrl: http://x?a=b", ": prometheusUrl: must be a URL such as https://"),
        ("- a", ": must be a mapping of settings to values, but it is a list."),
        ("a: [", ", line 1: not YAML: "),
        ("a: 1\nb: 2\na: 3", ", line 3: not YAML: a is there twice."),
        ("? [a, b]\n: 1", ", line 1: not YAML: found unhashable key."),
        (b"\xff\xfe\xfa", ": not text in UTF-8."),
        (b"#" * (2**20 + 1), ": larger than 1 MiB"),
    ],
)
def test_what_is_wrong_is_one_line_with_file_field_and_what_is_allowed(
    content: str | bytes, said: str, file: Path
):
    assert refused(file, content).startswith(said)


def test_all_that_is_wrong_is_told_at_once(file: Path):
    said = refused(file, "errorRatio: 7\nlistenPort: many")
    assert "errorRatio" in said and "listenPort" in said


def test_a_file_that_can_not_be_read_is_an_error(file: Path):
    with pytest.raises(SettingsError, match="can't be read: No such file"):
        read()
    file.mkdir()
    with pytest.raises(SettingsError, match="can't be read: Is a directory"):
        read()


def test_settings_that_do_not_go_together_are_named_as_they_were_given(
    file: Path, monkeypatch: pytest.MonkeyPatch
):
    said = refused(file, "leaseSeconds: 3")
    assert said.startswith(": leaseRenewSeconds (2) must be at most half of leaseSeconds (3)")
    file.write_text("")
    monkeypatch.setenv("AKESO_LEASE_SECONDS", "3")
    with pytest.raises(SettingsError, match=r"leaseRenewSeconds .* of AKESO_LEASE_SECONDS \(3\)"):
        read()
    with pytest.raises(SettingsError, match=r"^.*--lease-renew-seconds \(2.5\) must be"):
        read({"lease_renew_seconds": "2.5"})


def test_the_process_ends_at_its_start_with_that_line(
    file: Path, capsys: pytest.CaptureFixture[str]
):
    file.write_text("scrapeIntervl: 5")
    assert main(["operator"]) == 1
    assert capsys.readouterr().err == (
        f"akeso: {file}: scrapeIntervl: there is no such setting; did you mean"
        " scrapeIntervalSeconds?\n"
    )


def test_a_healer_that_is_not_there_ends_it_too(file: Path, capsys: pytest.CaptureFixture[str]):
    file.write_text(f"healers: [RestartPod]\nkubeconfig: {file.parent / 'kubeconfig'}")
    (file.parent / "kubeconfig").write_text(KUBECONFIG)
    assert main(["operator"]) == 1
    last = capsys.readouterr().err.splitlines()[-1]
    assert "there is no healer RestartPod; did you mean RestartPods? Known ones: " in last
    assert "healers (--healers, AKESO_HEALERS)" in last


KUBECONFIG = """
apiVersion: v1
kind: Config
current-context: a
contexts: [{name: a, context: {cluster: a, user: a}}]
clusters: [{name: a, cluster: {server: "http://127.0.0.1:1"}}]
users: [{name: a, user: {token: t}}]
"""


def test_lists_are_text_in_variables_and_empty_text_is_an_empty_list(
    monkeypatch: pytest.MonkeyPatch,
):
    assert read().healers is None
    monkeypatch.setenv("AKESO_HEALERS", "Rollback, RestartPods")
    assert read().healers == ("Rollback", "RestartPods")
    monkeypatch.setenv("AKESO_HEALERS", "")
    assert read().healers == ()
    assert not read().enables("Rollback")


def test_variables_that_are_no_settings_are_named():
    environment = {"AKESO_LEASE_SECOND": "", "akeso_identity": "", "AKESO_TEST_LAB": "", "PATH": ""}
    assert list(unknown_variables(Settings.model_fields, environment)) == [
        "AKESO_LEASE_SECOND is no setting; did you mean AKESO_LEASE_SECONDS?"
    ]
    assert variable_of("identity") == "AKESO_IDENTITY"
