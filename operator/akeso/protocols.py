"""What the engine needs from outside, as ports. Adapters live in `akeso.clients`.

Every method may raise the errors of `akeso.errors` and no others.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol

from akeso.domain.action import Action, Effect, Plan
from akeso.domain.alert import Alert, Silence
from akeso.domain.capacity import Capacity
from akeso.domain.finding import Decision, Finding
from akeso.domain.forecast import Forecast, Sample, SeriesKey
from akeso.domain.node import Nodes
from akeso.domain.verdict import Verdict
from akeso.domain.workload import Kind, Snapshot, WorkloadRef


class Clock(Protocol):
    """Time as an argument: Unix seconds, and waiting."""

    def now(self) -> float: ...

    async def sleep(self, seconds: float) -> None: ...


@dataclass(frozen=True, slots=True)
class HealerContext:
    """What a healer may know beside the finding and the snapshot.

    `min_available` pods must stay ready throughout; `healthy` are revisions of this workload that
    were seen healthy, newest first; `manager` is the field manager of our writes. `owed` are the
    restoring actions that earlier healings of this workload still owe, oldest first: what they
    lead back to is the user's own state. `max_replicas` is the rung's: how many a workload may be
    given (None: not said); `horizon` is how far the signal looks ahead, in seconds.
    `forecasts` are those of its containers; `ceiling` is the rung's: bytes up to which a memory
    limit may be raised (None: not given).
    """

    min_available: int
    healthy: tuple[str, ...]
    manager: str
    owed: tuple[Action, ...] = ()
    max_replicas: int | None = None
    horizon: float = 0.0
    forecasts: Mapping[SeriesKey, Forecast] = field(
        default_factory=lambda: dict[SeriesKey, Forecast]()
    )
    ceiling: float | None = None


class Healer(Protocol):
    """One routine. Pure: it reads a Snapshot and returns values.

    `diagnose` says whether the routine fits this finding on this target (its own preconditions);
    `plan` is only called where it does. A `proposed` routine is told to people in place of being
    carried out, unless the rung, or a person's request, names it and says otherwise.
    """

    @property
    def name(self) -> str: ...

    @property
    def effect(self) -> Effect: ...

    @property
    def kinds(self) -> frozenset[Kind]: ...

    @property
    def proposed(self) -> bool: ...

    def diagnose(self, finding: Finding, seen: Snapshot, context: HealerContext) -> Verdict: ...

    def plan(self, finding: Finding, seen: Snapshot, context: HealerContext) -> Plan: ...


class Predictor(Protocol):
    """Keeps series and says when they will cross their limits (see `akeso_predictors`)."""

    def ingest(self, samples: Iterable[Sample]) -> None: ...

    def remember(self, samples: Iterable[Sample]) -> None: ...

    def belong(self, groups: Mapping[SeriesKey, str]) -> None:
        """Series that begin now, and what they have in common with others: what those did they may do."""
        ...

    async def settled(self) -> None:
        """Wait for what is computed elsewhere for the next evaluation."""
        ...

    def evaluate(
        self,
        now: float,
        horizon: Mapping[SeriesKey, float] | float,
        threshold: Mapping[SeriesKey, float] | float | None = None,
        acted_on: Collection[SeriesKey] = (),
    ) -> dict[SeriesKey, Forecast]:
        """Nothing is learned of series whose alarms are `acted_on`."""
        ...

    def peek(self, key: SeriesKey, now: float, horizon: float) -> Forecast: ...

    def mark_action(self, key: SeriesKey, now: float) -> None: ...

    def mark_reached(self, key: SeriesKey, time: float) -> None:
        """The limit was reached though no sample shows it: the container was OOM-killed."""
        ...

    @property
    def learned(self) -> str:
        """What outcomes have taught it, as text; empty: nothing yet."""
        ...

    def learn_from(self, text: str) -> None:
        """Go on from that. PermanentError says what is wrong with the text."""
        ...

    @property
    def matured(self) -> Mapping[tuple[str, str], int]:
        """How many claims have matured, by class of metric and by what became of them."""
        ...

    def forget(self, keys: Iterable[SeriesKey]) -> None: ...


class Usage(NamedTuple):
    """What one container uses at its own sample time (Unix seconds): its memory working set in
    bytes, or CPU in cores."""

    namespace: str
    pod: str
    container: str
    time: float
    value: float


@dataclass(frozen=True, slots=True)
class Reading:
    """One series of a query's result: its labels, evaluation time (Unix seconds) and value."""

    labels: Mapping[str, str]
    time: float
    value: float


class MetricSource(Protocol):
    """Prometheus, or the metrics API where there is none."""

    @property
    def kind(self) -> str:
        """`Prometheus` or `MetricsAPI`."""
        ...

    async def memory(self) -> Sequence[Usage]:
        """The last few samples of every container, one request."""
        ...

    async def memory_history(self, start: float, end: float) -> Sequence[Usage]:
        """Older samples to refill the rings; empty where the source keeps none."""
        ...

    async def cpu(self) -> Sequence[Usage]:
        """The CPU use of every container of late, one row each, one request."""
        ...

    async def cpu_history(self, start: float, end: float, step: float) -> Sequence[Usage]:
        """CPU use from `start` to `end`; empty where the source keeps none."""
        ...

    async def evaluate(self, query: str) -> Sequence[Reading]:
        """One instant query. PermanentError for a wrong query or a source without queries."""
        ...

    async def evaluate_range(
        self, query: str, start: float, end: float, step: float
    ) -> Sequence[Sequence[Reading]]:
        """One range query: per series its readings, oldest first."""
        ...


class AlertSource(Protocol):
    """Alertmanager: what fires, and what people want left in peace."""

    async def alerts(self) -> Sequence[Alert]:
        """Every alert that fires, suppressed ones too, one request."""
        ...

    async def silences(self) -> Sequence[Silence]:
        """Every silence that holds now, one request."""
        ...


class Cluster(Protocol):
    """The users' workloads: read from informers, read live, written with preconditions."""

    def snapshots(self) -> Iterable[Snapshot]:
        """Every workload the informers know."""
        ...

    def age(self, now: float) -> float:
        """Seconds since the least fresh informer last heard from the API server."""
        ...

    async def live(self, ref: WorkloadRef) -> Snapshot:
        """Reads one workload now. GoneError when it is gone or another carries its name."""
        ...

    async def capacity(self, seen: Snapshot, nodes: Collection[str] | None = None) -> Capacity:
        """Reads now what room there is for more of a workload, on these nodes (None: on all).

        What may not be read is None in it. TransientError when the API server does not answer.
        """
        ...

    async def nodes(self, names: Collection[str]) -> Nodes:
        """Reads now how these nodes are; those that are gone are left out.

        Where they may not be read it says so. TransientError when the API server does not answer.
        """
        ...

    async def perform(self, action: Action, seen: Snapshot) -> None:
        """One write, on exactly the object that `seen` shows.

        StaleError when the world has moved on, BlockedError when a budget refuses,
        PermanentError when rights are missing or the object is invalid.
        """
        ...


class Notifier(Protocol):
    """Told about every decision; never lets a failure of its own reach the engine."""

    async def notify(self, decision: Decision) -> None: ...


@dataclass(frozen=True, slots=True)
class Message:
    """What one webhook carries. The same `id` is the same message, however often it arrives.

    `body` is JSON; `id` has no full stop.
    """

    id: str
    body: Mapping[str, object]


class Channel(Protocol):
    """Where people's own systems are told."""

    async def deliver(self, message: Message) -> None:
        """Returns once it is taken. PermanentError: it never will be; TransientError: try again."""
        ...
