"""Schedules are read as AWS reads them: what it rejects is said before, and what it accepts is not rejected here."""

from datetime import UTC, datetime, timedelta

import pytest

from cli import schedule
from cli.schedule import ScheduleError, next_run

NOW = datetime(2026, 11, 20, 9, tzinfo=UTC)  # a Friday


@pytest.mark.parametrize(
    "expression, says",
    [
        ("cron(0 6 * * *)", "five, as on Unix. Did you mean cron(0 6 * * ? *)?"),
        ("cron(0 6 * * 0)", "Did you mean cron(0 6 ? * 1 *)?"),
        ("cron(30 6 1 * *)", "Did you mean cron(30 6 1 * ? *)?"),
        ("0 6 * * 1-5", "Did you mean cron(0 6 ? * 2-6 *)?"),
        ("0 6 * * MON", "Did you mean cron(0 6 ? * MON *)?"),
        ("cron(0 6 * *)", "It has 4."),
        ("cron(0 6 * * * *)", "needs a ? in exactly one"),
        ("cron(0 6 ? * ? *)", "needs a ? in exactly one"),
        ("cron(0 6 1 * MON *)", "needs a ? in exactly one"),
        ("cron(0 25 * * ? *)", "25 is not possible in the field hours, which takes 0-23."),
        ("cron(60 6 * * ? *)", "60 is not possible in the field minutes"),
        ("cron(0 6 32 * ? *)", "32 is not possible in the field day-of-month"),
        ("cron(0 6 * 13 ? *)", "13 is not possible in the field month, which takes 1-12 or JAN-DEC."),
        ("cron(0 6 ? * 0 *)", "0 is not possible in the field day-of-week, which takes 1-7 or SUN-SAT."),
        ("cron(0 6 ? * MON/2 *)", "MON/2 is not possible in the field day-of-week"),
        ("cron(0 6 ? * 8#1 *)", "8#1 is not possible in the field day-of-week"),
        ("cron(0 6 ? * MON#6 *)", "MON#6 is not possible in the field day-of-week"),
        ("cron(0 6 ? * 3#1,6#3 *)", "with # there is only one day"),
        ("cron(0 6 33W * ? *)", "33W is not possible in the field day-of-month"),
        ("cron(0 6 * * ? 1969)", "1969 is not possible in the field year"),
        ("cron(*/0 6 * * ? *)", "*/0 is not possible in the field minutes"),
        ("cron(² 6 * * ? *)", "² is not possible in the field minutes"),
        ("cron(0 6, * * ? *)", "is not possible in the field hours"),
        ("cron(0 22-2 * * ? *)", "22-2 in the field hours ends before it begins"),
        ("cron(0 6 31 2 ? *)", "names no day that exists"),
        ("cron(0 6 29 2 ? 2027)", "names no day that exists"),
        ("cron(0 6 * * ? 2025)", "never runs: its last time is over"),
        ("rate(1 days)", "is written rate(1 day)."),
        ("rate(2 day)", "is written rate(2 days)."),
        ("rate(0 minutes)", "must be at least 1"),
        ("rate(1 week)", "such as rate(12 hours)"),
        ("rate(-1 days)", "such as rate(12 hours)"),
        ("at(2026-12-01T06:00:00)", "not of the form cron("),
        ("every day", "not of the form cron("),
        ("", "not of the form cron("),
    ],
)
def test_what_aws_rejects_is_said_with_what_to_write(expression, says):
    with pytest.raises(ScheduleError) as raised:
        schedule.check(expression, NOW)
    assert says in str(raised.value)


@pytest.mark.parametrize("rate", ["rate(1 minute)", "rate(1 hour)", "rate(1 day)", "rate(5 minutes)"])
def test_rates(rate):
    schedule.check(rate, NOW)
    assert next_run(rate, "UTC", NOW) is None
    with pytest.raises(ScheduleError):
        schedule.check(rate, NOW, with_rate=False)


@pytest.mark.parametrize(
    "expression, timezone, due",
    [
        ("cron(0 6 * * ? *)", "UTC", "2026-11-21T06:00:00+00:00"),
        ("cron(30 23 ? * * *)", "UTC", "2026-11-20T23:30:00+00:00"),
        ("cron(0 9 * * ? *)", "UTC", "2026-11-21T09:00:00+00:00"),
        ("cron(5 10 * * ? *)", "Europe/Berlin", "2026-11-20T10:05:00+01:00"),
        ("cron(0/20 * * * ? *)", "UTC", "2026-11-20T09:20:00+00:00"),
        ("cron(0 8-18/5 * * ? *)", "UTC", "2026-11-20T13:00:00+00:00"),
        ("cron(0 6,18 * * ? *)", "UTC", "2026-11-20T18:00:00+00:00"),
        ("cron(0 6 ? * MON *)", "UTC", "2026-11-23T06:00:00+00:00"),
        ("cron(0 6 ? * mon-fri *)", "UTC", "2026-11-23T06:00:00+00:00"),
        ("cron(0 6 ? * 1 *)", "UTC", "2026-11-22T06:00:00+00:00"),
        ("cron(0 6 ? * L *)", "UTC", "2026-11-21T06:00:00+00:00"),
        ("cron(0 6 ? * 6L *)", "UTC", "2026-11-27T06:00:00+00:00"),
        ("cron(0 6 ? * 3#2 *)", "UTC", "2026-12-08T06:00:00+00:00"),
        ("cron(0 6 ? * 2,L *)", "UTC", "2026-11-21T06:00:00+00:00"),
        ("cron(0 6 L * ? *)", "UTC", "2026-11-30T06:00:00+00:00"),
        ("cron(0 6 1 JAN,JUL ? *)", "UTC", "2027-01-01T06:00:00+00:00"),
        ("cron(0 6 22W * ? *)", "UTC", "2026-11-23T06:00:00+00:00"),  # the 22nd is a Sunday
        ("cron(0 6 1W 5 ? 2027)", "UTC", "2027-05-03T06:00:00+00:00"),  # the 1st is a Saturday
        ("cron(0 6 31W 1 ? 2027)", "UTC", "2027-01-29T06:00:00+00:00"),  # the 31st is a Sunday
        ("cron(0 6 29 2 ? *)", "UTC", "2028-02-29T06:00:00+00:00"),
        ("cron(0 6 * * ? 2028-2030)", "UTC", "2028-01-01T06:00:00+00:00"),
        ("cron(0 77 * * ? *)", "UTC", None),
        ("cron(0 6 * * ? *)", "Mars/Olympus", None),
    ],
)
def test_the_next_run(expression, timezone, due):
    found = next_run(expression, timezone, NOW)
    assert (found and found.isoformat()) == due


def test_the_next_run_across_the_end_of_summer_time():
    before = datetime(2026, 10, 24, 22, tzinfo=UTC)
    due = next_run("cron(0 6 * * ? *)", "Europe/Berlin", before)

    assert due.isoformat() == "2026-10-25T06:00:00+01:00"
    assert due.astimezone(UTC) - before == timedelta(hours=7)
