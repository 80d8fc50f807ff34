"""The composition root: the only place that names healers, predictors and clients together."""

from akeso.wiring.operator import run_operator
from akeso.wiring.view import View, open_view

__all__ = ["View", "open_view", "run_operator"]
