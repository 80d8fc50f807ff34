"""The one error of the lab: what happened, to which part, and what to do next."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


# Not frozen: the interpreter itself writes to an exception while it travels.
@dataclass(eq=False)
class LabError(Exception):
    """A part of the lab failed in a way its reader can act on.

    ``part`` is the program or step, ``what`` one sentence, ``remedy`` what to do next,
    ``log`` the file with the details and ``tail`` its last lines.
    """

    part: str
    what: str
    remedy: str
    log: Path | None = None
    tail: str = ""

    def __str__(self) -> str:
        lines = [f"{self.part}: {self.what}"]
        if self.tail:
            lines += ["last lines of its log:", *(f"    {line}" for line in self.tail.splitlines())]
        if self.log is not None:
            lines.append(f"log: {self.log}")
        lines.append(f"what to do: {self.remedy}")
        return "\n".join(lines)
