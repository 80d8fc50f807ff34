"""The methods of a port, from its Protocol's annotations: how to write down and read each."""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from functools import cache
from types import NoneType
from typing import Any, get_args, get_origin, get_type_hints

from pydantic import ConfigDict, TypeAdapter

from akeso.simulation.ports import protocols

# JSON knows neither infinity nor NaN.
_LISTS = (Iterable, Iterator, Sequence, list)
_CONFIG = ConfigDict(ser_json_inf_nan="strings", arbitrary_types_allowed=True)


class Form(Enum):
    """How a method's answers are recorded (docs/designs/0002-recording.md)."""

    READING = "reading"
    VIEW = "view"
    CALL = "call"


@dataclass(frozen=True, slots=True)
class Method:
    """One method of one port.

    `item` reads and writes lists of what it returns (`many`: of the items of what it returns);
    None where it returns nothing; `returns` names that type. `arguments` are the adapters of its parameters.
    """

    port: str
    attribute: str
    form: Form
    is_property: bool
    many: bool
    item: TypeAdapter[list[Any]] | None
    returns: str
    arguments: tuple[TypeAdapter[list[Any]], ...]
    signature: inspect.Signature

    def bound(self, given: Sequence[Any], named: Mapping[str, Any]) -> tuple[Any, ...]:
        """The arguments in the Protocol's order, however they were given."""
        found = self.signature.bind(None, *given, **named)
        found.apply_defaults()
        return tuple(found.arguments.values())[1:]

    @property
    def name(self) -> str:
        return f"{self.port}.{self.attribute}"

    @property
    def live(self) -> bool:
        """Whether it reads one object now: its answer depends on which, not on its content."""
        return self.attribute.startswith("live")


@cache
def methods() -> dict[str, tuple[Method, ...]]:
    """The methods of all ports, by port."""
    return {port: tuple(_methods_of(port, protocol)) for port, protocol in protocols().items()}


@cache
def by_name() -> dict[str, Method]:
    """The same by `port.method`, as they are called in a file."""
    return {m.name: m for found in methods().values() for m in found}


def public(protocol: Any) -> list[str]:
    """Names of all that a Protocol asks for, inherited ones included."""
    bases: list[type] = [b for b in reversed(protocol.__mro__) if b.__module__ != "typing"]
    names = dict.fromkeys(name for base in bases for name in vars(base))
    return [name for name in names if not name.startswith("_")]


def _methods_of(port: str, protocol: Any) -> Iterator[Method]:
    for attribute in public(protocol):
        member: Any = inspect.getattr_static(protocol, attribute)
        is_property = isinstance(member, property)
        function: Any = member.fget if isinstance(member, property) else member
        if not inspect.isfunction(function):
            continue  # constants of an Enum base and the like are no questions
        hints = get_type_hints(function)
        returned = hints.pop("return", NoneType)
        many = get_origin(returned) in _LISTS or get_args(returned)[1:] == (Ellipsis,)
        item = get_args(returned)[0] if many else returned
        yield Method(
            port=port,
            attribute=attribute,
            form=_form(function, returned),
            is_property=is_property,
            many=many,
            item=None if returned is NoneType else _adapter(item),
            returns=f"{getattr(item, '__module__', '')}.{getattr(item, '__qualname__', item)}",
            arguments=tuple(_adapter(hint) for hint in hints.values()),
            signature=inspect.signature(function),
        )


def _form(function: Any, returned: Any) -> Form:
    if inspect.iscoroutinefunction(function):
        return Form.CALL
    return Form.READING if returned is float else Form.VIEW


def _adapter(hint: Any) -> TypeAdapter[list[Any]]:
    # A list, because a configuration can't be given for a dataclass itself.
    found: Any = list.__class_getitem__(hint)  # `list[hint]`, which checkers take for an error
    return TypeAdapter(found, config=_CONFIG)
