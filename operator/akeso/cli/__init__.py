"""The command line: runs a command, and turns what goes wrong into one sentence on stderr.

Exit codes: 0 done, 1 it could not be done (or what was asked about is not well), 2 wrong usage,
130 interrupted, 141 nobody reads the answer any more. What a command needs is imported inside it,
so that `akeso --help` is instant.
"""

from __future__ import annotations

import io
import logging
import os
import sys
from collections.abc import Sequence

from akeso.cli.parser import Options, build, called
from akeso.cli.usage import UsageError, check_names
from akeso.clients.kubernetes.library import load_lazily
from akeso.errors import AkesoError, GoneError, PermanentError, StaleError, TransientError

INTERRUPTED, UNREAD = 130, 141  # as shells tell SIGINT and SIGPIPE
_INSTALL = "Install them: akeso crds | kubectl apply --server-side -f -"
EVERYWHERE = "in the whole cluster"  # as a refused right is told


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs one command; its exit code."""
    _speak_plainly()
    try:
        try:
            return _run(called(sys.argv[0]), arguments)
        finally:
            sys.stdout.flush()
    except BrokenPipeError:
        # The reader (head, less) has seen enough; the interpreter must not complain at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return UNREAD


def _run(name: str, arguments: Sequence[str] | None) -> int:
    options = build(name).parse_args(arguments, Options())
    # Libraries warn through logging; what a person must know comes as one sentence instead. The
    # operator sets its own log up.
    logging.getLogger().addHandler(logging.NullHandler())
    try:
        check_names({"--namespace": getattr(options, "namespace", None)})
        if options.command != "operator":  # which runs for months, and with whatever plugins need
            load_lazily()
        return options.run(options)
    except UsageError as error:
        print(f"{name}: {error}\nSee: {name} {options.command} --help", file=sys.stderr)
        return 2
    except AkesoError as error:
        print(f"{name}: {told(error)}{_narrower(error, options)}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print(f"{name}: interrupted", file=sys.stderr)
        return INTERRUPTED


def _speak_plainly() -> None:
    """A terminal that can't show a sign gets `?` in its place, and no trace."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")


def _narrower(error: AkesoError, options: Options) -> str:
    """Who may look at one namespace only is told how."""
    everywhere = isinstance(error, PermanentError) and EVERYWHERE in str(error)
    if everywhere and getattr(options, "namespace", "") is None:
        return " Or look at one namespace only, where you may: -n NAMESPACE."
    return ""


def told(error: AkesoError) -> str:
    """The error's sentence, with what to do next where the error itself can't know."""
    said = str(error).rstrip()
    if isinstance(error, GoneError) and "page not found" in said:
        return f"Akeso's resources are not installed in this cluster ({said}). {_INSTALL}"
    if isinstance(error, StaleError):
        return f"{said}. Somebody changed it at the same moment; run the command again."
    if isinstance(error, TransientError) and "Unauthorized" in said:
        return f"{said}. The API server does not accept these credentials; log in again."
    if isinstance(error, TransientError):
        return f"{said}. Check the connection (kubectl get --raw /readyz) and try again."
    return said
