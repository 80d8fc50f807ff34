"""The few kinds of text that objects carry: decimal numbers, times, sentences, names."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import Annotated, Any

from pydantic import (
    BeforeValidator,
    Field,
    GetCoreSchemaHandler,
    GetJsonSchemaHandler,
    PlainSerializer,
    WithJsonSchema,
)
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, core_schema

from akeso.domain.words import quantity_of

# What people type: no exponent, and so few digits that a float always holds it.
PLAIN_NUMBER = r"^-?[0-9]{1,20}(\.[0-9]{1,20})?$"
# What Akeso writes: a measurement may be any finite float.
ANY_NUMBER = r"^-?[0-9]+(\.[0-9]+)?(e[+-]?[0-9]{1,3})?$"
NUMBER_LENGTH = 32  # the longest decimal string an object may carry
MESSAGE_LENGTH = 1024  # one sentence for people; more belongs in the log

# Memory as people write it in Kubernetes, whole and above zero.
MEMORY_AMOUNT = r"^[1-9][0-9]{0,14}(Ki|Mi|Gi|Ti|k|M|G|T)?$"

_NUMBER = re.compile(ANY_NUMBER)
_MEMORY = re.compile(MEMORY_AMOUNT)
_UNITS: dict[str, int] = {"": 1, "k": 10**3, "M": 10**6, "G": 10**9, "T": 10**12} | {
    f"{letter}i": 2 ** (10 * power) for power, letter in enumerate("KMGT", 1)
}
# RFC 3339, which is narrower than the ISO 8601 that Python reads.
_TIME = re.compile(r"^\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(\.\d+)?([Zz]|[+-]\d\d:\d\d)$")


def parse_decimal(text: str) -> float:
    """Reads a decimal string strictly; ValueError for anything that is no finite number."""
    if not _NUMBER.fullmatch(text) or not math.isfinite(value := float(text)):
        raise ValueError(f'{text!r:.80} is not a decimal number such as "0.05"')
    return value


def format_decimal(value: float) -> str:
    """Writes a finite float as its shortest decimal string; `parse_decimal` reads it back."""
    if not math.isfinite(value):
        raise ValueError(f"{value} has no decimal string; leave the field out")
    shortest = repr(float(value))
    plain = format(Decimal(shortest), "f")
    plain = plain.rstrip("0").rstrip(".") if "." in plain else plain
    if len(plain) <= NUMBER_LENGTH:
        return "0" if plain == "-0" else plain
    return shortest


def parse_memory(text: str) -> int:
    """Reads an amount of memory such as `512Mi` as bytes; ValueError for anything else."""
    if not _MEMORY.fullmatch(text):
        raise ValueError(f"{text!r:.80} is not an amount of memory such as 512Mi")
    digits = text.rstrip("KMGTki")
    return int(digits) * _UNITS[text.removeprefix(digits)]


def parse_time(text: str) -> datetime:
    """Reads an RFC 3339 time as UTC, whole seconds; ValueError for anything else."""
    if not _TIME.fullmatch(text):
        raise ValueError(f"{text!r:.80} is not a time such as 2026-12-01T09:00:00Z")
    return _whole_seconds(datetime.fromisoformat(text.upper()))


def format_time(time: datetime) -> str:
    """Writes an aware time as RFC 3339 in UTC with whole seconds, as Kubernetes does."""
    return _whole_seconds(time).replace(tzinfo=None).isoformat() + "Z"


def from_unix(seconds: float) -> datetime:
    """The domain counts in Unix seconds, objects carry times; `.timestamp()` leads back."""
    return datetime.fromtimestamp(math.floor(seconds), UTC)


def _whole_seconds(time: datetime) -> datetime:
    if time.tzinfo is None:
        raise ValueError(f"{time} has no time zone; use UTC")
    try:
        return time.astimezone(UTC).replace(microsecond=0)
    except OverflowError:
        raise ValueError(f"{time} is outside the years 1 to 9999 in UTC") from None


def _decimal(value: object) -> float:
    if isinstance(value, str):
        return parse_decimal(value)
    if isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value):
        return float(value)
    raise ValueError(f'{value!r:.80} is not a decimal number such as "0.05"')


def _bytes(value: object) -> int:
    if isinstance(value, str):
        return parse_memory(value)
    if isinstance(value, int) and not isinstance(value, bool) and value > 0:
        return value
    raise ValueError(f"{value!r:.80} is not an amount of memory such as 512Mi")


def _time(value: object) -> datetime:
    if isinstance(value, str):
        return parse_time(value)
    if isinstance(value, datetime):
        return _whole_seconds(value)
    raise ValueError(f"{value!r:.80} is not a time such as 2026-12-01T09:00:00Z")


def _trim(value: object) -> object:
    """A sentence that quotes a foreign error may be long; it must not cost the write."""
    if isinstance(value, str) and len(value) > MESSAGE_LENGTH:
        return value[: MESSAGE_LENGTH - 1] + "…"
    return value


@dataclass(frozen=True, slots=True)
class ListType:
    """How the API server merges a list: atomic, set (no duplicates) or map (by `key`)."""

    type: str
    key: str = ""

    def __get_pydantic_core_schema__(
        self, source: Any, handler: GetCoreSchemaHandler
    ) -> CoreSchema:
        return core_schema.no_info_after_validator_function(
            self._refuse_duplicates, handler(source)
        )

    def __get_pydantic_json_schema__(
        self, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        found = handler(schema)
        found["x-kubernetes-list-type"] = self.type
        if self.key:
            found["x-kubernetes-list-map-keys"] = [self.key]
        return found

    def _refuse_duplicates(self, items: Sequence[Any]) -> Sequence[Any]:
        if self.type == "atomic":
            return items
        keys = [getattr(item, self.key) if self.key else item for item in items]
        twice = next((key for key in keys if keys.count(key) > 1), None)
        if twice is not None:
            raise ValueError(f"{twice!r:.80} stands there twice; remove one")
        return items


SET = ListType("set")
ATOMIC = ListType("atomic")


def map_by(key: str) -> ListType:
    """A list whose items are told apart by one field."""
    return ListType("map", key)


def _number(pattern: str) -> WithJsonSchema:
    return WithJsonSchema({"type": "string", "pattern": pattern, "maxLength": NUMBER_LENGTH})


_AS_DECIMAL = PlainSerializer(format_decimal, return_type=str)

# A number that people write in a spec, and one that Akeso measured.
PlainNumber = Annotated[float, BeforeValidator(_decimal), _AS_DECIMAL, _number(PLAIN_NUMBER)]
Measured = Annotated[float, BeforeValidator(_decimal), _AS_DECIMAL, _number(ANY_NUMBER)]
# Bytes in the model, `512Mi` in the object.
MemoryAmount = Annotated[
    int,
    BeforeValidator(_bytes),
    PlainSerializer(quantity_of, return_type=str),
    WithJsonSchema({"type": "string", "pattern": MEMORY_AMOUNT, "maxLength": NUMBER_LENGTH}),
]
Time = Annotated[
    datetime,
    BeforeValidator(_time),
    PlainSerializer(format_time, return_type=str),
    WithJsonSchema({"type": "string", "format": "date-time"}),
]
Message = Annotated[str, BeforeValidator(_trim), Field(max_length=MESSAGE_LENGTH)]
Count = Annotated[int, Field(ge=0)]
Percent = Annotated[int, Field(ge=0, le=100)]
# https://kubernetes.io/docs/concepts/overview/working-with-objects/names/
DnsLabel = Annotated[
    str, Field(min_length=1, max_length=63, pattern=r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$")
]
ObjectName = Annotated[str, Field(min_length=1, max_length=253)]
Uid = Annotated[str, Field(min_length=1, max_length=64)]
