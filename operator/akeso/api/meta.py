"""What all objects have: metadata, and the way from and to the JSON of the API server."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from pydantic_core import ErrorDetails

from akeso.api.scalars import Time
from akeso.errors import PermanentError

GROUP = "akeso.dev"
VERSION = "v1alpha1"
API_VERSION = f"{GROUP}/{VERSION}"

_SHOWN_ERRORS = 3  # enough to see the pattern, few enough to read


def wire_name(name: str) -> str:
    """`max_unhealthy_percent` -> `maxUnhealthyPercent`; `from_` -> `from`."""
    first, *rest = name.rstrip("_").split("_")
    return first + "".join(word.capitalize() for word in rest)


class Model(BaseModel):
    """A frozen part of an object. A field it does not know is ignored: it may be a newer one."""

    model_config = ConfigDict(
        frozen=True,
        extra="ignore",
        alias_generator=wire_name,
        validate_by_alias=True,
        validate_by_name=True,
    )


class ObjectMeta(Model):
    """The part of the metadata that Akeso looks at; what the server sets is empty before that."""

    name: str
    namespace: str = ""
    uid: str = ""
    resource_version: str = ""
    generation: int = 0
    creation_timestamp: Time | None = None
    deletion_timestamp: Time | None = None
    labels: dict[str, str] = Field(default_factory=dict[str, str])


class Resource(Model):
    """One object of the group: parsed from what the API server sent, written back exactly.

    A subclass adds `kind`, `spec` and `status`.
    """

    PLURAL: ClassVar[str]
    REMEDY: ClassVar[str] = "correct it with: kubectl -n {namespace} edit {plural}.{group} {name}"

    api_version: str = API_VERSION
    metadata: ObjectMeta

    @classmethod
    def parse(cls, raw: Mapping[str, Any]) -> Self:
        """Reads the API server's JSON; PermanentError names object, field and remedy."""
        try:
            return cls.model_validate(raw)
        except ValidationError as error:
            raise PermanentError(cls._complaint(raw, error)) from error

    def to_wire(self) -> dict[str, Any]:
        """The object as JSON, without what is unset.

        Being the whole truth, it fits a create, a replace or a JSON patch of /status; in a merge
        patch a value that was unset would survive.
        """
        wire = self.model_dump(mode="json", by_alias=True, exclude_none=True)
        wire["metadata"] = {key: value for key, value in wire["metadata"].items() if value}
        status = {k: v for k, v in wire.pop("status").items() if v not in ([], {})}
        return {**wire, "status": status} if status else wire

    @classmethod
    def _complaint(cls, raw: Mapping[str, Any], error: ValidationError) -> str:
        name, namespace = _name(raw)
        told = _told(error)
        remedy = cls.REMEDY.format(namespace=namespace, name=name, plural=cls.PLURAL, group=GROUP)
        kind = cls.model_fields["kind"].default
        return f"{kind} {namespace}/{name} can't be read: {told}; {remedy}"


def _name(raw: Mapping[str, Any]) -> tuple[str, str]:
    """Name and namespace of an object that may lack either, or all metadata."""
    match raw.get("metadata"):
        case {"name": str(name), "namespace": str(namespace)}:
            return name, namespace
        case {"name": str(name)}:
            return name, "default"
        case _:
            return "(unnamed)", "default"


def _told(error: ValidationError) -> str:
    """The first few complaints; a list is not blamed for what is wrong inside it."""
    details = error.errors(include_url=False, include_context=False)
    places = [d["loc"] for d in details]
    leaves = [d for d in details if not any(_inside(p, d["loc"]) for p in places)]
    told = "; ".join(_sentence(d) for d in leaves[:_SHOWN_ERRORS])
    hidden = len(leaves) - _SHOWN_ERRORS
    return f"{told} (and {hidden} more)" if hidden > 0 else told


def _inside(place: tuple[int | str, ...], outer: tuple[int | str, ...]) -> bool:
    return len(place) > len(outer) and place[: len(outer)] == outer


def _sentence(detail: ErrorDetails) -> str:
    path = "".join(f"[{p}]" if isinstance(p, int) else f".{p}" for p in detail["loc"])
    return f"{path.lstrip('.') or 'the object'}: {detail['msg'].removeprefix('Value error, ')}"
