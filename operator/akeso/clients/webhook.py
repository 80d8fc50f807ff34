"""The webhook that people's own systems listen on, signed as Standard Webhooks has it.

https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md

Neither the secret nor the path of the URL, which often is one too, appears in any text.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
from collections.abc import Mapping, Sequence
from datetime import UTC
from email.utils import parsedate_to_datetime
from pathlib import Path
from urllib.parse import urlsplit

import aiohttp

from akeso.errors import PermanentError, TransientError
from akeso.protocols import Clock, Message
from akeso.settings import Settings

PREFIX = "whsec_"
SECRET_BYTES = range(24, 65)
# A request that took too long, one sent too early, and too many: they pass.
PASSING = (408, 425, 429)


class Webhook:
    """Implements `akeso.protocols.Channel`: one endpoint, from the operator's settings only."""

    def __init__(self, settings: Settings, clock: Clock) -> None:
        if settings.webhook_url is None or settings.webhook_secret_file is None:
            raise PermanentError(
                "A webhook needs both: set AKESO_WEBHOOK_URL and AKESO_WEBHOOK_SECRET_FILE."
            )
        self._url = settings.webhook_url
        self._host = _host(settings.webhook_url)
        self._secret_file = Path(settings.webhook_secret_file)
        self._settings = settings
        self._clock = clock
        self._session: aiohttp.ClientSession | None = None

    async def close(self) -> None:
        if self._session is not None:
            await self._session.close()
            self._session = None

    async def deliver(self, message: Message) -> None:
        body = json.dumps(message.body, ensure_ascii=False, separators=(",", ":")).encode()
        now = self._clock.now()
        headers = {
            "Content-Type": "application/json",
            "User-Agent": "akeso",
            **signed(message.id, int(now), body, secrets(self._secret_file)),
        }
        try:
            status, retry_after = await self._post(body, headers)
        except TimeoutError as e:
            limit = self._settings.webhook_timeout_seconds
            said = f"the webhook at {self._host} gave no answer within {limit:.0f} s"
            raise TransientError(said) from e
        except (aiohttp.ClientError, OSError, ValueError) as e:
            raise TransientError(f"the webhook at {self._host} {_why(e)}") from e
        judge(self._host, status, seconds_asked(retry_after, now))

    async def _post(self, body: bytes, headers: Mapping[str, str]) -> tuple[int, str]:
        """Status and Retry-After; the answer's body is nobody's business."""
        if self._session is None:
            self._session = aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar())
        limit = aiohttp.ClientTimeout(self._settings.webhook_timeout_seconds)
        async with self._session.post(
            self._url, data=body, headers=headers, allow_redirects=False, timeout=limit
        ) as response:
            return response.status, response.headers.get("Retry-After", "")


def signed(id: str, timestamp: int, body: bytes, keys: Sequence[bytes]) -> dict[str, str]:
    """The three headers; one signature per key, so that receivers can change over at leisure."""
    content = f"{id}.{timestamp}.".encode() + body
    marks = (base64.b64encode(hmac.digest(key, content, hashlib.sha256)).decode() for key in keys)
    return {
        "webhook-id": id,
        "webhook-timestamp": str(timestamp),
        "webhook-signature": " ".join(f"v1,{mark}" for mark in marks),
    }


def secrets(file: Path) -> list[bytes]:
    """The keys in the file, one a line; TransientError where it is not (yet) as it should be."""
    try:
        lines = file.read_text().split()
    except (OSError, UnicodeDecodeError) as e:
        said = f"the webhook's secret file {file} can't be read ({type(e).__name__})"
        raise TransientError(f"{said}; nothing is sent unsigned") from None
    keys = [key for line in lines if (key := _key(line)) is not None]
    if not keys or len(keys) < len(lines):
        raise TransientError(
            f"the webhook's secret file {file} must hold {PREFIX} and 24 to 64 bytes in base64 on"
            f' each line; make one: echo "{PREFIX}$(openssl rand -base64 32)"'
        )
    return keys


def _key(line: str) -> bytes | None:
    try:
        key = base64.b64decode(line.removeprefix(PREFIX), validate=True)
    except binascii.Error:
        return None
    return key if line.startswith(PREFIX) and len(key) in SECRET_BYTES else None


def judge(host: str, status: int, retry_after: float | None) -> None:
    """2xx is taken; what the receiver refuses for good is not tried again.

    A redirect is not followed: who owns the first URL could send the message anywhere.
    """
    if 200 <= status < 300:
        return
    said = f"the webhook at {host} answers HTTP {status}"
    if 300 <= status < 400:
        said = f"{said}: redirects are not followed, set AKESO_WEBHOOK_URL to the final URL"
    if 400 <= status < 500 and status not in PASSING:
        raise PermanentError(said)
    raise TransientError(said, retry_after)


def seconds_asked(header: str, now: float) -> float | None:
    """Retry-After in seconds, from either form of RFC 9110; None where it is neither."""
    try:
        return max(0.0, float(int(header)))
    except ValueError:
        pass
    try:
        at = parsedate_to_datetime(header)
    except ValueError:
        return None
    at = at if at.tzinfo else at.replace(tzinfo=UTC)
    return max(0.0, at.timestamp() - now)


def _host(url: str) -> str:
    """Host and port, which may be told; PermanentError where it is no URL to post to."""
    try:
        parts = urlsplit(url)
        port = f":{parts.port}" if parts.port else ""
    except ValueError:
        raise PermanentError("AKESO_WEBHOOK_URL is not a URL.") from None
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise PermanentError("AKESO_WEBHOOK_URL must begin with https:// (or http://) and a host.")
    if parts.username is not None or parts.password is not None:
        raise PermanentError("AKESO_WEBHOOK_URL must not hold a user or password.")
    return f"{parts.hostname}{port}"


def _why(error: Exception) -> str:
    """Foreign errors quote the URL; only what is known to name no more than the host is repeated."""
    match error:
        case aiohttp.ClientConnectorCertificateError():
            return f"has a certificate that does not verify: {error.certificate_error}"
        case aiohttp.ClientConnectorError():
            return f"can't be reached: {error.os_error.strerror or error.os_error}"
        case _:
            return f"can't be reached ({type(error).__name__})"
