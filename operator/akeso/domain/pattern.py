"""Whether a regular expression of Alertmanager's matches a whole text; None where it can't be told.

Alertmanager's engine (RE2) takes time linear in the text, Python's may take for ever on a pattern
that somebody wrote for the other one. So a pattern is tried only where both mean the same by it
and the ways to match are few: literals, classes, groups, alternatives and repeated characters.
https://github.com/google/re2/wiki/Syntax
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from functools import lru_cache

LONGEST = 10_000  # characters of a pattern
MOST_WAYS = 1_000_000  # to match; trying them all takes well below 0.1 s
_STEP = 16  # characters: names of pods differ little in length and share what is known of a pattern

_TOKEN = re.compile(
    r"""
    (?P<atom> \\[dDwW] | \\[!-/:-@\[-`{-~] | [^\\\[\](){}|*+?^$]
            | \[ \^? (?: \\[dDwW] | \\[!-/:-@\[-`{-~] | [^\\\[\]] )+ \] )
  | (?P<open> \( (?:\?:)? (?!\?) )
  | (?P<close> \) )
  | (?P<or> \| )
  | (?P<repeat> (?: [*+?] | \{ \d{1,3} (?:, \d{0,3})? \} ) \?? )
    """,
    re.VERBOSE,
)
_CASE_BLIND = "(?i)"
# Python may give these a meaning of their own inside a class one day.
_SET_OPERATIONS = re.compile(r"--|&&|\|\||~~")


def matches(pattern: str, text: str) -> bool | None:
    """Whether all of `text` matches. None: the pattern is none that can be judged here."""
    if pattern.startswith(_CASE_BLIND) and not text.isascii():
        return None  # the two fold some other letters differently
    compiled = _compiled(pattern, (len(text) // _STEP + 1) * _STEP)
    return None if compiled is None else compiled.fullmatch(text) is not None


@lru_cache(maxsize=4096)
def _compiled(pattern: str, length: int) -> re.Pattern[str] | None:
    """The pattern for texts shorter than `length`. None: not to be tried."""
    flags = re.ASCII
    if pattern.startswith(_CASE_BLIND):
        if not pattern.isascii():
            return None
        pattern, flags = pattern.removeprefix(_CASE_BLIND), flags | re.IGNORECASE
    if len(pattern) > LONGEST:
        return None
    pattern = _unanchored(pattern)
    ways = _ways(pattern, length)
    if ways is None or ways > MOST_WAYS:
        return None
    try:
        return re.compile(pattern, flags)
    except (re.error, OverflowError, RecursionError):
        return None


def _unanchored(pattern: str) -> str:
    """Without the anchors that matching a whole text implies anyway."""
    pattern = pattern.removeprefix("^")
    quoted = (len(pattern) - len(pattern.removesuffix("$").rstrip("\\"))) % 2 == 0
    return pattern[:-1] if pattern.endswith("$") and not quoted else pattern


@dataclass(slots=True)
class _Group:
    """The ways through the alternatives that are behind, and through the one under way."""

    behind: int = 0
    now: int = 1
    last: str = ""

    def closed(self) -> int:
        return self.behind + self.now


@dataclass(slots=True)
class _Counter:
    length: int
    groups: list[_Group] = field(default_factory=lambda: [_Group()])

    def take(self, kind: str, token: str) -> bool:
        """Counts one token; False where this is nothing that both engines take alike."""
        group = self.groups[-1]
        if kind == "open":
            self.groups.append(_Group())
        elif kind == "close":
            if len(self.groups) == 1:
                return False
            self.groups.pop()
            self.groups[-1].now *= group.closed()
            self.groups[-1].last = "group"
        elif kind == "or":
            group.behind, group.now, group.last = group.closed(), 1, ""
        elif kind == "repeat":
            if not self._repeatable(group.last, token):
                return False
            group.now *= 2 if token.startswith("?") else self.length
            group.last = "repeat"
        else:
            group.last = "atom"
        # A number that has grown too large stays so; there is no need to make it larger.
        self.groups[-1].now = min(self.groups[-1].now, MOST_WAYS + 1)
        return True

    @staticmethod
    def _repeatable(last: str, token: str) -> bool:
        """A repeated group has ways without number; what is optional has two."""
        return last == "atom" or (last == "group" and token.startswith("?"))


def _ways(pattern: str, length: int) -> int | None:
    """An upper bound of the ways to match a text of `length`; None: not to be tried."""
    counter, at = _Counter(length), 0
    while at < len(pattern):
        found = _TOKEN.match(pattern, at)
        if found is None or found.lastgroup is None:
            return None
        token, at = found[0], found.end()
        if token.startswith("[") and _SET_OPERATIONS.search(token):
            return None
        if not counter.take(found.lastgroup, token):
            return None
    return counter.groups[0].closed() if len(counter.groups) == 1 else None
