"""Schedules as AWS writes them, `cron(0 6 * * ? *)` or `rate(1 day)`: what is wrong with one, and when it is due.

EventBridge and Glue read cron expressions of six fields, which differ from those of Unix: the last is the year, days
of the week count from Sunday as 1, and one of the two fields for days is a question mark.
https://docs.aws.amazon.com/scheduler/latest/UserGuide/schedule-types.html
"""

from __future__ import annotations

import calendar
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

FIELDS: Final = "minutes hours day-of-month month day-of-week year"
YEARS_AHEAD: Final = 30  # the 29th of February is a Sunday every 28 years
_MONTHS: Final = tuple(name.upper() for name in calendar.month_abbr)
_WEEKDAYS: Final = ("", "SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT")
_CRON: Final = re.compile(r"cron\((?P<fields>[^()]*)\)")
_RATE: Final = re.compile(r"rate\((?P<number>\d+) +(?P<unit>minute|hour|day)(?P<plural>s?)\)")
_UNIX: Final = re.compile(r"[\d*/,-]+( +[\d*/,A-Za-z-]+){4}")


class ScheduleError(ValueError):
    """A text that AWS takes for no schedule; the sentence says why, and what is likely meant."""


@dataclass(frozen=True)
class _Field:
    """A field of a cron expression: its name, its range, and the names that may replace numbers."""

    name: str
    least: int
    most: int
    names: tuple[str, ...] = ()
    has_steps: bool = True


_MINUTES: Final = _Field("minutes", 0, 59)
_HOURS: Final = _Field("hours", 0, 23)
_DAYS: Final = _Field("day-of-month", 1, 31)
_MONTH: Final = _Field("month", 1, 12, _MONTHS)
_WEEKDAY: Final = _Field("day-of-week", 1, 7, _WEEKDAYS, has_steps=False)
_YEAR: Final = _Field("year", 1970, 2199)


@dataclass(frozen=True)
class Cron:
    """A cron expression of AWS.

    Attributes
    ----------
    minutes, hours, months, years
        When it is due.
    days, weekdays
        The parts of the two fields for days; one of them is empty.
    """

    minutes: frozenset[int]
    hours: frozenset[int]
    months: frozenset[int]
    years: frozenset[int]
    days: tuple[str, ...] = ()
    weekdays: tuple[str, ...] = ()

    def is_due(self, day: date) -> bool:
        """Return whether it is due at some time of a day."""
        if day.year not in self.years or day.month not in self.months:
            return False
        return any(_on_day(part, day) for part in self.days) or any(
            _on_weekday(part, day) for part in self.weekdays
        )

    def times(self, after: datetime) -> Iterator[datetime]:
        """Yield the times at which it is due after a moment, in that moment's zone."""
        first = after.date()
        for number in range(366 * YEARS_AHEAD):
            day = first + timedelta(days=number)
            if day.year > max(self.years):
                return
            if not self.is_due(day):
                continue
            for hour in sorted(self.hours):
                for minute in sorted(self.minutes):
                    due = datetime.combine(day, time(hour, minute), after.tzinfo)
                    if due > after:
                        yield due


def parse_cron(expression: str) -> Cron:
    """Read a cron expression of AWS.

    Raises
    ------
    ScheduleError
        EventBridge would reject it.
    """
    found = _CRON.fullmatch(expression.strip())
    if found is None:
        raise ScheduleError(f"{expression!r} is not {_form()}{_likely(expression)}")
    fields = found["fields"].split()
    if len(fields) != 6:
        unix = " It has five, as on Unix." if len(fields) == 5 else f" It has {len(fields)}."
        raise ScheduleError(f"{expression} needs six fields: {FIELDS}.{unix}{_likely(found['fields'])}")
    minutes, hours, days, months, weekdays, years = fields
    if (days == "?") == (weekdays == "?"):
        fitting = " ".join([minutes, hours, days if days != "?" else "*", months, "?", years])
        raise ScheduleError(
            f"{expression} needs a ? in exactly one of its two fields for days, the third and the fifth:"
            f" cron({fitting}), for example."
        )
    cron = Cron(
        minutes=_numbers(_MINUTES, minutes),
        hours=_numbers(_HOURS, hours),
        months=_numbers(_MONTH, months),
        years=_numbers(_YEAR, years),
        days=() if days == "?" else _parts(_DAYS, days),
        weekdays=() if weekdays == "?" else _parts(_WEEKDAY, weekdays),
    )
    first = date(max(1970, min(cron.years)), 1, 1)
    if next(cron.times(datetime.combine(first, time(), UTC) - timedelta(minutes=1)), None) is None:
        raise ScheduleError(f"{expression} names no day that exists.")
    return cron


def check(expression: str, now: datetime, *, with_rate: bool = True) -> None:
    """Check an expression of a schedule.

    Parameters
    ----------
    expression
        Such as `cron(0 6 * * ? *)`.
    now
        With its zone; a schedule whose last time is before it never runs.
    with_rate
        Whether `rate(…)` is a form, too.

    Raises
    ------
    ScheduleError
        AWS would reject it, or it would never run.
    """
    if with_rate and expression.strip().startswith("rate("):
        _check_rate(expression.strip())
        return
    if next(parse_cron(expression).times(now), None) is None:
        raise ScheduleError(f"{expression} never runs: its last time is over.")


def next_run(expression: str, timezone: str, now: datetime) -> datetime | None:
    """Return when a schedule is due next, in its own time zone; None for a rate, whose start only AWS knows."""
    try:
        there = now.astimezone(ZoneInfo(timezone))
        return next(parse_cron(expression).times(there), None)
    except (ZoneInfoNotFoundError, ValueError):
        return None


def _check_rate(expression: str) -> None:
    found = _RATE.fullmatch(expression)
    if found is None:
        raise ScheduleError(
            f"{expression} is not a rate: that is a whole number and minute, hour or day, such as rate(12 hours)."
        )
    number, unit = int(found["number"]), found["unit"]
    if number == 0:
        raise ScheduleError(f"{expression} would never run: the number must be at least 1.")
    if (number == 1) == bool(found["plural"]):
        fitting = unit if number == 1 else f"{unit}s"
        raise ScheduleError(f"{expression} is written rate({number} {fitting}).")


def _form() -> str:
    return f"of the form cron({FIELDS}), such as cron(0 6 * * ? *)."


def _likely(text: str) -> str:
    """Say which expression of AWS does what an expression of Unix does, where that is clear."""
    unix = text.strip()
    if not _UNIX.fullmatch(unix):
        return ""
    minutes, hours, days, months, weekdays = unix.split()
    if weekdays == "*":
        weekdays = "?"
    elif days == "*":
        days = "?"
        # Sunday is 0 or 7 on Unix, and 1 at AWS.
        weekdays = re.sub(r"\d+", lambda found: str(int(found[0]) % 7 + 1), weekdays)
    likely = f"cron({minutes} {hours} {days} {months} {weekdays} *)"
    try:
        parse_cron(likely)
    except ScheduleError:
        return ""
    return f" Did you mean {likely}?"


def _numbers(field: _Field, text: str) -> frozenset[int]:
    return frozenset(number for part in text.split(",") for number in _range(field, part))


def _parts(field: _Field, text: str) -> tuple[str, ...]:
    """Check the parts of a field for days, which may have L, W and #, and return them."""
    parts = tuple(part.upper() for part in text.split(","))
    if "#" in text and len(parts) > 1:
        raise ScheduleError(
            f"{text} is not possible in the field {field.name}: with # there is only one day."
        )
    for part in parts:
        special = re.fullmatch(r"L|([0-9]+)W" if field is _DAYS else r"([0-9]*)L|([0-9]+)#([1-5])", part)
        numbers = [number for number in (special[0] if special else "").rstrip("LW").split("#")[:1] if number]
        if special is None:
            _range(field, part)
        for number in numbers:
            _number(field, number, text)
    return parts


def _range(field: _Field, text: str) -> range:
    """Read `*`, `5`, `1-5`, `*/2`, `5/10` or `1-9/2`."""
    whole, slash, step = text.partition("/")
    if slash and not (field.has_steps and step.isascii() and step.isdigit() and int(step) > 0):
        raise ScheduleError(f"{text} is not possible in the field {field.name}.")
    if whole == "*":
        least, most = field.least, field.most
    else:
        begin, dash, end = whole.partition("-")
        least = _number(field, begin, text)
        most = _number(field, end, text) if dash else field.most if slash else least
    if most < least:
        raise ScheduleError(
            f"{text} in the field {field.name} ends before it begins: write two ranges with a comma between them."
        )
    return range(least, most + 1, int(step) if slash else 1)


def _number(field: _Field, text: str, within: str) -> int:
    names = {name: number for number, name in enumerate(field.names) if name}
    if text.upper() in names:
        return names[text.upper()]
    if not (text.isascii() and text.isdigit() and field.least <= int(text) <= field.most):
        also = f" or {field.names[1]}-{field.names[-1]}" if field.names else ""
        raise ScheduleError(
            f"{within} is not possible in the field {field.name}, which takes {field.least}-{field.most}{also}."
        )
    return int(text)


def _on_day(part: str, day: date) -> bool:
    length = calendar.monthrange(day.year, day.month)[1]
    if part == "L":
        return day.day == length
    if part.endswith("W"):
        wanted = int(part[:-1])
        return wanted <= length and day == _nearest_weekday(date(day.year, day.month, wanted), length)
    return day.day in _range(_DAYS, part)


def _nearest_weekday(day: date, length: int) -> date:
    """Return the day from Monday to Friday in the same month that is nearest."""
    if day.weekday() == calendar.SATURDAY:
        return day + timedelta(days=-1 if day.day > 1 else 2)
    if day.weekday() == calendar.SUNDAY:
        return day + timedelta(days=1 if day.day < length else -2)
    return day


def _on_weekday(part: str, day: date) -> bool:
    number = day.isoweekday() % 7 + 1
    if part == "L":
        return number == 7
    if part.endswith("L"):
        return number == int(part[:-1]) and (day + timedelta(days=7)).month != day.month
    weekday, sign, which = part.partition("#")
    if sign:
        return number == int(weekday) and (day.day - 1) // 7 + 1 == int(which)
    return number in _range(_WEEKDAY, part)
