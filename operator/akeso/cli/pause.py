"""`akeso pause`: no write to users' workloads, by Akeso as a whole or by one policy."""

from __future__ import annotations

import argparse
import asyncio
from datetime import UTC, datetime

from rich.console import Console

from akeso.api.control import HealingControl
from akeso.api.policy import HealingPolicy
from akeso.cli import usage, words
from akeso.cli.flags import CONNECTION, OWN_NAMESPACE, add_settings, settings_of
from akeso.cli.output import add_output, show
from akeso.cli.parser import Options
from akeso.settings import Settings

EXAMPLES = """\
examples:
  akeso pause --reason "stocktaking until noon" --for 2h
  akeso pause --reason "we are debugging checkout"         until somebody runs `akeso resume`
  akeso pause --reason "load test" --policy shop/backend   only this policy

Akeso goes on watching and forecasting; it only keeps its hands off.
"""


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--reason", required=True, metavar="TEXT", help="everybody will see it")
    parser.add_argument(
        "--for",
        dest="lasting",
        metavar="DURATION",
        help="such as 90s, 10m, 1h30m, 2d (default: until resumed)",
    )
    parser.add_argument("--policy", metavar="NS/NAME", help="only this policy, not all of Akeso")
    add_output(parser)
    add_settings(parser, (*CONNECTION, "namespace"), OWN_NAMESPACE)


def run(options: Options) -> int:
    reason = options.reason.strip()
    if not reason:
        raise usage.UsageError("--reason is empty; say why, everybody will read it.")
    settings = settings_of(options)
    if options.policy is not None:
        return _pause_policy(options, reason, settings)
    now = datetime.now(UTC)
    until = now + usage.duration(options.lasting) if options.lasting else None
    control = asyncio.run(_set_paused(settings, reason, until))
    end = f"until {words.clock(until, now)}" if until else "until somebody runs `akeso resume`"
    return show(
        options,
        {"paused": _told(control), "policy": None},
        lambda console: _say(console, f"Akeso is paused {end}: {reason}"),
    )


def _pause_policy(options: Options, reason: str, settings: Settings) -> int:
    namespace, name = usage.policy(options.policy)
    if options.lasting:
        raise usage.UsageError(
            "--for ends a pause of all of Akeso; a policy's pause has no end. Leave it out, and"
            f" later run: akeso resume --policy {options.policy}"
        )
    after = asyncio.run(set_policy_pause(settings, namespace, name, reason))
    told = "; ".join(after.spec.guardrails.pause_reasons)
    return show(
        options,
        policy_answer(after),
        lambda console: _say(console, f"HealingPolicy {namespace}/{name} is paused: {told}"),
    )


def policy_answer(policy: HealingPolicy) -> dict[str, object]:
    """The JSON of a change to one policy's pause."""
    meta = policy.metadata
    return {
        "paused": {"reasons": list(policy.spec.guardrails.pause_reasons)},
        "policy": f"{meta.namespace}/{meta.name}",
    }


def _told(control: HealingControl) -> dict[str, object] | None:
    paused = control.spec.paused
    return paused.model_dump(mode="json", by_alias=True, exclude_none=True) if paused else None


def _say(console: Console, sentence: str) -> None:
    console.print(sentence, markup=False)


async def _set_paused(settings: Settings, reason: str, until: datetime | None) -> HealingControl:
    from akeso.wiring import open_view

    async with open_view(settings) as view:
        return await view.set_paused(reason, until)


async def set_policy_pause(
    settings: Settings, namespace: str, name: str, reason: str | None
) -> HealingPolicy:
    from akeso.wiring import open_view

    async with open_view(settings) as view:
        return await view.set_policy_pause(namespace, name, reason)
