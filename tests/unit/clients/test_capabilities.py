"""What an installation can do is looked at; where it can't, the weaker promise is told."""

from __future__ import annotations

from typing import Any, cast

import pytest

from akeso.clients.kubernetes.capabilities import ADMISSION, POLICIES, capabilities
from akeso.clients.kubernetes.connection import ApiServer
from akeso.errors import AkesoError, GoneError, PermanentError, TransientError


class Answers:
    """An API server with these bindings; what is absent is answered with `otherwise`."""

    def __init__(
        self,
        bindings: dict[str, Any],
        otherwise: type[AkesoError] = GoneError,
        resources: tuple[str, ...] = ("pods", "pods/resize"),
    ) -> None:
        self._bindings = bindings
        self._otherwise = otherwise
        self._resources = resources

    async def get(self, path: str) -> dict[str, Any]:
        if path == "/api/v1":
            return {"resources": [{"name": name} for name in self._resources]}
        name = path.removeprefix(f"{ADMISSION}/")
        if name not in self._bindings:
            raise self._otherwise(path)
        return {"spec": {"policyName": name, "validationActions": self._bindings[name]}}


async def found(answers: Answers) -> dict[str, tuple[str, str]]:
    all_of_them = await capabilities(cast(ApiServer, answers), "akeso")
    return {c.name.value: (c.available, c.message) for c in all_of_them}


async def test_what_is_enforced_is_there() -> None:
    bindings = {f"{policy.object}.akeso": ["Deny"] for policy in POLICIES}
    told = await found(Answers(bindings))
    assert {available for available, _ in told.values()} == {"True"}
    assert set(told) == {"InPlaceResize", "Fencing", "Lending", "Origin"}


@pytest.mark.parametrize(
    ("answers", "available", "why"),
    [
        (Answers({}), "False", "there is no ValidatingAdmissionPolicyBinding akeso-fence.akeso"),
        (Answers({}, PermanentError), "Unknown", "can't be read"),
        (Answers({"akeso-fence.akeso": ["Audit"]}), "False", "denies nothing"),
    ],
)
async def test_without_it_the_weaker_promise_is_told(answers: Answers, available: str, why: str):
    stands, message = (await found(answers))["Fencing"]
    assert stands == available
    assert why in message
    assert "rests on its own look at the Lease" in message


async def test_an_old_cluster_can_not_resize() -> None:
    told = await found(Answers({}, resources=("pods",)))
    assert told["InPlaceResize"][0] == "False"
    assert "RaiseMemory is refused" in told["InPlaceResize"][1]


async def test_an_outage_tells_nothing() -> None:
    with pytest.raises(TransientError):
        await found(Answers({}, TransientError))
