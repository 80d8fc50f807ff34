"""How people release: a small chart, and the tools that bring its next version to the cluster."""

from __future__ import annotations

import asyncio
import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from akeso_lab.processes import local_environment
from cluster.harness import APPLY, World, path_of
from cluster.workloads import Json

CHART = {"apiVersion": "v2", "name": "web", "version": "1.0.0"}
VALUES: Json = {
    "name": "web",
    "image": "app:1",
    "replicas": 1,
    "autoscaler": None,  # or its bounds; then it has the replicas
    "memory": "256Mi",
    "behaviour": "",  # of the fake pods
    "env": {},
}
TEMPLATE = """\
apiVersion: apps/v1
kind: Deployment
metadata:
  name: {{ .Values.name }}
  labels: {app: {{ .Values.name }}}
spec:
  {{- if not .Values.autoscaler }}
  replicas: {{ .Values.replicas }}
  {{- end }}
  selector:
    matchLabels: {app: {{ .Values.name }}}
  template:
    metadata:
      labels:
        app: {{ .Values.name }}
        {{- with .Values.behaviour }}
        akeso-lab/behaviour: {{ . }}
        {{- end }}
    spec:
      terminationGracePeriodSeconds: 1
      containers:
      - name: app
        image: {{ .Values.image }}
        resources:
          requests: {memory: {{ .Values.memory }}}
          limits: {memory: {{ .Values.memory }}}
        {{- with .Values.env }}
        env:
        {{- range $name, $value := . }}
        - {name: {{ $name }}, value: {{ $value | quote }}}
        {{- end }}
        {{- end }}
{{- with .Values.autoscaler }}
---
apiVersion: autoscaling/v2
kind: HorizontalPodAutoscaler
metadata:
  name: {{ $.Values.name }}
spec:
  scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: {{ $.Values.name }}}
  minReplicas: {{ .min }}
  maxReplicas: {{ .max }}
{{- end }}
"""


SCALERS = "autoscaling/v2"


class Refused(AssertionError):
    """A release did not go through, with the tool's own words."""


@dataclass(frozen=True)
class Releases:
    """Brings the chart to one world: by Helm, or by kubectl what Helm renders."""

    here: World
    folder: Path
    helm: Path
    tool: str  # helm, server-side or client-side
    autoscaled: bool

    @classmethod
    async def by(cls, tool: str, here: World, folder: Path, autoscaled: bool = False) -> Releases:
        chart = folder / "chart"
        (chart / "templates").mkdir(parents=True)
        (chart / "Chart.yaml").write_text(yaml.safe_dump(CHART))
        (chart / "values.yaml").write_text(yaml.safe_dump(VALUES))
        (chart / "templates" / "web.yaml").write_text(TEMPLATE)
        helm = await asyncio.to_thread(here.stage.lab.helm)
        return cls(here, folder, helm, tool, autoscaled)

    async def release(self, **values: Any) -> None:
        """The next version; Refused where the tool says no. Nothing is ever forced."""
        if self.tool == "helm":
            await self._helm("upgrade", "--install", "web", "chart", *_given(values))
            return
        side = ["--server-side", "--field-manager=user"] if self.tool == "server-side" else []
        await self._kubectl(await self.manifest(**values), "apply", *side, "-f", "-")

    async def manifest(self, **values: Any) -> str:
        """What the chart says."""
        return await self._helm("template", "web", "chart", *_given(values))

    async def replace(self, **values: Any) -> None:
        """As `kubectl replace`: what the manifest does not say is not there afterwards."""
        await self._kubectl(await self.manifest(**values), "replace", "-f", "-")

    async def meant(self, **values: Any) -> dict[str, Json]:
        """The specs that the chart means, by kind, with the API server's defaults."""
        found: dict[str, Json] = {}
        for wanted in yaml.safe_load_all(await self.manifest(**values)):
            kind, twin = wanted["kind"], f"twin-of-{VALUES['name']}"
            wanted["metadata"] = {"name": twin, "namespace": self.here.name}
            path = path_of(wanted["apiVersion"], kind, self.here.name, twin)
            query = {"dryRun": "All", "fieldManager": "twin"}
            found[kind] = (await self.here.api.patch(path, wanted, query, APPLY))["spec"]
        return _without_scaled(found)

    async def there(self) -> dict[str, Json]:
        """The specs of what the chart has brought, by kind."""
        return _without_scaled({kind: raw["spec"] for kind, raw in (await self._objects()).items()})

    async def managers(self) -> set[str]:
        """Who owns any field of it."""
        objects = (await self._objects()).values()
        entries = (entry for raw in objects for entry in raw["metadata"]["managedFields"])
        return {str(entry["manager"]) for entry in entries if entry.get("manager")}

    async def _objects(self) -> dict[str, Json]:
        found = {"Deployment": await self.here.get("Deployment", "web")}
        if self.autoscaled:
            path = path_of(SCALERS, "HorizontalPodAutoscaler", self.here.name, "web")
            found["HorizontalPodAutoscaler"] = await self.here.api.get(path)
        return found

    async def _helm(self, *arguments: str) -> str:
        at = ("--namespace", self.here.name, "--kubeconfig", str(self.here.stage.lab.kubeconfig))
        return await self._run(str(self.helm), *arguments, *at)

    async def _kubectl(self, manifest: str, *arguments: str) -> str:
        lab = self.here.stage.lab
        at = (f"--kubeconfig={lab.kubeconfig}", f"--cache-dir={self.folder / 'kubectl'}")
        where = ("--namespace", self.here.name)
        return await self._run(str(lab.bin / "kubectl"), *at, *where, *arguments, given=manifest)

    async def _run(self, *command: str, given: str = "") -> str:
        pipe = asyncio.subprocess.PIPE
        homes = {
            f"HELM_{kind}_HOME": str(self.folder / "helm") for kind in ("CACHE", "CONFIG", "DATA")
        }
        process = await asyncio.create_subprocess_exec(
            *command,
            cwd=self.folder,
            env={**local_environment(), **homes, "HOME": os.environ.get("HOME", "/")},
            stdin=pipe,
            stdout=pipe,
            stderr=pipe,
        )
        said, complaint = await process.communicate(given.encode())
        if process.returncode != 0:
            raise Refused(f"{self.tool}: {complaint.decode().strip()}")
        return said.decode()


def _without_scaled(specs: dict[str, Json]) -> dict[str, Json]:
    """Where the chart has an autoscaler it does not say how many replicas there are."""
    if "HorizontalPodAutoscaler" in specs:
        specs["Deployment"].pop("replicas", None)
    return specs


def _given(values: Json) -> list[str]:
    return [
        part
        for key, value in values.items()
        for part in ("--set-json", f"{key}={json.dumps(value)}")
    ]
