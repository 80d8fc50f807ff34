"""The command line: runs a command, and turns what goes wrong into one sentence on stderr.

Exit codes: 0 done, 1 it could not be done (or a check of the demo failed), 2 wrong usage,
130 interrupted. What a command needs is imported inside it, so that `akeso --help` is instant.
"""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Sequence

from akeso.cli.parser import Options, build, called
from akeso.cli.usage import UsageError
from akeso.errors import AkesoError, GoneError, StaleError, TransientError

INTERRUPTED = 130
_INSTALL = "Install them: kubectl apply --server-side -f crds/"


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs one command; its exit code."""
    name = called(sys.argv[0])
    options = build(name).parse_args(arguments, Options())
    # Libraries warn through logging; what a person must know comes as one sentence instead. The
    # operator sets its own log up.
    logging.getLogger().addHandler(logging.NullHandler())
    try:
        return options.run(options)
    except UsageError as error:
        print(f"{name}: {error}\nSee: {name} {options.command} --help", file=sys.stderr)
        return 2
    except AkesoError as error:
        print(f"{name}: {told(error)}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print(f"{name}: interrupted", file=sys.stderr)
        return INTERRUPTED
    except BrokenPipeError:
        # The reader (head, less) has seen enough; the interpreter must not complain at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0


def told(error: AkesoError) -> str:
    """The error's sentence, with what to do next where the error itself can't know."""
    said = str(error).rstrip()
    if isinstance(error, GoneError) and "page not found" in said:
        return f"Akeso's resources are not installed in this cluster ({said}). {_INSTALL}"
    if isinstance(error, StaleError):
        return f"{said}. Somebody changed it at the same moment; run the command again."
    if isinstance(error, TransientError):
        return f"{said}. Check the connection (kubectl get --raw /readyz) and try again."
    return said
