"""An operator with fewer rights than it needs says which, and does all that it may."""

from __future__ import annotations

import asyncio
import itertools
import uuid
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

from akeso.api.control import HealingControl
from akeso.clients import shipped
from akeso.clients.kubernetes.rights import Subject, missing, needs, roles, rules, told
from akeso.settings import Settings
from cluster.harness import AKESO, RBAC, Stage, World, conditions, role_of, world
from cluster.workloads import Json, policy, query_signal, workload

RIGHTS = shipped.rights()
HEALERS = tuple(RIGHTS["healers"])
SUBJECT = {"kind": "User", "apiGroup": RBAC}


Given = tuple[str | None, Json, tuple[str, ...]]


def every_rule() -> list[Given]:
    """Place, rule and the healers under which no other rule grants the same."""
    settings = Settings(namespace="own", watch_namespaces=("shop",))
    found = [(place, rule, ()) for place, rule, _ in rules(RIGHTS, settings, ())]
    found += [(None, rule, ()) for rule in RIGHTS["cluster"]]
    return found + [("shop", rule, (name,)) for name in HEALERS for rule in RIGHTS["healers"][name]]


async def test_a_rule_that_is_missing_is_named_and_nothing_else_is(here: World) -> None:
    """For each rule an account that lacks only this one, examined as an operator examines itself."""
    turns = asyncio.Semaphore(6)

    async def one(number: int, given: Given) -> None:
        async with turns:
            await examined(here, f"less-{number}-{here.name}", given)

    await asyncio.gather(*(one(number, given) for number, given in enumerate(every_rule())))


async def examined(here: World, account: str, given: Given) -> None:
    place, rule, enabled = given
    names = {"shop": here.name, "own": here.own, None: None}
    watched = (here.name,) if place else ()
    settings = Settings(namespace=here.own, watch_namespaces=watched, healers=enabled)
    plain = {key: value for key, value in rule.items() if key not in ("why", "unless", "when")}
    if "resourceNames" in plain:
        plain["resourceNames"] = [
            n.replace("{namespace}", here.own) for n in plain["resourceNames"]
        ]
    granted = dict(roles(RIGHTS, settings, enabled))
    granted[names[place]] = [r for r in granted[names[place]] if r != plain]
    wanted = needs(RIGHTS, settings, enabled)
    of_rule = set(itertools.product(rule["apiGroups"], rule["resources"], rule["verbs"]))
    subject = {"kind": "ServiceAccount", "name": account, "namespace": here.own}

    async def known() -> list[str] | None:
        lacking = await missing(here.api, wanted, Subject(here.own, account))
        lost = {(n.right.group, n.right.resource, n.right.verb) for n in lacking}
        return told(lacking, wanted) if lost == of_rule else None

    async with bound(here, account, granted, subject):
        said = await here.until(known, what=f"only {rule} to be missing")
    for resource in rule["resources"]:
        (sentence,) = [s for s in said if f" {resource} " in s]
        assert (enabled[0] if enabled else rule["why"]) in sentence
        where = "the whole cluster" if place is None else f"namespace {names[place]}"
        assert where in sentence
    assert len(said) == len(rule["resources"])


@asynccontextmanager
async def bound(
    here: World, name: str, granted: dict[str | None, list[Json]], subject: Json
) -> AsyncIterator[None]:
    """Roles as an installation makes them, all of this name."""
    cluster: list[str] = []
    for place, found in granted.items():
        where = f"/apis/{RBAC}/v1" + (f"/namespaces/{place}" if place else "")
        prefix = "" if place else "cluster"
        meta = {"name": name, **({"namespace": place} if place else {})}
        role = role_of(found, meta)
        of = {"apiGroup": RBAC, "kind": role["kind"], "name": name}
        binding = {
            "apiVersion": f"{RBAC}/v1",
            "kind": f"{role['kind']}Binding",
            "metadata": meta,
            "roleRef": of,
            "subjects": [subject],
        }
        await here.api.post(f"{where}/{prefix}roles", role)
        await here.api.post(f"{where}/{prefix}rolebindings", binding)
        if place is None:
            cluster += [f"{where}/clusterrolebindings/{name}", f"{where}/clusterroles/{name}"]
    try:
        yield
    finally:
        for path in cluster:
            await here.api.delete(path)


@asynccontextmanager
async def lesser(
    stage: Stage, lost: Sequence[tuple[str, str]] = (), more: Sequence[str] = (), **settings: Any
) -> AsyncIterator[World]:
    """A world whose operator has Roles only, in its namespaces and its own, without `lost`
    (resource, verb). `more` are further namespaces it watches, with rights in those that exist."""
    user = f"lesser-{uuid.uuid4().hex[:10]}"
    kubeconfig = stage.lab.user_kubeconfig(user)
    async with world(replace(stage, kubeconfig=kubeconfig, user=user)) as here:
        watched = (here.name, *(f"{here.name}-{name}" for name in more))
        chosen = Settings(
            namespace=here.own, watch_namespaces=watched, prometheus_url="http://x", **settings
        )
        granted: dict[str | None, list[Json]] = {
            place: [_without(rule, lost) for rule in found]
            for place, found in roles(RIGHTS, chosen, HEALERS).items()
            if place is not None and not str(place).endswith("-gone")
        }
        for name in watched[1:]:
            if name in granted:
                body = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}
                await here.api.post("/api/v1/namespaces", body)
        async with bound(here, f"lesser-{here.name}", granted, {**SUBJECT, "name": user}):
            here.operator.environment["AKESO_WATCH_NAMESPACES"] = ",".join(watched)
            try:
                yield here
            finally:
                await here.operator.stop()
                for name in watched[1:]:
                    if name in granted:
                        await here.api.delete(f"/api/v1/namespaces/{name}")


def _without(rule: Json, lost: Sequence[tuple[str, str]]) -> Json:
    """RBAC has no empty rule: what is left of this one."""
    verbs = {
        resource: [v for v in rule["verbs"] if (resource, v) not in lost]
        for resource in rule["resources"]
    }
    kept = [resource for resource, some in verbs.items() if some]
    if not kept:
        return {**rule, "resources": ["nothing"]}
    return {**rule, "resources": kept, "verbs": verbs[kept[0]]}


async def degraded(here: World, *parts: str) -> str:
    """Waits until the HealingControl names all of this."""

    async def named() -> str | None:
        raw = await here.api.get(f"{AKESO}/namespaces/{here.own}/{HealingControl.PLURAL}/akeso")
        stands = conditions(raw).get("Degraded", {})
        said = str(stands.get("message"))
        right = stands.get("status") == "True" and all(part in said for part in parts)
        return said if right else None

    return await here.until(named, what=f"Degraded with {parts}")


async def test_without_evictions_it_starts_watches_and_says_who_can_not_act(stage: Stage) -> None:
    async with lesser(stage, [("pods/eviction", "create")]) as here:
        await here.apply(workload())
        await here.rolled_out("Deployment")
        await here.apply(policy(query_signal(here.name)))
        here.operator.start()
        await here.condition("Ready", "True")
        said = await degraded(here, "may not create pods/eviction")
        assert f"in namespace {here.name}: RestartPods can't act there" in said
        await here.tire()
        await here.until(lambda: attempted(here), what="an attempt")
        assert here.operator.running


async def attempted(here: World) -> bool:
    return any(h.get("status", {}).get("attempts") for h in await here.healings())


async def test_without_budgets_it_heals_nothing_blindly_and_says_so(stage: Stage) -> None:
    lost = [("poddisruptionbudgets", verb) for verb in ("get", "list", "watch")]
    async with lesser(stage, lost) as here:
        await here.apply(workload())
        await here.rolled_out("Deployment")
        await here.apply(policy(query_signal(here.name)))
        here.operator.start()
        await here.condition("Ready", "True")
        await degraded(here, "may not list, watch poddisruptionbudgets", "forbids")


async def test_without_its_records_nothing_is_healed_and_it_is_said(stage: Stage) -> None:
    async with lesser(stage, [("healings", "create")]) as here:
        await here.apply(workload())
        await here.rolled_out("Deployment")
        await here.apply(policy(query_signal(here.name)))
        await here.tire()
        here.operator.start()
        await degraded(here, "may not create healings")
        await asyncio.sleep(2)
        assert await here.healings() == [] and here.effects() == []


async def test_namespaces_are_watched_by_themselves_and_one_that_is_gone_is_named(
    stage: Stage,
) -> None:
    async with lesser(stage, more=("too", "gone")) as here:
        too, never = f"{here.name}-too", f"{here.name}-gone"
        await here.apply(workload())
        await here.rolled_out("Deployment")
        await here.apply(policy(query_signal(here.name)))
        other = policy(query_signal(too))
        await here.apply({**other, "metadata": {**other["metadata"], "namespace": too}})
        elsewhere = {**other, "metadata": {**other["metadata"], "namespace": here.own}}
        await here.apply(elsewhere)
        uids = await here.tire()
        here.operator.start()
        await degraded(
            here, f"namespace {never} is not watched", f"no rights at all in namespace {never}"
        )
        healings = await here.healed()
        assert [h["status"]["verdict"] for h in healings] == ["Verified"]
        assert sorted(e.uid for e in here.effects()) == sorted(uids)

        async def seen() -> Json | None:
            raw = await here.api.get(f"{AKESO}/namespaces/{too}/healingpolicies/care")
            return conditions(raw) or None

        found = await here.until(seen, what="the second namespace's policy")
        assert found["TargetsFound"]["status"] == "False"  # looked at, and nothing is in it
        raw = await here.api.get(f"{AKESO}/namespaces/{here.own}/healingpolicies/care")
        assert "status" not in raw
