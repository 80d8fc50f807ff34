from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml

from akeso_lab import Lab, LabError, Tier, status
from akeso_lab.certificates import Authority
from akeso_lab.cli import main
from akeso_lab.foreign import adopt


@pytest.fixture(autouse=True)
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("AKESO_LAB_STATE", str(tmp_path))
    return tmp_path


@pytest.fixture
def lab(root: Path) -> Lab:
    state = root / "mine"
    (state / "scrape.d").mkdir(parents=True)
    (state / "kubeconfigs").mkdir()
    Authority.create(state / "certificates")
    return Lab(
        "mine",
        Tier.CONTROL_PLANE,
        state,
        state / "admin.kubeconfig",
        "https://127.0.0.1:1",
        state / "bin",
        certificates=state / "certificates",
        prometheus="http://127.0.0.1:2",
        prometheus_config_dir=state,
        audit_log=state / "audit.log",
        pids={"etcd": 7},
        missing={"node": "a node needs root"},
    )


def test_a_lab_is_read_back_as_it_was_written(lab: Lab) -> None:
    lab.save()

    assert Lab.load("mine") == lab


def test_a_field_of_a_newer_version_is_ignored(lab: Lab) -> None:
    lab.save()
    file = lab.state / "lab.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | {"later": 1}))

    assert Lab.load("mine") == lab


def test_a_lab_that_is_not_there_says_how_to_start_it() -> None:
    with pytest.raises(LabError, match="akeso_lab up --name none"):
        Lab.load("none")


def test_half_a_line_of_the_audit_log_waits_for_its_other_half(lab: Lab) -> None:
    (lab.state / "audit.log").write_text('{"verb": "get"}\n{"verb": "cre')

    assert [event["verb"] for event in lab.audit_events()] == ["get"]


def test_an_alerting_rule_is_written_before_prometheus_is_told(lab: Lab) -> None:
    (lab.state / "rules.d").mkdir()
    with pytest.raises(LabError, match="does not reload"):  # there is none
        lab.add_alert_rule("Hot", "up == 0", 30, {"severity": "page"})
    (group,) = yaml.safe_load((lab.state / "rules.d" / "Hot.yaml").read_text())["groups"]

    assert group["rules"] == [
        {"alert": "Hot", "expr": "up == 0", "for": "30s", "labels": {"severity": "page"}}
    ]


def test_a_target_is_added_and_removed_without_a_restart(lab: Lab) -> None:
    lab.add_scrape_target("app", "https://127.0.0.1:9/", "/m", {"pod": "p"})
    (group,) = json.loads((lab.state / "scrape.d" / "app.json").read_text())

    assert group["targets"] == ["127.0.0.1:9"]
    assert group["labels"] == {
        "job": "app",
        "pod": "p",
        "__scheme__": "https",
        "__metrics_path__": "/m",
    }
    lab.remove_scrape_target("app")
    assert list((lab.state / "scrape.d").iterdir()) == []


def test_a_users_kubeconfig_is_for_that_user(lab: Lab) -> None:
    path = lab.user_kubeconfig("system:serviceaccount:a:b", ("g",))
    document = yaml.safe_load(path.read_text())

    assert document["clusters"][0]["cluster"]["server"] == lab.apiserver
    assert path.is_relative_to(lab.state)


def test_a_foreign_cluster_is_described_and_nothing_started(root: Path) -> None:
    kubeconfig = root / "their.kubeconfig"
    clusters = [{"name": "c", "cluster": {"server": "https://127.0.0.1:3"}}]
    contexts = [{"name": "x", "context": {"cluster": "c"}}]
    document = {"clusters": clusters, "contexts": contexts, "current-context": "x"}
    kubeconfig.write_text(yaml.safe_dump(document))

    lab = adopt("theirs", kubeconfig, "http://127.0.0.1:4")

    assert Lab.load("theirs") == lab
    assert lab.apiserver == "https://127.0.0.1:3"
    assert lab.foreign
    assert lab.pids == {}
    assert main(["down", "--name", "theirs"]) == 0
    assert kubeconfig.exists()
    assert not lab.state.exists()


@pytest.mark.parametrize("text", ["", "clusters: []", "{", "- 1"])
def test_a_kubeconfig_that_leads_nowhere_is_refused_in_words(root: Path, text: str) -> None:
    (root / "k").write_text(text)

    with pytest.raises(LabError, match="no current context"):
        adopt("theirs", root / "k")


def test_status_of_nothing_is_not_healthy(capsys: pytest.CaptureFixture[str]) -> None:
    assert not status("none").exists
    assert main(["status", "--name", "none"]) == 1
    assert "no such lab" in capsys.readouterr().out


def test_help_shows_examples(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["--help"])

    assert ended.value.code == 0
    assert "examples:" in capsys.readouterr().out


def test_an_error_is_words_and_an_exit_code(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["up", "--name", "NOT A NAME"]) == 1
    said = capsys.readouterr().err
    assert "what to do: " in said
    assert "Traceback" not in said


def test_labs_are_listed_by_name(lab: Lab, capsys: pytest.CaptureFixture[str]) -> None:
    lab.save()

    assert main(["list", "-o", "json"]) == 0
    assert json.loads(capsys.readouterr().out) == ["mine"]
