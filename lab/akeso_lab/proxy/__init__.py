"""The fault proxy: everything that can go wrong on the way to the API server or Prometheus.

It stands on loopback between a client and its server. With no fault armed it is transparent;
each fault is a frozen dataclass with a rule that says when it strikes. docs/fault-proxy.md is
the guide.
"""

from akeso_lab.proxy.command import proxy_main
from akeso_lab.proxy.exchange import Armed, EventFault, Fault, RequestFault
from akeso_lab.proxy.faults import (
    Crash,
    Cut,
    Delay,
    GarbageBody,
    LoseResponse,
    Reject,
    Swallow,
    WatchError,
)
from akeso_lab.proxy.match import Match
from akeso_lab.proxy.prometheus import (
    PrometheusDuplicates,
    PrometheusEmpty,
    PrometheusError,
    PrometheusLate,
    PrometheusRelabel,
    PrometheusRewrite,
    PrometheusValues,
    PrometheusWarnings,
)
from akeso_lab.proxy.server import FaultProxy
from akeso_lab.proxy.stale import Stale
from akeso_lab.proxy.traffic import RequestRecord, Target, counts_as_write
from akeso_lab.proxy.upstream import Listen, Upstream
from akeso_lab.proxy.watch_faults import (
    DelayEvent,
    DropEvent,
    DuplicateEvent,
    ErrorEvent,
    GarbageEvent,
    ReplayEvents,
    SwapEvents,
)

__all__ = [
    "Armed",
    "Crash",
    "Cut",
    "Delay",
    "DelayEvent",
    "DropEvent",
    "DuplicateEvent",
    "ErrorEvent",
    "EventFault",
    "Fault",
    "FaultProxy",
    "GarbageBody",
    "GarbageEvent",
    "Listen",
    "LoseResponse",
    "Match",
    "PrometheusDuplicates",
    "PrometheusEmpty",
    "PrometheusError",
    "PrometheusLate",
    "PrometheusRelabel",
    "PrometheusRewrite",
    "PrometheusValues",
    "PrometheusWarnings",
    "Reject",
    "ReplayEvents",
    "RequestFault",
    "RequestRecord",
    "Stale",
    "Swallow",
    "SwapEvents",
    "Target",
    "Upstream",
    "WatchError",
    "counts_as_write",
    "proxy_main",
]
