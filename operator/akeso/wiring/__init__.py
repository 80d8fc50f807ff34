"""The composition root: the only place that names healers, predictors and clients together.

`akeso.wiring.operator` is the process that heals; it takes half a second to import, and is
imported by who runs it.
"""

from akeso.wiring.view import View, open_view

__all__ = ["View", "open_view"]
