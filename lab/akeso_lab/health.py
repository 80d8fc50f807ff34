"""Asks a part whether it is ready, over its own HTTP endpoint."""

from __future__ import annotations

import ssl
import urllib.error
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass

from akeso_lab.certificates import Authority, KeyPair


@dataclass(frozen=True)
class Probe:
    """Identity to probe with: parts with authorisation answer only to a client they know."""

    authority: Authority
    client: KeyPair

    def ready(self, url: str) -> Callable[[], bool]:
        return lambda: self.answers(url)

    def answers(self, url: str) -> bool:
        """True for a 2xx answer; anything else, a refused connection included, is False."""
        opener = urllib.request.build_opener(
            urllib.request.ProxyHandler({}),  # a proxy in the environment is not for loopback
            urllib.request.HTTPSHandler(context=self._tls(url)),
        )
        try:
            with opener.open(url, timeout=3) as answer:
                return int(answer.status) < 300
        except (urllib.error.URLError, OSError):
            return False

    def _tls(self, url: str) -> ssl.SSLContext:
        context = ssl.create_default_context(cafile=self.authority.certificate)
        # The controller manager and the scheduler probe on a certificate they made themselves.
        if "/healthz" in url:
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        context.load_cert_chain(self.client.certificate, self.client.key)
        return context
