"""Structured logs: one JSON object per line on standard error, decisions on their own logger."""

from __future__ import annotations

import json
import logging
import sys
from datetime import UTC, datetime
from typing import Any

from akeso.domain.finding import Decision

LEVELS = logging.getLevelNamesMapping()
DECISIONS = logging.getLogger("akeso.decisions")


class JsonFormatter(logging.Formatter):
    """`ts`, `level`, `logger`, `message`, and what the record carries under `fields`."""

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, Any] = {
            "ts": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        line.update(getattr(record, "fields", {}))
        if record.exc_info:
            line["error"] = self.formatException(record.exc_info)
        return json.dumps(line, ensure_ascii=False, default=str)


def configure(level: str) -> None:
    """Sends everything to standard error as JSON lines, from `level` upwards."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonFormatter())
    logging.basicConfig(level=level, handlers=[handler], force=True)
    logging.getLogger("kopf").setLevel(max(logging.WARNING, LEVELS[level]))
    logging.getLogger("aiohttp.access").setLevel(logging.WARNING)


def decision_line(decision: Decision) -> dict[str, str]:
    """The documented fields of a decision's log line (docs/operations.md)."""
    target = decision.target
    return {
        "decision": decision.what,
        "reason": decision.reason,
        "at": datetime.fromtimestamp(decision.at, UTC).isoformat(timespec="milliseconds"),
        "kind": target.kind.value,
        "namespace": target.namespace,
        "name": target.name,
        "uid": target.uid,
        "signal": decision.signal,
        "policy": decision.policy,
        "healing": decision.healing,
        "healer": decision.healer,
    }


def log_decision(decision: Decision) -> None:
    """One line per decision, which outlives the Healing object."""
    DECISIONS.info(decision.message, extra={"fields": decision_line(decision)})
