"""Records series.csv from a lab's real kubelet, Prometheus and API server (ten minutes).

PYTHONPATH=lab:tests AKESO_TEST_LAB=NAME python tests/data/recorded/record.py
with a lab of the node tier running under that name.
"""

from __future__ import annotations

import csv
import json
import os
import subprocess
import sys
import time
import urllib.parse
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from akeso_lab import Lab, Tier, up
from node.scene import deployment

HERE, NAMESPACE, SECONDS = Path(__file__).parent, "recorded", 560
MIB, INODES = 48, 3000

# What the signals ask, in percent (errors: a share), by class.
_BY = "by (namespace, pod)"
_PERIODS = 'container_cpu_cfs_{}periods_total{{container!="",namespace="recorded"}}[1m]'
QUERIES = {
    "throttling": f"100 * sum {_BY} (increase({_PERIODS.format('throttled_')}))"
    f" / (sum {_BY} (increase({_PERIODS.format('')})) > 0)",
    "volume": "max by (namespace, persistentvolumeclaim) (100 - 100"
    " * kubelet_volume_stats_available_bytes / kubelet_volume_stats_capacity_bytes)",
    "inodes": "max by (namespace, persistentvolumeclaim) (100 - 100"
    " * kubelet_volume_stats_inodes_free / kubelet_volume_stats_inodes)",
    "connections": f"100 * max {_BY} (process_open_fds / process_max_fds)",
    "errors": f'sum {_BY} (rate(http_requests_total{{code=~"5.."}}[30s]))'
    f" / sum {_BY} (rate(http_requests_total[30s]))",
}
WANTED = {
    "throttling": "throttled",
    "connections": "leaking",
    "errors": "erring",
}


def main() -> int:
    lab = up(os.environ["AKESO_TEST_LAB"], Tier.NODE)
    folder = lab.state / "recorded-volume"
    folder.mkdir(exist_ok=True)
    node = _mounted(lab, folder)
    lab.kubectl("create", "namespace", NAMESPACE)
    lab.apply(*_objects(lab, str(folder)))
    began, replicas = time.time(), list[tuple[float, str, float]]()
    while (passed := time.time() - began) < SECONDS:
        _fill(node, str(folder), passed / SECONDS)
        scaler = json.loads(lab.kubectl("-n", NAMESPACE, "get", "hpa", "scaled", "-o", "json"))
        wanted = scaler["status"].get("desiredReplicas", 0)
        share = 100 * wanted / scaler["spec"]["maxReplicas"]
        replicas.append((time.time(), "replicas", share))
        time.sleep(max(0.0, 5 - (time.time() - began - passed)))
    rows = [*replicas, *_measured(lab, began)]
    with (HERE / "series.csv").open("w", newline="") as file:
        out = csv.writer(file, lineterminator="\n")
        out.writerow(("timestamp", "series", "value"))
        out.writerows((f"{t - began:.1f}", s, f"{v:.5g}") for t, s, v in rows)
    for path in ("metrics", "metrics/cadvisor"):
        raw = lab.kubectl("get", "--raw", f"/api/v1/nodes/{lab.node_name}/proxy/{path}")
        (lab.state / path.replace("/", "-")).write_text(raw)
    (lab.state / "apiserver-metrics").write_text(lab.kubectl("get", "--raw", "/metrics"))
    return 0


def _mounted(lab: Lab, folder: Path) -> list[str]:
    """A small file system of the node's own at that path; how to run a command there."""
    pid = json.loads((lab.state / "lab.json").read_text()).get("node_pid") or _node_pid(lab)
    node = ["nsenter", f"--target={pid}", "--mount", "--"]
    options = f"size={MIB}m,nr_inodes={INODES}"
    subprocess.run([*node, "mount", "-t", "tmpfs", "-o", options, "tmpfs", folder], check=True)
    return node


def _node_pid(lab: Lab) -> int:
    """The process whose mount namespace the kubelet lives in."""
    for entry in Path("/proc").iterdir():
        try:
            line = (entry / "cmdline").read_bytes().decode().split("\0")
        except (OSError, NotADirectoryError):
            continue
        if line[0].endswith("kubelet") and any(str(lab.state) in part for part in line):
            return int(entry.name)
    raise RuntimeError("no kubelet of this lab runs")


def _fill(node: list[str], folder: str, share: float) -> None:
    """Space grows in a straight line to 96 %; files come a little faster the longer it goes on."""
    kib, files = int(0.96 * MIB * 1024 * share), int(0.96 * INODES * share**1.3)
    script = (
        f"cd {folder} && dd if=/dev/zero of=data bs=1K count={kib} status=none;"
        f" for i in $(seq $(ls | wc -l) {files}); do : > f$i; done"
    )
    subprocess.run([*node, "sh", "-c", script], check=True)


def _measured(lab: Lab, began: float) -> Iterator[tuple[float, str, float]]:
    for name, query in QUERIES.items():
        form = urllib.parse.urlencode(
            {"query": query, "start": began, "end": time.time(), "step": 5, "timeout": "30s"}
        )
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with opener.open(f"{lab.prometheus}/api/v1/query_range?{form}", timeout=60) as answer:
            found = json.load(answer)["data"]["result"]
        for series in found:
            labels = series["metric"]
            ours = labels.get("namespace") == NAMESPACE
            if ours and labels.get("pod", "").startswith(WANTED.get(name, "")):
                yield from ((float(t), name, float(v)) for t, v in series["values"])


def _objects(lab: Lab, path: str) -> Iterator[dict[str, Any]]:
    throttled = deployment(
        lab, NAMESPACE, "throttled", 1, "64Mi", {"NOISE_BYTES": "16Mi", "NOISE_PERIOD_SECONDS": "5"}
    )
    _app(throttled)["resources"]["limits"]["cpu"] = "60m"
    yield throttled
    yield _load(lab, "throttled", "-rps=2", "-to=120", f"-over={SECONDS}s")
    leak = {"MAX_DESCRIPTORS": "1024", "LEAK_DESCRIPTORS_PER_SECOND": "1.7"}
    yield deployment(lab, NAMESPACE, "leaking", 1, "64Mi", leak)
    yield deployment(lab, NAMESPACE, "erring", 1, "64Mi", {"ERROR_RATIO": "0.03"})
    yield _load(lab, "erring", "-rps=15")
    keeper = deployment(lab, NAMESPACE, "keeper", 1, "64Mi", {})
    keeper["spec"]["template"]["spec"]["volumes"] = [
        {"name": "data", "persistentVolumeClaim": {"claimName": "data"}}
    ]
    _app(keeper)["volumeMounts"] = [{"name": "data", "mountPath": "/data"}]
    yield from (keeper, *_claimed(lab, path))
    grows = {"BASE_BYTES": "6Mi", "LEAK_BYTES_PER_SECOND": "60Ki"}
    yield deployment(lab, NAMESPACE, "scaled", 1, "128Mi", grows)
    yield _scaler()


def _app(made: dict[str, Any]) -> dict[str, Any]:
    app: dict[str, Any] = made["spec"]["template"]["spec"]["containers"][0]
    return app


def _load(lab: Lab, of: str, *arguments: str) -> dict[str, Any]:
    made = deployment(lab, NAMESPACE, f"load-{of}", 1, "64Mi", {})
    app = _app(made)
    app["args"] = ["load", *arguments, f"-url=http://{of}.{NAMESPACE}.svc.cluster.local/"]
    del app["readinessProbe"]
    service = {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": of, "namespace": NAMESPACE},
        "spec": {"selector": {"app": of}, "ports": [{"port": 80, "targetPort": 8080}]},
    }
    return {"apiVersion": "v1", "kind": "List", "items": [made, service]}


def _claimed(lab: Lab, path: str) -> tuple[dict[str, Any], dict[str, Any]]:
    common: dict[str, Any] = {"storageClassName": "", "accessModes": ["ReadWriteOnce"]}
    on = {"key": "kubernetes.io/hostname", "operator": "In", "values": [lab.node_name]}
    volume = {
        "local": {"path": path},
        "capacity": {"storage": "1Gi"},
        "claimRef": {"namespace": NAMESPACE, "name": "data"},
        "nodeAffinity": {"required": {"nodeSelectorTerms": [{"matchExpressions": [on]}]}},
    }
    asks = {"resources": {"requests": {"storage": "1Gi"}}, "volumeName": NAMESPACE}
    head = {"apiVersion": "v1", "kind": "PersistentVolume", "metadata": {"name": NAMESPACE}}
    claim = {"name": "data", "namespace": NAMESPACE}
    return (
        {**head, "spec": {**common, **volume}},
        {**head, "kind": "PersistentVolumeClaim", "metadata": claim, "spec": {**common, **asks}},
    )


def _scaler() -> dict[str, Any]:
    target = {"type": "AverageValue", "averageValue": "14Mi"}
    return {
        "apiVersion": "autoscaling/v2",
        "kind": "HorizontalPodAutoscaler",
        "metadata": {"name": "scaled", "namespace": NAMESPACE},
        "spec": {
            "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "scaled"},
            "minReplicas": 1,
            "maxReplicas": 5,
            "metrics": [{"type": "Resource", "resource": {"name": "memory", "target": target}}],
        },
    }


if __name__ == "__main__":
    sys.exit(main())
