"""The answer of one guard, in a form a machine and a person can both read."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Verdict:
    """Allow, or deny with a reason (CamelCase, stable), a sentence and seconds until worth asking.

    `retry_after` None: only a change by a person helps.
    """

    guard: str
    allowed: bool
    reason: str
    sentence: str
    retry_after: float | None = None


def allow(guard: str, sentence: str) -> Verdict:
    return Verdict(guard, True, "Allowed", sentence)


def deny(guard: str, reason: str, sentence: str, retry_after: float | None = None) -> Verdict:
    return Verdict(guard, False, reason, sentence, retry_after)
