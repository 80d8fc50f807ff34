"""What people type: durations, targets, policies; and what they are told when it is wrong."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from akeso.cli import usage
from akeso.cli.usage import UsageError
from akeso.domain.workload import Kind


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("90s", 90), ("10m", 600), ("1h30m", 5_400), ("2d", 172_800), ("1d1h1m1s", 90_061)],
)
def test_durations_are_read_as_people_write_them(text: str, seconds: int):
    assert usage.duration(text) == timedelta(seconds=seconds)


@pytest.mark.parametrize(
    "text", ["", "90", "1w", "h", "-1h", "1.5h", "30m1h", "0s", "9" * 30 + "d"]
)
def test_a_wrong_duration_is_refused(text: str):
    with pytest.raises(UsageError):
        usage.duration(text)


@pytest.mark.parametrize(
    ("text", "kind", "name"),
    [
        ("shop", None, "shop"),
        ("deployment/shop", Kind.DEPLOYMENT, "shop"),
        ("deploy/shop", Kind.DEPLOYMENT, "shop"),
        ("deployments.apps/shop", Kind.DEPLOYMENT, "shop"),
        ("Deployment/shop", Kind.DEPLOYMENT, "shop"),
        ("sts/db", Kind.STATEFUL_SET, "db"),
        ("ds/agent", Kind.DAEMON_SET, "agent"),
    ],
)
def test_targets_are_named_as_kubectl_names_them(text: str, kind: Any, name: str):
    assert usage.workload(text) == (kind, name)


@pytest.mark.parametrize("text", ["pod/shop", "deployment/", "/shop", "a/b/c"])
def test_what_names_no_workload_is_refused_with_the_forms_that_do(text: str):
    with pytest.raises(UsageError, match="deployment/NAME"):
        usage.workload(text)


def test_a_policy_is_named_with_its_namespace():
    assert usage.policy("shop/backend") == ("shop", "backend")


@pytest.mark.parametrize("text", ["backend", "/backend", "shop/", "a/b/c"])
def test_what_names_no_policy_is_refused(text: str):
    with pytest.raises(UsageError, match="NAMESPACE/NAME"):
        usage.policy(text)
