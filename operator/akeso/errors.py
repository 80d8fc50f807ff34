"""The one tree of errors. Foreign errors are mapped to these in `akeso.clients` and nowhere else.

A message says what happened, to which object, and what to do next.
"""

from __future__ import annotations


class AkesoError(Exception):
    """Anything Akeso raises on purpose."""


class TransientError(AkesoError):
    """Worth trying again: an outage, a timeout, a throttled request.

    `retry_after` is in seconds; None leaves the pace to the caller's back-off.
    """

    def __init__(self, message: str, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class UnreachedError(TransientError):
    """Nothing that answers as it should is there: who asks again at once learns the same."""


class SilentError(TransientError):
    """No answer in time, from a server that is down or of which too much was asked."""


class PermanentError(AkesoError):
    """Trying the same again cannot help: a refused right, an invalid object, a wrong query."""


class StaleError(AkesoError):
    """The world is not the one the decision was made for (uid, resourceVersion, generation).

    Never retried blindly: the caller looks again and decides anew.
    """


class GoneError(StaleError):
    """The object is not there (any more), or another one carries its name."""


class BlockedError(AkesoError):
    """The API server refused on behalf of somebody else: a disruption budget, an admission policy.

    `retry_after` is in seconds, where the server gave one.
    """

    def __init__(self, message: str, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.retry_after = retry_after
