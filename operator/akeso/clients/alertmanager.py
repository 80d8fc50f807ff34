"""Alertmanager as the source of alerts and silences.

Two reads of its API v2 and nothing else: who silences, and who is told, stays with people.
https://github.com/prometheus/alertmanager/blob/main/api/v2/openapi.yaml
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, TypeVar

import aiohttp

from akeso.api.scalars import parse_time
from akeso.clients.access import Access
from akeso.clients.kubernetes.raw import Json, parts, text
from akeso.domain.alert import Alert, Matcher, Operator, Silence, one_line
from akeso.errors import PermanentError, TransientError
from akeso.settings import Settings

# An alert with its annotations takes about 1 KiB; more than 30,000 firing at once help nobody.
LARGEST_RESPONSE = 32 * 2**20
T = TypeVar("T")


class AlertmanagerSource:
    """Implements `akeso.protocols.AlertSource`."""

    def __init__(self, settings: Settings, largest: int = LARGEST_RESPONSE) -> None:
        if settings.alertmanager_url is None:
            raise PermanentError("No Alertmanager is set: set AKESO_ALERTMANAGER_URL.")
        self._access = Access.of("Alertmanager", settings.alertmanager_url, settings)
        self._settings = settings
        self._largest = largest
        self._session: aiohttp.ClientSession | None = None

    async def close(self) -> None:
        if self._session is not None:
            await self._session.close()

    async def alerts(self) -> Sequence[Alert]:
        """All that fire, also those that Alertmanager tells nobody about."""
        return _read(await self._get("/api/v2/alerts"), _alerts)

    async def silences(self) -> Sequence[Silence]:
        """Those that hold now, by Alertmanager's own clock."""
        return _read(await self._get("/api/v2/silences"), _silences)

    async def _get(self, path: str) -> bytes:
        try:
            status, raw = await self._fetch(self._access.url + path)
        except TimeoutError as e:
            limit = self._settings.alertmanager_timeout_seconds
            raise TransientError(f"Alertmanager gave no answer within {limit:.0f} s.") from e
        except (aiohttp.ClientError, OSError, ValueError) as e:
            raise self._access.unreached(e) from e
        refused = self._access.refusal(status)
        if refused is not None:
            raise refused
        if status != 200:
            raise TransientError(
                f"Alertmanager answered HTTP {status} to {path}; check AKESO_ALERTMANAGER_URL."
            )
        return raw

    async def _fetch(self, url: str) -> tuple[int, bytes]:
        if self._session is None:
            self._session = aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar())
        limit = aiohttp.ClientTimeout(self._settings.alertmanager_timeout_seconds)
        async with self._session.get(
            url,
            headers=self._access.headers(),
            ssl=self._access.context(),
            allow_redirects=False,
            timeout=limit,
        ) as response:
            raw = bytearray()
            async for chunk in response.content.iter_any():
                raw += chunk
                if len(raw) > self._largest:
                    raise TransientError(
                        f"Alertmanager answers with more than {self._largest} bytes."
                    )
            return response.status, bytes(raw)


def _read(raw: bytes, items: Callable[[Sequence[Json]], Iterator[T]]) -> Sequence[T]:
    """What can't be read is an error as a whole: half of the silences are none to rely on."""
    try:
        body: Any = json.loads(raw)
        if not isinstance(body, list):
            raise TypeError(f"not a list but {type(body).__name__}")
        return list(items(parts({"body": body}, "body")))
    except (LookupError, TypeError, ValueError, AttributeError, RecursionError) as e:
        raise TransientError(f"Alertmanager answered what can't be read: {e!r:.200}") from e


def _alerts(found: Sequence[Json]) -> Iterator[Alert]:
    for raw in found:
        yield Alert(
            labels=_labels(raw),
            starts_at=parse_time(raw["startsAt"]).timestamp(),
            suppressed=raw["status"]["state"] != "active",
        )


def _labels(raw: Json) -> Mapping[str, str]:
    labels: Mapping[str, Any] = raw["labels"]
    return {name: str(value) for name, value in labels.items()}


def _silences(found: Sequence[Json]) -> Iterator[Silence]:
    for raw in found:
        if raw["status"]["state"] != "active":
            continue
        yield Silence(
            id=one_line(str(raw["id"])),
            matchers=tuple(_matcher(matcher) for matcher in raw["matchers"]),
            ends_at=parse_time(raw["endsAt"]).timestamp(),
            created_by=one_line(text(raw, "createdBy")),
            comment=one_line(text(raw, "comment")),
        )


def _matcher(raw: Json) -> Matcher:
    """`isEqual` came with v0.22 and is true where it is left out."""
    if raw["isRegex"]:
        like, unlike = Operator.MATCHES, Operator.DOES_NOT_MATCH
    else:
        like, unlike = Operator.EQUAL, Operator.NOT_EQUAL
    operator = unlike if raw.get("isEqual") is False else like
    return Matcher(str(raw["name"]), operator, str(raw["value"]))
