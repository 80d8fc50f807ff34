"""A Kubernetes cluster on one machine, from source, for the demo and the cluster tests.

>>> from akeso_lab import Tier, up
>>> lab = up("demo", Tier.CONTROL_PLANE)  # doctest: +SKIP
>>> lab.kubectl("get", "namespaces")  # doctest: +SKIP
"""

from akeso_lab.errors import LabError
from akeso_lab.lab import Lab
from akeso_lab.lifecycle import Status, down, status, up
from akeso_lab.parts import Tier

__all__ = ["Lab", "LabError", "Status", "Tier", "down", "status", "up"]
