"""The proxy has the identity of the kubeconfig it was given; its clients need none."""

import ssl
from pathlib import Path

import aiohttp
import pytest
import yaml
from aiohttp import web

from akeso_lab.certificates import Authority, KeyPair, Subject, write_kubeconfig
from akeso_lab.errors import LabError
from akeso_lab.proxy import FaultProxy, Listen, Upstream
from unit.lab.proxy.api import PODS, FakeApi, status_of

ADDRESSES = ("127.0.0.1", "localhost")


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority.create(tmp_path_factory.mktemp("pki"))


@pytest.fixture(scope="module")
def server(authority: Authority) -> KeyPair:
    return authority.issue("server", Subject("server", addresses=ADDRESSES))


@pytest.fixture(scope="module")
def admin(authority: Authority) -> KeyPair:
    return authority.issue("admin", Subject("admin", ("system:masters",)))


def kubeconfig(path: Path, server: str, user: dict[str, str]) -> Path:
    document = {
        "clusters": [{"name": "c", "cluster": {"server": server}}],
        "users": [{"name": "u", "user": user}],
        "contexts": [{"name": "x", "context": {"cluster": "c", "user": "u", "namespace": "shop"}}],
        "current-context": "x",
    }
    path.write_text(yaml.safe_dump(document))
    return path


async def test_a_client_certificate_of_a_kubeconfig_is_shown_to_the_server(
    tmp_path: Path, authority: Authority, server: KeyPair, admin: KeyPair
) -> None:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=authority.certificate)
    context.load_cert_chain(server.certificate, server.key)
    context.verify_mode = ssl.CERT_REQUIRED
    users: list[str] = []

    async def who(request: web.BaseRequest) -> web.Response:
        assert request.transport is not None
        shown = request.transport.get_extra_info("peercert")["subject"]
        users.extend(value for part in shown for key, value in part if key == "commonName")
        return web.Response()

    runner = web.ServerRunner(web.Server(who), shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0, ssl_context=context)
    await site.start()
    source = write_kubeconfig(tmp_path / "in", f"https://127.0.0.1:{site.port}", authority, admin)
    try:
        async with FaultProxy.for_kubeconfig(source) as proxy:
            written = yaml.safe_load(proxy.kubeconfig(tmp_path / "out").read_text())
            address = written["clusters"][0]["cluster"]["server"]
            async with aiohttp.ClientSession(address) as client:
                await status_of(client.get(PODS))
                await status_of(client.put(PODS))
    finally:
        await runner.cleanup()
    assert users == ["admin", "admin"]
    assert written["users"][0]["user"] == {}
    assert (tmp_path / "out").stat().st_mode & 0o077 == 0


@pytest.mark.parametrize(
    ("own", "seen"), [({}, "Bearer secret"), ({"Authorization": "Bearer mine"}, "Bearer mine")]
)
async def test_the_token_is_added_where_the_client_has_none(
    tmp_path: Path, api: FakeApi, upstream: str, own: dict[str, str], seen: str
) -> None:
    source = kubeconfig(tmp_path / "in", upstream, {"token": "secret"})
    async with (
        FaultProxy.for_kubeconfig(source) as proxy,
        aiohttp.ClientSession(proxy.url) as client,
    ):
        await status_of(client.get(PODS, headers=own))
        assert "secret" not in repr(proxy.requests) + repr(proxy.upstream)
    assert api.seen[0].headers["Authorization"] == seen


def test_a_token_file_and_the_namespace_are_read(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("secret\n")
    source = kubeconfig(tmp_path / "in", "http://127.0.0.1:1", {"tokenFile": "token"})
    upstream = Upstream.from_kubeconfig(source)
    assert (upstream.token, upstream.namespace, upstream.tls) == ("secret", "shop", None)


def test_an_identity_that_needs_a_plugin_is_refused_with_a_way_out(tmp_path: Path) -> None:
    source = kubeconfig(tmp_path / "in", "https://127.0.0.1:1", {"exec": "aws"})
    with pytest.raises(LabError, match="client certificate or a token"):
        Upstream.from_kubeconfig(source)


def test_a_kubeconfig_without_its_context_is_refused(tmp_path: Path) -> None:
    source = kubeconfig(tmp_path / "in", "https://127.0.0.1:1", {})
    source.write_text(source.read_text().replace("current-context: x", "current-context: y"))
    with pytest.raises(LabError, match="no entry 'y' under contexts"):
        Upstream.from_kubeconfig(source)


async def test_the_proxy_can_listen_with_tls(
    tmp_path: Path, upstream: str, authority: Authority, server: KeyPair
) -> None:
    listen = Listen(cert=server.certificate, key=server.key, ca=authority.certificate)
    context = ssl.create_default_context(cafile=authority.certificate)
    async with FaultProxy(upstream, listen=listen) as proxy:
        written = yaml.safe_load(proxy.kubeconfig(tmp_path / "out").read_text())
        assert "certificate-authority-data" in written["clusters"][0]["cluster"]
        async with aiohttp.ClientSession(proxy.url) as client:
            assert await status_of(client.get(PODS, ssl=context)) == 200
