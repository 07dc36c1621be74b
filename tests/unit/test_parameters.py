"""Values that cannot work are refused before CloudFormation sees them, each with what to give instead."""

from datetime import UTC, datetime

import pytest

from cli.parameters import problem, problems, region_problem
from tests.support.template import load

DECLARED = load()["Parameters"]
NOW = datetime(2026, 11, 20, 9, tzinfo=UTC)
ID = "37i9dQZF1DXcBWIGoYBM5M"


@pytest.mark.parametrize(
    "name, value, says",
    [
        ("ScheduleExpression", "cron(0 6 * * *)", "Did you mean cron(0 6 * * ? *)?"),
        ("ScheduleExpression", "cron(0 25 * * ? *)", "which takes 0-23"),
        ("ScheduleExpression", "rate(1 days)", "is written rate(1 day)."),
        ("ReportSchedule", "rate(0 minutes)", "must be at least 1"),
        ("ListeningSchedule", "rate(30 minute)", "rate(30 minutes)"),
        ("BulkSchedule", "rate(1 day)", "not of the form cron("),
        ("CrawlerSchedule", "cron(0 8 * * SUN *)", "needs a ? in exactly one"),
        ("ScheduleTimezone", "Europe/Berln", "Did you mean Europe/Berlin?"),
        ("ScheduleTimezone", "europe/berlin", "Did you mean Europe/Berlin?"),
        ("ScheduleTimezone", "America/New York", "Did you mean America/New_York?"),
        ("ScheduleTimezone", "Middle of nowhere", "Use a name such as UTC"),
        ("FirstSnapshotDate", "2026-02-31", "is not a day of the calendar"),
        ("FirstSnapshotDate", "31.01.2026", "is not a day of the calendar"),
        ("FirstSnapshotDate", "2026-11-21", "is in the future"),
        ("FirstSnapshotDate", "1999-01-01", "must be a date such as"),
        ("AlarmEmail", "me@example", "is not an e-mail address"),
        ("AlarmEmail", "me@@example.org", "is not an e-mail address"),
        ("AlarmEmail", "me@example..org", "is not an e-mail address"),
        ("AlarmEmail", "me.@example.org", "is not an e-mail address"),
        ("AlarmEmail", "Me <me@example.org>", "is not an e-mail address"),
        ("AlarmEmail", "me@example.org, you@example.org", "is not an e-mail address"),
        ("PlaylistIds", f"{ID},{ID[:-1]}", f"'{ID[:-1]}' is not a playlist"),
        ("PlaylistIds", "https://open.spotify.com/album/4aawyAB9vmqN3uQ7FjRGTy", "is not a playlist"),
        ("PlaylistIds", "", "an empty value is not a playlist"),
        ("PlaylistIds", ",".join([ID] * 200), "PlaylistIds must be a comma-separated list"),
        ("ReportDays", "5", "ReportDays must be between 7 and 3660 days."),
        ("ReportDays", "many", "ReportDays must be between"),
        ("RedshiftBaseCapacity", "9", "must be 0, 8, 16"),
        ("AlarmSet", "some", "AlarmSet must be essential or all."),
        ("LakeName", "My-Lake", "LakeName must be"),
        ("LakeName", "ab", "LakeName must be"),
        ("AlarmMail", "me@example.org", "The template has no parameter AlarmMail. Did you mean AlarmEmail?"),
    ],
)
def test_a_value_that_cannot_work(name, value, says):
    found = problem(name, value, DECLARED, NOW)
    assert found is not None
    assert says in found
    assert name in found


@pytest.mark.parametrize(
    "name, value",
    [
        ("ScheduleExpression", "cron(15 4 ? * MON-FRI *)"),
        ("ScheduleExpression", "rate(12 hours)"),
        ("CrawlerSchedule", ""),
        ("ListeningSchedule", ""),
        ("ListeningSchedule", "rate(30 minutes)"),
        ("PlaylistIds", "owned,liked"),
        ("ScheduleTimezone", "America/Argentina/Buenos_Aires"),
        ("ScheduleTimezone", "Etc/GMT+5"),
        ("FirstSnapshotDate", "2024-02-29"),
        ("AlarmEmail", ""),
        ("AlarmEmail", "first.last+lake@mail.example.co.uk"),
        ("PlaylistIds", f"spotify:playlist:{ID}, https://open.spotify.com/playlist/{ID}?si=1"),
        ("RedshiftBaseCapacity", "8"),
        ("RejectsAlarmPercent", "2.5"),
    ],
)
def test_a_value_that_works(name, value):
    assert problem(name, value, DECLARED, NOW) is None


def test_the_defaults_of_the_template_work():
    assert problems({name: str(one["Default"]) for name, one in DECLARED.items()}, DECLARED, NOW) == []


def test_every_problem_is_told():
    found = problems({"AlarmEmail": "me", "LakeName": "lake", "ReportDays": "1"}, DECLARED, NOW)
    assert [sentence.partition(":")[0] for sentence in found] == ["AlarmEmail", "ReportDays"]


@pytest.mark.parametrize(
    "region, says",
    [
        ("eu-central-1", None),
        ("eu-central-7", None),  # newer than this list
        ("eu-centrl-1", "Did you mean eu-central-1?"),
        ("Frankfurt", "Regions are called like eu-central-1"),
        ("EU-CENTRAL-1", "is not a region"),
    ],
)
def test_the_name_of_a_region(region, says):
    found = region_problem(region, ["eu-central-1", "us-east-1"])
    assert (found is None) if says is None else (says in found)
