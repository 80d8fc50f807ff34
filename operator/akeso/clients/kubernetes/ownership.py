"""Field ownership (`metadata.managedFields`), given back so that the user's next apply works.

https://kubernetes.io/docs/reference/using-api/server-side-apply/#transferring-ownership
"""

from __future__ import annotations

from akeso.clients.kubernetes.raw import Json


def released(entries: list[Json], manager: str) -> list[Json]:
    """The entries without `manager`'s.

    An empty list means "leave as it is" to the API server; one empty entry means none.
    """
    left = [e for e in entries if e.get("manager") != manager]
    return left or [{}]
