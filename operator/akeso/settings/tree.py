"""The fields. Flags win over `AKESO_*` variables, these over the settings file, that over defaults.

Each field's description gives unit, default's reason and effect; docs/reference and the schema of
the chart's values are generated from it.
"""

from __future__ import annotations

import os
from typing import Annotated, Any, Final, Literal, Self
from urllib.parse import urlsplit

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    WithJsonSchema,
    field_validator,
    model_validator,
)
from pydantic_settings import (
    BaseSettings,
    NoDecode,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
)

from akeso.settings.names import PREFIX, variable_of
from akeso.settings.sources import FileSource

# Holds from the next cycle on when the settings file changes; any other one needs a restart.
RELOADABLE: Final[dict[str, Any]] = {"reloadable": True}
# Renewing twice within the time the Lease is good for is the least that one lost write allows.
RENEWALS = 2
# What a share of two costs may be: below, noise would be acted on, above, nothing ever would.
LOWEST_BAR, HIGHEST_BAR = 0.05, 0.99


def _listed(value: object) -> object:
    """Variables and flags hold lists as text: `a,b`."""
    if isinstance(value, str):
        return tuple(part.strip() for part in value.split(",") if part.strip())
    return value


def _base_url(value: str | None) -> str | None:
    """A URL to append paths to. What is in it is read in logs, so no login is."""
    if value is None:
        return None
    try:
        parts = urlsplit(value)
        fine = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
    except ValueError:
        raise ValueError("must be a URL such as https://host:9090/prefix") from None
    if not fine or parts.query or parts.fragment or any(c.isspace() for c in value):
        raise ValueError("must be a URL such as https://host:9090/prefix")
    if parts.username is not None or parts.password is not None:
        raise ValueError("must not hold a user or password")
    return value


Seconds = Annotated[float, Field(gt=0, le=86_400)]
BaseUrl = Annotated[
    Annotated[
        str, WithJsonSchema({"type": "string", "pattern": r"^https?://[^/@\s?#]+(/[^\s?#]*)?$"})
    ]
    | None,
    AfterValidator(_base_url),
]
Name = Annotated[
    str, Field(min_length=1, max_length=63, pattern=r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$")
]
HealerName = Annotated[str, Field(min_length=1, max_length=63, pattern=r"^[A-Z][A-Za-z0-9]*$")]
Listed = BeforeValidator(_listed)


class Settings(BaseSettings):
    """What an installation may choose."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX, frozen=True, extra="ignore", hide_input_in_errors=True
    )

    settings_file: str | None = Field(
        default=None,
        description="Path of a YAML file with settings, each under its key; one that is wrong is "
        "an error. It is looked at again while Akeso runs. Unset: none.",
    )
    namespace: str = Field(
        default="akeso",
        description="Akeso's own namespace: its Lease and HealingControl live here.",
    )
    watch_namespaces: Annotated[tuple[Name, ...], NoDecode, Listed] = Field(
        default=(),
        max_length=100,
        description="Watch these namespaces only, with rights in them alone; empty: the whole "
        "cluster. How nodes are, and what they have left, can't be read then.",
    )
    healers: Annotated[tuple[HealerName, ...] | None, NoDecode, Listed] = Field(
        default=None,
        max_length=32,
        description="Healers that may act; the others never do. Unset: all there are; empty: none, "
        "so that Akeso only observes.",
        json_schema_extra=RELOADABLE,
    )
    kubeconfig: str | None = Field(
        default=None,
        description="Path of a kubeconfig; unset: in-cluster, then the usual KUBECONFIG.",
    )
    identity: str | None = Field(
        default=None,
        description="Holder of the Lease; unset: pod or host name with the process id.",
    )
    prometheus_url: BaseUrl = Field(
        default=None,
        description="Base URL of Prometheus; unset: metrics.k8s.io serves memory and CPU.",
    )
    prometheus_timeout_seconds: Seconds = Field(
        default=10.0,
        description="A query that takes longer counts as Prometheus being down.",
        json_schema_extra=RELOADABLE,
    )
    prometheus_ca_file: str | None = Field(
        default=None,
        description="Path of the CA certificates (PEM) that Prometheus's certificate is verified with; "
        "unset: those of the system. Read anew when it changes.",
    )
    prometheus_client_certificate_file: str | None = Field(
        default=None,
        description="Path of a client certificate (PEM), where Prometheus wants one.",
    )
    prometheus_client_key_file: str | None = Field(
        default=None, description="Path of that certificate's key (PEM)."
    )
    prometheus_token_file: str | None = Field(
        default=None,
        description="Path of a file with a bearer token for Prometheus. Read for every request, so "
        "that a rotated one holds at once.",
    )
    prometheus_username: str | None = Field(
        default=None,
        pattern=r"^[^:\s]+$",
        description="User for Prometheus (basic authentication), with `prometheus_password_file`.",
    )
    prometheus_password_file: str | None = Field(
        default=None,
        description="Path of a file with that user's password. Read for every request.",
    )
    prometheus_tenant: str | None = Field(
        default=None,
        pattern=r"^[!-~]+$",
        description="Tenant, sent as X-Scope-OrgID: Mimir, Cortex, and what stands before Thanos.",
    )
    alertmanager_url: BaseUrl = Field(
        default=None,
        description="Base URL of Alertmanager; unset: no signal can be an alert, and silences are "
        "not looked at. Set, but not answering: nothing is healed.",
    )
    alertmanager_timeout_seconds: Seconds = Field(
        default=10.0,
        description="An answer that takes longer counts as Alertmanager being down.",
        json_schema_extra=RELOADABLE,
    )
    alertmanager_watchdog: str | None = Field(
        default=None,
        description="Name of an alert that always fires, such as Watchdog in kube-prometheus. "
        "While it does not, alerts that are missing prove nothing and signals by alert have no "
        "data. Unset: an empty Alertmanager means that all is well.",
        json_schema_extra=RELOADABLE,
    )
    alertmanager_ca_file: str | None = Field(
        default=None,
        description="Path of the CA certificates (PEM) that Alertmanager's certificate is verified with; "
        "unset: those of the system. Read anew when it changes.",
    )
    alertmanager_client_certificate_file: str | None = Field(
        default=None,
        description="Path of a client certificate (PEM), where Alertmanager wants one.",
    )
    alertmanager_client_key_file: str | None = Field(
        default=None, description="Path of that certificate's key (PEM)."
    )
    alertmanager_token_file: str | None = Field(
        default=None,
        description="Path of a file with a bearer token for Alertmanager. Read for every request, so "
        "that a rotated one holds at once.",
    )
    alertmanager_username: str | None = Field(
        default=None,
        pattern=r"^[^:\s]+$",
        description="User for Alertmanager (basic authentication), with `alertmanager_password_file`.",
    )
    alertmanager_password_file: str | None = Field(
        default=None,
        description="Path of a file with that user's password. Read for every request.",
    )
    alertmanager_tenant: str | None = Field(
        default=None,
        pattern=r"^[!-~]+$",
        description="Tenant, sent as X-Scope-OrgID: Mimir, Cortex, and what stands before Thanos.",
    )
    scrape_interval_seconds: Seconds = Field(
        default=15.0,
        description="How often the metrics source takes samples. Three missed samples are stale.",
    )
    cycle_seconds: Seconds | None = Field(
        default=None, description="Length of one cycle; unset: the scrape interval."
    )
    memory_metric: str = Field(
        default="container_memory_working_set_bytes",
        pattern=r"^[a-zA-Z_:][a-zA-Z0-9_:]*$",
        description="Working set per container; labels namespace, pod, container.",
    )
    cpu_metric: str = Field(
        default="container_cpu_usage_seconds_total",
        pattern=r"^[a-zA-Z_:][a-zA-Z0-9_:]*$",
        description="CPU seconds used per container, a counter; labels namespace, pod, container.",
    )
    metric_matchers: str = Field(
        default="",
        description='Extra PromQL matchers for built-in queries, e.g. `job="kubelet"` where two '
        "endpoints export the same containers.",
    )
    error_ratio_query: str = Field(
        default='sum by (namespace, pod) (rate(http_requests_total{code=~"5.."}[30s]))'
        " / sum by (namespace, pod) (rate(http_requests_total[30s]))",
        description="Share of failed requests per pod (0..1) that RolloutFailing looks at where "
        "its signal names no query. No data: only pod states count.",
        json_schema_extra=RELOADABLE,
    )
    error_ratio: float = Field(
        default=0.05,
        gt=0,
        le=1,
        description="Above this share of failed requests a new pod is erroring.",
        json_schema_extra=RELOADABLE,
    )
    history_days: float = Field(
        default=14.0,
        ge=0,
        le=14,
        description="So many days of load (CPU, volumes, queries by workload) are read at start, a row per "
        "15 min, to know its daily and weekly cycles; two weeks show a weekly one twice. 0: none.",
    )
    fit_seconds: float = Field(
        default=0.0,
        ge=0,
        le=5,
        description="Where the days of a load leave it open whether its limit is passed, statsmodels' STL "
        "forecast is asked too, in a process of its own (200 MiB) that has a cycle and so many seconds "
        "for it. 0: never, since the ensemble alone is as good on most series.",
    )
    crash_loop_restarts: int = Field(
        default=3,
        ge=1,
        description="Restarts from which a container that the kubelet holds back is CrashLooping; "
        "fewer may have waited for something that came up a moment later.",
        json_schema_extra=RELOADABLE,
    )
    rollout_unready_seconds: Seconds = Field(
        default=30.0,
        description="A new pod may be unready this long (plus its readiness probe's own delay) "
        "before it counts as failing.",
        json_schema_extra=RELOADABLE,
    )
    rollout_blame_seconds: Seconds = Field(
        default=1_800.0,
        description="A rollout older than this is not blamed for a failure; well above usual "
        "rollout times, well below the time to the next outage of something else.",
    )
    pod_blame_seconds: Seconds = Field(
        default=180.0,
        description="A pod of the new revision that worked this long before it began to fail "
        "does not speak against the revision.",
        json_schema_extra=RELOADABLE,
    )
    revision_healthy_seconds: Seconds = Field(
        default=300.0,
        description="A revision whose pods were all ready and not erroring this long is "
        "remembered as healthy: Rollback returns only to such revisions.",
        json_schema_extra=RELOADABLE,
    )
    action_seconds: Seconds = Field(
        default=60.0,
        description="How long a healing usually takes; an alarm must come earlier than that.",
        json_schema_extra=RELOADABLE,
    )
    cost_of_acting: float = Field(
        default=0.8,
        gt=0,
        le=1e9,
        description="What a healing costs, needed or not, in whatever unit; only its ratio to "
        "`cost_of_failing` counts. A forecast is acted on from that probability on, 0.05 to 0.99, "
        "where the policy names none. 0.8 to 1: a needless restart costs less than an OOM kill, but "
        "is not free.",
        json_schema_extra=RELOADABLE,
    )
    cost_of_failing: float = Field(
        default=1.0,
        gt=0,
        le=1e9,
        description="What a failure costs that nobody prevents, in the unit of `cost_of_acting`.",
        json_schema_extra=RELOADABLE,
    )
    failures_per_day: int = Field(
        default=3,
        ge=1,
        description="A healer that failed this often on a target in 24 h is not retried.",
        json_schema_extra=RELOADABLE,
    )
    recurrences_per_day: int = Field(
        default=3,
        ge=1,
        description="From this many healings of one problem in 24 h a person is asked too.",
        json_schema_extra=RELOADABLE,
    )
    request_seconds: Seconds = Field(
        default=600.0,
        description="A healing that a person asked for and that no guard has allowed by then is "
        "given up: nobody expects it any more.",
        json_schema_extra=RELOADABLE,
    )
    calm_seconds: Seconds = Field(
        default=300.0,
        description="What was added for the time being (replicas) is taken back when its problem "
        "was not seen this long; longer than the lull between two waves of load.",
        json_schema_extra=RELOADABLE,
    )
    keep_finished: int = Field(
        default=200,
        ge=10,
        description="Finished Healings kept per namespace; older ones are pruned, but "
        "never within 24 h, which guards still need.",
        json_schema_extra=RELOADABLE,
    )
    lease_seconds: Seconds = Field(
        default=15.0, description="Leadership is lost this long after a renewal."
    )
    lease_renew_seconds: Seconds = Field(
        default=2.0,
        description="Renewal interval of the Lease, and how often a standby looks at it.",
    )
    webhook_url: str | None = Field(
        default=None,
        description="Where each finished Healing, and each that asks for a person, is told: an "
        "https (or, inside the cluster, http) URL. Unset: nobody is told.",
    )
    webhook_secret_file: str | None = Field(
        default=None,
        description="Path of a file with the secret that signs messages: `whsec_` and 24 to 64 "
        "bytes in base64; needed with `webhook_url`. Two lines, new and old secret, sign twice "
        "while receivers change over. Read for every message, so that a change holds at once.",
    )
    webhook_timeout_seconds: Seconds = Field(
        default=15.0,
        description="A receiver that takes longer is tried again.",
        json_schema_extra=RELOADABLE,
    )
    webhook_digest_above: int = Field(
        default=5,
        ge=1,
        description="When more than this many Healings wait to be told, one digest tells them.",
        json_schema_extra=RELOADABLE,
    )
    listen_host: str = Field(
        default="0.0.0.0", description="Address of the health and metrics endpoints."
    )
    listen_port: int = Field(
        default=8080,
        ge=0,
        le=65535,
        description="Port of /healthz, /readyz and /metrics; 0: any free one.",
    )
    record_path: str | None = Field(
        default=None,
        description="File that is written with all that is decided on, for `akeso simulate`; "
        "compressed where its name ends in .gz. Unset: none, since it holds your workloads' "
        "names, labels and metrics.",
    )
    record_max_mib: float = Field(
        default=64.0,
        gt=0,
        le=65_536,
        description="Size in MiB at which FILE becomes FILE.1 and a new part begins; 100 "
        "workloads take some hours to fill it, compressed some days.",
    )
    record_parts: int = Field(
        default=4,
        ge=1,
        le=1_000,
        description="How many parts are kept, the one being written included.",
    )
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = Field(
        default="INFO", description="Log level.", json_schema_extra=RELOADABLE
    )

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        file = _file(init_settings)
        if not file:
            return init_settings, env_settings
        known = [name for name in cls.model_fields if name != "settings_file"]
        return init_settings, env_settings, FileSource(settings_cls, file, known)

    @field_validator("*", mode="before")
    @classmethod
    def _no_truth(cls, value: object) -> object:
        """YAML's yes and no would be taken for the numbers 1 and 0."""
        if isinstance(value, bool):
            raise ValueError("must not be a truth value")  # noqa: TRY004  pydantic wants it
        return value

    @model_validator(mode="after")
    def _together(self) -> Self:
        """Rules over several settings; `<name>` is told as whoever set it calls it."""
        for server in ("prometheus", "alertmanager"):
            self._one_login(server)
        if self.lease_seconds < RENEWALS * self.lease_renew_seconds:
            raise ValueError(
                f"<lease_renew_seconds> ({self.lease_renew_seconds:g}) must be at most half of"
                f" <lease_seconds> ({self.lease_seconds:g}): one lost renewal must not end it"
            )
        if not LOWEST_BAR <= self.bar <= HIGHEST_BAR:
            raise ValueError(
                f"<cost_of_acting> ({self.cost_of_acting:g}) must be {LOWEST_BAR:g} to"
                f" {HIGHEST_BAR:g} times <cost_of_failing> ({self.cost_of_failing:g}): below, noise"
                " is acted on; above, nothing is"
            )
        return self

    def _one_login(self, server: str) -> None:
        def given(name: str) -> bool:
            return getattr(self, f"{server}_{name}") is not None

        for one, other in (
            ("username", "password_file"),
            ("client_certificate_file", "client_key_file"),
        ):
            for has, lacks in ((one, other), (other, one)):
                if given(has) and not given(lacks):
                    raise ValueError(f"<{server}_{has}> needs <{server}_{lacks}> beside it")
        if given("token_file") and given("username"):
            raise ValueError(
                f"<{server}_token_file> and <{server}_username> exclude each other: there is one login"
            )

    def enables(self, healer: str) -> bool:
        """Whether a healer may act at all here."""
        return self.healers is None or healer in self.healers

    @property
    def cycle(self) -> float:
        """Seconds between the starts of two cycles."""
        return self.cycle_seconds or self.scrape_interval_seconds

    @property
    def bar(self) -> float:
        """The probability from which a forecast is acted on where the policy names none."""
        return self.cost_of_acting / self.cost_of_failing

    @property
    def rate_seconds(self) -> float:
        """The window a rate of CPU use is taken over: four scrapes, so that one may be missed and
        the noise of a single one does not count."""
        return 4 * self.scrape_interval_seconds

    @property
    def stale_after(self) -> float:
        """Age in seconds from which a sample is stale: more than three missed scrapes."""
        return 3 * self.scrape_interval_seconds + self.cycle


def _file(init: PydanticBaseSettingsSource) -> str | None:
    """The settings file, which must be known before the other settings are."""
    untyped: Any = init
    given: dict[str, Any] = untyped.init_kwargs
    if "settings_file" in given:
        found = given["settings_file"]
        return None if found is None else str(found)
    wanted = variable_of("settings_file")
    return next((value for name, value in os.environ.items() if name.upper() == wanted), None)
