"""The picture in the README is of the recording beside it."""

from __future__ import annotations

import runpy
from pathlib import Path
from typing import Any

DOCS = Path(__file__).parents[2] / "docs"


def _session() -> dict[str, Any]:
    return runpy.run_path(str(DOCS / "session.py"), run_name="session")


def test_the_picture_is_drawn_from_the_recording_and_loads_nothing_from_elsewhere():
    session = _session()
    drawn = session["draw"](session["RECORDING"].read_text())
    assert session["PICTURE"].read_text() == drawn, "draw it anew: docs/session.py --draw"
    assert "url(http" not in drawn and "<script" not in drawn


def test_every_command_of_the_session_is_in_the_recording():
    session = _session()
    said = session["RECORDING"].read_text()
    assert all(f"\x1b[1m{line}\x1b[0m" in said for line in session["COMMANDS"])
    assert "Traceback" not in said
