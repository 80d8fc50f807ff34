"""Field ownership (`metadata.managedFields`), given back so that the user's next apply works.

https://kubernetes.io/docs/reference/using-api/server-side-apply/#transferring-ownership
"""

from __future__ import annotations

from akeso.clients.kubernetes.raw import Json, part


def released(entries: list[Json], manager: str) -> list[Json]:
    """The entries without `manager`'s. What it held of the pod template goes to whoever applied it.

    A rollback brings fields back that the newer manifest had dropped. If nobody owned them, no
    later apply would remove them, and the user's next release would not be what its manifest
    says. Replicas have no heir: one who never set them would reset them to 1 with the next apply.
    An empty list means "leave as it is" to the API server; one empty entry means none.
    """
    kept = [e for e in entries if e.get("manager") != manager]
    appliers = [e for e in kept if e.get("operation") == "Apply" and _template(e)]
    if len(appliers) == 1:
        gained = [_template(e) for e in entries if e.get("manager") == manager]
        heir = appliers[0]
        kept = [_inherit(e, gained) if e is heir else e for e in kept]
    return kept or [{}]


def _template(entry: Json) -> Json:
    return part(entry, "fieldsV1", "f:spec", "f:template")


def _inherit(entry: Json, gained: list[Json]) -> Json:
    fields = part(entry, "fieldsV1")
    for template in gained:
        fields = _union(fields, {"f:spec": {"f:template": template}} if template else {})
    return {**entry, "fieldsV1": fields}


def _union(one: Json, other: Json) -> Json:
    """Field sets are nested objects whose leaves are empty."""
    both = {key: _union(part(one, key), part(other, key)) for key in one.keys() & other.keys()}
    return {**one, **other, **both}
