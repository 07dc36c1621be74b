"""When a stopped run goes on, and by what schedule."""

import json
import re
from datetime import UTC, datetime

import pytest

from spotify_lake.errors import LakeError, OutOfTime, QuotaExceeded, RateLimited, SpotifyUnavailable
from spotify_lake.extract.continuation import MAX_CONTINUATIONS, Continuations, Rest, wait_s
from spotify_lake.settings import ExtractSettings
from tests.support.fakes import FakeScheduler
from tests.support.payloads import spotify_id

NOW = datetime(2026, 11, 20, 6, 0, 1, 500_000, tzinfo=UTC)
A, B = spotify_id("A"), spotify_id("B")
SETTINGS = ExtractSettings(
    raw_bucket="raw",
    playlists=("owned",),
    secret_id="the-secret",
    spotify_api_url="https://api.test",
    spotify_accounts_url="https://accounts.test",
    schedule_group="continuations",
    schedule_role_arn="the-role",
    schedule_dead_letters_arn="the-queue",
)


def rest(*playlists: str, continuation: int = 1) -> Rest:
    return Rest(scheduled_at="2026-11-20T06:00:00Z", continuation=continuation, playlist_ids=[*playlists])


def plan(scheduler: FakeScheduler, left: Rest, reason: LakeError) -> str:
    return Continuations(scheduler, SETTINGS, "the-function").plan(left, reason, NOW)


def test_the_schedule_starts_the_function_once_with_what_is_left() -> None:
    scheduler = FakeScheduler()
    name = plan(scheduler, rest(A, B), QuotaExceeded(86_400))
    schedule = scheduler.schedules[name]
    target = schedule["Target"]
    assert schedule["ScheduleExpression"] == "at(2026-11-21T06:00:02)"
    assert schedule["ScheduleExpressionTimezone"] == "UTC"
    assert schedule["FlexibleTimeWindow"] == {"Mode": "OFF"}
    assert schedule["ActionAfterCompletion"] == "DELETE"
    assert schedule["GroupName"] == "continuations"
    assert (target["Arn"], target["RoleArn"]) == ("the-function", "the-role")
    assert target["DeadLetterConfig"] == {"Arn": "the-queue"}
    assert json.loads(target["Input"]) == {
        "scheduled_at": "2026-11-20T06:00:00Z",
        "continuation": 1,
        "playlist_ids": [A, B],
    }


@pytest.mark.parametrize(
    "reason, number, seconds",
    [
        (RateLimited(600), 1, 600),
        (RateLimited(2), 1, 60),
        (QuotaExceeded(50_000), 1, 50_000),
        (QuotaExceeded(float("1" * 300)), 1, 48 * 3600),
        (OutOfTime(9), 1, 60),
        (SpotifyUnavailable("x"), 1, 600),
        (SpotifyUnavailable("x"), 2, 1200),
        (SpotifyUnavailable("x"), MAX_CONTINUATIONS, 7200),
    ],
)
def test_how_long_it_waits(reason: LakeError, number: int, seconds: float) -> None:
    assert wait_s(reason, number) == seconds


def test_faults_are_waited_out_for_half_a_day() -> None:
    waits = [wait_s(SpotifyUnavailable("x"), number) for number in range(1, MAX_CONTINUATIONS + 1)]
    assert sum(waits) > 12 * 3600


def test_the_name_stands_for_the_rest() -> None:
    name = rest(A, B).name
    assert name == rest(B, A).name
    assert len({name, rest(A).name, rest(A, B, continuation=2).name, rest("owned").name}) == 4
    # https://docs.aws.amazon.com/scheduler/latest/APIReference/API_CreateSchedule.html
    assert re.fullmatch(r"[0-9a-zA-Z-_.]{1,64}", name)
