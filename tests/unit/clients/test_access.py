"""Prometheus and Alertmanager as people have them: TLS, credentials, tenants, and what goes wrong."""

from __future__ import annotations

import json
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from akeso.clients.access import Access
from akeso.clients.alertmanager import AlertmanagerSource
from akeso.clients.prometheus import PrometheusSource
from akeso.errors import TransientError
from akeso.settings import Settings
from akeso.settings.reading import read
from akeso.settings.sources import SettingsError
from akeso_lab.certificates import Authority, KeyPair, Subject

CANARY = "canary-4711"
VECTOR = {"status": "success", "data": {"resultType": "vector", "result": []}}
MATRIX = {"status": "success", "data": {"resultType": "matrix", "result": []}}


class Server:
    """Answers with this status and body, and keeps what it was asked with."""

    def __init__(self, status: int = 200, body: bytes | None = None) -> None:
        self.status = status
        self.body = body
        self.headers: list[Any] = []
        self.paths: list[str] = []

    async def handle(self, request: web.Request) -> web.Response:
        self.headers.append(request.headers)
        self.paths.append(request.path)
        ranged = request.path.endswith("query_range") or "time" in request.query
        body = self.body or json.dumps(MATRIX if ranged else VECTOR).encode()
        if "alertmanager" in request.path:
            body = self.body or b"[]"
        where = {"Location": "/elsewhere"} if 300 <= self.status < 400 else {}
        return web.Response(status=self.status, body=body, headers=where)


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority.create(tmp_path_factory.mktemp("ca"))


@pytest.fixture(scope="module")
def pair(authority: Authority) -> KeyPair:
    return authority.issue("server", Subject("server", addresses=("127.0.0.1", "localhost")))


@asynccontextmanager
async def serving(
    server: Server, pair: KeyPair | None = None, clients: Authority | None = None
) -> AsyncIterator[str]:
    """The server's URL; with TLS where it has a certificate."""
    context = None
    if pair is not None:
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(pair.certificate, pair.key)
        if clients is not None:
            context.verify_mode = ssl.CERT_REQUIRED
            context.load_verify_locations(clients.certificate)
    application = web.Application()
    application.router.add_route("*", "/{path:.*}", server.handle)
    scheme = "https" if context else "http"
    http = TestServer(application, scheme=scheme, shutdown_timeout=0)
    await http.start_server(ssl=context)
    try:
        yield str(http.make_url("/")).rstrip("/")
    finally:
        await http.close()


@asynccontextmanager
async def prometheus(url: str, **settings: Any) -> AsyncIterator[PrometheusSource]:
    source = PrometheusSource(Settings.model_validate({"prometheus_url": url, **settings}))
    try:
        yield source
    finally:
        await source.close()


async def asked(source: PrometheusSource) -> None:
    """Both ways: the instant query, and the library's for older samples."""
    assert list(await source.evaluate("up")) == []
    assert list(await source.memory_history(0.0, 10.0)) == []


async def refused(url: str, part: str, **settings: Any) -> None:
    """Both ways say the same, and it does not name a secret."""
    async with prometheus(url, **settings) as source:
        for ask in (lambda: source.evaluate("up"), lambda: source.memory_history(0.0, 10.0)):
            with pytest.raises(TransientError, match=part) as caught:
                await ask()
            assert CANARY not in repr(caught.value) + str(caught.value)
            assert str(caught.value).startswith("Prometheus ")


def file(folder: Path, text: str, name: str = "secret") -> str:
    path = folder / name
    path.write_text(text)
    return str(path)


async def test_a_ca_of_ones_own_verifies_and_the_systems_does_not(
    authority: Authority, pair: KeyPair, tmp_path: Path
) -> None:
    async with serving(Server(), pair) as url:
        async with prometheus(url, prometheus_ca_file=str(authority.certificate)) as source:
            await asked(source)
        await refused(url, "certificate does not verify.*set prometheusCaFile")
        other = Authority.create(tmp_path / "other")
        await refused(url, "does not verify", prometheus_ca_file=str(other.certificate))
        broken = file(tmp_path, "no certificate")
        await refused(url, "secret can't be used.*prometheusCaFile", prometheus_ca_file=broken)
        gone = str(tmp_path / "gone")
        await refused(url, "No such file.*prometheusCaFile", prometheus_ca_file=gone)


async def test_a_ca_that_changes_is_read_anew(
    authority: Authority, pair: KeyPair, tmp_path: Path
) -> None:
    wrong = Authority.create(tmp_path / "other").certificate.read_text()
    path = file(tmp_path, wrong, "ca.crt")
    async with (
        serving(Server(), pair) as url,
        prometheus(url, prometheus_ca_file=path) as source,
    ):
        with pytest.raises(TransientError):
            await source.evaluate("up")
        file(tmp_path, authority.certificate.read_text() + "\n", "ca.crt")
        await asked(source)


async def test_a_client_certificate_is_shown(authority: Authority, pair: KeyPair) -> None:
    ca = {"prometheus_ca_file": str(authority.certificate)}
    mine = authority.issue("akeso", Subject("akeso"))
    shown = {
        "prometheus_client_certificate_file": str(mine.certificate),
        "prometheus_client_key_file": str(mine.key),
    }
    async with serving(Server(), pair, authority) as url:
        async with prometheus(url, **ca, **shown) as source:
            await asked(source)
        await refused(url, "cannot be reached", **ca)
        other = {**shown, "prometheus_client_key_file": str(pair.key)}
        await refused(url, "can't be used.*fit its key", **ca, **other)


async def test_a_token_is_read_for_every_request_so_one_that_rotates_holds_at_once(
    tmp_path: Path,
) -> None:
    server = Server()
    path = file(tmp_path, "one\n")
    async with serving(server) as url, prometheus(url, prometheus_token_file=path) as source:
        await asked(source)
        file(tmp_path, "two")
        await asked(source)
        said = [h["Authorization"] for h in server.headers]
        assert said == ["Bearer one"] * 2 + ["Bearer two"] * 2
        server.status = 401
        with pytest.raises(TransientError, match="does not accept.*check prometheusTokenFile"):
            await source.evaluate("up")
        server.status = 200
        file(tmp_path, "three")
        await asked(source)


@pytest.mark.parametrize("text", ["", "\n", f"{CANARY} {CANARY}", f"{CANARY}\nx", "\x00", "é"])
async def test_a_file_that_holds_no_token_is_named_and_nothing_is_sent(
    text: str, tmp_path: Path
) -> None:
    server = Server()
    path = file(tmp_path, text)
    async with serving(server) as url:
        await refused(
            url, "is not asked: .*secret.*prometheusTokenFile", prometheus_token_file=path
        )
        gone = str(tmp_path / "gone")
        await refused(url, "gone can't be read: No such file", prometheus_token_file=gone)
        large = file(tmp_path, "x" * 70_000, "large")
        await refused(url, "larger than any secret", prometheus_token_file=large)
    assert server.headers == []


async def test_a_user_with_a_password_and_a_tenant(tmp_path: Path) -> None:
    server = Server()
    password = file(tmp_path, "open sesame\n")
    async with (
        serving(server) as url,
        prometheus(
            f"{url}/prometheus/",
            prometheus_username="akeso",
            prometheus_password_file=password,
            prometheus_tenant="team-a",
        ) as source,
    ):
        await asked(source)
    for headers in server.headers:
        assert headers["Authorization"] == "Basic YWtlc286b3BlbiBzZXNhbWU="
        assert headers["X-Scope-OrgID"] == "team-a"
    assert server.paths == ["/prometheus/api/v1/query"] * 2


async def test_nothing_is_sent_that_is_not_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    server = Server()
    async with serving(server) as url, prometheus(url) as source:
        await asked(source)
    assert not any({"Authorization", "X-Scope-OrgID"} & set(h) for h in server.headers)


@pytest.mark.parametrize(
    ("status", "body", "said"),
    [
        (401, b"<html>", "HTTP 401: .*set prometheusTokenFile, or prometheusUsername and"),
        (403, b"{}", "HTTP 403: this account may not read it; .*prometheusTenant"),
        (404, b"<html>", "HTTP 404: no such API is there; correct prometheusUrl, with the path"),
        (302, b"", "HTTP 302: it redirects, .*set prometheusUrl to the final URL"),
        (200, b"<!doctype html>", "HTTP 200: the answer is no JSON but a page; is prometheusUrl"),
        (503, b"<html>", "HTTP 503"),
    ],
)
async def test_what_an_answer_means_is_said_with_what_to_do(
    status: int, body: bytes, said: str
) -> None:
    async with serving(Server(status, body)) as url:
        await refused(url, said)


async def test_whoever_is_not_there_is_named(
    unused_tcp_port: int, pair: KeyPair, authority: Authority
) -> None:
    await refused(f"http://127.0.0.1:{unused_tcp_port}", "nothing listens there; .*prometheusUrl")
    await refused("http://prometheus.invalid:9090", "name is not known; correct prometheusUrl")
    async with serving(Server()) as url:
        secure = url.replace("http:", "https:")
        await refused(secure, "does not speak TLS; correct prometheusUrl")


async def test_alertmanager_is_reached_the_same_way(
    authority: Authority, pair: KeyPair, tmp_path: Path
) -> None:
    server = Server()
    async with serving(server, pair) as url:
        settings = {
            "alertmanager_url": f"{url}/alertmanager",
            "alertmanager_ca_file": str(authority.certificate),
            "alertmanager_token_file": file(tmp_path, "token"),
            "alertmanager_tenant": "team-a",
        }
        source = AlertmanagerSource(Settings.model_validate(settings))
        try:
            assert list(await source.alerts()) == []
            assert list(await source.silences()) == []
            for headers in server.headers:
                assert headers["Authorization"] == "Bearer token"
                assert headers["X-Scope-OrgID"] == "team-a"
            server.status = 403
            with pytest.raises(TransientError, match="Alertmanager .*403.*alertmanagerTenant"):
                await source.alerts()
        finally:
            await source.close()


def test_secrets_are_in_no_repr(tmp_path: Path) -> None:
    settings = {"prometheus_url": "http://x", "prometheus_token_file": file(tmp_path, CANARY)}
    access = Access.of("Prometheus", "http://x", Settings.model_validate(settings))
    assert CANARY in access.headers()["Authorization"]
    assert CANARY not in repr(access) + str(access)


@pytest.mark.parametrize("server", ["prometheus", "alertmanager"])
@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"username": "a"}, "--SERVER-username needs AKESO_SERVER_PASSWORD_FILE"),
        ({"password_file": "/a"}, "--SERVER-password-file needs AKESO_SERVER_USERNAME"),
        ({"client_certificate_file": "/a"}, "needs AKESO_SERVER_CLIENT_KEY_FILE"),
        ({"client_key_file": "/a"}, "needs AKESO_SERVER_CLIENT_CERTIFICATE_FILE"),
        (
            {"token_file": "/a", "username": "a", "password_file": "/b"},
            "--SERVER-token-file and --SERVER-username exclude each other",
        ),
    ],
)
def test_credentials_that_do_not_go_together_are_an_error_at_the_start(
    given: dict[str, str], said: str, server: str
) -> None:
    with pytest.raises(SettingsError) as caught:
        read({f"{server}_{name}": value for name, value in given.items()})
    wanted = said.replace("_SERVER_", f"_{server.upper()}_").replace("SERVER", server)
    assert wanted in str(caught.value)


async def test_a_password_with_a_line_break_inside_is_refused(tmp_path: Path) -> None:
    settings = {
        "prometheus_username": "akeso",
        "prometheus_password_file": file(tmp_path, "a\r\nb"),
    }
    await refused("http://127.0.0.1:1", "must hold one line", **settings)
