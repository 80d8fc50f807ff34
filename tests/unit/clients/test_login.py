"""A kubeconfig that can't be used: which file, what is wrong with it, and what to do."""

from __future__ import annotations

from pathlib import Path

import pytest

from akeso.clients.kubernetes.login import credentials
from akeso.errors import PermanentError
from akeso.settings import Settings

CONTEXT = (
    "apiVersion: v1\nkind: Config\ncurrent-context: x\ncontexts: []\nclusters: []\nusers: []\n"
)


async def refused(kubeconfig: str | None) -> str:
    with pytest.raises(PermanentError) as error:
        await credentials(Settings.model_validate({"kubeconfig": kubeconfig}))
    return str(error.value)


@pytest.fixture(autouse=True)
def _in_no_pod(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("KUBERNETES_SERVICE_HOST", raising=False)
    monkeypatch.delenv("KUBECONFIG", raising=False)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("", "it is no kubeconfig"),
        ("hello", "it is no kubeconfig"),
        ("not: [yaml", "while parsing a flow sequence"),
        (CONTEXT, "Expected object with name x"),
    ],
)
async def test_a_file_that_is_no_kubeconfig_is_named_in_one_line(
    tmp_path: Path, content: str, said: str
) -> None:
    file = tmp_path / "config"
    file.write_text(content)
    told = await refused(str(file))
    assert f"kubeconfig {file} can't be used: " in told and said in told
    assert "\n" not in told and "--kubeconfig" in told


async def test_a_file_that_is_not_there_is_said_not_to_be(tmp_path: Path) -> None:
    told = await refused(str(tmp_path / "none"))
    assert f"there is no {tmp_path / 'none'}." in told


async def test_a_directory_is_no_kubeconfig(tmp_path: Path) -> None:
    assert f"kubeconfig {tmp_path} can't be used" in await refused(str(tmp_path))


async def test_every_file_of_the_variable_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KUBECONFIG", f"{tmp_path / 'a'}:{tmp_path / 'b'}")
    told = await refused(None)
    assert f"there is no {tmp_path / 'a'}, {tmp_path / 'b'}." in told


async def test_a_pod_without_a_service_account_is_told_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KUBERNETES_SERVICE_HOST", "10.0.0.1")
    assert "the pod's service account" in await refused(None)
