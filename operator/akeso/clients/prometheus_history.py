"""Older samples from Prometheus, for back-fill and back-tests, through prometheus_api_client.

The library is synchronous: it runs in a thread. It is imported on first use (it brings requests,
6 MB; pandas and matplotlib only with its metric classes, which stay unused). It has no size limit
and follows redirects: the session given to it stops both.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from io import BytesIO
from typing import Any

from akeso.clients.access import Access
from akeso.clients.kubernetes.raw import Json
from akeso.errors import PermanentError, SilentError, TransientError

# Prometheus refuses more points per series in one range query.
# https://github.com/prometheus/prometheus/blob/v3.13.2/web/api/v1/api.go
LONGEST_RANGE = 11_000
# Raw samples come with all series at once: 10 min of 10,000 containers every 15 s are 13 MiB.
WINDOW_SECONDS = 600.0

Selector = Callable[[float], str]


class TooLargeError(TransientError):
    """An answer larger than may be: less at once may do."""


@dataclass(frozen=True, slots=True)
class Way:
    """How to Prometheus; `timeout` in seconds and `largest` in bytes are per request."""

    access: Access
    timeout: float
    largest: int


async def samples(way: Way, selector: Selector, start: float, end: float) -> list[Json]:
    """Raw samples in (start, end] with their own times, in windows of bounded size."""

    def read(client: Any) -> list[Json]:
        found: list[Json] = []
        for low, high in _windows(start, end, WINDOW_SECONDS):
            found += client.custom_query(selector(high - low), {"time": f"{high:.3f}"})
        return found

    return await asyncio.to_thread(_read, way, read)


async def steps(way: Way, query: str, span: tuple[float, float, float]) -> list[Json]:
    """A range query over `span` (start, end, step); one result per series and chunk of points."""
    start, end, step = span
    if step <= 0:
        raise PermanentError(f"A range query needs a step above 0 s, not {step} s.")

    def read(client: Any) -> list[Json]:
        found: dict[str, Json] = {}
        for low, high in _windows(start, end, (LONGEST_RANGE - 1) * step):
            chunk = client.custom_query_range(query, _time(low), _time(high), f"{step:g}")
            _join(found, chunk, low if low > start else float("-inf"))
        return list(found.values())

    return await asyncio.to_thread(_read, way, read)


def _join(found: dict[str, Json], chunk: list[Json], after: float) -> None:
    """Adds a chunk's points to their series, without the point both chunks have."""
    for series in chunk:
        name = json.dumps(series.get("metric"), sort_keys=True)
        known = found.setdefault(name, {"metric": series.get("metric"), "values": []})
        known["values"] += [v for v in series.get("values") or () if float(v[0]) > after]


def _windows(start: float, end: float, length: float) -> Iterator[tuple[float, float]]:
    low = start
    while low < end:
        yield low, min(end, low + length)
        low += length


def _time(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)


def _read(way: Way, read: Callable[[Any], list[Json]]) -> list[Json]:
    """Runs in the thread: what the library and its transport raise becomes ours."""
    from prometheus_api_client.exceptions import PrometheusApiClientException
    from requests import JSONDecodeError, RequestException, Timeout

    try:
        with _client(way) as client:
            return read(client)
    except PrometheusApiClientException as e:
        said = str(e)
        if "too many samples" in said:
            raise TooLargeError(said) from e
        wrong = "bad_data" in said or '"execution"' in said
        raise PermanentError(said) if wrong else TransientError(said) from e
    except (RequestException, OSError, ValueError, LookupError, TypeError) as e:
        if isinstance(e, Timeout):
            raise SilentError(f"Prometheus gave no answer within {way.timeout:.0f} s.") from e
        if isinstance(e, RequestException | OSError) and not isinstance(e, JSONDecodeError):
            raise way.access.unreached(e) from e
        raise TransientError(f"Prometheus answered what is no result: {e!r:.200}") from e


def _client(way: Way) -> Any:
    from prometheus_api_client import prometheus_connect
    from requests import Session
    from urllib3.util.retry import Retry

    access = way.access
    access.context()  # says what is wrong with a file better than what is below
    session = Session()
    session.max_redirects = 0
    session.trust_env = False  # no .netrc, and no other CA than aiohttp has
    session.verify = access.authorities()
    session.cert = access.certificate()
    session.hooks["response"].append(partial(_bound, way))
    untyped: Any = prometheus_connect
    return untyped.PrometheusConnect(
        url=access.url,
        headers=dict(access.headers()),
        retry=Retry(total=0),
        session=session,
        timeout=way.timeout,
    )


def _bound(way: Way, response: Any, **_: Any) -> None:
    """Reads the answer up to `largest` bytes, unpacked, and leaves it for the library."""
    refused = way.access.refusal(response.status_code)
    if refused is not None:
        response.close()
        raise refused
    largest = way.largest
    raw = bytearray()
    for chunk in response.raw.stream(2**16, decode_content=True):
        raw += chunk
        if len(raw) > largest:
            response.close()
            raise TooLargeError(f"Prometheus answers with more than {largest} bytes.")
    response.raw.release_conn()
    response.raw = BytesIO(raw)
    if not raw.lstrip().startswith((b"{", b"[")):
        raise way.access.no_json(response.status_code)
