"""What a refusal means decides what happens next, so each status has its line here."""

from __future__ import annotations

import json
from typing import Any

import pytest

from akeso.clients.kubernetes.responses import JSON_PATCH, Request, refusal
from akeso.errors import (
    AkesoError,
    BlockedError,
    GoneError,
    PermanentError,
    StaleError,
    TransientError,
)

GET = Request("GET", "/apis/apps/v1/namespaces/shop/deployments/web")
EVICT = Request("POST", "/api/v1/namespaces/shop/pods/web-1/eviction")
PATCH = Request("PATCH", GET.path, content_type=JSON_PATCH)
BUDGET = {
    "message": "Cannot evict pod as it would violate the pod's disruption budget.",
    "details": {
        "causes": [{"reason": "DisruptionBudget", "message": "The disruption budget keep needs 2"}]
    },
}
FAILED_TEST = {
    "message": "the server rejected our request due to an error in our request",
    "details": {},
}
INVALID = {"message": "image: Required value", "details": {"causes": [{"field": "image"}]}}
FORBIDDEN = {
    "message": 'deployments.apps "web" is forbidden: User "system:serviceaccount:akeso:akeso" '
    'cannot patch resource "deployments" in API group "apps" in the namespace "shop"'
}
QUOTA = {"message": 'pods "web-1" is forbidden: exceeded quota: small'}
WEBHOOK = {"message": 'admission webhook "gate.example" denied the request: not today'}
ADMISSION = {
    "message": "deployments.apps \"web\" is forbidden: ValidatingAdmissionPolicy 'freeze' with "
    "binding 'all' denied request: no changes on Friday",
    "details": {"causes": [{"message": "no changes on Friday"}]},
}


@pytest.mark.parametrize(
    ("request_", "status", "body", "error"),
    [
        (GET, 400, {}, PermanentError),
        (GET, 401, {}, TransientError),
        (GET, 403, FORBIDDEN, PermanentError),
        (GET, 403, QUOTA, BlockedError),
        (GET, 403, WEBHOOK, BlockedError),
        (GET, 404, {}, GoneError),
        (GET, 405, {}, PermanentError),
        (GET, 408, {}, TransientError),
        (GET, 409, {}, StaleError),
        (GET, 410, {}, StaleError),
        (GET, 422, INVALID, PermanentError),
        (GET, 429, {}, TransientError),
        (GET, 500, {}, TransientError),
        (GET, 503, {}, TransientError),
        (GET, 504, {}, TransientError),
        (PATCH, 422, FAILED_TEST, StaleError),
        (PATCH, 422, INVALID, PermanentError),
        (PATCH, 422, ADMISSION, BlockedError),
        (GET, 422, FAILED_TEST, PermanentError),
        (EVICT, 429, BUDGET, BlockedError),
        (EVICT, 429, {"message": "too many requests"}, TransientError),
        (EVICT, 500, {"message": "more than one PodDisruptionBudget"}, BlockedError),
        (EVICT, 500, {"message": "etcd is gone"}, TransientError),
    ],
)
def test_a_status_means(
    request_: Request, status: int, body: dict[str, Any], error: type[AkesoError]
) -> None:
    found = refusal(request_, status, json.dumps(body).encode(), {})
    assert type(found) is error
    assert body.get("message", f"HTTP {status}")[:20] in str(found) or error is StaleError


def test_a_missing_right_names_verb_resource_namespace_and_remedy() -> None:
    said = str(refusal(GET, 403, json.dumps(FORBIDDEN).encode(), {}))
    for word in (
        "patch",
        "deployments",
        '"apps"',
        '"shop"',
        "ClusterRole",
        "system:serviceaccount:akeso:akeso may not",
    ):
        assert word in said


def test_the_pause_that_a_server_asks_for_is_passed_on() -> None:
    for request, status, body in ((GET, 429, {}), (GET, 503, {}), (EVICT, 429, BUDGET)):
        found = refusal(request, status, json.dumps(body).encode(), {"Retry-After": "10"})
        assert isinstance(found, TransientError | BlockedError)
        assert found.retry_after == 10


@pytest.mark.parametrize("pause", ["soon", "", "Fri, 31 Dec 2027 23:59:59 GMT"])
def test_a_pause_that_is_no_number_is_left_to_the_caller(pause: str) -> None:
    found = refusal(GET, 503, b"", {"Retry-After": pause})
    assert isinstance(found, TransientError)
    assert found.retry_after is None


@pytest.mark.parametrize("body", [b"", b"<html>bad gateway</html>", b"[]", b"null", b"\xff\xfe"])
def test_a_proxy_that_answers_in_its_own_words_is_understood(body: bytes) -> None:
    assert isinstance(refusal(GET, 502, body, {}), TransientError)


def test_a_disruption_budget_is_named_in_the_refusal() -> None:
    assert "budget keep needs 2" in str(refusal(EVICT, 429, json.dumps(BUDGET).encode(), {}))
