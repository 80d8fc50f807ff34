"""The library's package, of which only what is used is loaded.

`kubernetes/__init__.py` imports its synchronous client with requests, oauthlib and websocket,
which is a third of the time that a command takes to start, and of which `kubernetes.aio` needs
nothing. (bench/status.py measures what a person waits for.)
"""

from __future__ import annotations

import sys
from importlib import import_module
from importlib.util import find_spec, module_from_spec
from types import ModuleType

PACKAGE = "kubernetes"


class _Lazy(ModuleType):
    """Its submodules are there for whoever asks, and are loaded then."""

    def __getattr__(self, name: str) -> ModuleType:
        if not name.startswith("__"):
            try:
                return import_module(f"{PACKAGE}.{name}")
            except ModuleNotFoundError:
                pass
        raise AttributeError(f"module {PACKAGE!r} has no attribute {name!r}")


def load_lazily() -> None:
    """Before the first import of the package; later it changes nothing."""
    spec = find_spec(PACKAGE) if PACKAGE not in sys.modules else None
    if spec is None:
        return
    plain = module_from_spec(spec)  # made, and not run
    lazy = _Lazy(PACKAGE)
    lazy.__dict__.update(plain.__dict__)
    sys.modules[PACKAGE] = lazy
