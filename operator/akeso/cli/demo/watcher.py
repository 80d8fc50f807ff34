"""Looks at the cluster again and again, as anybody with kubectl and Prometheus could."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any

from akeso.api.healing import Healing
from akeso.cli.demo import names
from akeso.cli.demo.scene import (
    Kill,
    Memory,
    Requests,
    Scene,
    memory_of,
    operator_ready,
    pod_seen,
    proven,
    requests_of,
)
from akeso.clients.kubernetes.connection import ApiServer, connect
from akeso.clients.kubernetes.paths import CORE, collection
from akeso.errors import AkesoError
from akeso.settings import Settings
from akeso_lab import Lab, LabError

LOOK_SECONDS = 1.0
METRICS_EVERY = 3  # looks; Prometheus scrapes every 5 s
LIMIT = 64 * 2**20  # bytes, as in examples/demo
_OURS = "apis/akeso.dev/v1alpha1"
_PODS = f'namespace="{names.NAMESPACE}",container="app"'
USED = f"container_memory_working_set_bytes{{{names.MATCHERS},{_PODS}}}"
PACE = f"deriv({USED}[30s])"
COUNTED = f'load_requests_total{{namespace="{names.NAMESPACE}"}}'


class Watcher:
    """The newest scene, and the last JSON of every pod there ever was (by uid)."""

    def __init__(self, api: ApiServer, lab: Lab) -> None:
        self._api = api
        self._lab = lab
        self._looks = 0
        self._memory: Mapping[str, Memory] = {}
        self._requests: Mapping[str, Requests] = {}
        self.scene = Scene(datetime.now(UTC))
        self.pods: dict[str, dict[str, Any]] = {}
        self.kills: set[Kill] = set()
        self.fewest_ready: dict[str, int] = {}  # per service, since it was complete

    async def look(self) -> Scene:
        """One look; what can't be read now is as it was."""
        try:
            pods = await self._list(collection(CORE, "pods", names.NAMESPACE))
            healings = await self._list(collection(_OURS, "healings", names.NAMESPACE))
            policies = await self._list(collection(_OURS, "healingpolicies", names.NAMESPACE))
            controls = await self._list(collection(_OURS, "healingcontrols", names.SYSTEM))
            read = tuple(Healing.parse(raw) for raw in healings)
        except AkesoError:
            return self.scene
        self.pods |= {raw["metadata"]["uid"]: raw for raw in pods}
        seen = tuple(pod_seen(raw) for raw in pods)
        if self._looks % METRICS_EVERY == 0:
            await asyncio.to_thread(self._measure, seen)
        self._looks += 1
        self.scene = Scene(
            at=datetime.now(UTC),
            pods=seen,
            memory=self._memory,
            requests=self._requests,
            healings=read,
            proven=proven(policies),
            watching=operator_ready(controls),
        )
        self.kills |= {Kill(p.app, p.name, p.killed_at) for p in seen if p.killed_at is not None}
        self._count_ready()
        return self.scene

    def _count_ready(self) -> None:
        for app in {pod.app for pod in self.scene.pods}:
            ready = sum(p.ready and not p.deleting for p in self.scene.of(app))
            if ready or app in self.fewest_ready:
                self.fewest_ready[app] = min(ready, self.fewest_ready.get(app, ready))

    def _measure(self, pods: tuple[Any, ...]) -> None:
        try:
            used = {s.labels.get("pod", ""): s.value for s in self._lab.query(USED)}
            pace = {s.labels.get("pod", ""): s.value for s in self._lab.query(PACE)}
            counted = [(s.labels, s.value) for s in self._lab.query(COUNTED)]
        except LabError:
            return
        self._memory = memory_of(pods, used, pace, LIMIT)
        self._requests = requests_of(counted)

    async def _list(self, path: str) -> list[dict[str, Any]]:
        return await self._api.list_all(path)


@asynccontextmanager
async def watching(lab: Lab) -> AsyncGenerator[Watcher]:
    """A watcher with the administrator's rights, so that it sees what Akeso may not."""
    api = await connect(Settings.model_validate({"kubeconfig": str(lab.kubeconfig)}))
    try:
        yield Watcher(api, lab)
    finally:
        await api.close()
