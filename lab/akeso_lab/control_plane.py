"""etcd, the API server, the controllers, the scheduler and kwok: the tier without a node."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from akeso_lab.certificates import Authority, KeyPair, Subject, write_kubeconfig
from akeso_lab.health import Probe
from akeso_lab.places import MANIFESTS
from akeso_lab.plan import Plan
from akeso_lab.processes import Process, Supervisor

START_SECONDS = 60


# GOGC of etcd and the API server: their heaps are small and the cores are few. Collecting garbage a
# third as often saves a tenth of their CPU and costs some hundred MiB. The controllers stay as they
# come, because benches stand beside them.
GARBAGE = "300"


@dataclass(frozen=True)
class ControlPlane:
    """Starts the control plane of ``plan`` with certificates of ``authority``."""

    plan: Plan
    authority: Authority
    supervisor: Supervisor
    probe: Probe

    @classmethod
    def prepare(cls, plan: Plan, supervisor: Supervisor) -> ControlPlane:
        """Write every certificate and kubeconfig that the control plane needs."""
        authority = Authority.create(plan.certificates)
        admin = authority.issue("admin", Subject("akeso-lab-admin", ("system:masters",)))
        plan.kubeconfig_of("admin").parent.mkdir(exist_ok=True)
        write_kubeconfig(plan.admin_kubeconfig, plan.server, authority, admin)
        issue_kubeconfig(plan, authority, "controller-manager", "system:kube-controller-manager")
        issue_kubeconfig(plan, authority, "scheduler", "system:kube-scheduler")
        # kwok and Prometheus write and read what their stages and discovery say, cluster wide;
        # a name of their own keeps them apart in the audit log.
        for part in ("kwok", "prometheus"):
            issue_kubeconfig(plan, authority, part, f"lab:{part}", ("system:masters",))
        return cls(plan, authority, supervisor, Probe(authority, admin))

    def start_api(self) -> None:
        """etcd and the API server, which retries until etcd answers."""
        etcd = self.supervisor.start("etcd", self._etcd(), GOGC=GARBAGE)
        apiserver = self.supervisor.start("kube-apiserver", self._apiserver(), GOGC=GARBAGE)
        for process in (etcd, apiserver):
            self.supervisor.favour(process)
        health = f"http://127.0.0.1:{self.plan.ports['etcd']}/health"
        self.supervisor.wait_until(etcd, self.probe.ready(health), START_SECONDS)
        ready = self.probe.ready(f"{self.plan.server}/readyz")
        self.supervisor.wait_until(apiserver, ready, START_SECONDS)

    def start_controllers(self) -> tuple[tuple[Process, str], ...]:
        """The rest, not waited for: each process with the URL that tells when it is ready."""
        ports = self.plan.ports
        manager = self.supervisor.start("kube-controller-manager", self._controller_manager())
        scheduler = self.supervisor.start("kube-scheduler", self._scheduler())
        kwok = self.supervisor.start("kwok", self._kwok())
        return (
            (manager, f"https://127.0.0.1:{ports['controller_manager']}/healthz"),
            (scheduler, f"https://127.0.0.1:{ports['scheduler']}/healthz"),
            (kwok, f"http://127.0.0.1:{ports['kwok']}/healthz"),
        )

    def wait_until_pods_can_be_made(self, manager: Process) -> None:
        """Pods are refused until the controllers have made the default service account."""
        account = f"{self.plan.server}/api/v1/namespaces/default/serviceaccounts/default"
        self.supervisor.wait_until(manager, self.probe.ready(account), START_SECONDS)

    def _etcd(self) -> list[str | Path]:
        client = f"http://127.0.0.1:{self.plan.ports['etcd']}"
        peer = f"http://127.0.0.1:{self.plan.ports['etcd_peer']}"
        return [
            self.plan.bin / "etcd",
            f"--data-dir={self.plan.state / 'etcd'}",
            f"--listen-client-urls={client}",
            f"--advertise-client-urls={client}",
            f"--listen-peer-urls={peer}",
            f"--initial-advertise-peer-urls={peer}",
            f"--initial-cluster=default={peer}",
            # A lab's data is worth nothing after a power cut; a disk flush per write is.
            "--unsafe-no-fsync",
            "--log-level=warn",
        ]

    def _apiserver(self) -> list[str | Path]:
        plan, certificates = self.plan, self.authority
        serving = certificates.issue("apiserver", self._apiserver_subject())
        kubelet = certificates.issue(
            "apiserver-kubelet-client",
            Subject("kube-apiserver-kubelet-client", ("system:masters",)),
        )
        front = certificates.issue("front-proxy-client", Subject("front-proxy-client"))
        tokens = certificates.signing_key("service-accounts")
        audit = self.plan.state / "audit"
        audit.mkdir(exist_ok=True)
        return [
            plan.bin / "kube-apiserver",
            f"--etcd-servers=http://127.0.0.1:{plan.ports['etcd']}",
            f"--bind-address={plan.addresses.host}",
            f"--advertise-address={plan.addresses.host}",
            f"--secure-port={plan.ports['apiserver']}",
            f"--service-cluster-ip-range={plan.addresses.services}",
            "--authorization-mode=Node,RBAC",
            "--enable-admission-plugins=NodeRestriction",
            "--allow-privileged=true",
            "--anonymous-auth=false",
            "--endpoint-reconciler-type=lease",
            # Without it exec and logs try to resolve the node's name.
            "--kubelet-preferred-address-types=InternalIP",
            f"--audit-policy-file={MANIFESTS / 'audit-policy.yaml'}",
            f"--audit-log-path={audit / 'audit.log'}",
            "--audit-log-maxsize=1000",
            "--service-account-issuer=https://kubernetes.default.svc",
            f"--service-account-key-file={tokens}",
            f"--service-account-signing-key-file={tokens}",
            *_serving_flags(certificates, serving, kubelet),
            *_aggregation_flags(certificates, front),
        ]

    def _apiserver_subject(self) -> Subject:
        addresses = self.plan.addresses
        names = ("kubernetes", "kubernetes.default", "kubernetes.default.svc", "localhost")
        ours = {"127.0.0.1", addresses.host, addresses.kubernetes_service}
        return Subject("kube-apiserver", addresses=(*names, *sorted(ours)))

    def _controller_manager(self) -> list[str | Path]:
        kubeconfig = self.plan.kubeconfig_of("controller-manager")
        tokens = self.authority.folder / "service-accounts.key"
        return [
            self.plan.bin / "kube-controller-manager",
            *self._controller_flags("controller_manager", kubeconfig),
            f"--root-ca-file={self.authority.certificate}",
            f"--service-account-private-key-file={tokens}",
            "--use-service-account-credentials=true",
        ]

    def _scheduler(self) -> list[str | Path]:
        kubeconfig = self.plan.kubeconfig_of("scheduler")
        return [
            self.plan.bin / "kube-scheduler",
            *self._controller_flags("scheduler", kubeconfig),
        ]

    def _controller_flags(self, part: str, kubeconfig: Path) -> list[str]:
        return [
            f"--kubeconfig={kubeconfig}",
            "--bind-address=127.0.0.1",
            f"--secure-port={self.plan.ports[part]}",
            f"--cert-dir={self.plan.state / part}",
            f"--client-ca-file={self.authority.certificate}",
            # There is only one of each; waiting for a lease would cost seconds at start.
            "--leader-elect=false",
        ]

    def _kwok(self) -> list[str | Path]:
        return [
            self.plan.bin / "kwok",
            f"--kubeconfig={self.plan.kubeconfig_of('kwok')}",
            f"--config={self.plan.state / 'kwok.yaml'}",
            "--manage-all-nodes=false",
            "--manage-nodes-with-annotation-selector=kwok.x-k8s.io/node=fake",
            f"--cidr={self.plan.addresses.fake_pods}",
            f"--server-address=127.0.0.1:{self.plan.ports['kwok']}",
            "--node-lease-duration-seconds=40",
        ]


def issue_kubeconfig(
    plan: Plan, authority: Authority, part: str, user: str, groups: tuple[str, ...] = ()
) -> Path:
    pair = authority.issue(part, Subject(user, groups))
    return write_kubeconfig(plan.kubeconfig_of(part), plan.server, authority, pair)


def _serving_flags(authority: Authority, serving: KeyPair, kubelet: KeyPair) -> list[str]:
    return [
        f"--client-ca-file={authority.certificate}",
        f"--tls-cert-file={serving.certificate}",
        f"--tls-private-key-file={serving.key}",
        f"--kubelet-certificate-authority={authority.certificate}",
        f"--kubelet-client-certificate={kubelet.certificate}",
        f"--kubelet-client-key={kubelet.key}",
    ]


def _aggregation_flags(authority: Authority, front: KeyPair) -> list[str]:
    return [
        f"--requestheader-client-ca-file={authority.certificate}",
        # One CA signs clients and the front proxy: without the name any client could pose.
        "--requestheader-allowed-names=front-proxy-client",
        "--requestheader-username-headers=X-Remote-User",
        "--requestheader-group-headers=X-Remote-Group",
        "--requestheader-extra-headers-prefix=X-Remote-Extra-",
        f"--proxy-client-cert-file={front.certificate}",
        f"--proxy-client-key-file={front.key}",
        "--enable-aggregator-routing=true",
    ]
