"""What comes with this version of Akeso: its CRDs, and the rights that its operator needs.

Inside the wheel they lie beside the package, in a checkout where people edit them.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from akeso.errors import PermanentError

_PACKAGE = Path(__file__).resolve().parents[1]
_CHECKOUT = _PACKAGE.parents[1]
# In the order in which a newcomer meets them.
_FIRST = ("healingpolicies", "healings", "healingcontrols")


def crd_files() -> Mapping[str, str]:
    """The text of each CRD by its plural. PermanentError for a broken installation."""
    for folder in (_PACKAGE / "crds", _CHECKOUT / "crds"):
        found = {path.stem: path.read_text() for path in sorted(folder.glob("*.yaml"))}
        if found:
            first = [name for name in _FIRST if name in found]
            return {name: found[name] for name in (*first, *sorted(set(found) - set(first)))}
    raise PermanentError(f"This installation has no CRDs in {_PACKAGE}: install akeso again.")


def crds() -> Mapping[str, dict[str, Any]]:
    """The CRDs as objects, by their plural."""
    return {name: yaml.safe_load(text) for name, text in crd_files().items()}


def rights() -> Mapping[str, Any]:
    """What the operator may do, each rule with its reason: `watch`, `cluster`, `own`, `healers`."""
    for path in (
        _PACKAGE / "rights.yaml",
        _CHECKOUT / "charts" / "akeso" / "files" / "rights.yaml",
    ):
        if path.exists():
            found: Mapping[str, Any] = yaml.safe_load(path.read_text())
            return found
    raise PermanentError(f"This installation has no rights in {_PACKAGE}: install akeso again.")
