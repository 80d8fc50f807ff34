"""When the garbage collector runs."""

from __future__ import annotations

import gc
from collections.abc import Generator
from contextlib import contextmanager


@contextmanager
def uncollected() -> Generator[None]:
    """No search for cyclic garbage inside: for code that makes an object or more per series and no
    cycles. Each 700 new objects the collector looks through the young ones, and now and then through
    all: half of the time of a cycle of 100,000 series, to find nothing. Not across an `await`."""
    if not gc.isenabled():
        yield
        return
    gc.disable()
    try:
        yield
    finally:
        gc.enable()
