"""Where the proxy forwards to and who it is there; kubeconfigs read and written."""

import base64
import json
import ssl
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import yaml

from akeso_lab.errors import LabError

Mapping = dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class Upstream:
    """The server behind the proxy, and who the proxy is to it."""

    url: str
    tls: ssl.SSLContext | None = None
    """None for plain http."""
    token: str = field(default="", repr=False)
    """Sent as bearer token where the client sends no Authorization of its own."""
    namespace: str = "default"

    @classmethod
    def from_kubeconfig(cls, path: Path) -> "Upstream":
        """The server and identity of a kubeconfig's current context.

        Raises LabError for a file without a current context, and for identities that need a
        plugin or a password.
        """
        document = cast(Mapping, yaml.safe_load(path.read_text()))
        context = _named(path, document, "contexts", str(document.get("current-context", "")))
        cluster = _named(path, document, "clusters", str(context.get("cluster", "")))
        user = _named(path, document, "users", str(context.get("user", "")))
        return cls(
            url=str(cluster["server"]),
            tls=_kubeconfig_tls(path, cluster, user),
            token=_token(path, user),
            namespace=str(context.get("namespace", "default")),
        )


def client_tls(
    url: str, ca: Path | None, cert: Path | None, key: Path | None
) -> ssl.SSLContext | None:
    """What `url` needs: None for plain http; PEM files for server and client certificate."""
    if not url.startswith("https:"):
        return None
    context = ssl.create_default_context(cafile=ca)
    if cert is not None:
        context.load_cert_chain(cert, key)
    return context


@dataclass(frozen=True, kw_only=True)
class Listen:
    """Where the proxy itself listens: loopback only, plain http unless given a certificate."""

    port: int = 0
    """0 takes a free port."""
    cert: Path | None = None
    key: Path | None = None
    ca: Path | None = None
    """What clients verify the certificate with; goes into the kubeconfigs written."""

    def ssl_context(self) -> ssl.SSLContext | None:
        """None for plain http."""
        if self.cert is None:
            return None
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(self.cert, self.key)
        return context


def write_kubeconfig(path: Path, server: str, namespace: str, ca: Path | None) -> Path:
    """A kubeconfig for `server` without credentials: the proxy adds them."""
    cluster: Mapping = {"server": server}
    if ca is not None:
        cluster["certificate-authority-data"] = base64.b64encode(ca.read_bytes()).decode()
    context = {"cluster": "proxy", "user": "proxy", "namespace": namespace}
    document: Mapping = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "proxy", "cluster": cluster}],
        "users": [{"name": "proxy", "user": {}}],
        "contexts": [{"name": "proxy", "context": context}],
        "current-context": "proxy",
    }
    path.touch(mode=0o600)
    path.write_text(json.dumps(document, indent=2))  # JSON is YAML
    return path


def _named(path: Path, document: Mapping, section: str, name: str) -> Mapping:
    for entry in cast(list[Mapping], document.get(section) or []):
        if entry.get("name") == name:
            return cast(Mapping, entry.get(section.removesuffix("s")) or {})
    raise LabError(
        "fault proxy",
        f"{path} has no entry {name!r} under {section}",
        "set current-context to a context whose cluster and user exist",
    )


def _kubeconfig_tls(path: Path, cluster: Mapping, user: Mapping) -> ssl.SSLContext | None:
    # The ssl module reads a client certificate from files only.
    with tempfile.TemporaryDirectory(prefix="akeso-proxy-") as folder:
        files = Path(folder)
        context = client_tls(
            str(cluster["server"]),
            _file(path, cluster, "certificate-authority", files),
            _file(path, user, "client-certificate", files),
            _file(path, user, "client-key", files),
        )
    if context is not None and cluster.get("insecure-skip-tls-verify"):
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


def _token(path: Path, user: Mapping) -> str:
    if plugin := {"exec", "auth-provider", "username"} & user.keys():
        raise LabError(
            "fault proxy",
            f"the user of {path} authenticates with {plugin.pop()}",
            "use a kubeconfig with a client certificate or a token",
        )
    if "token" in user:
        return str(user["token"])
    file = user.get("tokenFile")
    return (path.parent / str(file)).read_text().strip() if file else ""


def _file(kubeconfig: Path, entry: Mapping, key: str, files: Path) -> Path | None:
    if f"{key}-data" in entry:
        path = files / key
        path.touch(mode=0o600)
        path.write_bytes(base64.b64decode(entry[f"{key}-data"]))
        return path
    return kubeconfig.parent / str(entry[key]) if key in entry else None
