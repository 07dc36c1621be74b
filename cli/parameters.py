"""The values of the lake's parameters: whether each can work, and what to give instead.

Needs no network. Deployments check values here before CloudFormation sees them; the patterns in template.yaml are the
second check, for deployments by other tools.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, date, datetime
from typing import Any, Final
from zoneinfo import available_timezones

from cli import schedule
from spotify_lake.errors import SettingsError
from spotify_lake.settings import parse_playlist_ids

_EMAIL: Final = re.compile(
    r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+(\.[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+)*"
    r"@([A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?\.)+[A-Za-z]{2,}"
)
_REGION: Final = re.compile(r"[a-z]{2,}(-[a-z]+)+-[0-9]+")


def problem(
    name: str, value: str, declared: Mapping[str, Mapping[str, Any]], now: datetime | None = None
) -> str | None:
    """Return what is wrong with a parameter's value, as a sentence; None if nothing is.

    Parameters
    ----------
    name, value
        The parameter's name and value.
    declared
        The parameters of the template, by name.
    now
        UTC; by default the current time.
    """
    if name not in declared:
        close = difflib.get_close_matches(name, declared, n=1)
        return f"The template has no parameter {name}.{f' Did you mean {close[0]}?' if close else ''}"
    try:
        if check := _CHECKS.get(name):
            check(value, now or datetime.now(UTC))
    except ValueError as error:
        return f"{name}: {error}"
    return _against(name, value, declared[name])


def problems(
    values: Mapping[str, str], declared: Mapping[str, Mapping[str, Any]], now: datetime | None = None
) -> list[str]:
    """Return what is wrong with each of the values; see `problem`."""
    found = (problem(name, value, declared, now) for name, value in values.items())
    return [sentence for sentence in found if sentence]


def region_problem(region: str, known: Iterable[str]) -> str | None:
    """Return what is wrong with the name of a region; None if nothing is, or it is newer than the known ones."""
    known = set(known)
    if region in known:
        return None
    close = difflib.get_close_matches(region, known, n=1, cutoff=0.75)
    # The name of a new region differs from that of a known one only in its number.
    if _REGION.fullmatch(region) and not (close and close[0][-1] == region[-1]):
        return None
    guess = f" Did you mean {close[0]}?" if close else " Regions are called like eu-central-1 or us-east-1."
    return f"{region} is not a region of AWS.{guess}"


def _cron_or_rate(value: str, now: datetime) -> None:
    schedule.check(value, now)


def _cron_rate_or_empty(value: str, now: datetime) -> None:
    if value:
        schedule.check(value, now)


def _cron_or_empty(value: str, now: datetime) -> None:
    if value:
        schedule.check(value, now, with_rate=False)


def _time_zone(value: str, _now: datetime) -> None:
    known = available_timezones()
    if not known or value in known:
        return
    lower = {name.lower(): name for name in known}
    close = difflib.get_close_matches(value.lower().replace(" ", "_"), lower, n=1)
    guess = f" Did you mean {lower[close[0]]}?" if close else " Use a name such as UTC or Europe/Berlin."
    raise ValueError(f"{value!r} is not in the time zone database.{guess}")


def _past_date(value: str, now: datetime) -> None:
    try:
        day = date.fromisoformat(value)
    except ValueError:
        raise ValueError(f"{value!r} is not a day of the calendar. Write it like 2026-01-31.") from None
    if day > now.date():
        raise ValueError(f"{value} is in the future, and queries would see no snapshot before it.")


def _email(value: str, _now: datetime) -> None:
    if value and not _EMAIL.fullmatch(value):
        raise ValueError(f"{value!r} is not an e-mail address such as me@example.org.")


def _playlists(value: str, _now: datetime) -> None:
    try:
        parse_playlist_ids(value)
    except SettingsError as error:
        what = repr(error.value) if error.value.strip() else "an empty value"
        raise ValueError(
            f"{what} is not a playlist. Give, separated by commas, `owned` for every playlist you own,"
            " `liked` for your Liked Songs, ids of 22 characters, spotify:playlist:… URIs or"
            " open.spotify.com/playlist/… links."
        ) from None


_CHECKS: Final[dict[str, Callable[[str, datetime], None]]] = {
    "PlaylistIds": _playlists,
    "ScheduleExpression": _cron_or_rate,
    "ScheduleTimezone": _time_zone,
    "ListeningSchedule": _cron_rate_or_empty,
    "ReportSchedule": _cron_or_rate,
    "BulkSchedule": _cron_or_empty,
    "CrawlerSchedule": _cron_or_empty,
    "FirstSnapshotDate": _past_date,
    "AlarmEmail": _email,
}


def _against(name: str, value: str, declared: Mapping[str, Any]) -> str | None:
    """Check a value as CloudFormation does."""
    says = declared.get("ConstraintDescription", f"{name} does not accept this.")
    sentence = f"{name}: {value!r} is not accepted. {' '.join(str(says).split())}"
    if declared.get("Type") == "Number":
        try:
            number = float(value)
        except ValueError:
            return sentence
        least, most = declared.get("MinValue", number), declared.get("MaxValue", number)
        if not float(least) <= number <= float(most):
            return sentence
    allowed = [str(one) for one in declared.get("AllowedValues", [value])]
    length = int(declared.get("MinLength", 0)) <= len(value) <= int(declared.get("MaxLength", len(value)))
    fits = re.fullmatch(declared.get("AllowedPattern", "(?s:.*)"), value)
    return None if value in allowed and length and fits else sentence
