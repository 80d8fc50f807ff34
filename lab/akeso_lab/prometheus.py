"""Prometheus' configuration: the node, annotated pods, and what tests add while it runs."""

from __future__ import annotations

from typing import Any

import yaml

from akeso_lab.parts import Tier
from akeso_lab.plan import Plan
from akeso_lab.processes import Process, Supervisor

_META = "__meta_kubernetes_"


def start_prometheus(plan: Plan, supervisor: Supervisor) -> Process:
    for folder in ("scrape.d", "rules.d"):
        (plan.state / folder).mkdir(exist_ok=True)
    config = plan.state / "prometheus.yaml"
    config.write_text(yaml.safe_dump(configuration(plan), sort_keys=False))
    return supervisor.start(
        "prometheus",
        [
            plan.bin / "prometheus",
            f"--config.file={config}",
            f"--storage.tsdb.path={plan.state / 'prometheus'}",
            f"--web.listen-address=127.0.0.1:{plan.ports['prometheus']}",
            "--web.enable-lifecycle",
            "--storage.tsdb.retention.time=2d",
            # A target that a test adds should be scraped at once, not after the default 5 s.
            "--scrape.discovery-reload-interval=1s",
            "--log.level=warn",
        ],
    )


def configuration(plan: Plan) -> dict[str, Any]:
    interval = plan.scrape_interval_seconds
    jobs = [_added_targets(plan)]
    if plan.tier is Tier.NODE:
        jobs += [
            _kubelet(plan, "/metrics/resource"),
            _cadvisor(plan),
            _volumes(plan),
            _annotated_pods(plan),
        ]
    return {
        "global": {
            "scrape_interval": f"{interval}s",
            "scrape_timeout": f"{interval}s",
            "evaluation_interval": f"{interval}s",
        },
        "rule_files": [str(plan.state / "rules.d" / "*.yaml")],
        "alerting": {"alertmanagers": [_alertmanager(plan)]},
        "scrape_config_files": [str(plan.state / "scrape.d" / "*.yaml")],
        "scrape_configs": jobs,
    }


def _alertmanager(plan: Plan) -> dict[str, Any]:
    return {"static_configs": [{"targets": [f"127.0.0.1:{plan.ports['alertmanager']}"]}]}


def _added_targets(plan: Plan) -> dict[str, Any]:
    """Files that appear in scrape.d/ while Prometheus runs; it watches the folder."""
    return {
        "job_name": "added",
        # A target may stand in for a kubelet: its own namespace and pod labels win.
        "honor_labels": True,
        "file_sd_configs": [
            {"files": [str(plan.state / "scrape.d" / "*.json")], "refresh_interval": "5s"}
        ],
    }


def _kubelet(plan: Plan, path: str, job: str = "kubelet-resource") -> dict[str, Any]:
    certificates = plan.certificates
    return {
        "job_name": job,
        "scheme": "https",
        "metrics_path": path,
        "honor_labels": True,
        "tls_config": {
            "ca_file": str(certificates / "ca.crt"),
            "cert_file": str(certificates / "admin.crt"),
            "key_file": str(certificates / "admin.key"),
        },
        "static_configs": [
            {"targets": [f"{plan.addresses.node}:10250"], "labels": {"node": plan.node_name}}
        ],
    }


def _cadvisor(plan: Plan) -> dict[str, Any]:
    """For OOM events and limits only: the resource endpoint already has CPU and memory, read
    afresh on every scrape, and a series under two jobs would be ambiguous."""
    job = _kubelet(plan, "/metrics/cadvisor", "kubelet-cadvisor")
    kept = "container_oom_events_total|container_spec_memory_limit_bytes|container_cpu_cfs_.*"
    return job | {
        "metric_relabel_configs": [
            {"source_labels": ["__name__"], "regex": kept, "action": "keep"},
            {"source_labels": ["container"], "regex": ".+", "action": "keep"},
        ]
    }


def _volumes(plan: Plan) -> dict[str, Any]:
    job = _kubelet(plan, "/metrics", "kubelet-volumes")
    kept = {"source_labels": ["__name__"], "regex": "kubelet_volume_stats_.*", "action": "keep"}
    return job | {"metric_relabel_configs": [kept]}


def _annotated_pods(plan: Plan) -> dict[str, Any]:
    """The annotations and label names that the common Prometheus set-ups share."""
    annotation = f"{_META}pod_annotation_prometheus_io"
    discovery = {"role": "pod", "kubeconfig_file": str(plan.kubeconfig_of("prometheus"))}
    return {
        "job_name": "pods",
        "kubernetes_sd_configs": [discovery],
        "relabel_configs": [
            _keep(f"{annotation}_scrape", "true"),
            _keep(f"{_META}pod_phase", "Running"),
            # kwok's pods have addresses that nobody listens on.
            _keep(f"{_META}pod_node_name", plan.node_name),
            _copy(f"{annotation}_path", "__metrics_path__"),
            {
                "source_labels": ["__address__", f"{annotation}_port"],
                "regex": r"([^:]+)(?::\d+)?;(\d+)",
                "replacement": "$1:$2",
                "target_label": "__address__",
            },
            _copy(f"{_META}namespace", "namespace"),
            _copy(f"{_META}pod_name", "pod"),
            _copy(f"{_META}pod_container_name", "container"),
        ],
    }


def _keep(label: str, value: str) -> dict[str, Any]:
    return {"source_labels": [label], "regex": value, "action": "keep"}


def _copy(label: str, to: str) -> dict[str, Any]:
    return {"source_labels": [label], "regex": "(.+)", "target_label": to}
