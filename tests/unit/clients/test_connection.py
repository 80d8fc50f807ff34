"""Requests carry fresh credentials, and every failure is one of ours."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from kubernetes.aio.client.api_client import ApiClient
from kubernetes.aio.config import incluster_config

from akeso.clients.kubernetes import connection
from akeso.clients.kubernetes.connection import connect
from akeso.clients.kubernetes.login import credentials
from akeso.errors import PermanentError, TransientError
from akeso.settings import Settings
from unit.clients.apiserver import HOLD, Refusal, Script, kubeconfig, serving, status, thing


@pytest.fixture
def patient_login(monkeypatch: pytest.MonkeyPatch) -> None:
    """Lets a login follow at once upon another."""
    monkeypatch.setattr(connection, "LOGIN_SECONDS", 0.0)


async def test_requests_say_who_asks(tmp_path: Path) -> None:
    script = Script(token="secret")
    async with serving(script, tmp_path) as api:
        await api.get("/version")
    assert script.seen[0].headers["User-Agent"].startswith("akeso/")
    assert script.seen[0].headers["Authorization"] == "Bearer secret"


async def test_a_body_and_its_patch_type_arrive_as_they_were(tmp_path: Path) -> None:
    script = Script()
    patch = [{"op": "test", "path": "/metadata/uid", "value": "ü + & /"}]
    async with serving(script, tmp_path) as api:
        await api.patch("/x", patch, {"fieldManager": "akeso & co"}, "application/json-patch+json")
        await api.delete("/x", {"preconditions": {"uid": "u"}})
    assert script.bodies == [patch, {"preconditions": {"uid": "u"}}]
    assert script.seen[0].headers["Content-Type"] == "application/json-patch+json"
    assert script.seen[0].query["fieldManager"] == "akeso & co"


@pytest.mark.usefixtures("patient_login")
async def test_a_read_survives_the_rotation_of_a_token(tmp_path: Path) -> None:
    script = Script([thing("a", 1)], token="old")
    async with serving(script, tmp_path) as api:
        script.token = "new"
        kubeconfig(tmp_path, _url(script, tmp_path), "new")
        assert len(await api.list_all("/things")) == 1
        assert len(script.seen) == 2


@pytest.mark.usefixtures("patient_login")
async def test_after_a_rotation_many_requests_cause_one_login(tmp_path: Path) -> None:
    script = Script(token="old")
    async with serving(script, tmp_path) as api:
        script.token = "new"
        kubeconfig(tmp_path, _url(script, tmp_path), "new")
        logins = 0
        login = api._login

        async def counted() -> ApiClient:
            nonlocal logins
            logins += 1
            return await login()

        api._login = counted
        await asyncio.gather(*(api.get("/x") for _ in range(10)))
        assert logins == 1


@pytest.mark.usefixtures("patient_login")
async def test_a_write_is_not_repeated_after_a_login(tmp_path: Path) -> None:
    script = Script(token="old")
    async with serving(script, tmp_path) as api:
        script.token = "new"
        kubeconfig(tmp_path, _url(script, tmp_path), "new")
        with pytest.raises(TransientError, match="Unauthorized"):
            await api.post("/x", {})
        assert script.bodies == []
        await api.post("/x", {})
        assert script.bodies == [{}]


async def test_wrong_credentials_are_not_read_again_and_again(tmp_path: Path) -> None:
    script = Script(token="other")
    async with serving(script, tmp_path) as api:
        script.token = "another"
        for _ in range(3):
            with pytest.raises(TransientError, match="Unauthorized"):
                await api.get("/x")
        assert len(script.seen) == 3


async def test_no_answer_in_time_is_transient(tmp_path: Path) -> None:
    script = Script()
    script.watches.append([HOLD])
    async with serving(script, tmp_path) as api:
        with pytest.raises(TransientError, match="no answer in time"):
            await api.get("/x", {"watch": "true"}, timeout=0.1)


async def test_nobody_there_is_transient(tmp_path: Path, unused_tcp_port: int) -> None:
    path = kubeconfig(tmp_path, f"http://127.0.0.1:{unused_tcp_port}", "t")
    api = await connect(Settings.model_validate({"kubeconfig": str(path)}))
    try:
        with pytest.raises(TransientError, match="no connection"):
            await api.get("/x")
    finally:
        await api.close()


@pytest.mark.parametrize("body", [b"<html>", b"[1]", b'{"items": [{"meta', b""])
async def test_an_answer_that_is_no_object_is_transient(tmp_path: Path, body: bytes) -> None:
    script = Script()
    script.answers.append(Refusal(200, body))
    async with serving(script, tmp_path) as api:
        with pytest.raises(TransientError):
            await api.get("/x")


async def test_a_list_that_outlived_its_pages_is_read_in_one_piece(tmp_path: Path) -> None:
    script = Script([thing("a", 1)])
    script.lists.append(Refusal(410, status(410, "expired")))
    async with serving(script, tmp_path) as api:
        assert len(await api.list_all("/things")) == 1
    assert [r.query.get("limit") for r in script.seen] == ["500", None]


async def test_without_any_configuration_the_message_says_what_to_set(tmp_path: Path) -> None:
    for name, content in (("absent", None), ("empty", ""), ("broken", "{"), ("other", "a: b")):
        path = tmp_path / name
        if content is not None:
            path.write_text(content)
        with pytest.raises(PermanentError, match="AKESO_KUBECONFIG"):
            await connect(Settings.model_validate({"kubeconfig": str(path)}))


async def test_a_service_account_is_used_in_a_pod(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, content in (("token", "secret\n"), ("ca.crt", "certificate")):
        (tmp_path / name).write_text(content)
    monkeypatch.setattr(incluster_config, "SERVICE_TOKEN_FILENAME", str(tmp_path / "token"))
    monkeypatch.setattr(incluster_config, "SERVICE_CERT_FILENAME", str(tmp_path / "ca.crt"))
    monkeypatch.setenv("KUBERNETES_SERVICE_HOST", "10.96.0.1")
    monkeypatch.setenv("KUBERNETES_SERVICE_PORT", "443")
    found = await credentials(Settings.model_validate({}))
    assert found.server == "https://10.96.0.1:443"
    assert found.token == "secret"
    assert "secret" not in repr(found)


async def test_a_kubeconfig_gives_the_same_credentials_to_other_clients(tmp_path: Path) -> None:
    path = kubeconfig(tmp_path, "http://127.0.0.1:1", "secret")
    found = await credentials(Settings.model_validate({"kubeconfig": str(path)}))
    assert (found.server, found.token) == ("http://127.0.0.1:1", "secret")


def _url(script: Script, folder: Path) -> str:
    """The server's, as the kubeconfig that is in use says."""
    lines = (folder / "kubeconfig").read_text().splitlines()
    return next(line.split("server: ")[1] for line in lines if "server: " in line)
