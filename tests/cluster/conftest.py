"""The lab that the cluster tests share: a real API server, started when it is not there."""

from __future__ import annotations

import pytest

from akeso_lab import Lab, Tier, up


@pytest.fixture(scope="session")
def lab() -> Lab:
    return up("cp", Tier.CONTROL_PLANE)
