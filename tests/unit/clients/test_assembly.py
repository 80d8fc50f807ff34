"""A snapshot is one workload with everything that decides about it, live or not."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from akeso.clients.kubernetes import assembly, trim
from akeso.clients.kubernetes.assembly import Surroundings, WorkloadRecord, assemble
from akeso.clients.kubernetes.trim import AutoscalerRecord, RevisionRecord
from akeso.domain.workload import Autoscaler, Kind, Revision, Snapshot
from unit.clients.fixtures import real

Json = dict[str, Any]

KINDS = {
    Kind.DEPLOYMENT: ("deployment", "replicaset", "pod_of_replicaset"),
    Kind.STATEFUL_SET: ("statefulset", "controllerrevision_of_statefulset", "pod_of_statefulset"),
    Kind.DAEMON_SET: ("daemonset", "controllerrevision_of_daemonset", "pod_of_daemonset"),
}


def around(kind: Kind, live: bool = True, **more: Any) -> Surroundings:
    _, keeper, pod = KINDS[kind]
    read = trim.replica_set if kind is Kind.DEPLOYMENT else trim.controller_revision
    pods = [p for p in [trim.pod(real(pod))] if p]
    kept = [r for r in [read(real(keeper), live)] if r]
    return Surroundings.of(
        more.get("pods", pods),
        more.get("revisions", kept),
        more.get("budgets", ()),
        more.get("autoscalers", ()),
    )


def record(kind: Kind, live: bool = True, **changes: Any) -> WorkloadRecord:
    """The workload with some of its fields changed, by their paths."""
    raw = real(KINDS[kind][0])
    for path, value in changes.items():
        *way, last = path.split("__")
        place = raw
        for key in way:
            place = place[key]
        place[last] = value
    return assembly.workload(kind, raw, with_template=live)


def seen(kind: Kind, live: bool = True, **changes: Any) -> Snapshot:
    return assemble(record(kind, live, **changes), around(kind, live), live)


def test_every_kind_is_put_together_with_its_pods_and_revisions() -> None:
    for kind in Kind:
        for live in (True, False):
            found = seen(kind, live)
            assert found.ref.kind is kind
            assert found.live is live
            assert len(found.pods) == len(found.revisions) == 1
            assert found.update_revision == found.pods[0].revision == found.revisions[0].name
            assert not found.rolling
            assert found.replicas == 2
            assert (found.template is not None) is live


def test_a_pod_of_somebody_else_is_not_shown() -> None:
    pod = trim.pod(real("pod_of_replicaset"))
    assert pod is not None
    foreign = around(Kind.DEPLOYMENT, pods=[replace(pod, owner="another-replica-set")])
    assert assemble(record(Kind.DEPLOYMENT), foreign).pods == ()


def test_what_a_workload_says_of_itself_is_kept() -> None:
    paused = seen(Kind.DEPLOYMENT, spec__paused=True, spec__strategy={"type": "Recreate"})
    assert (paused.paused, paused.strategy, paused.ordered) == (True, "Recreate", False)
    strategy = {"type": "RollingUpdate", "rollingUpdate": {"partition": 2}}
    ordered = seen(Kind.STATEFUL_SET, spec__updateStrategy=strategy)
    assert (ordered.partition, ordered.strategy, ordered.ordered) == (2, "RollingUpdate", True)
    parallel = seen(Kind.STATEFUL_SET, spec__podManagementPolicy="Parallel")
    assert not parallel.ordered
    assert seen(Kind.DAEMON_SET, spec__updateStrategy={"type": "OnDelete"}).strategy == "OnDelete"
    assert seen(Kind.DAEMON_SET, status__desiredNumberScheduled=7).replicas == 7


def test_how_many_pods_a_rollout_has_too_many_and_too_few_is_the_strategys_word() -> None:
    def pace(kind: Kind, replicas: int, how: Json) -> tuple[int, int]:
        field = "strategy" if kind is Kind.DEPLOYMENT else "updateStrategy"
        wanted: Json = {"spec__replicas": replicas, "status__desiredNumberScheduled": replicas}
        found = seen(kind, **{f"spec__{field}": how, **wanted})
        return found.surge, found.unavailable

    def rolling(**fields: Any) -> Json:
        return {"type": "RollingUpdate", "rollingUpdate": fields}

    share = {"maxSurge": "25%", "maxUnavailable": "25%"}
    assert pace(Kind.DEPLOYMENT, 1, rolling(**share)) == (1, 0)
    assert pace(Kind.DEPLOYMENT, 10, rolling(**share)) == (3, 2)
    assert pace(Kind.DEPLOYMENT, 2, rolling(maxSurge=0, maxUnavailable="25%")) == (0, 1)
    assert pace(Kind.DEPLOYMENT, 2, {"type": "Recreate"}) == (0, 2)
    assert pace(Kind.STATEFUL_SET, 3, rolling(partition=0)) == (0, 1)
    assert pace(Kind.DAEMON_SET, 5, rolling(maxSurge=0, maxUnavailable="30%")) == (0, 2)
    assert pace(Kind.DAEMON_SET, 5, {"type": "OnDelete"}) == (0, 0)


def test_a_workload_scaled_to_zero_wants_none() -> None:
    assert seen(Kind.DEPLOYMENT, spec__replicas=0).replicas == 0


def test_a_controlling_owner_is_named() -> None:
    by = [{"kind": "Kafka", "name": "logs", "uid": "u", "controller": True}]
    assert seen(Kind.STATEFUL_SET, metadata__ownerReferences=by).controller == "Kafka/logs"
    assert seen(Kind.STATEFUL_SET).controller is None


def test_managers_are_those_who_own_something_of_the_spec() -> None:
    entries = [
        {"manager": "kubectl", "fieldsV1": {"f:spec": {"f:template": {}}}},
        {"manager": "annotator", "fieldsV1": {"f:metadata": {"f:annotations": {}}}},
        {"manager": "controller", "subresource": "status", "fieldsV1": {"f:status": {}}},
        {"manager": "scaler", "subresource": "scale", "fieldsV1": {"f:spec": {"f:replicas": {}}}},
        {"manager": "kubectl", "fieldsV1": {"f:spec": {"f:paused": {}}}},
    ]
    found = seen(Kind.DEPLOYMENT, metadata__managedFields=entries)
    assert found.managers == ("kubectl", "scaler")
    assert found.scalers == ("scaler",)
    assert seen(Kind.DEPLOYMENT, metadata__managedFields=None).managers == ()


def test_only_an_autoscaler_of_this_very_workload_counts() -> None:
    namespace = seen(Kind.DEPLOYMENT).ref.namespace
    mine = Autoscaler("h", "uid-h")
    for where, kind, target, expected in (
        (namespace, "Deployment", "deployment", mine),
        (namespace, "StatefulSet", "deployment", None),
        (namespace, "Deployment", "other", None),
        ("elsewhere", "Deployment", "deployment", None),
    ):
        scaled = [(where, AutoscalerRecord(kind, target, mine))]
        found = assemble(record(Kind.DEPLOYMENT), around(Kind.DEPLOYMENT, autoscalers=scaled))
        assert found.autoscaler == expected


def test_only_budgets_that_select_its_pods_count() -> None:
    namespace = seen(Kind.DEPLOYMENT).ref.namespace
    budget = trim.budget(real("poddisruptionbudget"))
    nothing = replace(budget, selector=None)
    for where, wish, kind, expected in (
        (namespace, budget, Kind.DEPLOYMENT, ["keep"]),
        (namespace, nothing, Kind.DEPLOYMENT, []),
        (namespace, budget, Kind.STATEFUL_SET, []),
        ("elsewhere", budget, Kind.DEPLOYMENT, []),
    ):
        found = assemble(record(kind), around(kind, budgets=[(where, wish)]))
        assert [b.name for b in found.budgets] == expected


def kept(workload: WorkloadRecord, *revisions: tuple[str, int, Json | None]) -> Surroundings:
    """Revisions by name, number and template (None: the workload's own)."""
    uid = workload.partial.ref.uid
    own = workload.partial.template
    made = [
        Revision(name, name, number, float(number), template=own if template is None else template)
        for name, number, template in revisions
    ]
    return Surroundings.of((), [RevisionRecord(r.name, uid, r) for r in made], (), ())


OTHER: Json = {"metadata": {}, "spec": {"containers": []}}


def test_revisions_are_shown_newest_first() -> None:
    workload = record(Kind.DEPLOYMENT)
    found = assemble(workload, kept(workload, ("a", 1, OTHER), ("c", 3, None), ("b", 2, OTHER)))
    assert [r.name for r in found.revisions] == ["c", "b", "a"]


def test_right_after_a_write_the_revision_with_its_template_is_the_newest() -> None:
    for kind in Kind:
        workload = record(kind, metadata__generation=9, status__observedGeneration=8)
        found = assemble(workload, kept(workload, ("back", 1, None), ("bad", 2, OTHER)))
        assert found.update_revision == "back"
        assert found.rolling


def test_a_template_that_no_controller_has_seen_yet_has_no_revision() -> None:
    for kind in Kind:
        workload = record(kind, metadata__generation=9, status__observedGeneration=8)
        found = assemble(workload, kept(workload, ("a", 1, OTHER), ("b", 2, OTHER)))
        assert found.update_revision == ""


def test_defaults_that_came_with_an_upgrade_do_not_hide_the_newest_revision() -> None:
    for kind in Kind:
        workload = record(kind, status__updateRevision="b")
        found = assemble(workload, kept(workload, ("a", 1, OTHER), ("b", 2, OTHER)))
        assert found.update_revision == "b"


def test_of_several_equal_replica_sets_the_oldest_is_used_as_its_controller_does() -> None:
    workload = record(Kind.DEPLOYMENT)
    found = assemble(workload, kept(workload, ("old", 1, None), ("new", 2, None)))
    assert found.update_revision == "old"
    workload = record(Kind.STATEFUL_SET)
    found = assemble(workload, kept(workload, ("old", 1, None), ("new", 2, None)))
    assert found.update_revision == "new"
