"""metrics.k8s.io as the source of memory and CPU, where there is no Prometheus: what `kubectl top` reads.

https://kubernetes.io/docs/reference/external-api/metrics.v1beta1/
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence

from akeso.clients.kubernetes.connection import ApiServer
from akeso.clients.kubernetes.paths import collections
from akeso.clients.kubernetes.raw import Json, part, parts, text
from akeso.clients.kubernetes.trim import number, seconds
from akeso.errors import GoneError, PermanentError, TransientError
from akeso.protocols import Reading, Usage
from akeso.settings import Settings

METRICS = "apis/metrics.k8s.io/v1beta1"
NEEDS_PROMETHEUS = (
    "The metrics API knows memory and CPU of now and nothing else: this needs Prometheus. "
    "Set AKESO_PROMETHEUS_URL or --prometheus-url."
)


class MetricsApiSource:
    """Implements `akeso.protocols.MetricSource`."""

    kind = "MetricsAPI"

    def __init__(self, api: ApiServer, settings: Settings) -> None:
        self._api = api
        self._paths = collections(METRICS, "pods", settings.watch_namespaces)
        self._settings = settings

    async def memory(self) -> Sequence[Usage]:
        return await self._usages("memory")

    async def cpu(self) -> Sequence[Usage]:
        return await self._usages("cpu")

    async def _usages(self, resource: str) -> Sequence[Usage]:
        try:
            found = await self._listed()
        except GoneError as e:
            raise TransientError(f"No metrics API: is metrics-server installed? {e}") from e
        try:
            return [usage for item in found for usage in _usages(item, resource)]
        except ValueError as e:
            raise TransientError(f"The metrics API's answer is not understood: {e}") from e

    async def _listed(self) -> list[Json]:
        """Of every namespace that may be read; the error where none may."""
        limit = self._settings.prometheus_timeout_seconds
        lists = (self._api.list_all(path, timeout=limit) for path in self._paths)
        found = await asyncio.gather(*lists, return_exceptions=True)
        errors = [e for e in found if isinstance(e, BaseException)]
        for error in errors:
            if not isinstance(error, PermanentError) or len(errors) == len(found):
                raise error
        return [item for items in found if not isinstance(items, BaseException) for item in items]

    async def memory_history(self, start: float, end: float) -> Sequence[Usage]:
        return ()

    async def cpu_history(self, start: float, end: float, step: float) -> Sequence[Usage]:
        return ()

    async def evaluate(self, query: str) -> Sequence[Reading]:
        raise PermanentError(NEEDS_PROMETHEUS)

    async def evaluate_range(
        self, query: str, start: float, end: float, step: float
    ) -> Sequence[Sequence[Reading]]:
        raise PermanentError(NEEDS_PROMETHEUS)


def _usages(item: Json, resource: str) -> Iterator[Usage]:
    """One row per container, at the end of the window that was measured."""
    meta = part(item, "metadata")
    time = seconds(text(item, "timestamp"))
    if time is None:
        return
    for container in parts(item, "containers"):
        used = text(part(container, "usage"), resource)
        if used:
            name = text(container, "name")
            yield Usage(text(meta, "namespace"), text(meta, "name"), name, time, number(used))
