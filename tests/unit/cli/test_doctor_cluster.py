"""The API server as the doctor finds it: version, clock and custom resources."""

from __future__ import annotations

import copy
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import pytest

from akeso.cli.doctor import cluster
from akeso.cli.doctor.checks import Result
from akeso.clients import shipped
from akeso.errors import GoneError

NOW = datetime(2026, 12, 1, 9, 30, tzinfo=UTC)
ESTABLISHED = {"conditions": [{"type": "Established", "status": "True"}]}


@pytest.mark.parametrize(
    ("version", "result"),
    [
        ("v1.36.0", Result.OK),
        ("v1.29.4+k3s1", Result.OK),
        ("v1.28.9", Result.FAILURE),
        ("v0.9", Result.FAILURE),
        ("", Result.WARNING),
    ],
)
def test_a_version_that_lacks_what_the_rules_need_is_a_failure(version: str, result: Result):
    assert cluster.version({"gitVersion": version}).result is result


@pytest.mark.parametrize("off", [-60, -3, 0, 3, 60])
def test_the_clock_is_read_from_the_answers_date(off: int):
    date = format_datetime(NOW + timedelta(seconds=off), usegmt=True)
    check = cluster.clock(date, NOW, NOW + timedelta(seconds=0.2))
    assert check.result is (Result.OK if abs(off) < 5 else Result.WARNING)
    if check.result is Result.WARNING:
        assert ("ahead of" in check.message) == (off > 0)


@pytest.mark.parametrize("date", ["", "yesterday"])
def test_an_answer_without_a_date_tells_nothing(date: str):
    assert cluster.clock(date, NOW, NOW).result is Result.SKIPPED


class Server:
    """Has the CRDs of this version; `changed` replaces some, None: not there."""

    def __init__(self, **changed: Any) -> None:
        there = {name: {**crd, "status": ESTABLISHED} for name, crd in shipped.crds().items()}
        self.found: dict[str, Any] = {**there, **changed}

    async def get(self, path: str) -> Any:
        if path == "/api/v1":
            return {"resources": [{"name": name} for name in self.found.get("served", ())]}
        crd = self.found[path.rpartition("/")[2].partition(".")[0]]
        if crd is None:
            raise GoneError(f"GET {path}: not found")
        return crd


async def resources(**changed: Any) -> Any:
    server: Any = Server(**changed)
    return await cluster.resources(server)


async def test_crds_of_this_version_are_one_line() -> None:
    (check,) = await resources()
    assert check.result is Result.OK and "healings" in check.message


async def test_a_crd_that_is_missing_is_a_failure_with_the_command_to_install_it() -> None:
    (check,) = await resources(healings=None)
    assert check.result is Result.FAILURE
    assert "healings.akeso.dev is not installed" in check.message
    assert "akeso crds | kubectl apply --server-side" in str(check.remedy)


async def test_a_crd_of_another_version_is_a_warning_with_the_first_difference() -> None:
    other = copy.deepcopy({**shipped.crds()["healings"], "status": ESTABLISHED})
    other["spec"]["names"]["shortNames"] = ["hl"]
    (check,) = await resources(healings=other)
    assert check.result is Result.WARNING
    assert "spec.names.shortNames" in check.message and "--diff" in str(check.remedy)


async def test_a_crd_that_is_not_served_yet_is_a_failure() -> None:
    (check,) = await resources(healings={**shipped.crds()["healings"], "status": {}})
    assert check.result is Result.FAILURE and "not served yet" in check.message


@pytest.mark.parametrize("served", [(), ("pods", "pods/resize")])
async def test_in_place_resize_is_looked_up(served: tuple[str, ...]) -> None:
    server: Any = Server(served=served)
    (check,) = await cluster.resize(server)
    assert check.result is (Result.OK if served else Result.WARNING)
