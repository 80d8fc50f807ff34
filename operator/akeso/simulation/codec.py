"""Values as JSON: lists as what changed since the last one, arguments as keys, errors by name.

A list is written as steps: `[i, n]` copies n items of the last answer from i on, `{"+": item}` is
a new one, `{"p": patch}` one like that before it in this list, and `{"b": patch, "at": i}` one like
item i of the last answer. A patch sets (`=`), removes (`x`), appends (`+`) and, one level deeper,
patches (`~`) by field or by index.
"""

from __future__ import annotations

import hashlib
import json
import secrets
from collections.abc import Collection, Mapping, Sequence
from typing import Any, cast

from pydantic import TypeAdapter

from akeso import errors
from akeso.api.meta import Resource
from akeso.errors import AkesoError, BlockedError, PermanentError, TransientError
from akeso.simulation.methods import Form, Method

LONGEST_KEY = 160  # arguments that are longer are told by their digest
Adapter = TypeAdapter[list[Any]]
# A digest of a pod template must not let anybody try out what a password in it may have been.
_SECRET = secrets.token_bytes(16)
_HIDDEN = "digest"


class Garbled(Exception):
    """What a line of a file says can't be."""


def dump(adapter: Adapter, items: Sequence[Any]) -> list[Any]:
    """Items as JSON values; pod templates, where secrets may be, as their digest."""
    written = adapter.dump_json(list(items), by_alias=True, exclude_defaults=True)
    found: list[Any] = json.loads(written)
    return _hide(found) if b'"template":' in written else found


def _hide(value: Any) -> Any:
    match value:
        case list():
            return [_hide(item) for item in cast(Sequence[Any], value)]
        case dict():
            fields = cast(Mapping[str, Any], value)
            return {k: _digested(v) if k == "template" else _hide(v) for k, v in fields.items()}
        case _:
            return value


def _digested(template: Any) -> Any:
    if template is None or list(template) == [_HIDDEN]:
        return template
    text = json.dumps(template, sort_keys=True).encode()
    return {_HIDDEN: hashlib.blake2b(text, key=_SECRET, digest_size=12).hexdigest()}


def key_of(method: Method, arguments: Sequence[Any]) -> str:
    """What tells two calls of a method apart: the same in every process."""
    parts = [
        _named(value)
        if method.live and isinstance(value, Resource)
        else dump(adapter, [_ordered(value)])[0]
        for adapter, value in zip(method.arguments, arguments, strict=True)
    ]
    text = json.dumps(parts, separators=(",", ":"), ensure_ascii=False)
    if len(text) <= LONGEST_KEY:
        return text
    return hashlib.blake2b(text.encode(), digest_size=12).hexdigest()


def _ordered(value: Any) -> Any:
    """A set has another order in every process."""
    return sorted(cast(Collection[Any], value)) if isinstance(value, (set, frozenset)) else value


def _named(item: Resource) -> str:
    meta = item.metadata
    return f"{type(item).__name__} {meta.namespace}/{meta.name} {meta.uid}"


def unchanged(items: Sequence[Any], before: Sequence[Any] | None) -> bool:
    """Whether a list says the same as the last one."""
    if before is None or len(items) != len(before):
        return False
    return all(a is b or a == b for a, b in zip(items, before, strict=True))


class Streams:
    """The last answers, which the next ones are told by the changes to.

    Recorder and player keep the same ones. A view has its last answer; calls for one object share
    the last one of its type; a call for a list has the last one with its key, from the second time
    on, so that what is asked once only (a piece of history) is not kept. At most `KEPT` are known.
    """

    KEPT = 1000

    def __init__(self) -> None:
        self._last: dict[tuple[str, str], Sequence[Any] | None] = {}

    def last(self, method: Method, key: str) -> Sequence[Any] | None:
        return self._last.get(self.place(method, key))

    def keep(self, method: Method, key: str, items: Sequence[Any]) -> None:
        place = self.place(method, key)
        known = place in self._last or not (method.many and method.form is Form.CALL)
        self._last.pop(place, None)
        self._last[place] = items if known else None
        while len(self._last) > self.KEPT:
            del self._last[next(iter(self._last))]

    def place(self, method: Method, key: str) -> tuple[str, str]:
        if method.form is not Form.CALL:
            return method.name, ""
        return (method.name, key) if method.many else (method.returns, "")


def steps(method: Method, items: Sequence[Any], before: Sequence[Any]) -> list[Any]:
    """A method's answer as what changed since `before`."""
    assert method.item is not None
    # Templates, which only live reads show, are left out where two values are compared.
    by_value = method.many or method.form is not Form.CALL
    return _Differ(method.item, items, before, by_value).steps()


class _Differ:
    def __init__(
        self, adapter: Adapter, items: Sequence[Any], before: Sequence[Any], by_value: bool
    ) -> None:
        self._adapter = adapter
        self._by_value = by_value
        self._items = items
        self._before = before
        # Samples are many and small: written at once, and found wherever they have moved.
        self._small = bool(items) and isinstance(items[0], tuple)
        self._raw = dump(adapter, items) if self._small else []
        self._where = {x: i for i, x in enumerate(before)} if self._small else {}

    def steps(self) -> list[Any]:
        found: list[Any] = []
        expected = 0
        for index, item in enumerate(self._items):
            at = self._find(item, expected)
            if at is None:
                found.append(self._new(index, expected))
                expected += 1
                continue
            last = found[-1] if found else None
            if isinstance(last, list) and sum(cast(list[int], last)) == at:
                last[1] += 1
            else:
                found.append([at, 1])
            expected = at + 1
        return found

    def _find(self, item: Any, expected: int) -> int | None:
        if self._small:
            return self._where.get(item)
        for at in (expected, expected + 1, expected - 1):
            if 0 <= at < len(self._before) and (
                self._before[at] is item or (self._by_value and self._before[at] == item)
            ):
                return at
        return None

    def _new(self, index: int, expected: int) -> dict[str, Any]:
        raw = self._raw_of(index)
        options: list[dict[str, Any]] = [{"+": raw}]
        if index:
            options.append(_patch("p", raw, self._raw_of(index - 1)))
        if not self._small and expected < len(self._before):
            there = dump(self._adapter, [self._before[expected]])[0]
            options.append({**_patch("b", raw, there), "at": expected})
        return min((o for o in options if set(o) - {"at"}), key=_size)

    def _raw_of(self, index: int) -> Any:
        return self._raw[index] if self._small else dump(self._adapter, [self._items[index]])[0]


def _size(option: Any) -> int:
    return len(json.dumps(option))


def _patch(base: str, raw: Any, other: Any) -> dict[str, Any]:
    """`raw` told by what differs from `other`; empty where they are of different shape."""
    patch = _difference(raw, other)
    return {} if patch is None else {base: patch}


def _difference(new: Any, old: Any) -> dict[str, Any] | None:
    """A patch from `old` to `new`; None where only `new` itself can tell it."""
    mine: Any = new
    theirs: Any = old
    if isinstance(new, dict) and isinstance(old, dict):
        gone = [k for k in theirs if k not in mine]
        added = {k: v for k, v in mine.items() if k not in theirs}
        both = [(k, v, theirs[k]) for k, v in mine.items() if k in theirs]
        return _changes(both, added, {"x": gone})
    if isinstance(new, list) and isinstance(old, list):
        size = len(theirs)
        if len(mine) < size:
            return None
        both = [(str(i), v, theirs[i]) for i, v in enumerate(mine[:size])]
        return _changes(both, {}, {"+": mine[size:]})
    return None


def _changes(
    both: Sequence[tuple[str, Any, Any]], added: dict[str, Any], rest: dict[str, Any]
) -> dict[str, Any]:
    whole, deep = added, dict[str, Any]()
    for name, new, old in both:
        if new == old and type(new) is type(old):
            continue
        patch = _difference(new, old)
        if patch is not None and _size(patch) < _size(new):
            deep[name] = patch
        else:
            whole[name] = new
    found = {"=": whole, "~": deep, **rest}
    return {k: v for k, v in found.items() if v}


def replay(found: Sequence[Any], before: Sequence[Any]) -> list[Any]:
    """The JSON items of a list from its steps. Garbled where they don't fit."""
    items: list[Any] = []
    try:
        for step in found:
            if isinstance(step, list):
                at, count = cast(list[int], step)
                if at < 0 or count < 1 or at + count > len(before):
                    raise Garbled(f"it copies items {at} to {at + count} of {len(before)}")
                items.extend(before[at : at + count])
            elif "+" in step:
                items.append(step["+"])
            elif "p" in step:
                items.append(_patched(items[-1], step["p"]))
            else:
                items.append(_patched(before[step["at"]], step["b"]))
    except (AttributeError, LookupError, TypeError, ValueError) as error:
        raise Garbled(f"it has a step that fits nothing: {error!r}") from error
    return items


def _patched(item: Any, patch: Mapping[str, Any]) -> Any:
    base: Any = item
    changed = {**patch.get("=", {})}
    if isinstance(item, list):
        row = [*base, *patch.get("+", ())]
        for index, value in changed.items():
            row[int(index)] = value
        for index, deeper in patch.get("~", {}).items():
            row[int(index)] = _patched(row[int(index)], deeper)
        return row
    changed |= {k: _patched(base[k], deeper) for k, deeper in patch.get("~", {}).items()}
    gone = patch.get("x", ())
    return {**{k: v for k, v in base.items() if k not in gone}, **changed}


def error_out(error: AkesoError) -> dict[str, Any]:
    """An error by the name that it has in `akeso.errors`, whatever its own class is."""
    kind = next(c.__name__ for c in type(error).__mro__ if getattr(errors, c.__name__, None) is c)
    wait = getattr(error, "retry_after", None)
    return {"is": kind, "says": str(error), **({} if wait is None else {"retry": wait})}


def error_in(raw: Any) -> AkesoError:
    """Garbled where no such error is known."""
    kind: Any = getattr(errors, str(raw["is"]), None)
    if not (isinstance(kind, type) and issubclass(kind, AkesoError)):
        raise Garbled(f"it tells of an error that is none: {raw['is']}")
    if "retry" in raw and issubclass(kind, TransientError | BlockedError):
        return kind(str(raw["says"]), float(raw["retry"]))
    return kind(str(raw["says"]))


class NotRecorded(PermanentError):
    """The replay asked for what the recording does not hold."""
