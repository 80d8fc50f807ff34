"""Prometheus as the source of metrics.

Each cycle asks one instant query of a range selector: it brings the samples' own times, while an
instant vector is stamped with the time of the query and shows a dead pod alive for five minutes.
Older samples are only read to refill the rings (see `prometheus_history`).
"""

from __future__ import annotations

import json
import logging
import math
from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from typing import Any

import aiohttp

from akeso.clients import prometheus_history
from akeso.clients.access import Access
from akeso.clients.backoff import Gate
from akeso.clients.counters import rates
from akeso.clients.kubernetes.raw import Json, part, parts, text
from akeso.clients.promql import duration, matcher, selector
from akeso.engine.garbage import uncollected
from akeso.errors import PermanentError, SilentError, TransientError
from akeso.protocols import Reading, Usage
from akeso.settings import Settings

log = logging.getLogger(__name__)

# 10,000 containers with three samples each are about 3 MiB.
LARGEST_RESPONSE = 256 * 2**20
# Pods have cgroups of their own (no container) and pause containers (POD): neither has a limit.
CONTAINERS = (matcher("container", "", "!="), matcher("container", "POD", "!="))


class PrometheusSource:
    """Implements `akeso.protocols.MetricSource`."""

    kind = "Prometheus"

    def __init__(self, settings: Settings, largest: int = LARGEST_RESPONSE) -> None:
        if settings.prometheus_url is None:
            raise PermanentError("No Prometheus is set: set AKESO_PROMETHEUS_URL.")
        self._access = Access.of("Prometheus", settings.prometheus_url, settings)
        self._settings = settings
        self._largest = largest
        self.gate = Gate()
        self._window = 3 * settings.scrape_interval_seconds
        self._session: aiohttp.ClientSession | None = None

    async def close(self) -> None:
        if self._session is not None:
            await self._session.close()

    async def memory(self) -> Sequence[Usage]:
        """The samples of the last three scrapes of every container."""
        data = await self._query(self.memory_selector(self._window))
        with _garbage():
            return list(usages(parts(data, "result")))

    async def cpu(self) -> Sequence[Usage]:
        """From the samples of the last scrapes of every container's counter."""
        data = await self._query(self._cpu_selector)
        with _garbage():
            return list(rates(parts(data, "result")))

    async def cpu_history(self, start: float, end: float, step: float) -> Sequence[Usage]:
        query = f"sum by (namespace, pod, container) (rate({self._cpu_selector}))"
        with self._passed():
            found = await prometheus_history.steps(self._history, query, (start, end, step))
        with _garbage():
            return list(usages(found))

    @property
    def _cpu_selector(self) -> str:
        return selector(
            self._settings.cpu_metric,
            *CONTAINERS,
            self._settings.metric_matchers,
            seconds=self._settings.rate_seconds,
        )

    def memory_selector(self, seconds: float) -> str:
        return selector(
            self._settings.memory_metric,
            *CONTAINERS,
            self._settings.metric_matchers,
            seconds=seconds,
        )

    async def evaluate(self, query: str) -> Sequence[Reading]:
        """Looks back three scrapes, not Prometheus's five minutes: no data is no data."""
        data = await self._query(query)
        if text(data, "resultType") != "vector":
            raise PermanentError(
                f"The query {query!r} gives a {text(data, 'resultType')}, not a vector: use one "
                "whose result has labels that name the workload's pods."
            )
        with _garbage():
            found = [(part(s, "metric"), *s["value"]) for s in parts(data, "result")]
            return list(_readings(found))

    async def memory_history(self, start: float, end: float) -> Sequence[Usage]:
        with self._passed():
            found = await prometheus_history.samples(
                self._history, self.memory_selector, start, end
            )
        with _garbage():
            return list(usages(found))

    async def evaluate_range(
        self, query: str, start: float, end: float, step: float
    ) -> Sequence[Sequence[Reading]]:
        with self._passed():
            found = await prometheus_history.steps(self._history, query, (start, end, step))
        with _garbage():
            rows = [[(part(s, "metric"), *v) for v in s["values"]] for s in found]
            return [list(_readings(row)) for row in rows]

    @property
    def _history(self) -> prometheus_history.Way:
        limit = self._settings.prometheus_timeout_seconds
        return prometheus_history.Way(self._access, limit, self._largest)

    def _passed(self) -> AbstractContextManager[None]:
        return self.gate.passed(self._access.stamps())

    async def _query(self, query: str) -> Json:
        with self._passed():
            return await self._asked(query)

    async def _asked(self, query: str) -> Json:
        form = {"query": query, "lookback_delta": duration(self._window)}
        try:
            status, raw = await self._post(f"{self._access.url}/api/v1/query", form)
        except TimeoutError as e:
            limit = self._settings.prometheus_timeout_seconds
            raise SilentError(f"Prometheus gave no answer within {limit:.0f} s.") from e
        except (aiohttp.ClientError, OSError) as e:
            raise self._access.unreached(e) from e
        return answer(self._access, query, status, raw)

    async def _post(self, url: str, form: Mapping[str, str]) -> tuple[int, bytes]:
        if self._session is None:
            self._session = aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar())
        limit = aiohttp.ClientTimeout(self._settings.prometheus_timeout_seconds)
        async with self._session.post(
            url,
            data=form,
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
                        f"Prometheus answers with more than {self._largest} bytes: set "
                        "AKESO_METRIC_MATCHERS to one endpoint's series."
                    )
            return response.status, bytes(raw)


def answer(access: Access, query: str, status: int, raw: bytes) -> Json:
    """The data of a response; a wrong query is permanent, everything else passes.

    https://prometheus.io/docs/prometheus/latest/querying/api/#format-overview
    """
    refused = access.refusal(status)
    if refused is not None:
        raise refused
    try:
        with uncollected():
            body: Any = json.loads(raw)
    except ValueError as e:
        raise access.no_json(status) from e
    said = part({"body": body}, "body")
    if status in (400, 422) and text(said, "errorType") in ("bad_data", "execution"):
        raise PermanentError(f"Prometheus refuses the query {query!r}: {text(said, 'error')}")
    if status != 200 or text(said, "status") != "success" or not part(said, "data"):
        raise TransientError(f"Prometheus answered HTTP {status}: {text(said, 'error')}")
    for warning in said.get("warnings") or ():
        log.warning("Prometheus on %r: %s", query, warning)
    return part(said, "data")


def usages(found: Sequence[Json]) -> Iterator[Usage]:
    """Rows of a matrix; what is no measurement (NaN, infinite, negative) is left out."""
    for series in found:
        labels = part(series, "metric")
        name = text(labels, "namespace"), text(labels, "pod"), text(labels, "container")
        if not all(name):
            continue
        for time, said in series.get("values") or ():
            value = float(said)
            if math.isfinite(value) and value >= 0:
                yield Usage(*name, float(time), value)


def _readings(found: Iterable[tuple[Json, float, str]]) -> Iterator[Reading]:
    """Labels, time and value; what is no finite number (0/0, x/0) says nothing."""
    for labels, time, said in found:
        value = float(said)
        if math.isfinite(value):
            yield Reading(labels, float(time), value)


@contextmanager
def _garbage() -> Generator[None]:
    try:
        with uncollected():
            yield
    except (LookupError, TypeError, ValueError, AttributeError) as e:
        raise TransientError(f"Prometheus answered what is no result: {e!r}") from e
