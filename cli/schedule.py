"""The daily schedule of a lake."""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

_DAILY = re.compile(r"cron\((?P<minute>\d{1,2}) (?P<hour>\d{1,2}) (?:\* \* \?|\? \* \*) \*\)")


def next_run(expression: str, timezone: str, now: datetime) -> datetime | None:
    """Return when a daily schedule is due next, in its own time zone; None for schedules that are not daily."""
    daily = _DAILY.fullmatch(expression)
    if daily is None:
        return None
    try:
        there = now.astimezone(ZoneInfo(timezone))
        due = there.replace(hour=int(daily["hour"]), minute=int(daily["minute"]), second=0, microsecond=0)
    except (ZoneInfoNotFoundError, ValueError):
        return None
    return due if due > there else due + timedelta(days=1)
