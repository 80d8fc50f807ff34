"""What passed through the proxy: one record per request, and which requests count as writes."""

import json
import re
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, unquote_plus

MUTATING_METHODS = frozenset({"POST", "PUT", "PATCH", "DELETE"})
VERBS = frozenset({"get", "list", "watch", "write", "bookkeeping", "query"})

# https://kubernetes.io/docs/reference/access-authn-authz/: these answer a question, store nothing.
REVIEW_GROUPS = frozenset({"authorization.k8s.io", "authentication.k8s.io"})
EVENT_GROUPS = frozenset({"", "events.k8s.io"})

# https://prometheus.io/docs/prometheus/latest/querying/api/: none is a Kubernetes core resource.
PROMETHEUS_PATH = re.compile(
    r"^/api/v1/(query|query_range|query_exemplars|format_query|parse_query|series|labels|label"
    r"|targets|rules|alerts|alertmanagers|metadata|status)(/|$)"
)


@dataclass(frozen=True, slots=True)
class Target:
    """The Kubernetes resource that a path names; absent parts are empty strings."""

    group: str
    version: str
    resource: str
    namespace: str = ""
    name: str = ""
    subresource: str = ""

    @classmethod
    def parse(cls, path: str) -> "Target | None":
        """Read `/api/v1/...` and `/apis/<group>/<version>/...`; None for any other path."""
        parts = [part for part in path.split("/") if part]
        if parts[:1] == ["api"] and len(parts) >= 3:
            group, version, rest = "", parts[1], parts[2:]
        elif parts[:1] == ["apis"] and len(parts) >= 4:
            group, version, rest = parts[1], parts[2], parts[3:]
        else:
            return None
        namespace = ""
        if rest[0] == "namespaces" and len(rest) >= 3 and rest[2] not in {"status", "finalize"}:
            namespace, rest = rest[1], rest[2:]
        resource, name, subresource = (*rest, "", "")[:3]
        return cls(group, version, resource, namespace, name, subresource)


@dataclass(slots=True, kw_only=True, eq=False)
class RequestRecord:
    """One request that reached the proxy, filled in while it is answered.

    Tests assert on these. Request headers are not kept, so no credential ends up in a record.
    """

    method: str
    path: str
    """Decoded, without the query."""
    query: str = ""
    """As sent, still percent-encoded."""
    user_agent: str = ""
    body: bytes = b""
    """The request body; kept for methods that mutate and for queries sent as a form."""
    started: float = 0.0
    """Seconds since the epoch, from the proxy's clock."""
    seconds: float | None = None
    """How long the exchange took; None while it is open."""
    target: Target | None = None
    verb: str = "get"
    write_index: int | None = None
    """1 for the first counted write that reached the proxy; None for everything else."""
    forwarded: bool = False
    """True once the upstream may have seen the request."""
    upstream_status: int | None = None
    """What the upstream answered; None if it never did."""
    status: int | None = None
    """What the client was sent; None if it was cut off before a status line."""
    response_bytes: int = 0
    faults: list[str] = field(default_factory=list[str])
    """Names of the faults that applied, in order."""
    error: str = ""

    def __post_init__(self) -> None:
        self.target = Target.parse(self.path)
        self.verb = verb_of(self)

    @property
    def committed(self) -> bool:
        """True if the upstream accepted it, whatever the client was told."""
        return self.upstream_status is not None and 200 <= self.upstream_status < 300

    @property
    def readable_query(self) -> str:
        """The query string, and the body of a form, decoded: what `Match.query` searches."""
        form = self.body.decode(errors="replace") if self.verb == "query" else ""
        return unquote_plus("&".join(part for part in (self.query, form) if part))

    @property
    def reviews(self) -> bool:
        """True for a question that is asked with POST: it stores nothing."""
        return self.target is not None and self.target.group in REVIEW_GROUPS

    def json(self) -> Any:
        """The request body as parsed JSON; ValueError if it is none."""
        return json.loads(self.body)


def verb_of(record: RequestRecord) -> str:
    """Sort a request into `get list watch write bookkeeping query`; see docs/fault-proxy.md."""
    if PROMETHEUS_PATH.match(record.path):
        return "query"
    if record.method in MUTATING_METHODS:
        return "write" if counts_as_write(record) else "bookkeeping"
    if parse_qs(record.query).get("watch", ["false"])[-1] in {"true", "1"}:
        return "watch"
    is_collection = record.target is not None and not record.target.name
    return "list" if is_collection else "get"


def counts_as_write(record: RequestRecord) -> bool:
    """Whether a request is one of the writes that `Crash` counts and `proxy.writes` lists.

    Every POST, PUT, PATCH and DELETE is, except those that leave no trace on the cluster's
    workloads: leases (leader election), events, access and token reviews, service-account
    tokens, dry runs, and Prometheus queries sent with POST.
    """
    if record.method not in MUTATING_METHODS or PROMETHEUS_PATH.match(record.path):
        return False
    if parse_qs(record.query).get("dryRun"):
        return False
    target = record.target
    if target is None:
        return True
    is_lease = (target.group, target.resource) == ("coordination.k8s.io", "leases")
    is_event = target.group in EVENT_GROUPS and target.resource == "events"
    is_token = (target.resource, target.subresource) == ("serviceaccounts", "token")
    return not (is_lease or is_event or is_token or record.reviews)
