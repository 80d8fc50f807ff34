"""What Alertmanager knows: alerts that fire, and silences, by which people ask for quiet."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from akeso.domain.pattern import matches

LONGEST_REMARK = 200  # characters of what others wrote, in a sentence of ours


def one_line(said: str, longest: int = LONGEST_REMARK) -> str:
    """One short line of what somebody wrote, without what a terminal might obey."""
    line = " ".join("".join(c if c.isprintable() else " " for c in said).split())
    return line if len(line) <= longest else line[: longest - 1] + "…"


@dataclass(frozen=True, slots=True)
class Alert:
    """One alert that fires; `starts_at` in Unix seconds.

    `suppressed`: Alertmanager tells nobody about it, because it is silenced or inhibited.
    """

    labels: Mapping[str, str]
    starts_at: float
    suppressed: bool = False

    @property
    def name(self) -> str:
        return self.labels.get("alertname", "")


class Operator(StrEnum):
    """How a matcher compares a label with its value."""

    EQUAL = "="
    NOT_EQUAL = "!="
    MATCHES = "=~"
    DOES_NOT_MATCH = "!~"


@dataclass(frozen=True, slots=True)
class Matcher:
    """One requirement on a label, with the meaning it has in Alertmanager.

    A label that is missing is an empty one; a regular expression matches the whole value.
    https://prometheus.io/docs/alerting/latest/configuration/#matcher
    """

    label: str
    operator: Operator
    value: str

    def __str__(self) -> str:
        """For sentences: on one line, and cut where it is long."""
        return one_line(f'{self.label}{self.operator}"{self.value}"')

    def holds(self, labels: Mapping[str, str]) -> bool | None:
        """None: its regular expression can't be judged (see `akeso.domain.pattern`)."""
        actual = labels.get(self.label, "")
        match self.operator:
            case Operator.EQUAL:
                return actual == self.value
            case Operator.NOT_EQUAL:
                return actual != self.value
            case Operator.MATCHES:
                return matches(self.value, actual)
            case Operator.DOES_NOT_MATCH:
                found = matches(self.value, actual)
                return None if found is None else not found


@dataclass(frozen=True, slots=True)
class Silence:
    """A silence that holds now; `ends_at` in Unix seconds."""

    id: str
    matchers: tuple[Matcher, ...]
    ends_at: float
    created_by: str = ""
    comment: str = ""

    def covers(self, labels: Mapping[str, str]) -> bool:
        """Whether all matchers hold. One that can't be judged counts as holding: a silence too
        many costs a healing, one too few a person's trust.
        """
        return all(matcher.holds(labels) is not False for matcher in self.matchers)

    def unjudged(self, labels: Mapping[str, str]) -> tuple[Matcher, ...]:
        return tuple(matcher for matcher in self.matchers if matcher.holds(labels) is None)
