"""The configuration files and arguments of a node's parts."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import yaml

from akeso_lab.machine import CNI_PLUGINS
from akeso_lab.plan import Plan

DOMAIN = "cluster.local"
METRICS_PORT = 4443


def socket(plan: Plan) -> Path:
    return plan.state / "node" / "containerd.sock"


def _folder(plan: Plan) -> Path:
    return plan.state / "node"


def write_containerd(plan: Plan, pause_image: str) -> None:
    """Debian's containerd 1.6; its folders in /run are the node's own, not the host's."""
    folder = _folder(plan)
    (folder / "cni").mkdir(exist_ok=True)
    (folder / "cni" / "10-lab.conflist").write_text(json.dumps(_cni(plan), indent=2))
    (folder / "containerd.toml").write_text(f"""version = 2
root = "{folder / "containerd"}"
state = "/run/containerd"
disabled_plugins = ["io.containerd.snapshotter.v1.btrfs", "io.containerd.snapshotter.v1.zfs",
  "io.containerd.snapshotter.v1.devmapper", "io.containerd.snapshotter.v1.aufs"]
[grpc]
  address = "{socket(plan)}"
[plugins."io.containerd.internal.v1.opt"]
  path = "{folder / "opt"}"
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "{pause_image}"
  # Without CAP_SYS_RESOURCE a lower score than the parent's is refused and no sandbox starts.
  restrict_oom_score_adj = true
  disable_apparmor = true
  tolerate_missing_hugetlb_controller = true
  netns_mounts_under_state_dir = true
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "{CNI_PLUGINS}"
    conf_dir = "{folder / "cni"}"
  [plugins."io.containerd.grpc.v1.cri".containerd]
    snapshotter = "overlayfs"
    default_runtime_name = "runc"
    [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
      runtime_type = "io.containerd.runc.v2"
""")


def _cni(plan: Plan) -> dict[str, Any]:
    """Point to point instead of a bridge: every packet is routed, so a Service between two pods
    of the node works without the kernel's br_netfilter."""
    ipam = {
        "type": "host-local",
        "ranges": [[{"subnet": plan.addresses.pods}]],
        "routes": [{"dst": "0.0.0.0/0"}],
        "dataDir": str(_folder(plan) / "addresses"),
    }
    return {
        "cniVersion": "0.4.0",
        "name": "akeso-lab",
        "plugins": [
            {"type": "ptp", "ipMasq": False, "ipam": ipam},
            {"type": "portmap", "capabilities": {"portMappings": True}},
        ],
    }


def write_kubelet(plan: Plan) -> None:
    folder, certificates = _folder(plan), plan.certificates
    configuration = {
        "apiVersion": "kubelet.config.k8s.io/v1beta1",
        "kind": "KubeletConfiguration",
        "address": plan.addresses.node,
        "authentication": {
            "anonymous": {"enabled": False},
            "webhook": {"enabled": True},
            "x509": {"clientCAFile": str(certificates / "ca.crt")},
        },
        "authorization": {"mode": "Webhook"},
        "tlsCertFile": str(certificates / "kubelet-serving.crt"),
        "tlsPrivateKeyFile": str(certificates / "kubelet-serving.key"),
        "containerRuntimeEndpoint": f"unix://{socket(plan)}",
        "clusterDomain": DOMAIN,
        "clusterDNS": [plan.addresses.node],
        "resolvConf": str(folder / "resolv.conf"),
        "podLogsDir": str(folder / "pod-logs"),
        "cgroupRoot": f"/{plan.cgroup}",
        "cgroupDriver": "cgroupfs",
        "failCgroupV1": False,
        "failSwapOn": False,
        # The machine is shared: the node keeps nothing for itself and evicts only in need.
        "enforceNodeAllocatable": [],
        "evictionHard": {
            "memory.available": "50Mi",
            "nodefs.available": "1%",
            "nodefs.inodesFree": "1%",
            "imagefs.available": "1%",
        },
        "volumeStatsAggPeriod": "10s",  # so that tests of volumes need not wait a minute
        # No registry has the images: a collected one could not be pulled again.
        "imageGCHighThresholdPercent": 100,
        "imageGCLowThresholdPercent": 99,
        "maxPods": 250,
    }
    (folder / "kubelet.yaml").write_text(yaml.safe_dump(configuration))


def write_kube_proxy(plan: Plan) -> None:
    configuration = {
        "apiVersion": "kubeproxy.config.k8s.io/v1alpha1",
        "kind": "KubeProxyConfiguration",
        "mode": "nftables",
        "clusterCIDR": plan.addresses.pods,
        "clientConnection": {"kubeconfig": str(plan.kubeconfig_of("kube-proxy"))},
        "hostnameOverride": plan.node_name,
        "healthzBindAddress": f"{plan.addresses.node}:10256",
        "metricsBindAddress": "127.0.0.1:10249",
        # The default second would send requests to a pod that has ended meanwhile.
        "nftables": {"minSyncPeriod": "100ms", "syncPeriod": "30s"},
        # Limits of the whole machine, which a network namespace may not write.
        "conntrack": {
            "maxPerCore": 0,
            "min": 0,
            "tcpEstablishedTimeout": "0s",
            "tcpCloseWaitTimeout": "0s",
        },
    }
    (_folder(plan) / "kube-proxy.yaml").write_text(yaml.safe_dump(configuration))


def write_coredns(plan: Plan) -> None:
    """No forwarding: nothing of the lab asks a server outside."""
    (_folder(plan) / "Corefile").write_text(f""".:53 {{
    bind {plan.addresses.node}
    errors
    ready {plan.addresses.node}:8181
    kubernetes {DOMAIN} in-addr.arpa {{
        kubeconfig {plan.kubeconfig_of("coredns")} lab
        pods insecure
        ttl 5
    }}
    cache 5
}}
""")


def commands(plan: Plan) -> dict[str, list[str | Path]]:
    """Program name to arguments, in the order in which they are started."""
    folder = _folder(plan)
    return {
        "kubelet": [
            f"--config={folder / 'kubelet.yaml'}",
            f"--kubeconfig={plan.kubeconfig_of('kubelet')}",
            f"--hostname-override={plan.node_name}",
            f"--node-ip={plan.addresses.node}",
            f"--root-dir={folder / 'kubelet'}",
            # For cAdvisor, which otherwise looks at containerd's usual socket and finds none.
            f"--containerd={socket(plan)}",
            # With containerd's own numbers /metrics/resource serves what cAdvisor last looked at,
            # every 10 to 16 s; a scrape every 5 s wants samples of its own.
            "--housekeeping-interval=2s",
        ],
        "kube-proxy": [f"--config={folder / 'kube-proxy.yaml'}"],
        "coredns": ["-conf", folder / "Corefile"],
        "metrics-server": _metrics_server(plan),
    }


def _metrics_server(plan: Plan) -> list[str | Path]:
    kubeconfig, certificates = plan.kubeconfig_of("metrics-server"), plan.certificates
    return [
        f"--kubeconfig={kubeconfig}",
        f"--authentication-kubeconfig={kubeconfig}",
        f"--authorization-kubeconfig={kubeconfig}",
        f"--bind-address={plan.addresses.node}",
        f"--secure-port={METRICS_PORT}",
        f"--tls-cert-file={certificates / 'metrics-server-serving.crt'}",
        f"--tls-private-key-file={certificates / 'metrics-server-serving.key'}",
        f"--kubelet-certificate-authority={certificates / 'ca.crt'}",
        "--kubelet-preferred-address-types=InternalIP",
        # The least it allows; it must exceed the request timeout.
        "--metric-resolution=10s",
        "--kubelet-request-timeout=5s",
    ]


def metrics_objects(plan: Plan, ca_bundle: str) -> list[dict[str, Any]]:
    """metrics-server is a process of the node, so its Service has no selector."""
    meta = {"name": "metrics-server", "namespace": "kube-system"}
    port = {"name": "https", "port": METRICS_PORT, "protocol": "TCP"}
    return [
        {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": meta,
            "spec": {
                "clusterIP": plan.addresses.metrics_service,
                "ports": [{**port, "port": 443, "targetPort": METRICS_PORT}],
            },
        },
        {
            "apiVersion": "discovery.k8s.io/v1",
            "kind": "EndpointSlice",
            "metadata": meta | {"labels": {"kubernetes.io/service-name": "metrics-server"}},
            "addressType": "IPv4",
            "ports": [port],
            "endpoints": [{"addresses": [plan.addresses.node], "conditions": {"ready": True}}],
        },
        {
            "apiVersion": "apiregistration.k8s.io/v1",
            "kind": "APIService",
            "metadata": {"name": "v1beta1.metrics.k8s.io"},
            "spec": {
                "group": "metrics.k8s.io",
                "version": "v1beta1",
                "groupPriorityMinimum": 100,
                "versionPriority": 100,
                "service": {"name": "metrics-server", "namespace": "kube-system", "port": 443},
                "caBundle": ca_bundle,
            },
        },
    ]
