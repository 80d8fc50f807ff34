"""What an idle operator loads: no library that only drawing, back-tests or examples need."""

from __future__ import annotations

import subprocess
import sys

HEAVY = (
    "dateparser",
    "jinja2",
    "matplotlib",
    "pandas",
    "PIL",
    "prometheus_api_client",
    "rich",
    "scipy",
    "statsmodels",
)
CODE = f"""
import asyncio, sys
import akeso.cli.operate, akeso.wiring.operator
from unit.engine.scenes import leak
world, _ = leak()
asyncio.run(world.cycle())
print(world.metrics.registry.get_sample_value("akeso_targets"))
print([name for name in {HEAVY!r} if name in sys.modules])
"""


def test_an_operator_has_loaded_nothing_heavy_when_its_first_cycle_ends() -> None:
    """prometheus_api_client comes with the first back-fill, and brings nothing heavy either."""
    done = subprocess.run(
        [sys.executable, "-c", CODE],
        env={"PYTHONPATH": ":".join(sys.path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.split("\n")[:2] == ["1.0", "[]"]


def test_what_back_fill_loads_draws_and_computes_nothing() -> None:
    code = (
        "import sys, akeso.wiring.operator\nfrom prometheus_api_client import prometheus_connect\n"
        f"print([n for n in {HEAVY!r} if n in sys.modules and n != 'prometheus_api_client'])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={"PYTHONPATH": ":".join(sys.path)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.strip() == "[]"
