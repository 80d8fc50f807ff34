"""Label selectors, matched here and written into requests."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from akeso.clients.kubernetes.raw import Json, part, parts


@dataclass(frozen=True, slots=True)
class Requirement:
    """One expression: `operator` is In, NotIn, Exists or DoesNotExist."""

    key: str
    operator: str
    values: tuple[str, ...] = ()

    def matches(self, labels: Mapping[str, str]) -> bool:
        if self.operator == "In":
            return labels.get(self.key) in self.values
        if self.operator == "NotIn":
            return labels.get(self.key) not in self.values
        return (self.key in labels) == (self.operator == "Exists")

    def __str__(self) -> str:
        listed = ",".join(self.values)
        return {
            "In": f"{self.key} in ({listed})",
            "NotIn": f"{self.key} notin ({listed})",
            "Exists": self.key,
            "DoesNotExist": f"!{self.key}",
        }[self.operator]


@dataclass(frozen=True, slots=True)
class Selector:
    """A LabelSelector; with no requirement it matches everything."""

    requirements: tuple[Requirement, ...] = ()

    @classmethod
    def parse(cls, raw: Json) -> Selector:
        return cls(
            tuple(Requirement(k, "In", (v,)) for k, v in part(raw, "matchLabels").items())
            + tuple(
                Requirement(e["key"], e["operator"], tuple(e.get("values") or ()))
                for e in parts(raw, "matchExpressions")
            )
        )

    def matches(self, labels: Mapping[str, str]) -> bool:
        return all(r.matches(labels) for r in self.requirements)

    def __str__(self) -> str:
        return ",".join(map(str, self.requirements))
