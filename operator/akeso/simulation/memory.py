"""Akeso's own records in a replay: the recorded ones, with what the replay wrote instead.

As long as the replay makes the writes that were recorded, it sees what was recorded. An object
that it writes otherwise is kept in memory from then on. What the recorded operator wrote and the
replay did not is not shown to it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from akeso.api.healing import Healing
from akeso.api.meta import Resource
from akeso.api.policy import HealingPolicy
from akeso.api.scalars import from_unix
from akeso.errors import GoneError, StaleError
from akeso.simulation.methods import Method, by_name
from akeso.simulation.tape import Tape, raised

Id = tuple[str, str, str]  # kind, namespace, name
Version = tuple[str, str]  # uid, resourceVersion
Change = Callable[[HealingPolicy], HealingPolicy]


class Memory:
    """Answers every method of the port `records`; see `akeso.simulation.player`.

    `change` is the what-if: it puts another spec in the place of a recorded one.
    """

    def __init__(self, tape: Tape, change: Change) -> None:
        self._tape = tape
        self._change = change
        self._own: dict[Id, Resource | None] = {}  # written otherwise; None: deleted
        self._shown: dict[Id, Resource] = {}
        self._unmade: set[str] = set()  # uids of Healings that the replay has not created
        self._unwritten: set[Version] = set()
        self._versions = 0

    def begin_cycle(self) -> None:
        """Notes what the recorded operator writes in this cycle: not shown before it is made."""
        for name, answer in self._tape.all_of("records"):
            for item in answer.items:
                if not isinstance(item, Resource) or by_name()[name].live:
                    continue
                self._unwritten.add(_version(item))
                if name == "records.create" and item.metadata.uid not in self._uids():
                    self._unmade.add(item.metadata.uid)

    def view(self, method: Method) -> Sequence[Any]:
        """Policies, Healings, the control: as recorded, but for what the replay did itself."""
        found = self._tape.view(method)
        if not all(isinstance(item, Resource) for item in found):
            return found
        shown = [s for item in found if (s := self._shown_for(item)) is not None]
        if method.attribute == "healings":
            here = {_id(item) for item in shown}
            shown += [
                i for i in self._own.values() if isinstance(i, Healing) and _id(i) not in here
            ]
        return shown

    def live(self, method: Method, key: str, item: Resource | None) -> Any:
        """One object read now; where that was not recorded, as the views have it."""
        answer = self._tape.answer(method, key)
        found = raised(answer) if answer else ()
        if item is None:
            control = (found or self._tape.peek("records.control") or (None,))[0]
            return None if control is None else self._shown_for(control)
        if found:
            shown = self._shown_for(found[0])
        elif isinstance(item, Healing) and _id(item) in self._own:
            shown = self._own[_id(item)]
        else:
            shown = self._current(self._shown.get(_id(item), item))
        if shown is None or shown.metadata.uid != item.metadata.uid:
            raise GoneError(f"{type(item).__name__} {item.metadata.name} is gone")
        return shown

    def write(self, method: Method, key: str, item: Resource) -> Any:
        """A write as it was recorded, or, where it was not, one that is kept here."""
        answer = self._tape.answer(method, key) if _id(item) not in self._own else None
        if answer is not None:
            for written in answer.items:
                if isinstance(written, Resource):
                    self._unwritten.discard(_version(written))
                    self._unmade.discard(written.metadata.uid)
                    self._shown[_id(written)] = written
            items = raised(answer)
            return items[0] if items else None
        if method.item is None:
            self._own[_id(item)] = None
            return None
        return self._create(item) if method.attribute == "create" else self._keep(item)

    # -- inside -------------------------------------------------------------------------------

    def _uids(self) -> set[str]:
        return {item.metadata.uid for item in self._shown.values()}

    def _shown_for(self, item: Resource) -> Resource | None:
        """What the replay sees where this was recorded; None: nothing."""
        key = _id(item)
        if key in self._own and isinstance(item, Healing):
            return self._own[key]
        if item.metadata.uid in self._unmade:
            return None
        if _version(item) in self._unwritten:
            last = self._shown.get(key)
            # Its status is the recorded operator's; its spec may be a person's.
            return self._with_spec(last, item) if last is not None else self._current(item)
        self._shown[key] = item
        return self._current(item)

    def _with_spec(self, last: Resource, item: Resource) -> Resource:
        update = {"spec": getattr(item, "spec", None)}
        return self._current(last.model_copy(update=update))

    def _current(self, item: Resource) -> Resource:
        """With the status that the replay gave it; a policy with the spec of the what-if."""
        own = self._own.get(_id(item))
        if own is not None and own.metadata.uid == item.metadata.uid:
            kept = {"status": getattr(own, "status", None), "metadata": own.metadata}
            item = item.model_copy(update=kept)
        return self._change(item) if isinstance(item, HealingPolicy) else item

    def _create(self, item: Resource) -> Resource:
        there = self._own.get(_id(item), self._shown.get(_id(item)))
        if there is not None and there.metadata.uid not in self._unmade:
            return there
        meta = item.metadata.model_copy(
            update={
                "uid": f"replayed-{item.metadata.name}",
                "generation": 1,
                "creation_timestamp": from_unix(self._tape.now()),
            }
        )
        return self._keep(item.model_copy(update={"metadata": meta}))

    def _keep(self, item: Resource) -> Resource:
        own = self._own.get(_id(item))
        if own is not None and _version(own) != _version(item):
            raise StaleError(f"{item.metadata.name} was written meanwhile")
        self._versions += 1
        meta = item.metadata.model_copy(update={"resource_version": f"replayed-{self._versions}"})
        kept = type(item).parse(item.model_copy(update={"metadata": meta}).to_wire())
        self._own[_id(item)] = kept
        return kept


def _id(item: Resource) -> Id:
    return type(item).__name__, item.metadata.namespace, item.metadata.name


def _version(item: Resource) -> Version:
    return item.metadata.uid, item.metadata.resource_version
