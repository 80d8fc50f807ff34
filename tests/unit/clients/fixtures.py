"""Objects as real API servers sent them (Kubernetes 1.36: kubelet, controllers, kwok)."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

Json = dict[str, Any]

DATA = Path(__file__).parent / "data"


def real(name: str) -> Json:
    """The object of that name; a fresh copy that a test may change."""
    found: Json = json.loads((DATA / f"{name}.json").read_text())
    return copy.deepcopy(found)
