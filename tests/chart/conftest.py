"""The cluster that the chart is installed on: a control plane, and fake nodes for its pods."""

from __future__ import annotations

import logging
import os
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from akeso_lab import Lab, Tier, up
from akeso_lab.errors import LabError
from akeso_lab.parts import NEWEST
from chart.helm import Helm

# A killed operator leaves answers that nobody reads; the proxy's server would log each.
logging.getLogger("aiohttp.server").setLevel(logging.CRITICAL)

Eventually = Callable[[Callable[[], object]], None]
RESTRICTED = {
    f"pod-security.kubernetes.io/{mode}": "restricted" for mode in ("enforce", "warn", "audit")
}


@pytest.fixture(scope="session")
def lab() -> Lab:
    name = os.environ.get("AKESO_TEST_LAB", "test-chart")
    return up(name, Tier.CONTROL_PLANE, kubernetes=os.environ.get("AKESO_TEST_KUBERNETES", NEWEST))


@pytest.fixture(scope="session")
def helm(lab: Lab, tmp_path_factory: pytest.TempPathFactory) -> Helm:
    lab.add_kwok_nodes(2)
    return Helm.of(lab, tmp_path_factory.mktemp("helm"))


@pytest.fixture
def home(lab: Lab) -> Iterator[str]:
    """A namespace for an installation."""
    yield from temporary(lab, "home")


@pytest.fixture
def shop(lab: Lab) -> Iterator[str]:
    """A namespace with workloads to look after."""
    yield from temporary(lab, "shop")


def temporary(lab: Lab, what: str) -> Iterator[str]:
    """A namespace with the strictest Pod Security where Akeso is to live."""
    name = f"{what}-{uuid.uuid4().hex[:8]}"
    lab.apply(namespace(name, **(RESTRICTED if what == "home" else {})))
    yield name
    lab.kubectl("delete", "namespace", name, "--wait=false", "--ignore-not-found")


@pytest.fixture(scope="session")
def eventually() -> Eventually:
    """Until it does not raise: authorizers and admission policies hear of a change a moment later."""

    def attempt(call: Callable[[], object]) -> None:
        end = time.monotonic() + 60
        while True:
            try:
                call()
                return
            except (AssertionError, LabError, pytest.fail.Exception):
                if time.monotonic() > end:
                    raise
            time.sleep(0.3)

    return attempt


def namespace(name: str, **labels: str) -> dict[str, object]:
    return {
        "apiVersion": "v1",
        "kind": "Namespace",
        "metadata": {"name": name, "labels": labels},
    }


def user(lab: Lab, name: str) -> Path:
    """A kubeconfig of somebody who may nothing yet."""
    return lab.user_kubeconfig(name)
