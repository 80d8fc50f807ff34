"""The story of a replayed incident, for people and for programs."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

from rich.console import Console
from rich.text import Text

from akeso.cli import words
from akeso.cli.output import Row, section
from akeso.domain.finding import Decision
from akeso.simulation.replay import Difference, Replay

_STYLES = {
    "Verified": "green",
    "Blocked": "yellow",
    "NeedsHuman": "red",
    "Proposed": "yellow",
    "Failed": "red",
}
_COLUMNS = ("AFTER", "DECISION", "TARGET", "SIGNAL", "HEALER", "REASON", "MESSAGE")


def tell(console: Console, replay: Replay, what_if: bool) -> None:
    """The decisions in their order, then what they are against those that were recorded."""
    began = datetime.fromtimestamp(replay.began, UTC)
    runs = "" if replay.runs == 1 else f", {replay.runs} runs of the operator"
    _say(
        console,
        f"Recorded from {began:%Y-%m-%d %H:%M:%S UTC} on for"
        f" {words.span(replay.ended - replay.began)}"
        f" ({words.many(replay.cycles, 'cycle')}{runs}, Akeso {', '.join(replay.versions)})",
    )
    for remark in remarks(replay):
        _say(console, remark, "yellow")
    console.print()
    certain = [d for i, d in enumerate(replay.told) if not replay.beyond(i)]
    beyond = list(replay.told[len(certain) :])
    section(console, "Decisions", _COLUMNS, [_row(d, replay) for d in certain])
    if replay.departure is not None:
        _say(console, parting(replay), "yellow")
        console.print()
        section(
            console,
            "Beyond the recording: what follows is decided on a world in which that made no"
            " difference",
            _COLUMNS,
            [_row(d, replay) for d in beyond],
        )
    if replay.same:
        _say(console, conclusion(replay, what_if), "green")
        return
    section(
        console,
        "Differences",
        ("", "AFTER", "DECISION", "TARGET", "REASON", "MESSAGE"),
        [row for difference in replay.differences for row in _sides(difference, replay)],
    )
    _say(console, conclusion(replay, what_if), "yellow" if what_if else "red")


def data(replay: Replay, what_if: bool) -> dict[str, Any]:
    """The same for programs."""
    departure = replay.departure
    return {
        "began": _time(replay.began),
        "seconds": round(replay.ended - replay.began, 3),
        "cycles": replay.cycles,
        "runs": replay.runs,
        "recordedBy": list(replay.versions),
        "whatIf": what_if,
        "decisions": [
            {**_decision(d, replay), "beyondRecording": replay.beyond(i)}
            for i, d in enumerate(replay.told)
        ],
        "recordedDecisions": len(replay.recorded),
        "same": replay.same,
        "differences": [
            {
                "recorded": [_decision(replay.recorded[i], replay) for i in found.recorded],
                "replayed": [_decision(replay.told[i], replay) for i in found.replayed],
            }
            for found in replay.differences
        ],
        "departure": None
        if departure is None
        else {"afterSeconds": _after(departure.at, replay), "message": parting(replay)},
        "remarks": list(remarks(replay)),
    }


def remarks(replay: Replay) -> Iterator[str]:
    """What a reader must know before he believes the rest."""
    for ending in replay.endings:
        yield f"{ending.path} ends {ending.how}; what is there is played."
    for part in replay.headless:
        yield (
            f"It begins with part {part} of a recording, without those before it: what the operator"
            " had measured until then is not in it, so forecasts begin anew and first decisions"
            " may differ. Name the parts before it too, if they are still there."
        )
    asked = {**replay.missing}
    live = asked.pop("cluster.live", 0)
    if live:
        yield (
            f"{words.many(live, 'live read')} of a workload {_were(live)} not recorded; what the"
            " informers had seen in that cycle stands in."
        )
    writes = asked.pop("cluster.perform", 0)
    if writes:
        yield (
            f"{words.many(writes, 'write')} {_were(writes)} not made when this was recorded; each is"
            " taken for done, without consequences."
        )
    for name, count in sorted(asked.items()):
        yield (
            f"{name} was asked {words.many(count, 'time')} for what was not recorded, and gave no"
            " data."
        )


def parting(replay: Replay) -> str:
    """From where on the recording tells nothing of what would have followed."""
    departure = replay.departure
    if departure is None:
        return ""
    return (
        f"From decision {departure.after + 1} on (after {_offset(departure.at, replay)}) the"
        f" recording no longer tells what would have followed: {departure.why}."
    )


def conclusion(replay: Replay, what_if: bool) -> str:
    count = words.many(len(replay.told), "decision")
    if replay.same:
        return f"{count}, the same as recorded."
    shared = sum(len(d.replayed) for d in replay.differences)
    told = f"{count}, {len(replay.told) - shared} of them as recorded ({len(replay.recorded)} were)"
    return f"{told}; another policy, other decisions." if what_if else f"{told}: they differ."


def _sides(difference: Difference, replay: Replay) -> Iterator[Row]:
    for mark, style, numbers, decisions in (
        ("- recorded", "red", difference.recorded, replay.recorded),
        ("+ replayed", "green", difference.replayed, replay.told),
    ):
        for number in numbers:
            d = decisions[number]
            after = _offset(d.at, replay)
            yield Text(mark, style), after, d.what, _target(d), d.reason, d.message


def _row(d: Decision, replay: Replay) -> Row:
    what = Text(d.what, style=_STYLES.get(d.what, ""))
    return _offset(d.at, replay), what, _target(d), d.signal, d.healer, d.reason, d.message


def _decision(d: Decision, replay: Replay) -> dict[str, Any]:
    return {
        "afterSeconds": _after(d.at, replay),
        "at": _time(d.at),
        "decision": d.what,
        "reason": d.reason,
        "target": {
            "kind": d.target.kind.value,
            "namespace": d.target.namespace,
            "name": d.target.name,
        },
        "signal": d.signal,
        "policy": d.policy,
        "healer": d.healer,
        "healing": d.healing,
        "message": d.message,
    }


def _target(d: Decision) -> str:
    return f"{d.target.kind.value.lower()}/{d.target.name} -n {d.target.namespace}"


def _after(at: float, replay: Replay) -> float:
    return round(at - replay.began, 3)


def _offset(at: float, replay: Replay) -> str:
    return words.span(max(0.0, at - replay.began))


def _time(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).isoformat(timespec="milliseconds")


def _were(count: int) -> str:
    return "was" if count == 1 else "were"


def _say(console: Console, sentence: str, style: str = "") -> None:
    console.print(Text(sentence, style=style))
