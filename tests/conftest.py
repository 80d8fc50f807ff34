"""What holds for every tier."""

from __future__ import annotations

import asyncio

import hypothesis
import pytest

# No test is timed: a busy machine is no counter-example.
hypothesis.settings.register_profile("untimed", deadline=None)
hypothesis.settings.load_profile("untimed")


def pytest_configure(config: pytest.Config) -> None:
    # On Python 3.11 asking for a loop where none runs makes one that nobody closes; its warning
    # would then fail whichever test the garbage collector runs in.
    asyncio.set_event_loop(None)
