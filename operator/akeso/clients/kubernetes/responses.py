"""What the API server's refusals mean: HTTP status and Status object to `akeso.errors`.

The reasons are those of
https://kubernetes.io/docs/reference/kubernetes-api/common-definitions/status/
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from akeso.clients.kubernetes.raw import Json, part, parts, text
from akeso.errors import (
    AkesoError,
    BlockedError,
    GoneError,
    PermanentError,
    StaleError,
    TransientError,
)

JSON_PATCH = "application/json-patch+json"
MERGE_PATCH = "application/merge-patch+json"
STRATEGIC_MERGE_PATCH = "application/strategic-merge-patch+json"

# A failed JSON patch `test` carries no detail of its own: this sentence and no causes.
# https://github.com/kubernetes/apimachinery/blob/v0.36.4/pkg/api/errors/errors.go
_PATCH_NOT_APPLICABLE = "the server rejected our request due to an error in our request"

# https://github.com/kubernetes/apiserver/blob/v0.36.4/pkg/endpoints/handlers/responsewriters/errors.go
_RBAC = re.compile(
    r'(?:User "(?P<user>[^"]+)" )?cannot (?P<verb>\S+) resource "(?P<resource>[^"]+)" in API group "(?P<group>[^"]*)"'
    r'(?: in the namespace "(?P<namespace>[^"]+)")?'
)
_ADMISSION = re.compile(
    r"admission webhook .* denied the request|ValidatingAdmissionPolicy .* denied"
)


@dataclass(frozen=True, slots=True)
class Request:
    """One request to the API server; `timeout` in seconds for all of it."""

    method: str
    path: str
    query: Mapping[str, str] = field(default_factory=lambda: dict[str, str]())
    body: Json | list[Json] | None = None
    content_type: str = "application/json"
    timeout: float = 30.0
    accept: str = "application/json"

    def __str__(self) -> str:
        return f"{self.method} {self.path}"


def refusal(request: Request, status: int, body: bytes, headers: Mapping[str, str]) -> AkesoError:
    """The error that says the same as a response with a status of 400 or more."""
    details = _status_object(body)
    message = text(details, "message") or f"HTTP {status}"
    sentence = f"{request}: {message}"
    pause = _retry_after(headers)
    if status == 404:
        return GoneError(sentence)
    if status in (409, 410):
        return StaleError(sentence)
    if status == 403:
        return _forbidden(request, message)
    if status == 429 or status >= 500:
        return _unwilling(request, details, sentence, pause)
    if status in (401, 408):
        return TransientError(sentence, pause)
    if status == 422:
        return _invalid(request, details, sentence)
    return PermanentError(sentence)


def _unwilling(request: Request, details: Json, sentence: str, pause: float | None) -> AkesoError:
    """Load shedding and outages pass; a disruption budget is somebody's wish.

    Two budgets over one pod answer 500, because the eviction sub-resource cannot serve both.
    """
    if request.path.endswith("/eviction"):
        causes = parts(part(details, "details"), "causes")
        budgets = [str(c.get("message")) for c in causes if c.get("reason") == "DisruptionBudget"]
        if budgets or "PodDisruptionBudget" in sentence:
            return BlockedError(" ".join([sentence, *budgets]), pause)
    return TransientError(sentence, pause)


def _forbidden(request: Request, message: str) -> AkesoError:
    """Missing rights need a person; admission and quotas speak for somebody else."""
    missing = _RBAC.search(message)
    if missing is None:
        return BlockedError(f"{request}: {message}")
    where = missing["namespace"]
    who = missing["user"] or "Akeso"
    place = f'in namespace "{where}"' if where else "in the whole cluster"
    kind = "Role or ClusterRole" if where else "ClusterRole"
    return PermanentError(
        f'{who} may not {missing["verb"]} {missing["resource"]} (API group "{missing["group"]}") '
        f"{place}. Grant it: a {kind} with this verb, bound to {who} (all that the operator needs: "
        f"examples/rbac.yaml). The API server said: {message}"
    )


def _invalid(request: Request, details: Json, sentence: str) -> AkesoError:
    if _ADMISSION.search(sentence):
        return BlockedError(sentence)
    tested = request.content_type == JSON_PATCH and not parts(part(details, "details"), "causes")
    if tested and details.get("message") == _PATCH_NOT_APPLICABLE:
        return StaleError(f"{request}: the object is not the one that was looked at")
    return PermanentError(sentence)


def _status_object(body: bytes) -> Json:
    try:
        found: Any = json.loads(body)
    except ValueError:
        return {"message": body[:200].decode(errors="replace").strip()}
    return part({"body": found}, "body")


def _retry_after(headers: Mapping[str, str]) -> float | None:
    """Seconds; the API server never sends the date form of RFC 9110."""
    try:
        return max(0.0, float(headers["Retry-After"]))
    except (KeyError, ValueError):
        return None
