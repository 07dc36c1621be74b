"""Polls of plays: what is written, what is remembered, and when plays may be missing."""

import json
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spotify_lake import keys
from spotify_lake.errors import (
    LakeError,
    OutOfTime,
    PartRefused,
    PermissionMissing,
    QuotaExceeded,
    RateLimited,
    SignInExpired,
    SpotifyUnavailable,
)
from spotify_lake.extract import plays
from spotify_lake.extract.plays import Gap, PollSummary, find_gap
from spotify_lake.extract.request import ExtractRequest
from spotify_lake.observability import metrics
from spotify_lake.raw.plays import unpack_poll
from tests.support.fakes import FakeS3, FakeSpotify

NOW = datetime(2026, 11, 20, 6, 0, 1, 500_000, tzinfo=UTC)
HOUR = timedelta(hours=1)


@pytest.fixture(autouse=True)
def counted():
    """The metrics of the test, by name."""
    metrics.clear_metrics()
    yield lambda: {name: sum(metric["Value"]) for name, metric in metrics.metric_set.items()}
    metrics.clear_metrics()


def play(ended_at: datetime | str, song: str = "a", **track: Any) -> dict[str, Any]:
    text = ended_at if isinstance(ended_at, str) else keys.iso(ended_at)
    return {"track": {"uri": f"spotify:track:{song}", **track}, "played_at": text, "context": None}


def evening(count: int, end: datetime = NOW, *, first: int = 0) -> list[Any]:
    """Plays of three minutes each, the newest first."""
    return [play(end - timedelta(minutes=3 * turn), f"song{first + count - turn}") for turn in range(count)]


def poll(s3: FakeS3, recent: Any, at: datetime = NOW) -> PollSummary:
    spotify = FakeSpotify({})
    spotify.recent = recent
    return plays.poll(ExtractRequest(scheduled_at=at, plays=True), "raw", spotify, s3, lambda: at)


def stored(s3: FakeS3) -> list[Any]:
    """The plays in raw, page by page."""
    polls = (unpack_poll(data, key) for key, data in s3.snapshots.items())
    return [json.loads(bytes(row)) for one in polls for row in one.rows]


def test_a_page_is_written_as_it_came_and_only_once(counted):
    s3, page = FakeS3(), evening(3)
    first = poll(s3, page)
    assert (first.plays, first.new, first.key) == (3, 3, "raw/plays/api/2026-11-20/20261120T060001Z.json.gz")
    assert stored(s3) == page
    assert counted() == {"PlaysNew": 3}
    before = dict(s3.objects)

    metrics.clear_metrics()
    second = poll(s3, page, NOW + HOUR)
    assert second == PollSummary(plays=3)
    assert s3.objects == before
    assert counted() == {}


def test_an_empty_page_writes_nothing():
    s3 = FakeS3()
    assert poll(s3, []) == PollSummary()
    assert s3.objects == {}


@pytest.mark.parametrize(
    "other",
    [
        play("2026-11-20T05:00:00.731Z"),
        play("2026-11-20T05:00:00Z"),
        play("2026-11-20T06:00:00+01:00"),
        play("2026-11-20T05:00:00.002Z", name="Renamed", artists=[{"name": "X"}]),
    ],
)
def test_the_same_play_in_another_form_is_known(other):
    s3 = FakeS3()
    poll(s3, [play("2026-11-20T05:00:00.123Z")])
    assert poll(s3, [other], NOW + HOUR).new == 0


@pytest.mark.parametrize(
    "other",
    [
        play("2026-11-20T05:00:01.123Z"),
        play("2026-11-20T05:00:00.123Z", "b"),
        {"played_at": "2026-11-20T05:00:00.123Z", "track": {"name": "x"}},
        {"played_at": "2026-11-20T05:00:00.123Z", "track": None},
        {"played_at": "soon", "track": {"uri": "spotify:track:a"}},
        {"track": {"uri": "spotify:track:a"}},
        {},
        None,
        "text",
    ],
)
def test_any_other_thing_is_new_and_is_kept(other):
    s3, usual = FakeS3(), play("2026-11-20T05:00:00.123Z")
    poll(s3, [usual])
    assert poll(s3, [other, usual], NOW + HOUR).new == 1
    assert stored(s3) == [usual, other, usual]
    assert poll(s3, [other, usual], NOW + 2 * HOUR).new == 0


def test_songs_without_uri_are_told_apart_by_their_names():
    s3 = FakeS3()
    one = {"played_at": "2026-11-20T05:00:00Z", "track": {"name": "A", "artists": [{"name": "X"}, None]}}
    two = {"played_at": "2026-11-20T05:00:00Z", "track": {"name": "A", "artists": [{"name": "Y"}]}}
    assert poll(s3, [one, two]).new == 2
    assert poll(s3, [two, one], NOW + HOUR).new == 0


def test_a_play_that_comes_twice_in_a_page_is_one_new_play():
    page = [play("2026-11-20T05:00:00.123Z"), play("2026-11-20T05:00:00.223Z")]
    assert (poll(FakeS3(), page).plays, poll(FakeS3(), page).new) == (2, 1)


@pytest.mark.parametrize("state", [None, b"", b"not json", b'{"plays": 7}'])
def test_a_lost_state_writes_the_page_again_and_reports_no_gap(state, counted):
    s3, page = FakeS3(), evening(50)
    poll(s3, page)
    if state is None:
        del s3.objects[keys.PLAYS_STATE]
    else:
        s3.objects[keys.PLAYS_STATE] = state
    later = poll(s3, evening(50, NOW + 9 * HOUR, first=100), NOW + 9 * HOUR)
    assert later.new == 50
    assert "PlayGaps" not in counted()
    assert len(s3.snapshots) == 2


def test_a_gap_is_counted_logged_and_returned(counted, caplog):
    s3 = FakeS3()
    poll(s3, evening(50))
    found = poll(s3, evening(50, NOW + 9 * HOUR, first=100), NOW + 9 * HOUR)
    after, before = NOW, NOW + 9 * HOUR - timedelta(minutes=147)
    assert found.gap == Gap(after, before)
    assert counted()["PlayGaps"] == 1
    assert f"Plays between {keys.iso(after)} and {keys.iso(before)} may be missing" in caplog.text


def test_an_answer_of_the_same_second_replaces_nothing_and_its_plays_are_written_later(caplog):
    s3, theirs = FakeS3(), evening(2)
    ours = [*theirs, play(NOW - HOUR, "late")]
    poll(s3, theirs)
    before = dict(s3.objects)
    assert poll(s3, ours).new == 1
    assert s3.objects == before
    assert "Another poll wrote its answer in this second" in caplog.text
    assert poll(s3, ours, NOW + HOUR).new == 1
    assert stored(s3) == [*theirs, *ours]


def test_a_missing_permission_is_one_sentence_and_no_failure(counted, caplog):
    s3 = FakeS3()
    error = PermissionMissing("what you played", "user-read-recently-played", "empty ListeningSchedule")
    summary = poll(s3, error)
    assert summary.left_out == [str(error)]
    assert "./lake login" in str(error)
    assert s3.objects == {}
    assert counted() == {}
    assert [line.levelname for line in caplog.records] == ["WARNING"]


@pytest.mark.parametrize(
    "condition",
    [QuotaExceeded(86_400), RateLimited(90), SpotifyUnavailable("x"), OutOfTime(9)],
    ids=lambda condition: type(condition).__name__,
)
def test_what_passes_is_left_to_the_next_poll(condition, counted, caplog):
    s3 = FakeS3()
    poll(s3, evening(3))
    metrics.clear_metrics()
    assert poll(s3, condition, NOW + HOUR).postponed == str(condition)
    assert counted() == {"PollsPostponed": 1}
    assert "left to the next poll" in caplog.text
    assert poll(s3, evening(5, NOW + HOUR), NOW + 2 * HOUR).new == 5


def test_what_does_not_pass_for_a_day_and_a_half_fails():
    s3 = FakeS3()
    assert poll(s3, SpotifyUnavailable("x")).postponed
    assert poll(s3, SpotifyUnavailable("x"), NOW + 35 * HOUR).postponed
    with pytest.raises(SpotifyUnavailable):
        poll(s3, SpotifyUnavailable("x"), NOW + 36 * HOUR)
    # A poll that succeeds, with new plays or without, starts the time anew.
    assert poll(s3, [], NOW + 37 * HOUR) == PollSummary()
    assert poll(s3, SpotifyUnavailable("x"), NOW + 38 * HOUR).postponed


@pytest.mark.parametrize("condition", [SignInExpired("x"), PartRefused(404, "what you played", "x")])
def test_what_a_person_has_to_resolve_fails_the_poll(condition, caplog):
    with pytest.raises(type(condition)):
        poll(FakeS3(), condition)
    assert [getattr(line, "error_name", None) for line in caplog.records] == [type(condition).__name__]


def test_limits_are_counted_only_when_there_are_any(counted):
    spotify = FakeSpotify({})
    spotify.rate_limits = 2
    plays.poll(ExtractRequest(scheduled_at=NOW, plays=True), "raw", spotify, FakeS3(), lambda: NOW)
    assert counted() == {"RateLimited": 2}


def test_the_state_does_not_grow():
    s3 = FakeS3()
    for turn in range(12):
        at = NOW + turn * HOUR
        poll(s3, evening(50, at, first=50 * turn), at)
    assert len(json.loads(s3.objects[keys.PLAYS_STATE])["plays"]) == plays.KEPT


MINUTE = timedelta(minutes=1)


def shown_at(one: dict[str, Any], late: dict[str, int]) -> datetime:
    """When a play shows: some do so seconds after they ended."""
    return datetime.fromisoformat(one["played_at"]) + timedelta(seconds=late.get(one["played_at"], 0))


@pytest.mark.parametrize(
    "moments, newest, is_full, gap",
    [
        ([NOW + MINUTE], NOW, True, Gap(NOW, NOW + MINUTE)),
        ([NOW + 2 * MINUTE, NOW + MINUTE, NOW + 3 * MINUTE], NOW, True, Gap(NOW, NOW + MINUTE)),
        ([NOW + MINUTE], NOW, False, None),
        ([NOW, NOW + MINUTE], NOW, True, None),
        ([NOW + MINUTE], None, True, None),
        ([], NOW, True, None),
    ],
)
def test_find_gap(moments, newest, is_full, gap):
    assert find_gap(moments, newest, is_full=is_full) == gap


@given(
    st.integers(1, 300),
    st.integers(1, 900),
    st.lists(st.integers(1, 60_000), min_size=1, max_size=12),
    st.booleans(),
    st.randoms(use_true_random=False),
)
def test_nothing_shown_is_lost_and_nothing_is_lost_unnoticed(count, longest_s, waits, some_late, random):
    """Any history, polled at any times, with pages out of order and plays that turn up late."""
    ended, at = [], NOW
    for _ in range(count):
        at += timedelta(seconds=random.randint(1, longest_s))
        ended.append(play(at, random.choice("abc")))
    late = {one["played_at"]: 3000 for one in ended if some_late and random.random() < 0.1}
    s3, at, shown, gaps, newest = FakeS3(), NOW, [], [], []
    for wait in waits:
        at += timedelta(seconds=wait)
        page = [one for one in ended if shown_at(one, late) <= at][::-1][:50]
        shown += [one for one in page if one not in shown]
        random.shuffle(page)
        before = dict(s3.objects)
        summary = poll(s3, page, at)
        if summary.gap:
            gaps.append(summary.gap)
        if summary.new == 0:
            assert s3.objects == before
        newest.append(max([one["played_at"] for one in page], default=""))
    kept = {(one["played_at"], one["track"]["uri"]) for one in stored(s3)}
    assert kept == {(one["played_at"], one["track"]["uri"]) for one in shown}
    if late:
        return  # a play that turns up behind 50 others was never shown, and no gap tells of it
    first = next((moment for moment in newest if moment), None)
    for one in ended:
        if first and first < one["played_at"] <= newest[-1] and one not in shown:
            moment = datetime.fromisoformat(one["played_at"])
            assert any(gap.after < moment < gap.before for gap in gaps)
    for gap in gaps:
        assert gap.after < gap.before
    for one, other in pairwise(gaps):
        assert one.before <= other.after


@pytest.mark.parametrize(
    "condition", [PermissionMissing("x", "y", "z"), PartRefused(404, "x", "y"), SpotifyUnavailable("x")]
)
def test_messages_are_sentences(condition: LakeError) -> None:
    assert str(condition).endswith(".")
