"""Prometheus as people have it: behind TLS of a CA of one's own, with a token and a tenant.

The lab's Prometheus listens on loopback, where pods can't reach it; this stands before it on the
node's side of the network.
"""

from __future__ import annotations

import ssl
import threading
import urllib.error
import urllib.request
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

from akeso_lab import Lab
from akeso_lab.certificates import Authority, Subject

TOKEN = "a-token-of-prometheus"
TENANT = "shop"


class Front:
    """Where it is, and how what was asked of it was answered, by status."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.answered: Counter[int] = Counter()


@contextmanager
def front(lab: Lab) -> Iterator[Front]:
    host = str(urlsplit(lab.apiserver).hostname)
    assert lab.certificates is not None
    pair = Authority(lab.certificates).issue("front", Subject("front", addresses=(host,)))
    found = Front("")

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self._pass_on(None)

        def do_POST(self) -> None:
            self._pass_on(self.rfile.read(int(self.headers.get("Content-Length", 0))))

        def _pass_on(self, body: bytes | None) -> None:
            status, said = self._answer(body)
            found.answered[status] += 1
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(said)))
            self.end_headers()
            self.wfile.write(said)

        def _answer(self, body: bytes | None) -> tuple[int, bytes]:
            known = self.headers.get("Authorization") == f"Bearer {TOKEN}"
            if not known or self.headers.get("X-Scope-OrgID") != TENANT:
                return 401, b'{"status": "error", "error": "who are you?"}'
            kind = {"Content-Type": self.headers["Content-Type"]} if body is not None else {}
            request = urllib.request.Request(f"{lab.prometheus}{self.path}", body, kind)
            opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
            try:
                with opener.open(request, timeout=10) as answer:
                    return answer.status, answer.read()
            except urllib.error.HTTPError as error:
                return error.code, error.read()

        def log_message(self, format: str, *args: object) -> None:
            pass

    server = ThreadingHTTPServer((host, 0), Handler)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pair.certificate, pair.key)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    found.url = f"https://{host}:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield found
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
