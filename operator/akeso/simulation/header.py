"""The first line of a recording: what it is, when it began, and the settings that decide."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, cast

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from akeso.errors import PermanentError
from akeso.settings import Settings

FORMAT = 1
WHAT = "incident"
HOW = "Record one with: akeso operator --record-path FILE"
# Settings that change no decision, or that tell of the connection to the cluster.
LEFT_OUT = frozenset(
    {
        "settings_file",
        "kubeconfig",
        "identity",
        "prometheus_url",
        "prometheus_timeout_seconds",
        "prometheus_ca_file",
        "prometheus_client_certificate_file",
        "prometheus_client_key_file",
        "prometheus_token_file",
        "prometheus_username",
        "prometheus_password_file",
        "prometheus_tenant",
        "alertmanager_ca_file",
        "alertmanager_client_certificate_file",
        "alertmanager_client_key_file",
        "alertmanager_token_file",
        "alertmanager_username",
        "alertmanager_password_file",
        "alertmanager_tenant",
        "alertmanager_url",
        "alertmanager_timeout_seconds",
        "lease_seconds",
        "lease_renew_seconds",
        "listen_host",
        "listen_port",
        "log_level",
        "record_path",
        "record_max_mib",
        "record_parts",
        "webhook_url",
        "webhook_secret_file",
        "webhook_timeout_seconds",
        "webhook_digest_above",
    }
)
RECORDED = frozenset(
    {
        "namespace",
        "watch_namespaces",
        "healers",
        "alertmanager_watchdog",
        "scrape_interval_seconds",
        "cycle_seconds",
        "memory_metric",
        "cpu_metric",
        "metric_matchers",
        "error_ratio_query",
        "error_ratio",
        "crash_loop_restarts",
        "history_days",
        "fit_seconds",
        "rollout_unready_seconds",
        "rollout_blame_seconds",
        "pod_blame_seconds",
        "revision_healthy_seconds",
        "action_seconds",
        "cost_of_acting",
        "cost_of_failing",
        "failures_per_day",
        "recurrences_per_day",
        "request_seconds",
        "calm_seconds",
        "keep_finished",
    }
)


class Header(BaseModel):
    """`run` names one life of an operator, `part` counts the files it wrote; `began` is the Unix
    time of this part. `absent` are ports that the operator had not."""

    model_config = ConfigDict(frozen=True)

    akeso: str = WHAT
    format: int = FORMAT
    version: str
    run: str
    part: int = Field(ge=1)
    began: float
    absent: tuple[str, ...] = ()
    settings: dict[str, Any]

    def line(self) -> str:
        return self.model_dump_json()

    def settings_again(self) -> Settings:
        """The settings it was recorded with, whatever the environment says now."""
        defaults = {name: field.default for name, field in Settings.model_fields.items()}
        return Settings.model_validate({**defaults, **self.settings})


def settings_out(settings: Settings) -> dict[str, Any]:
    """What of the settings is recorded."""
    return settings.model_dump(mode="json", include=set(RECORDED))


def parse(line: str, file: str) -> Header:
    """PermanentError says what the file is instead, and what to do."""
    try:
        raw: Any = json.loads(line)
    except ValueError:
        raise PermanentError(f"{file} is not a recorded incident: {_shown(line)}. {HOW}") from None
    if not isinstance(raw, dict) or "akeso" not in raw:
        raise PermanentError(f"{file} is not a recorded incident: {_found(raw)}. {HOW}")
    fields = cast(dict[str, Any], raw)
    number = fields.get("format")
    if isinstance(number, int) and number > FORMAT:
        raise PermanentError(
            f"{file} has format {number}, written by Akeso {fields.get('version', '?')}; this one"
            f" reads up to format {FORMAT}. Use that version, or a newer one."
        )
    try:
        header = Header.model_validate(raw)
        header.settings_again()
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = ".".join(map(str, first["loc"])) or "header"
        raise PermanentError(f"{file}, line 1, is damaged: {where}: {first['msg']}.") from None
    if header.akeso != WHAT or header.format != FORMAT:
        raise PermanentError(f"{file} is not a recorded incident: {_found(raw)}. {HOW}")
    return header


def _shown(line: str) -> str:
    start = "".join(c if c.isprintable() else "?" for c in line[:40].strip())
    return f"it begins with {start!r}" if start else "it is empty"


def _found(raw: Any) -> str:
    if isinstance(raw, Mapping) and "kind" in raw:
        return f"it holds a {raw['kind']}"
    return "its first line is not the header of one"
