"""`akeso resume`: the end of a pause."""

from __future__ import annotations

import argparse
import asyncio

from akeso.cli import usage
from akeso.cli.flags import CONNECTION, OWN_NAMESPACE, add_settings, settings_of
from akeso.cli.output import add_output, show
from akeso.cli.parser import Options
from akeso.cli.pause import policy_answer, set_policy_pause
from akeso.settings import Settings

EXAMPLES = """\
examples:
  akeso resume
  akeso resume --policy shop/backend
"""


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--policy", metavar="NS/NAME", help="only this policy, not all of Akeso")
    add_output(parser)
    add_settings(parser, (*CONNECTION, "namespace"), OWN_NAMESPACE)


def run(options: Options) -> int:
    settings = settings_of(options)
    if options.policy is None:
        asyncio.run(_resume(settings))
        answer: dict[str, object] = {"paused": None, "policy": None}
        said = "Akeso is not paused any more; each policy's own pause still holds."
    else:
        namespace, name = usage.policy(options.policy)
        answer = policy_answer(asyncio.run(set_policy_pause(settings, namespace, name, None)))
        said = f"HealingPolicy {namespace}/{name} is not paused any more."
    return show(options, answer, lambda console: console.print(said, markup=False))


async def _resume(settings: Settings) -> None:
    from akeso.wiring import open_view

    async with open_view(settings) as view:
        await view.set_paused(None, None)
