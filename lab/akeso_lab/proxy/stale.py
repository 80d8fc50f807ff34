"""Reads answered from the past."""

from dataclasses import dataclass, field

from akeso_lab.proxy.exchange import Exchange, Forward, Reply, RequestFault
from akeso_lab.proxy.match import READS, Match

SnapshotKey = tuple[str, str, str]


def snapshot_key(exchange: Exchange) -> SnapshotKey | None:
    """What makes two reads ask for the same answer: target, Accept, Accept-Encoding.

    None for logs, which may be followed and then never end.
    """
    target = exchange.record.target
    if target is not None and target.subresource == "log":
        return None
    headers = exchange.headers
    return exchange.raw_target, headers.get("Accept", ""), headers.get("Accept-Encoding", "")


@dataclass(frozen=True, kw_only=True)
class Stale(RequestFault):
    """Answer reads from the past, as a lagging cache would; made by `FaultProxy.freeze`.

    A read without a snapshot is answered once by the upstream and stays at that answer.
    """

    match: Match = READS
    snapshots: dict[SnapshotKey, Reply] = field(
        default_factory=dict[SnapshotKey, Reply], compare=False, repr=False
    )

    async def around(self, exchange: Exchange, forward: Forward) -> Reply:
        """Answer from the snapshot, taking one first if there is none."""
        key = snapshot_key(exchange)
        if key is None:
            return await forward()
        if key not in self.snapshots:
            reply = await forward()
            await reply.read()
            self.snapshots[key] = reply
        past = self.snapshots[key]
        return Reply(
            status=past.status, reason=past.reason, headers=past.headers.copy(), body=past.body
        )
