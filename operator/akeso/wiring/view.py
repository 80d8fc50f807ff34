"""A look at the cluster, and what a person may ask for, for the command line.

What only `explain` needs (informers, healers, predictors) is imported when it is asked for: a look
at Akeso's own resources must not wait for it.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from datetime import datetime
from typing import TYPE_CHECKING

from akeso.api.control import HealingControl
from akeso.api.healing import Healing
from akeso.api.policy import HealingPolicy
from akeso.api.scalars import format_time
from akeso.clients.kubernetes.connection import ApiServer, connect
from akeso.clients.kubernetes.lease import COORDINATION, NAME
from akeso.clients.kubernetes.paths import collection
from akeso.clients.kubernetes.raw import Json
from akeso.clients.records import KubernetesRecords
from akeso.domain.workload import Kind
from akeso.engine.records import Records
from akeso.errors import PermanentError
from akeso.settings import Settings

if TYPE_CHECKING:
    from akeso.engine.explain import Explanation
    from akeso.engine.request import Wish
    from akeso.report.model import Report


class View:
    """The cluster as the command line sees it. It asks, and never touches a workload itself."""

    def __init__(self, api: ApiServer, settings: Settings, records: KubernetesRecords) -> None:
        self.records: Records = records
        self._own = records
        self._api = api
        self._settings = settings

    async def load(self, recent: int | None = None) -> None:
        """Reads Akeso's own resources; of finished Healings only the `recent` ones."""
        await self._own.load(recent=recent)

    async def lease(self) -> Json:
        """The operator's Lease as it is now. GoneError where no operator ever ran."""
        path = collection(COORDINATION, "leases", self._settings.namespace)
        return await self._api.get(f"{path}/{NAME}")

    async def explain(self, kind: Kind | None, namespace: str, name: str) -> Explanation:
        """One workload as the engine sees it now. PermanentError lists candidates."""
        from akeso.wiring.explanation import explain_workload

        return await explain_workload(
            self._api, self._settings, self.records, (kind, namespace, name)
        )

    async def report(
        self,
        namespace: str,
        name: str,
        own_interval: bool = False,
        compared: Mapping[str, str] | None = None,
    ) -> Report:
        """One Healing with what was measured around it; `latest` is the one opened last.

        `own_interval`: the operator says how often it gets samples. `compared` are workloads to
        show beside it, each with a remark.
        """
        from akeso.wiring.reporting import report_healing

        control, settings = self.records.control(), self._settings
        interval = control.status.scrape_interval_seconds if control else None
        if own_interval and interval:
            settings = settings.model_copy(update={"scrape_interval_seconds": float(interval)})
        return await report_healing(self.records, settings, namespace, name, compared or {})

    async def ask(self, kind: Kind | None, namespace: str, name: str, wish: Wish) -> Healing:
        """Asks the operator to heal a workload. PermanentError lists candidates."""
        from akeso.wiring.asking import ask

        return await ask(self._api, self._own, (kind, namespace, name), wish)

    async def take_back(self, namespace: str, name: str, reason: str) -> Healing:
        """Asks the operator to undo a Healing. PermanentError lists candidates."""
        from akeso.wiring.asking import take_back

        return await take_back(self._api, self._own, namespace, name, reason)

    async def set_paused(self, reason: str | None, until: datetime | None) -> HealingControl:
        """The kill switch; None lets go. Creates the HealingControl where there is none."""
        await self._own.ensure_control()
        control = await self.records.live_control()
        if control is None:
            raise PermanentError("The HealingControl was deleted just now; try again.")
        if reason is None:
            if control.spec.paused is None:
                return control
            return await self._own.patch_spec(control, [{"op": "remove", "path": "/spec/paused"}])
        value = {"reason": reason} | ({"until": format_time(until)} if until else {})
        return await self._own.patch_spec(
            control, [{"op": "add", "path": "/spec/paused", "value": value}]
        )

    async def set_policy_pause(
        self, namespace: str, name: str, reason: str | None
    ) -> HealingPolicy:
        """Pauses one policy with a reason; None removes every reason."""
        policies = self.records.policies()
        found = [
            p for p in policies if (p.metadata.namespace, p.metadata.name) == (namespace, name)
        ]
        if not found:
            known = ", ".join(f"{p.metadata.namespace}/{p.metadata.name}" for p in policies)
            raise PermanentError(
                f"There is no HealingPolicy {namespace}/{name}; there are: {known or 'none'}."
            )
        policy = found[0]
        before = policy.spec.guardrails.pause_reasons
        after = [*before, reason] if reason is not None and reason not in before else list(before)
        rails = policy.spec.guardrails.model_dump(mode="json", by_alias=True)
        rails["pauseReasons"] = [] if reason is None else after
        return await self._own.patch_spec(
            policy, [{"op": "add", "path": "/spec/guardrails", "value": rails}]
        )


@asynccontextmanager
async def open_view(settings: Settings, load: bool = True) -> AsyncGenerator[View]:
    """Connects, and reads Akeso's own resources where `load` says so; writes nothing by itself."""
    api = await connect(settings)
    try:
        view = View(api, settings, KubernetesRecords(api, settings))
        if load:
            await view.load()
        yield view
    finally:
        await api.close()
