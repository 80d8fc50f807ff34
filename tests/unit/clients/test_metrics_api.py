"""Where there is no Prometheus, what `kubectl top` reads is enough for memory and CPU."""

from __future__ import annotations

from pathlib import Path

import pytest

from akeso.clients.metrics_api import MetricsApiSource
from akeso.errors import PermanentError, TransientError
from akeso.protocols import Usage
from akeso.settings import Settings
from unit.clients.apiserver import Refusal, Script, serving, status

ITEM = {
    "metadata": {"name": "web-1", "namespace": "shop"},
    "timestamp": "1970-01-01T00:16:40Z",
    "window": "15.2s",
    "containers": [
        {"name": "app", "usage": {"cpu": "5m", "memory": "12Ki"}},
        {"name": "proxy", "usage": {"cpu": "5m"}},
    ],
}
SETTINGS = Settings.model_validate({})


async def test_memory_has_the_time_it_was_measured(tmp_path: Path) -> None:
    script = Script([ITEM])
    async with serving(script, tmp_path) as api:
        source = MetricsApiSource(api, SETTINGS)
        assert await source.memory() == [Usage("shop", "web-1", "app", 1000.0, 12288.0)]
        assert await source.memory_history(0, 10) == ()
    assert script.seen[0].path == "/apis/metrics.k8s.io/v1beta1/pods"


async def test_cpu_is_in_cores(tmp_path: Path) -> None:
    async with serving(Script([ITEM]), tmp_path) as api:
        source = MetricsApiSource(api, SETTINGS)
        assert await source.cpu() == [
            Usage("shop", "web-1", "app", 1000.0, 0.005),
            Usage("shop", "web-1", "proxy", 1000.0, 0.005),
        ]
        assert await source.cpu_history(0, 10, 1) == ()


async def test_one_namespace_is_asked_for_where_one_is_watched(tmp_path: Path) -> None:
    script = Script()
    async with serving(script, tmp_path) as api:
        settings = Settings.model_validate({"watch_namespaces": ["shop"]})
        await MetricsApiSource(api, settings).memory()
    assert script.seen[0].path == "/apis/metrics.k8s.io/v1beta1/namespaces/shop/pods"


async def test_queries_need_prometheus_and_the_message_says_so(tmp_path: Path) -> None:
    async with serving(Script(), tmp_path) as api:
        source = MetricsApiSource(api, SETTINGS)
        for ask in (source.evaluate("up"), source.evaluate_range("up", 0, 1, 1)):
            with pytest.raises(PermanentError, match="needs Prometheus"):
                await ask


@pytest.mark.parametrize("code", [404, 503])
async def test_an_absent_metrics_server_is_an_outage(tmp_path: Path, code: int) -> None:
    script = Script()
    script.lists.append(Refusal(code, status(code)))
    async with serving(script, tmp_path) as api:
        with pytest.raises(TransientError):
            await MetricsApiSource(api, SETTINGS).memory()


async def test_an_item_that_nobody_understands_is_an_outage(tmp_path: Path) -> None:
    script = Script([{**ITEM, "timestamp": "yesterday"}])
    async with serving(script, tmp_path) as api:
        with pytest.raises(TransientError, match="not understood"):
            await MetricsApiSource(api, SETTINGS).memory()
