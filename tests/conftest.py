"""What holds for every tier."""

from __future__ import annotations

import asyncio
import os
import signal

import hypothesis
import pytest

# Before anything loads NumPy: tests run side by side, and threads of small products that wait for
# each other on busy cores cost a third of the unit tier. What tests start inherits it.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

# No test is timed: a busy machine is no counter-example.
hypothesis.settings.register_profile("untimed", deadline=None)
hypothesis.settings.load_profile("untimed")


def pytest_configure(config: pytest.Config) -> None:
    # A shell starts what runs in its background with Ctrl-C ignored, and that is handed on to every
    # process below; tests that press it would wait for ever.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    # On Python 3.11 asking for a loop where none runs makes one that nobody closes; its warning
    # would then fail whichever test the garbage collector runs in.
    asyncio.set_event_loop(None)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """What tests have measured is shown, not only whether it was enough."""
    reports = [r for found in ("passed", "failed") for r in terminalreporter.getreports(found)]
    measured = [
        (report.nodeid.rpartition("::")[2], name, value)
        for report in reports
        if report.when == "call"
        for name, value in report.user_properties
    ]
    if measured:
        terminalreporter.section("what was measured")
    for test, name, value in sorted(measured, key=str):
        terminalreporter.write_line(f"{name}: {value}  ({test})")
