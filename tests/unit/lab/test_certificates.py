from __future__ import annotations

import base64
import socket
import ssl
import threading
from pathlib import Path

import yaml
from cryptography import x509
from cryptography.x509.oid import NameOID

from akeso_lab.certificates import Authority, KeyPair, Subject, write_kubeconfig


def _handshake(authority: Authority, server: KeyPair, client: KeyPair, name: str) -> bytes | None:
    """The client's certificate as the server saw it."""
    accepting = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=authority.certificate)
    accepting.verify_mode = ssl.CERT_REQUIRED
    accepting.load_cert_chain(server.certificate, server.key)
    calling = ssl.create_default_context(cafile=authority.certificate)
    # What newer Python versions check by default.
    calling.verify_flags |= ssl.VERIFY_X509_STRICT
    calling.load_cert_chain(client.certificate, client.key)
    ours, theirs = socket.socketpair()
    seen: list[bytes | None] = []

    def accept() -> None:
        with accepting.wrap_socket(theirs, server_side=True) as connection:
            seen.append(connection.getpeercert(binary_form=True))
            connection.sendall(b"x")

    thread = threading.Thread(target=accept)
    thread.start()
    with calling.wrap_socket(ours, server_hostname=name) as connection:
        connection.recv(1)
    thread.join()
    return seen[0]


def test_a_server_and_a_client_of_the_lab_trust_each_other(tmp_path: Path) -> None:
    authority = Authority.create(tmp_path)
    server = authority.issue("server", Subject("server", addresses=("127.0.0.1", "localhost")))
    client = authority.issue("client", Subject("somebody"))

    assert _handshake(authority, server, client, "127.0.0.1")
    assert _handshake(authority, server, client, "localhost")


def test_user_and_groups_are_where_kubernetes_reads_them(tmp_path: Path) -> None:
    pair = Authority.create(tmp_path).issue("u", Subject("akeso-operator", ("one", "two")))
    subject = x509.load_pem_x509_certificate(pair.certificate.read_bytes()).subject

    assert [a.value for a in subject.get_attributes_for_oid(NameOID.COMMON_NAME)] == [
        "akeso-operator"
    ]
    groups = [a.value for a in subject.get_attributes_for_oid(NameOID.ORGANIZATION_NAME)]
    assert groups == ["one", "two"]


def test_private_keys_are_for_their_owner_only(tmp_path: Path) -> None:
    authority = Authority.create(tmp_path)
    pair = authority.issue("u", Subject("u"))

    for key in (pair.key, tmp_path / "ca.key", authority.signing_key("tokens")):
        assert key.stat().st_mode & 0o077 == 0


def test_a_kubeconfig_works_on_its_own(tmp_path: Path) -> None:
    authority = Authority.create(tmp_path)
    pair = authority.issue("u", Subject("u"))
    path = write_kubeconfig(tmp_path / "k", "https://127.0.0.1:1", authority, pair)
    document = yaml.safe_load(path.read_text())

    inline = document["clusters"][0]["cluster"]["certificate-authority-data"]
    assert base64.b64decode(inline) == authority.certificate.read_bytes()
    assert path.stat().st_mode & 0o077 == 0
