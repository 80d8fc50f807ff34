"""The commands and their help. A command's own arguments are added only when it is used."""

from __future__ import annotations

import argparse
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib import import_module
from pathlib import PurePath
from typing import Any

NAME = "akeso"
# kubectl takes this file on the PATH for its own command `kubectl akeso`.
PLUGIN = "kubectl-akeso"

_EXAMPLES = """\
examples:
  akeso status                        how Akeso is, what it watches, heals and refuses
  akeso explain deployment/shop       why Akeso does, or does not, act on one workload
  akeso heal deployment/shop --wait   ask for a healing, and see how it goes
  akeso pause --reason stocktaking    stop every write to every workload, now
  akeso demo --lab demo               see it heal a real cluster (`make demo` starts one)

`akeso COMMAND --help` has the details and more examples.
"""


class Options(argparse.Namespace):
    """What was asked for; `run` carries it out and returns the exit code."""

    command: str
    run: Callable[[Options], int]


@dataclass(frozen=True)
class Command:
    """One command; `module` has `EXAMPLES`, `arguments(parser)` and `run(options)`."""

    name: str
    help: str
    module: str


COMMANDS = (
    Command("operator", "watch, forecast and heal until told to stop", "operate"),
    Command("status", "how Akeso is, what it watches, heals and refuses", "status"),
    Command("history", "what was found and done lately, and how it ended", "history"),
    Command("explain", "why Akeso does, or does not, act on one workload", "explain"),
    Command("report", "one healing as a page or picture to send to anybody", "report"),
    Command("heal", "ask the operator to heal a workload", "heal"),
    Command("undo", "ask the operator to take a healing back", "undo"),
    Command("pause", "stop healing everywhere, or that of one policy", "pause"),
    Command("resume", "end a pause", "resume"),
    Command(
        "simulate", "replay a recorded incident, as it was or as it might have been", "simulate"
    ),
    Command("backtest", "what Akeso would have foreseen in your own history", "backtest"),
    Command("forecast", "draw one series and what is expected of it", "forecast"),
    Command("demo", "watch Akeso heal real failures in a lab cluster", "demo.command"),
    Command("doctor", "whether all that Akeso needs is there, and what to do", "doctor.command"),
    Command("config", "the settings that hold, and where each comes from", "config"),
    Command("crds", "print the custom resources, to be applied", "crds"),
    Command("completion", "print what lets bash or zsh complete commands", "completion"),
    Command("version", "which version this is", "version"),
)


class CommandParser(argparse.ArgumentParser):
    """A command's parser, which fills itself when it is first used."""

    module: str | None = None

    def parse_known_args(self, *args: Any, **kwargs: Any) -> Any:
        self.fill()
        return super().parse_known_args(*args, **kwargs)

    def fill(self) -> None:
        """Adds the command's own arguments; once."""
        if self.module is None:
            return
        command, self.module = import_module(f"akeso.cli.{self.module}"), None
        command.arguments(self)
        name = self.prog.rpartition(" ")[0]
        self.epilog = as_called(command.EXAMPLES, name)
        self.usage = as_called(self.usage, name) if self.usage else None
        self.set_defaults(run=command.run)


def called(path: str) -> str:
    """The words that a person called it by: kubectl runs a plugin by the name of its file."""
    return "kubectl akeso" if PurePath(path).stem == PLUGIN else NAME


def as_called(text: str, called: str) -> str:
    """Help as that person can repeat it: our name where a command line begins with it."""
    return re.sub(rf"^( *){NAME}(?= )", rf"\1{called}", text, flags=re.MULTILINE)


def build(name: str = NAME) -> argparse.ArgumentParser:
    """The whole command line; `name` is what it was called by."""
    parser = argparse.ArgumentParser(
        prog=name,
        description="Akeso forecasts failures in Kubernetes and heals them before users notice.",
        epilog=as_called(_EXAMPLES, name),
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("--version", action=_Version, help="print the version and exit")
    commands = parser.add_subparsers(
        title="commands",
        required=True,
        metavar="COMMAND",
        dest="command",
        parser_class=CommandParser,
    )
    for command in COMMANDS:
        added = commands.add_parser(
            command.name,
            help=command.help,
            description=f"{command.help[0].upper()}{command.help[1:]}.",
            formatter_class=argparse.RawDescriptionHelpFormatter,
            allow_abbrev=False,
        )
        added.module = command.module
    return parser


def parser_of(name: str) -> CommandParser:
    """One command's parser, filled: what the reference is generated from."""
    found = parsers_of(build())[name]
    found.fill()
    return found


def parsers_of(parser: argparse.ArgumentParser) -> Mapping[str, CommandParser]:
    """The commands' parsers by name, not filled yet."""
    actions: Any = parser._actions  # argparse has no public way to its subparsers
    found: Mapping[str, CommandParser] = next(a for a in actions if a.dest == "command").choices
    return found


class _Version(argparse.Action):
    """Looks the version up only when it is asked for."""

    def __init__(self, option_strings: list[str], dest: str, help: str | None = None) -> None:
        super().__init__(option_strings, dest, nargs=0, default=argparse.SUPPRESS, help=help)

    def __call__(self, parser: argparse.ArgumentParser, *_: Any) -> None:
        from akeso.version import version

        print(f"akeso {version()}")
        parser.exit()
