"""Faults for Prometheus' query API: answers that are well-formed and useless, or an error.

Shapes: https://prometheus.io/docs/prometheus/latest/querying/api/#expression-query-result-formats
"""

import json
from abc import abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from multidict import CIMultiDict

from akeso_lab.proxy.exchange import Exchange, Forward, Reply, RequestFault
from akeso_lab.proxy.match import Match

QUERIES = Match(path=r"^/api/v1/query(_range)?$")

Sample = list[Any]
"""`[seconds since the epoch, "value"]`."""


def series_of(answer: dict[str, Any]) -> list[dict[str, Any]]:
    """The series of a vector or matrix; none for other shapes."""
    data: dict[str, Any] = answer["data"]
    return data["result"] if data["resultType"] in {"vector", "matrix"} else []


def map_samples(answer: dict[str, Any], change: Callable[[Sample], Sample]) -> None:
    """Change each sample of a vector, matrix or scalar in place; other shapes stay."""
    data: dict[str, Any] = answer["data"]
    if data["resultType"] == "scalar":
        data["result"] = change(data["result"])
    for series in series_of(answer):
        if "value" in series:
            series["value"] = change(series["value"])
        if "values" in series:
            series["values"] = [change(sample) for sample in series["values"]]


@dataclass(frozen=True, kw_only=True)
class PrometheusRewrite(RequestFault):
    """Rewrites the JSON of successful query answers; errors pass unchanged."""

    match: Match = QUERIES

    @abstractmethod
    def rewrite(self, answer: dict[str, Any]) -> None:
        """Change the parsed answer in place."""

    async def around(self, exchange: Exchange, forward: Forward) -> Reply:
        """Forward, then rewrite."""
        exchange.ask_for_plain_body()
        reply = await forward()
        body = await reply.read()
        if reply.status == 200:
            answer: dict[str, Any] = json.loads(body)
            self.rewrite(answer)
            reply.replace_body(json.dumps(answer).encode())
        return reply


@dataclass(frozen=True, kw_only=True)
class PrometheusEmpty(PrometheusRewrite):
    """Success with no series at all."""

    def rewrite(self, answer: dict[str, Any]) -> None:
        """Empty vectors and matrices; a scalar cannot be empty and stays."""
        if series_of(answer):
            answer["data"]["result"] = []


@dataclass(frozen=True, kw_only=True)
class PrometheusValues(PrometheusRewrite):
    """Every sample has this value: `NaN`, `+Inf`, `-Inf` or a number."""

    value: str = "NaN"

    def rewrite(self, answer: dict[str, Any]) -> None:
        """Keep the timestamps, replace the values."""
        map_samples(answer, lambda sample: [sample[0], self.value])


@dataclass(frozen=True, kw_only=True)
class PrometheusLate(PrometheusRewrite):
    """Every sample is `seconds` older than it was (newer if negative)."""

    seconds: float = 3600.0

    def rewrite(self, answer: dict[str, Any]) -> None:
        """Keep the values, move the timestamps."""
        map_samples(answer, lambda sample: [sample[0] - self.seconds, sample[1]])


@dataclass(frozen=True, kw_only=True)
class PrometheusDuplicates(PrometheusRewrite):
    """Every sample of a matrix and every series of the result comes twice."""

    def rewrite(self, answer: dict[str, Any]) -> None:
        """Double both levels, neighbours staying neighbours."""
        every = series_of(answer)
        for series in every:
            if "values" in series:
                series["values"] = [sample for sample in series["values"] for _ in range(2)]
        if every:
            answer["data"]["result"] = [series for series in every for _ in range(2)]


@dataclass(frozen=True, kw_only=True)
class PrometheusWarnings(PrometheusRewrite):
    """The right answer with warnings attached, as Prometheus does for partial results."""

    warnings: tuple[str, ...] = ("fault proxy: results may be incomplete",)

    def rewrite(self, answer: dict[str, Any]) -> None:
        """Add to the warnings that are there."""
        answer["warnings"] = [*answer.get("warnings", []), *self.warnings]


@dataclass(frozen=True, kw_only=True)
class PrometheusRelabel(PrometheusRewrite):
    """One label of every series has another value, as pods have after a rollout."""

    label: str = "pod"
    value: str = "renamed"

    def rewrite(self, answer: dict[str, Any]) -> None:
        """Change the label where a series has it."""
        for series in series_of(answer):
            if self.label in series["metric"]:
                series["metric"][self.label] = self.value


@dataclass(frozen=True, kw_only=True)
class PrometheusError(RequestFault):
    """An error in Prometheus' own format; nothing reaches the upstream."""

    match: Match = QUERIES
    status: int = 503
    error_type: str = "timeout"
    message: str = "fault proxy: query timed out"

    async def around(self, exchange: Exchange, forward: Forward) -> Reply:
        """Refuse."""
        body = {"status": "error", "errorType": self.error_type, "error": self.message}
        headers = CIMultiDict({"Content-Type": "application/json"})
        return Reply(status=self.status, headers=headers, body=json.dumps(body).encode())
