"""The namespace that kubectl would use."""

from __future__ import annotations

from pathlib import Path

import pytest

from akeso.cli.kubeconfig import current_namespace

CONFIG = """
current-context: b
contexts:
- {name: a, context: {cluster: c, namespace: first}}
- {name: b, context: {cluster: c, namespace: second}}
"""


def test_it_is_that_of_the_current_context(tmp_path: Path):
    path = tmp_path / "config"
    path.write_text(CONFIG)
    assert current_namespace(str(path)) == "second"


def test_kubeconfig_of_the_environment_is_searched_in_order(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    path = tmp_path / "config"
    path.write_text(CONFIG)
    monkeypatch.setenv("KUBECONFIG", f"{tmp_path / 'missing'}:{path}")
    assert current_namespace(None) == "second"


@pytest.mark.parametrize(
    "text",
    ["", "{", "[]", "current-context: b", "current-context: x\ncontexts: [{name: y}]", "\x00"],
)
def test_what_can_not_be_read_means_default(tmp_path: Path, text: str):
    path = tmp_path / "config"
    path.write_text(text)
    assert current_namespace(str(path)) == "default"


def test_without_any_file_it_is_default(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("KUBECONFIG", "")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert current_namespace(None) == "default"
