"""The watch of Akeso's own kinds."""

from __future__ import annotations

import asyncio

import kopf
import pytest

from akeso.errors import PermanentError
from akeso.handlers.watch import watch


async def test_a_watch_that_breaks_ends_and_says_why() -> None:
    """A process that goes on without seeing its own resources would be worse than none."""

    async def refuse() -> kopf.ConnectionInfo:
        raise PermanentError("no credentials")

    async with asyncio.timeout(20):
        with pytest.raises(PermanentError, match="no credentials"):
            await watch(lambda *_: None, refuse, ("healings",), (), asyncio.Event())
