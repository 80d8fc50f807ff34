"""The one tree of settings. Flags, `AKESO_*` environment variables and defaults, in that order.

Each field's description gives unit, default's reason and effect; docs/reference is generated
from it.
"""

from __future__ import annotations

from typing import Annotated

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict

Seconds = Annotated[float, Field(gt=0, le=86_400)]


class Settings(BaseSettings):
    """What an installation may choose."""

    model_config = SettingsConfigDict(env_prefix="AKESO_", frozen=True, extra="ignore")

    namespace: str = Field(
        default="akeso",
        description="Akeso's own namespace: its Lease and HealingControl live here.",
    )
    watch_namespace: str | None = Field(
        default=None, description="Watch this one namespace only; unset: the whole cluster."
    )
    kubeconfig: str | None = Field(
        default=None,
        description="Path of a kubeconfig; unset: in-cluster, then the usual KUBECONFIG.",
    )
    identity: str | None = Field(
        default=None,
        description="Holder of the Lease; unset: pod or host name with the process id.",
    )
    prometheus_url: str | None = Field(
        default=None,
        description="Base URL of Prometheus; unset: metrics.k8s.io serves memory and CPU.",
    )
    prometheus_timeout_seconds: Seconds = Field(
        default=10.0, description="A query that takes longer counts as Prometheus being down."
    )
    alertmanager_url: str | None = Field(
        default=None,
        description="Base URL of Alertmanager; unset: no signal can be an alert, and silences are "
        "not looked at. Set, but not answering: nothing is healed.",
    )
    alertmanager_timeout_seconds: Seconds = Field(
        default=10.0, description="An answer that takes longer counts as Alertmanager being down."
    )
    alertmanager_watchdog: str | None = Field(
        default=None,
        description="Name of an alert that always fires, such as Watchdog in kube-prometheus. "
        "While it does not, alerts that are missing prove nothing and signals by alert have no "
        "data. Unset: an empty Alertmanager means that all is well.",
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
    )
    error_ratio: float = Field(
        default=0.05,
        gt=0,
        le=1,
        description="Above this share of failed requests a new pod is erroring.",
    )
    crash_loop_restarts: int = Field(
        default=3,
        ge=1,
        description="Restarts from which a container that the kubelet holds back is CrashLooping; "
        "fewer may have waited for something that came up a moment later.",
    )
    rollout_unready_seconds: Seconds = Field(
        default=30.0,
        description="A new pod may be unready this long (plus its readiness probe's own delay) "
        "before it counts as failing.",
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
    )
    revision_healthy_seconds: Seconds = Field(
        default=300.0,
        description="A revision whose pods were all ready and not erroring this long is "
        "remembered as healthy: Rollback returns only to such revisions.",
    )
    action_seconds: Seconds = Field(
        default=60.0,
        description="How long a healing usually takes; an alarm must come earlier than that.",
    )
    failures_per_day: int = Field(
        default=3,
        ge=1,
        description="A healer that failed this often on a target in 24 h is not retried.",
    )
    recurrences_per_day: int = Field(
        default=3,
        ge=1,
        description="From this many healings of one problem in 24 h a person is asked too.",
    )
    request_seconds: Seconds = Field(
        default=600.0,
        description="A healing that a person asked for and that no guard has allowed by then is "
        "given up: nobody expects it any more.",
    )
    calm_seconds: Seconds = Field(
        default=300.0,
        description="What was added for the time being (replicas) is taken back when its problem "
        "was not seen this long; longer than the lull between two waves of load.",
    )
    keep_finished: int = Field(
        default=200,
        ge=10,
        description="Finished Healings kept per namespace; older ones are pruned, but "
        "never within 24 h, which guards still need.",
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
        default=15.0, description="A receiver that takes longer is tried again."
    )
    webhook_digest_above: int = Field(
        default=5,
        ge=1,
        description="When more than this many Healings wait to be told, one digest tells them.",
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
    log_level: str = Field(
        default="INFO", pattern="^(DEBUG|INFO|WARNING|ERROR)$", description="Log level."
    )

    @property
    def cycle(self) -> float:
        """Seconds between the starts of two cycles."""
        return self.cycle_seconds or self.scrape_interval_seconds

    @property
    def rate_seconds(self) -> float:
        """The window a rate of CPU use is taken over: four scrapes, so that one may be missed and
        the noise of a single one does not count."""
        return 4 * self.scrape_interval_seconds

    @property
    def stale_after(self) -> float:
        """Age in seconds from which a sample is stale: more than three missed scrapes."""
        return 3 * self.scrape_interval_seconds + self.cycle
