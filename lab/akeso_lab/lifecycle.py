"""``up``, ``down`` and ``status``: the life of a lab."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from akeso_lab.alertmanager import start_alertmanager
from akeso_lab.build import build, link_into
from akeso_lab.certificates import Authority, KeyPair
from akeso_lab.cleanup import find_leftovers, sweep
from akeso_lab.control_plane import START_SECONDS, ControlPlane
from akeso_lab.errors import LabError
from akeso_lab.fake_nodes import write_stages
from akeso_lab.foreign import api_answers
from akeso_lab.health import Probe
from akeso_lab.lab import Lab
from akeso_lab.locks import exclusive
from akeso_lab.machine import node_requirements
from akeso_lab.node import Node
from akeso_lab.parts import NEWEST, Tier, check_kubernetes, parts_of
from akeso_lab.places import lock_file, state_dir, state_root
from akeso_lab.plan import Plan, make_plan
from akeso_lab.processes import Supervisor
from akeso_lab.prometheus import start_prometheus

Report = Callable[[str], None]
DEFAULT_SCRAPE_INTERVAL_SECONDS = 5


@dataclass(frozen=True)
class Status:
    """How a lab is: its parts by name, and whether each runs."""

    name: str
    exists: bool
    healthy: bool
    parts: dict[str, str]
    lab: Lab | None = None


def _silent(_: str) -> None:
    return None


def up(
    name: str,
    tier: Tier = Tier.CONTROL_PLANE,
    *,
    kubernetes: str = NEWEST,
    scrape_interval_seconds: int = DEFAULT_SCRAPE_INTERVAL_SECONDS,
    report: Report = _silent,
) -> Lab:
    """Bring the lab up and wait until it is usable; a healthy one is returned as it is.

    ``kubernetes`` is a minor version of ``parts.KUBERNETES``; only the newest has a node.
    Without what a node needs (root, Linux) a node lab comes up as a control plane, with the
    reason in ``Lab.missing["node"]``.
    """
    check_kubernetes(tier, kubernetes)
    reasons = node_requirements() if tier is Tier.NODE else {}
    actual = Tier.CONTROL_PLANE if reasons else tier
    binaries = build(parts_of(actual, kubernetes), report)
    with exclusive(
        lock_file(name), waiting=lambda: report(f"waiting for another command on {name}")
    ):
        if running := _running(name, actual, kubernetes):
            if running.scrape_interval_seconds != scrape_interval_seconds:
                report(f"{name} runs already, scraping every {running.scrape_interval_seconds} s")
            return running
        if find_leftovers(state_dir(name)):
            report(f"{name} is there but not whole: taking it down first")
            sweep(state_dir(name))
        plan = make_plan(name, actual, scrape_interval_seconds, kubernetes)
        link_into(plan.bin, binaries)
        lab = replace(_start(plan, report), missing=reasons)
        lab.save()
        return lab


def down(name: str) -> None:
    """Stop the lab and remove all it left, whatever state it is in. Nothing there is fine."""
    with exclusive(lock_file(name)):
        sweep(state_dir(name))


def status(name: str) -> Status:
    """Look, change nothing."""
    state = state_dir(name)
    plan = Plan.load(state)
    if plan is None:
        return _status_without_plan(name)
    supervisor = Supervisor(state)
    parts = {p.part: "running" if p.alive() else "dead" for p in supervisor.recorded()}
    whole = (state / "lab.json").exists() and "dead" not in parts.values()
    if whole and not _api_ready(plan):
        parts["kube-apiserver"], whole = "not ready", False
    lab = Lab.load(name) if (state / "lab.json").exists() else None
    return Status(name, True, whole, parts, lab)


def _status_without_plan(name: str) -> Status:
    """Somebody else's cluster, or an ``up`` that was killed before it had a plan."""
    if not (state_dir(name) / "lab.json").exists():
        return Status(name, state_dir(name).exists(), healthy=False, parts={})
    lab = Lab.load(name)
    answers = api_answers(lab)
    return Status(name, True, answers, {"kube-apiserver": "running" if answers else "dead"}, lab)


def names() -> tuple[str, ...]:
    """Every lab of this user on this machine."""
    if not state_root().exists():
        return ()
    return tuple(sorted(p.name for p in state_root().iterdir() if not p.name.startswith(".")))


def _running(name: str, tier: Tier, kubernetes: str) -> Lab | None:
    """The lab if it is healthy, has at least the tier asked for, and that Kubernetes."""
    found = status(name)
    if not found.healthy or found.lab is None:
        return None
    if found.lab.foreign:
        raise LabError(name, "describes another cluster", "choose another --name")
    if found.lab.kubernetes != kubernetes:
        raise LabError(
            name,
            f"runs already, with Kubernetes {found.lab.kubernetes}",
            f"`down --name {name}` first, or another --name",
        )
    enough = found.lab.tier is Tier.NODE or tier is Tier.CONTROL_PLANE
    if not enough:
        raise LabError(
            name,
            "runs already, as a control plane only",
            f"`down --name {name}` first, or another --name",
        )
    return found.lab


def _api_ready(plan: Plan) -> bool:
    admin = KeyPair(plan.certificates / "admin.crt", plan.certificates / "admin.key")
    return Probe(Authority(plan.certificates), admin).answers(f"{plan.server}/readyz")


def _start(plan: Plan, report: Report) -> Lab:
    supervisor = Supervisor(plan.state)
    node = Node.create(plan, supervisor, report) if plan.tier is Tier.NODE else None
    report("starting etcd and the API server…")
    control_plane = ControlPlane.prepare(plan, supervisor)
    write_stages(plan.state / "kwok.yaml")
    control_plane.start_api()
    report("starting the controllers, the scheduler, kwok, Prometheus and Alertmanager…")
    waiting = control_plane.start_controllers()
    monitoring = (
        (start_prometheus(plan, supervisor), f"{plan.prometheus}/-/ready"),
        (start_alertmanager(plan, supervisor), f"{plan.alertmanager}/-/ready"),
    )
    if node is not None:
        node.start(control_plane)
    for process, url in (*waiting, *monitoring):
        supervisor.wait_until(process, control_plane.probe.ready(url), START_SECONDS)
    control_plane.wait_until_pods_can_be_made(waiting[0][0])
    if node is not None:
        node.wait_until_ready(control_plane)
    return _describe(plan, supervisor, node)


def _describe(plan: Plan, supervisor: Supervisor, node: Node | None) -> Lab:
    return Lab(
        plan.name,
        plan.tier,
        plan.state,
        plan.admin_kubeconfig,
        plan.server,
        plan.bin,
        certificates=plan.certificates,
        prometheus=plan.prometheus,
        prometheus_config_dir=plan.state,
        alertmanager=plan.alertmanager,
        scrape_interval_seconds=plan.scrape_interval_seconds,
        audit_log=plan.state / "audit" / "audit.log",
        kubernetes=plan.kubernetes,
        kwok=True,
        node=node is not None,
        node_name=plan.node_name if node else None,
        service_image=node.image if node else None,
        containerd_socket=node.socket if node else None,
        pids={process.part: process.pid for process in supervisor.recorded()},
    )
