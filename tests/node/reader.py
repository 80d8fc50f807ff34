"""Reads of a cluster over connections that stay.

Tests look every second, several at a time; a kubectl for each look takes as much of two cores as
everything that is tested.
"""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import urlencode

from kubernetes import client, config

from akeso_lab import Lab

Json = dict[str, Any]
GROUPS = {
    "pods": "api/v1",
    "deployments": "apis/apps/v1",
    "healings": "apis/akeso.dev/v1alpha1",
    "healingpolicies": "apis/akeso.dev/v1alpha1",
    "healingcontrols": "apis/akeso.dev/v1alpha1",
}


class Reader:
    """The lab's administrator, reading; usable from several threads."""

    def __init__(self, lab: Lab) -> None:
        configuration = client.Configuration()
        config.load_kube_config(str(lab.kubeconfig), client_configuration=configuration)
        configuration.proxy = None  # one in the environment is not for the lab
        self._client = client.ApiClient(configuration)

    def close(self) -> None:
        self._client.close()

    def list(self, plural: str, namespace: str, selector: str = "") -> list[Json]:
        """All of a kind in a namespace, by labels; ApiException where the kind is not there."""
        query = {"labelSelector": selector} if selector else {}
        found: list[Json] = self._get(plural, namespace, "", query)["items"]
        return found

    def one(self, plural: str, namespace: str, name: str) -> Json | None:
        """None where it is not there."""
        try:
            return self._get(plural, namespace, f"/{name}", {})
        except client.ApiException as error:
            if error.status == 404:
                return None
            raise

    def _get(self, plural: str, namespace: str, rest: str, query: dict[str, str]) -> Json:
        path = f"/{GROUPS[plural]}/namespaces/{namespace}/{plural}{rest}?{urlencode(query)}"
        url = f"{self._client.configuration.host}{path}"
        answer = self._client.call_api("GET", url, header_params={"Accept": "application/json"})
        found: Json = json.loads(answer.read())
        return found
