"""One thing that was looked at, and how it is. The models are the command's JSON."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum

from akeso.api.meta import Model
from akeso.errors import AkesoError, PermanentError


class Result(StrEnum):
    """Only a failure keeps Akeso from its work; what was skipped could not be told."""

    OK = "ok"
    WARNING = "warning"
    FAILURE = "failure"
    SKIPPED = "skipped"


class Check(Model):
    """`message` is one sentence; `remedy` says what to do where something is to be done."""

    name: str
    result: Result
    message: str
    remedy: str | None = None


class Diagnosis(Model):
    """All checks; `ok`: none failed."""

    ok: bool
    checks: tuple[Check, ...]


Checks = tuple[Check, ...]


def diagnosis(checks: Sequence[Check]) -> Diagnosis:
    return Diagnosis(ok=all(c.result is not Result.FAILURE for c in checks), checks=tuple(checks))


def ok(name: str, message: str) -> Check:
    return Check(name=name, result=Result.OK, message=message)


def warning(name: str, message: str, remedy: str) -> Check:
    return Check(name=name, result=Result.WARNING, message=message, remedy=remedy)


def failure(name: str, message: str, remedy: str) -> Check:
    return Check(name=name, result=Result.FAILURE, message=message, remedy=remedy)


def skipped(name: str, message: str, remedy: str | None = None) -> Check:
    return Check(name=name, result=Result.SKIPPED, message=message, remedy=remedy)


def not_told(name: str, error: BaseException) -> Check:
    """A check that could not be carried out: no right to look is no fault of what is looked at."""
    if isinstance(error, PermanentError):
        return skipped(name, f"It can't be told: {error}")
    if isinstance(error, AkesoError):
        return failure(name, str(error), "Try again; see the logs of what did not answer.")
    return failure(name, f"The check itself broke: {error!r}", "Please report it.")
