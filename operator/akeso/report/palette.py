"""The colours of reports: for a picture as they are, in a page as CSS variables of both themes.

Each stands for one meaning in every plot. Chosen to be told apart with any kind of colour vision and
when printed in grey: forecast and threshold also differ in their dashes.
"""

from __future__ import annotations

from akeso.report.model import Mood, Role

# name: light theme, dark theme
COLOURS = {
    "paper": ("#ffffff", "#11161d"),
    "ink": ("#1b2430", "#e4eaf2"),
    "muted": ("#5d6b7c", "#96a5b8"),
    "line": ("#dfe5ec", "#2a3442"),
    "signal": ("#1f6fd6", "#67aaff"),
    "fresh": ("#0b8a6a", "#41cfa6"),
    "other": ("#a2aebc", "#647387"),
    "beside": ("#8b5fbf", "#bd9bec"),
    "limit": ("#cf2f3c", "#ff7680"),
    "hope": ("#c77700", "#f2b04a"),
    "good": ("#12804f", "#4ed39a"),
    "bad": ("#c62836", "#ff7680"),
    "unsure": ("#a86500", "#f0b14f"),
    "open": ("#1c64c4", "#74b1ff"),
    "quiet": ("#6a7888", "#93a1b3"),
}

OF_ROLE = {
    Role.CONCERNED: "signal",
    Role.SUCCESSOR: "fresh",
    Role.OTHER: "other",
    Role.COMPARED: "beside",
}
OF_MOOD = {
    Mood.GOOD: "good",
    Mood.BAD: "bad",
    Mood.UNSURE: "unsure",
    Mood.OPEN: "open",
    Mood.QUIET: "quiet",
}


def light(name: str) -> str:
    return COLOURS[name][0]


def variables(theme: int) -> str:
    """CSS declarations; theme 0 is light, 1 dark."""
    return " ".join(f"--{name}: {both[theme]};" for name, both in COLOURS.items())
