"""Whatever the API server does in the middle of a healing, it is finished, and done once.

A process that a fault ends is started again, as the kubelet would.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from dataclasses import dataclass

import pytest

from akeso_lab.proxy import Cut, Delay, Fault, GarbageBody, GarbageEvent, Match, Reject
from cluster.harness import World, brief
from cluster.workloads import policy, query_signal, workload

LISTS_PER_SECOND = 10.0  # of about ten kinds: no client asks faster than once a second
READS = ("get", "list")


@dataclass(frozen=True)
class Trouble:
    """Faults, for how many seconds; `ended`: all watches get this ERROR each second as well."""

    faults: tuple[Fault, ...] = ()
    seconds: float = 0.0
    ended: int = 0
    cut: bool = False


def refused(status: int, **more: float) -> Reject:
    return Reject(status=status, retry_after=more.get("retry_after"), match=Match(first=20))


FORBIDDEN = (  # the words of the API server's RBAC
    'poddisruptionbudgets.policy is forbidden: User "akeso" cannot list resource '
    '"poddisruptionbudgets" in API group "policy" at the cluster scope'
)
TROUBLES = {
    "every watch ends with 410, again and again": Trouble(seconds=5, ended=410),
    "every watch ends with 500, again and again": Trouble(seconds=5, ended=500),
    "watch events are garbled": Trouble((GarbageEvent(style="garbled", match=Match(first=5)),), 5),
    "watch events are cut in half": Trouble((GarbageEvent(match=Match(first=5)),), 5),
    "answers are garbled": Trouble(
        (GarbageBody(style="garbled", match=Match(verbs=READS, first=8)),), 5
    ),
    "the login is refused once": Trouble((Reject(status=401, match=Match(first=1)),), 3),
    "one kind may not be read": Trouble(
        (Reject(status=403, message=FORBIDDEN, match=Match(path="/poddisruptionbudgets")),),
        600,
        cut=True,
    ),
    "requests are throttled": Trouble((refused(429, retry_after=1),), 5),
    "everything is 500 for 20 s": Trouble((Reject(status=500),), 20, cut=True),
    "everything is cut for 15 s": Trouble((Cut(),), 15, cut=True),
    "every answer takes 2 s": Trouble((Delay(seconds=2),), 15),
}


@pytest.mark.parametrize("name", TROUBLES)
async def test_a_healing_survives_it_and_is_done_once(here: World, name: str) -> None:
    trouble = TROUBLES[name]
    await here.apply(workload())
    await here.rolled_out("Deployment")
    uids = await here.tire()
    await here.apply(policy(query_signal(here.name)))
    first = here.proxy.add(Delay(seconds=0.1, match=Match(path="/eviction$", nth=1)))
    here.operator.start(lease_renew_seconds="5")
    await first.happened.wait()
    await suffer(here, trouble)
    healings = await here.healed(within=120)
    assert [brief(h)["verdict"] for h in healings] == ["Verified"]
    assert sorted(e.uid for e in here.effects()) == sorted(uids)
    assert busiest_second(here) <= LISTS_PER_SECOND * max(1, here.operator.starts)


async def suffer(here: World, trouble: Trouble) -> None:
    """All of it, or as long as the healing takes."""
    armed = [here.proxy.add(fault) for fault in trouble.faults]
    if trouble.cut:
        here.proxy.cut_watches()
    if trouble.seconds > 60:
        return
    for _ in range(round(trouble.seconds)):
        if trouble.ended:
            await here.proxy.end_watches(trouble.ended)
        await asyncio.sleep(1)
    for fault in armed:
        assert fault.applied > 0
        here.proxy.remove(fault)


def busiest_second(here: World) -> float:
    """The most lists of one kind per second, over ten seconds, that reached the API server."""
    seen = Counter((r.path, r.started // 10) for r in here.proxy.requests if r.verb == "list")
    return max(seen.values(), default=0) / 10
