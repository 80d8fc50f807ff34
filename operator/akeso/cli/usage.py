"""What a person typed, and what was wrong with it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

from akeso.domain.workload import Kind
from akeso.errors import AkesoError

_SECONDS = {"s": 1, "m": 60, "h": 3_600, "d": 86_400}
_DURATION = re.compile(r"(?:(\d+)d)?(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s)?")
_NAME = re.compile(r"[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?")
# The names that kubectl takes for the kinds Akeso heals.
_KINDS = {
    **dict.fromkeys(("deployment", "deployments", "deploy"), Kind.DEPLOYMENT),
    **dict.fromkeys(("statefulset", "statefulsets", "sts"), Kind.STATEFUL_SET),
    **dict.fromkeys(("daemonset", "daemonsets", "ds"), Kind.DAEMON_SET),
}


class UsageError(AkesoError):
    """The command line is wrong; exit code 2."""


def duration(text: str) -> timedelta:
    """`90s`, `10m`, `1h30m`, `2d`."""
    found = _DURATION.fullmatch(text.strip())
    if not text.strip() or found is None:
        raise UsageError(f"{text!r} is no duration; write it like 90s, 10m, 1h30m or 2d.")
    counts = zip(("d", "h", "m", "s"), found.groups(default="0"), strict=True)
    try:
        amount = timedelta(seconds=sum(_SECONDS[unit] * int(count) for unit, count in counts))
    except OverflowError:
        raise UsageError(f"{text!r} is longer than a person lives; give less.") from None
    if not amount:
        raise UsageError(f"{text!r} is no time at all; give at least 1s.")
    return amount


def before(now: datetime, text: str) -> datetime:
    """The moment so long ago; the beginning of time where there is none."""
    try:
        return now - duration(text)
    except OverflowError:
        return datetime.min.replace(tzinfo=UTC)


def time(flag: str, text: str) -> datetime:
    """`2026-11-01`, `2026-11-01T09:00:00Z`; UTC where no zone is named."""
    try:
        found = datetime.fromisoformat(text.strip())
        return found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)
    except (ValueError, OverflowError):
        raise UsageError(
            f"{flag} {text!r:.60} is no time; write it like 2026-11-01 or 2026-11-01T09:00:00Z."
        ) from None


def check_names(values: Mapping[str, str | None]) -> None:
    """Names as Kubernetes has them, by what they were given as; anything else goes nowhere."""
    for given, name in values.items():
        if name is not None and not _NAME.fullmatch(name):
            raise UsageError(
                f"{given} {name!r} can't be a name: names have lower-case letters, digits, '-' and"
                " '.', and begin and end with a letter or digit."
            )


def workload(text: str) -> tuple[Kind | None, str]:
    """`deployment/shop`, `sts/db`, `deployments.apps/shop` or only `shop`."""
    kind, slash, name = text.rpartition("/")
    if not slash:
        check_names({"TARGET": text})
        return None, text
    found = _KINDS.get(kind.lower().removesuffix(".apps"))
    if found is None or not name:
        raise UsageError(
            f"{text!r} names no workload; write deployment/NAME, statefulset/NAME, "
            "daemonset/NAME or only NAME."
        )
    check_names({"TARGET": name})
    return found, name


def policy(text: str) -> tuple[str, str]:
    """`NAMESPACE/NAME`."""
    namespace, slash, name = text.partition("/")
    if not (slash and namespace and name) or "/" in name:
        raise UsageError(f"{text!r} names no policy; write NAMESPACE/NAME, such as shop/backend.")
    return namespace, name
