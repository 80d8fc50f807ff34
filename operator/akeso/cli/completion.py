"""`akeso completion`: the script that lets a shell complete commands, flags and names."""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Mapping
from typing import Any

from akeso.cli.parser import NAME, Options, build, parsers_of

EXAMPLES = """\
examples:
  source <(akeso completion bash)                             in this shell
  akeso completion bash > ~/.local/share/bash-completion/completions/akeso
  akeso completion zsh > "${fpath[1]}/_akeso"                 and start zsh anew

Names of namespaces, workloads and Healings are completed by asking kubectl, where it is installed.
"""

SHELLS = ("bash", "zsh")
# What a value is, by the argument's place in the parsed options: a function of the preamble.
_VALUES: Mapping[str, str] = {
    "namespace": "_akeso_namespaces",
    "setting_namespace": "_akeso_namespaces",
    "setting_watch_namespaces": "_akeso_namespaces",
    "target": "_akeso_workloads",
    "healing": "_akeso_healings",
}
_FILES = (
    "setting_kubeconfig", "setting_settings_file", "csv", "parquet", "html", "png", "svg",
    "calibration", "save_calibration", "save_policy",
)  # fmt: skip
_FOLDERS = ("cache",)

# The functions ask with the -n that is on the line already, and are silent where kubectl is.
_BASH = """\
_akeso_ask() {
  local at where=()
  for ((at = 1; at < COMP_CWORD - 1; at++)); do
    case ${COMP_WORDS[at]} in -n | --namespace) where=(-n "${COMP_WORDS[at + 1]}") ;; esac
  done
  kubectl --request-timeout=2s "${where[@]}" get "$@" -o name 2>/dev/null
}
_akeso_namespaces() { compgen -W "$(_akeso_ask namespaces | sed 's,.*/,,')" -- "$1"; }
_akeso_healings() { compgen -W "$(_akeso_ask healings.akeso.dev | sed 's,.*/,,')" -- "$1"; }
_akeso_workloads() {
  compgen -W "$(_akeso_ask deployments,statefulsets,daemonsets | sed 's,\\.apps/,/,')" -- "$1"
}
"""
_ZSH = """\
_akeso_ask() {
  local at where=()
  for ((at = 1; at < CURRENT - 1; at++)); do
    case ${words[at]} in -n | --namespace) where=(-n "${words[at + 1]}") ;; esac
  done
  kubectl --request-timeout=2s "${where[@]}" get "$@" -o name 2>/dev/null
}
_akeso_namespaces() { compadd -- ${(f)"$(_akeso_ask namespaces | sed 's,.*/,,')"} }
_akeso_healings() { compadd -- ${(f)"$(_akeso_ask healings.akeso.dev | sed 's,.*/,,')"} }
_akeso_workloads() {
  compadd -- ${(f)"$(_akeso_ask deployments,statefulsets,daemonsets | sed 's,\\.apps/,/,')"}
}
"""


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("shell", metavar="SHELL", choices=SHELLS, help=" or ".join(SHELLS))


def run(options: Options) -> int:
    print(script(options.shell))
    return 0


def script(shell: str) -> str:
    """The whole script for one of `SHELLS`, from the commands' own parsers."""
    import shtab

    parser = build(NAME)
    for command in parsers_of(parser).values():
        command.fill()
        for action in _actions(command):
            if action.dest in _VALUES:
                action.complete = dict.fromkeys(SHELLS, _VALUES[action.dest])
            elif action.dest in _FILES:
                action.complete = shtab.FILE
            elif action.dest in _FOLDERS:
                action.complete = shtab.DIRECTORY
    preamble = {"bash": _BASH, "zsh": _ZSH}[shell]
    return shtab.complete(parser, shell, preamble=preamble)


def _actions(parser: argparse.ArgumentParser) -> Iterator[Any]:
    """Every argument; argparse has no public way to them, and shtab reads one more attribute."""
    yield from parser._actions
