"""The real node: not written yet, so that asking for it gives a control plane with a reason."""
from __future__ import annotations
from akeso_lab.plan import Plan
from akeso_lab.processes import Supervisor
from pathlib import Path
from typing import Any
class Node:
    image=""; socket=Path("/")
    @classmethod
    def create(cls, plan: Plan, supervisor: Supervisor, report: Any) -> Node: return cls()
    def start(self, c: Any)->None: ...
    def wait_until_ready(self, c: Any)->None: ...
def node_requirements() -> dict[str,str]:
    return {"node":"the node tier is not written yet"}
