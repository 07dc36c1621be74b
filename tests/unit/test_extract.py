"""One run: what an event asks for, which playlists, and what becomes of each."""

import gzip
import json
from datetime import UTC, datetime, timedelta, timezone

import pytest

from spotify_lake import keys
from spotify_lake.errors import (
    ContinuationLimitReached,
    CredentialsMissing,
    EventError,
    OutOfTime,
    PlaylistForbidden,
    PlaylistNotFound,
    QuotaExceeded,
    RateLimited,
    SignInExpired,
    SpotifyRefused,
    SpotifyUnavailable,
)
from spotify_lake.extract import run as extract
from spotify_lake.extract.continuation import Continuations
from spotify_lake.extract.request import ExtractRequest, parse_event
from spotify_lake.extract.state import Fingerprint
from spotify_lake.observability import metrics
from spotify_lake.raw import envelope
from spotify_lake.settings import ExtractSettings
from tests.support import payloads
from tests.support.fakes import FakeS3, FakeScheduler, FakeSpotify, WebPlaylist
from tests.support.payloads import spotify_id

NOW = datetime(2026, 11, 20, 6, 0, 1, 500_000, tzinfo=UTC)
AT = datetime(2026, 11, 20, 6, tzinfo=UTC)
A, B, C, D = (spotify_id(name) for name in "ABCD")


@pytest.fixture(autouse=True)
def counted():
    """The metrics of the test, by name."""
    metrics.clear_metrics()
    yield lambda: {name: sum(metric["Value"]) for name, metric in metrics.metric_set.items()}
    metrics.clear_metrics()


def settings(playlists=("owned",), *, library=False) -> ExtractSettings:
    return ExtractSettings(
        raw_bucket="raw",
        playlists=playlists,
        secret_id="the-secret",
        spotify_api_url="https://api.test",
        spotify_accounts_url="https://accounts.test",
        schedule_group="continuations",
        schedule_role_arn="the-role",
        schedule_dead_letters_arn="the-queue",
        library=library,
    )


def run(spotify, s3=None, playlists=("owned",), request=None, scheduler=None, *, library=False):
    request = request or ExtractRequest(scheduled_at=AT)
    chosen = settings(playlists, library=library)
    continuations = Continuations(scheduler or FakeScheduler(), chosen, "the-function")
    return extract.run(request, chosen, spotify, s3 or FakeS3(), continuations, lambda: NOW)


class TestParseEvent:
    @pytest.mark.parametrize(
        "text",
        ["2026-11-20T06:00:00Z", "2026-11-20T07:00:00+01:00", "2026-11-20T06:00:00.987Z", "20261120T060000Z"],
    )
    def test_time_is_utc_and_whole_seconds(self, text):
        parsed = parse_event({"scheduled_at": text}, lambda: NOW)
        assert parsed == ExtractRequest(scheduled_at=AT)
        assert parsed.scheduled_at.tzinfo is UTC

    @pytest.mark.parametrize("event", [{}, {"scheduled_at": None}, {"playlist_ids": None}])
    def test_without_a_time_it_is_now(self, event):
        now = NOW.astimezone(timezone(timedelta(hours=5)))
        assert parse_event(event, lambda: now).scheduled_at == AT + timedelta(seconds=1)

    def test_time_that_was_not_filled_in_is_now_and_logged(self, caplog):
        parsed = parse_event({"scheduled_at": "<aws.scheduler.scheduled-time>"}, lambda: NOW)
        assert parsed.scheduled_at == AT + timedelta(seconds=1)
        assert "was not filled in" in caplog.text

    def test_playlists_in_every_form(self):
        ids = [A, f"spotify:playlist:{B}", f" https://open.spotify.com/playlist/{C}?si=1 ", A]
        assert parse_event({"playlist_ids": ids}, lambda: NOW).playlists == (A, B, C)
        assert parse_event({"playlist_ids": ["liked", "owned"]}, lambda: NOW).playlists == ("liked", "owned")

    @pytest.mark.parametrize(
        "event,problem",
        [
            (None, "Expected `object`, got `null`"),
            ([], "Expected `object`, got `array`"),
            ("x", "Expected `object`, got `str`"),
            ({"scheduled_at": "yesterday"}, "'yesterday'"),
            ({"scheduled_at": ""}, "not a time"),
            ({"scheduled_at": "2026-11-20T06:00:00"}, "time zone"),
            ({"scheduled_at": "2026-11-20"}, "time zone"),
            ({"scheduled_at": "0001-01-01T00:00:00+10:00"}, "not a time"),
            ({"scheduled_at": 1_763_618_400}, r"Expected `str \| null`, got `int` - at `\$.scheduled_at`"),
            ({"playlist_ids": A}, r"Expected `array \| null`, got `str`"),
            ({"playlist_ids": [A, 5]}, r"Expected `str`, got `int` - at `\$.playlist_ids\[1\]`"),
            ({"playlist_ids": {}}, r"Expected `array \| null`, got `object`"),
            ({"playlist_ids": []}, "length >= 1"),
            ({"playlist_ids": ["", " "]}, "not a playlist id|names no playlist"),
            ({"playlist_ids": [A, "nonsense"]}, "'nonsense'"),
            (
                {"playlist_id": A},
                "unknown field `playlist_id`; it may have scheduled_at, playlist_ids, library, plays, continuation",
            ),
            ({"plays": True, "playlist_ids": [A]}, "plays are polled alone"),
            ({"plays": True, "library": False}, "plays are polled alone"),
            ({"plays": "yes"}, "got `str`.*plays"),
            ({"continuation": -1}, ">= 0.*continuation"),
            ({"continuation": 11}, "<= 10.*continuation"),
            ({"continuation": True}, "got `bool`.*continuation"),
            ({"continuation": "1"}, "got `str`.*continuation"),
        ],
    )
    def test_other_forms_are_refused(self, event, problem):
        with pytest.raises(EventError, match=problem):
            parse_event(event, lambda: NOW)


class TestRun:
    def test_owned_playlists_only(self, counted):
        spotify, s3 = FakeSpotify({A: 3, B: 4, C: 5}, followed=(B,)), FakeS3()
        summary = run(spotify, s3)
        assert summary.written == [A, C]
        assert summary.scheduled_at == "2026-11-20T06:00:00Z"
        assert spotify.fetched == [A, C]
        assert list(s3.snapshots) == [keys.raw_key(A, AT), keys.raw_key(C, AT)]
        assert counted() == {
            "SnapshotsWritten": 2,
            "SnapshotsAlreadyThere": 0,
            "PlaylistsFailed": 0,
            "EntriesFetched": 8,
            "SnapshotsCopied": 0,
            "PlaylistsUnchanged": 0,
            "PlaylistsByItems": 2,
            "PlaylistsByTracks": 0,
            "PlaylistsEmbedded": 0,
            "SpotifyRequests": 4,
            "RateLimited": 0,
            "QuotaExceeded": 0,
        }

    def test_snapshot_holds_what_was_read(self):
        s3 = FakeS3()
        run(FakeSpotify({A: 3}), s3)
        snapshot = envelope.decode(s3.objects[keys.raw_key(A, AT)])
        assert (snapshot.playlist_id, snapshot.snapshot_id, snapshot.contract) == (A, f"{A}-v1", "items")
        assert (snapshot.scheduled_at, snapshot.fetched_at) == (AT, NOW)
        assert [entry.item.name for entry in snapshot.entries] == ["Song 0", "Song 1", "Song 2"]

    def test_playlists_of_the_settings(self):
        spotify = FakeSpotify({A: 1, B: 1})
        assert run(spotify, playlists=(B,)).written == [B]
        assert spotify.requests == 2
        assert spotify.listed_versions == {B: f"{B}-v1"}

    def test_playlists_of_the_event_come_first(self):
        request = ExtractRequest(scheduled_at=AT, playlists=(B,))
        assert run(FakeSpotify({A: 1, B: 1}), playlists=(A,), request=request).written == [B]

    def test_owned_needs_a_user(self):
        spotify = FakeSpotify({A: 1})
        spotify.acts_for_user = False
        with pytest.raises(CredentialsMissing, match=r"the-secret.*./lake login"):
            run(spotify)
        assert run(spotify, playlists=(A,)).written == [A]

    def test_second_run_reads_nothing_and_writes_nothing(self, counted):
        s3 = FakeS3()
        run(FakeSpotify({A: 3, B: 3}), s3)
        before = dict(s3.objects)
        metrics.clear_metrics()
        again = FakeSpotify({A: 5, B: 5})
        summary = run(again, s3)
        assert (summary.written, summary.already_there) == ([], [A, B])
        assert again.fetched == []
        assert s3.objects == before
        assert counted()["SnapshotsAlreadyThere"] == 2

    def test_another_run_was_faster(self, counted):
        s3 = FakeS3()
        s3.on_put = lambda key: key.startswith("raw/") and s3.objects.setdefault(key, b"theirs")
        summary = run(FakeSpotify({A: 3}), s3, playlists=(A,))
        assert (summary.written, summary.already_there) == ([], [A])
        assert s3.objects == {keys.raw_key(A, AT): b"theirs"}  # and no note of what is in it
        assert counted()["SnapshotsWritten"] == 0

    def test_a_write_of_which_only_the_answer_was_lost_is_its_own(self, counted):
        class Repeated(FakeS3):
            def put_object(self, **wanted):
                super().put_object(**wanted)
                if wanted["Key"].startswith("raw/"):
                    super().put_object(**wanted)  # as boto3 does by itself

        summary = run(FakeSpotify({A: 3}), Repeated(), playlists=(A,))
        assert (summary.written, summary.already_there) == ([A], [])
        assert counted()["SnapshotsWritten"] == 1

    def test_one_line_for_each_playlist(self, caplog):
        run(FakeSpotify({A: 3}), playlists=(A,))
        [line] = caplog.records
        assert (line.playlist_id, line.entries, line.contract) == (A, 3, "items")
        assert line.seconds >= 0
        assert line.key == keys.raw_key(A, AT)

    def test_lasting_failures_are_told_and_the_run_ends_well(self, counted, caplog):
        gone, hidden = PlaylistNotFound(B), PlaylistForbidden(C, "not yours.")
        summary = run(FakeSpotify({A: 1, B: gone, C: hidden, D: 1}), playlists=(A, B, C, D))
        assert summary.written == [A, D]
        assert [(failure.playlist_id, failure.error) for failure in summary.failed] == [
            (B, "PlaylistNotFound"),
            (C, "PlaylistForbidden"),
        ]
        assert not any(failure.retryable for failure in summary.failed)
        assert counted()["PlaylistsFailed"] == 2
        errors = [line for line in caplog.records if line.levelname == "ERROR"]
        assert [(line.playlist_id, line.getMessage()) for line in errors] == [
            (B, str(gone)),
            (C, str(hidden)),
        ]

    def test_passing_failures_are_tried_again_after_the_others(self, counted):
        spotify, s3 = FakeSpotify({A: 1, B: SpotifyUnavailable("x"), C: PlaylistNotFound(C), D: 1}), FakeS3()
        scheduler = FakeScheduler()
        summary = run(spotify, s3, playlists=(A, B, C, D), scheduler=scheduler)
        assert summary.written == [A, D]
        assert [(failure.playlist_id, failure.retryable) for failure in summary.failed] == [
            (B, True),
            (C, False),
        ]
        assert counted()["PlaylistsFailed"] == 1
        assert counted()["PlaylistsPostponed"] == 1
        assert counted()["RunsContinued"] == 1
        assert [summary.continued_by] == list(scheduler.schedules)
        assert scheduler.events == [
            {"scheduled_at": "2026-11-20T06:00:00Z", "continuation": 1, "playlist_ids": [B]}
        ]

        spotify.playlists[B] = 1
        spotify.fetched.clear()
        assert run(spotify, s3, request=parse_event(scheduler.events[0], lambda: NOW)).written == [B]
        assert spotify.fetched == [B]

    @pytest.mark.parametrize(
        "condition",
        [QuotaExceeded(86_400), RateLimited(600), OutOfTime(9)],
        ids=lambda condition: type(condition).__name__,
    )
    def test_what_passes_continues_the_run(self, condition, counted, caplog):
        spotify, scheduler, s3 = FakeSpotify({A: 1, B: condition, C: 1}), FakeScheduler(), FakeS3()
        summary = run(spotify, s3, playlists=(A, B, C), scheduler=scheduler)
        assert spotify.fetched == [A, B]
        assert (summary.written, summary.failed) == ([A], [])
        assert [summary.continued_by] == list(scheduler.schedules)
        [event] = scheduler.events
        assert event["playlist_ids"] == [B, C]
        assert counted()["RunsContinued"] == 1
        assert counted()["PlaylistsPostponed"] == 2
        assert counted()["PlaylistsFailed"] == 0
        [line] = [line for line in caplog.records if line.levelname == "WARNING"]
        assert str(condition) in line.getMessage()
        assert "A schedule resumes it at 2026-11-2" in line.getMessage()
        assert line.not_done == [B, C]

        spotify.playlists[B] = 1
        again = run(spotify, s3, request=parse_event(event, lambda: NOW + timedelta(days=1)))
        assert again.written == [B, C]
        assert list(s3.snapshots) == [keys.raw_key(playlist, AT) for playlist in (A, B, C)]

    def test_an_event_that_comes_twice_is_continued_once(self, counted, caplog):
        spotify, scheduler = FakeSpotify({A: QuotaExceeded(86_400), B: 1}), FakeScheduler()
        first = run(spotify, playlists=(A, B), scheduler=scheduler)
        second = run(spotify, playlists=(A, B), scheduler=scheduler)
        assert first.continued_by == second.continued_by
        assert len(scheduler.schedules) == 1
        assert "existed already" in caplog.text

    def test_a_run_that_knows_no_playlists_yet_starts_afresh(self):
        spotify, scheduler = FakeSpotify({A: 1}), FakeScheduler()
        spotify.listing_error = SpotifyUnavailable("x")
        assert run(spotify, scheduler=scheduler).written == []
        assert scheduler.events[0]["playlist_ids"] == ["owned"]
        spotify.listing_error = None
        request = parse_event(scheduler.events[0], lambda: NOW)
        assert run(spotify, playlists=(B,), request=request).written == [A]

    @pytest.mark.parametrize("error", [SpotifyUnavailable("x"), SpotifyRefused(403, "Insufficient scope")])
    def test_playlists_by_name_need_no_listing(self, error, caplog):
        spotify = FakeSpotify({A: 1})
        spotify.listing_error = error
        assert run(spotify, playlists=(A,)).written == [A]
        assert spotify.listed_versions == {A: None}
        assert str(error) in caplog.text

    def test_a_limit_on_the_listing_keeps_the_playlists_that_were_asked_for(self):
        spotify, scheduler = FakeSpotify({A: 1, B: 1}), FakeScheduler()
        spotify.listing_error = QuotaExceeded(86_400)
        run(spotify, playlists=(B,), scheduler=scheduler)
        assert scheduler.events[0]["playlist_ids"] == [B]

    @pytest.mark.parametrize("condition", [QuotaExceeded(86_400), SpotifyUnavailable("x")])
    def test_a_run_is_not_continued_for_ever(self, condition, counted, caplog):
        scheduler = FakeScheduler()
        request = ExtractRequest(scheduled_at=AT, playlists=(A, B), continuation=10)
        with pytest.raises(
            ContinuationLimitReached, match=r"maximum number of continuations \(10\)"
        ) as caught:
            run(FakeSpotify({A: condition, B: 1}), request=request, scheduler=scheduler)
        assert A in str(caught.value)
        assert str(condition) in str(caught.value)
        assert scheduler.schedules == {}
        assert counted()["ContinuationLimitReached"] == 1
        assert "ContinuationLimitReached" in [getattr(line, "error_name", "") for line in caplog.records]

    @pytest.mark.parametrize(
        "condition",
        [SignInExpired("x"), SpotifyRefused(401, "x")],
        ids=lambda condition: type(condition).__name__,
    )
    def test_what_would_fail_every_playlist_stops_the_run(self, condition, counted, caplog):
        spotify = FakeSpotify({A: 1, B: condition, C: 1})
        with pytest.raises(type(condition)):
            run(spotify, playlists=(A, B, C))
        assert spotify.fetched == [A, B]
        assert counted()["SnapshotsWritten"] == 1
        assert counted()["PlaylistsFailed"] == 0
        [error] = [line for line in caplog.records if line.levelname == "ERROR"]
        assert str(condition) in error.getMessage()
        assert error.not_done == [B, C]

    def test_fault_of_s3_is_no_failure_of_a_playlist(self):
        s3 = FakeS3()

        def refuse(_key):
            raise PermissionError("AccessDenied")

        s3.on_put = refuse
        with pytest.raises(PermissionError):
            run(FakeSpotify({A: 1}), s3)


def fingerprint(size: int) -> str:
    entries = Fingerprint()
    entries.add_page(WebPlaylist("x", size).page(0, size))
    return str(entries)


def test_a_fingerprint_is_of_the_entries_and_not_of_what_spotify_may_change_in_them():
    entries = payloads.every_kind()
    rated = json.loads(json.dumps(entries).replace('"popularity": 63', '"popularity": 64'))
    assert rated != entries

    def of(*pages):
        found = Fingerprint()
        for page in pages:
            found.add_page(payloads.page(page))
        return str(found)

    assert of(entries) == of(rated) == of(entries[:5], entries[5:])
    others = [
        entries[:-1],
        entries[::-1],
        [payloads.entry(payloads.song("Other")), *entries[1:]],
        [entries[0] | {"added_at": "2026-11-20T12:00:00Z"}, *entries[1:]],
        [*entries, None],
        [*entries, 7],
    ]
    assert of(entries) not in {of(each) for each in others}


class TestUnchangedPlaylists:
    """A run at another time, after two that read the same entries of everything; the first one's objects are gone."""

    LATER = AT + timedelta(days=1)

    def again(self, spotify, s3, *, now=None, **options):
        chosen = settings(options.pop("playlists", ("owned",)))
        return extract.run(
            ExtractRequest(scheduled_at=self.LATER),
            chosen,
            spotify,
            s3,
            Continuations(options.pop("scheduler", FakeScheduler()), chosen, "the-function"),
            options.pop("clock", lambda: now or NOW + timedelta(days=1)),
        )

    @pytest.fixture
    def s3(self):
        s3 = FakeS3()
        before = AT - timedelta(days=1)
        for moment in (before, AT):
            run(FakeSpotify({A: 3, B: 4}), s3, request=ExtractRequest(scheduled_at=moment))
        for playlist in (A, B):
            s3.objects.pop(keys.raw_key(playlist, before))
        metrics.clear_metrics()
        return s3

    def test_are_copied_only_after_two_runs_read_the_same_under_a_version(self):
        """Spotify may show a new version before its entries."""
        s3, spotify, read = FakeS3(), FakeSpotify({A: 3}), []
        # A new version with a cover alone on day 2, one that is followed by its entries on days 5 and 6.
        for day, (version, size) in enumerate(
            [(1, 3), (1, 3), (2, 3), (2, 3), (2, 3), (3, 3), (3, 4), (3, 4), (3, 4)]
        ):
            spotify.versions[A], spotify.playlists[A] = version, size
            self.LATER = AT + timedelta(days=day)
            spotify.fetched.clear()
            assert self.again(spotify, s3, now=NOW + timedelta(days=day)).written == [A]
            read.append(bool(spotify.fetched))
            assert len(envelope.decode(s3.objects[keys.raw_key(A, self.LATER)]).entries) == size
        assert read == [True, True, True, True, False, True, True, True, False]

    def test_a_second_run_of_a_day_confirms_the_first_without_a_snapshot(self, counted):
        s3, spotify, read = FakeS3(), FakeSpotify({A: 3}), []
        for minutes in (0, 5, 10):
            self.LATER = AT + timedelta(minutes=minutes)
            spotify.fetched.clear()
            summary = self.again(spotify, s3, now=NOW)
            read.append(bool(spotify.fetched))
        assert (summary.written, summary.unchanged) == ([], [A])
        assert read == [True, True, False]
        assert list(s3.snapshots) == [keys.raw_key(A, AT)]
        spotify.playlists[A] = 4  # and the entries of the version come after all
        s3.objects.pop(keys.EXTRACT_STATE)
        self.LATER = AT + timedelta(minutes=15)
        assert self.again(spotify, s3, now=NOW).written == [A]

    def test_a_version_whose_entries_change_after_all_is_confirmed_anew(self, s3):
        """Seen when the list is read again after a week."""
        spotify, read = FakeSpotify({A: 4, B: 4}), []
        for days in (7, 8, 9):
            self.LATER = AT + timedelta(days=days)
            spotify.fetched.clear()
            self.again(spotify, s3, now=NOW + timedelta(days=days))
            read.append(list(spotify.fetched))
        assert read == [[A, B], [A], []]

    def test_are_not_read_again(self, s3, counted):
        spotify = FakeSpotify({A: 3, B: 4})
        assert self.again(spotify, s3).written == [A, B]
        assert (spotify.fetched, spotify.requests) == ([], 1)  # the listing; the user is known, too
        assert (counted()["SnapshotsWritten"], counted()["SnapshotsCopied"]) == (2, 2)
        assert "EntriesFetched" not in counted()
        first, second = (envelope.decode(s3.objects[keys.raw_key(A, at)]) for at in (AT, self.LATER))
        assert (second.scheduled_at, second.fetched_at) == (self.LATER, NOW + timedelta(days=1))
        assert second.copied_from == envelope.Origin(keys.raw_key(A, AT), NOW)
        assert (second.snapshot_id, second.contract) == (first.snapshot_id, first.contract)
        assert (second.playlist, second.entries) == (first.playlist, first.entries)

    def test_by_name(self, s3):
        spotify = FakeSpotify({A: 3, B: 4})
        assert self.again(spotify, s3, playlists=(B,)).written == [B]
        assert spotify.fetched == []

    def test_are_as_they_were_when_they_were_listed(self, s3, monkeypatch):
        spotify, moments, listed_at = FakeSpotify({A: 3, B: 4}), [], []
        my_playlists = spotify.my_playlists

        def clock():
            moments.append(NOW + timedelta(days=1, seconds=len(moments)))
            return moments[-1]

        def list_playlists(wanted=None):
            listed_at.append(moments[-1])
            return my_playlists(wanted)

        monkeypatch.setattr(spotify, "my_playlists", list_playlists)
        self.again(spotify, s3, clock=clock)
        copies = [envelope.decode(s3.objects[keys.raw_key(playlist, self.LATER)]) for playlist in (A, B)]
        assert [copy.fetched_at for copy in copies] == listed_at * 2
        assert moments[-1] > listed_at[0]

    def test_take_time_too(self, s3, monkeypatch):
        """Thousands of copies may outlast the function; the rest is left to a continuation."""
        spotify, scheduler, time_left = FakeSpotify({A: 3, B: 4}), FakeScheduler(), iter([60])

        def check_time():
            if not next(time_left, None):
                raise OutOfTime(9)

        monkeypatch.setattr(spotify, "check_time", check_time)
        assert self.again(spotify, s3, scheduler=scheduler).written == [A]
        assert scheduler.events[0]["playlist_ids"] == [B]

    def test_a_changed_one_is_read(self, s3, counted):
        spotify = FakeSpotify({A: 3, B: 5})
        spotify.versions[B] = 2
        assert self.again(spotify, s3).written == [A, B]
        assert spotify.fetched == [B]
        assert spotify.listed_versions == {B: f"{B}-v2"}
        assert len(envelope.decode(s3.objects[keys.raw_key(B, self.LATER)]).entries) == 5
        assert (counted()["SnapshotsCopied"], counted()["PlaylistsByItems"]) == (1, 1)
        assert json.loads(s3.objects[keys.EXTRACT_STATE])["playlists"][B] == {
            "snapshot_id": f"{B}-v2",
            "key": keys.raw_key(B, self.LATER),
            "entries": fingerprint(5),
            "is_settled": False,
        }

    def test_a_copy_of_a_copy_names_the_first(self, s3):
        self.again(FakeSpotify({A: 3}), s3)
        s3.objects.pop(keys.EXTRACT_STATE)
        s3.objects.pop(keys.raw_key(A, AT))
        self.LATER = AT + timedelta(days=2)
        spotify = FakeSpotify({A: 3})
        self.again(spotify, s3)
        assert spotify.fetched == []
        assert envelope.decode(s3.objects[keys.raw_key(A, self.LATER)]).copied_from == envelope.Origin(
            keys.raw_key(A, AT), NOW
        )

    @pytest.mark.parametrize("minutes", [5, 17 * 60 + 59])
    def test_need_one_snapshot_a_day(self, s3, counted, minutes):
        before = dict(s3.objects)
        self.LATER = AT + timedelta(minutes=minutes)
        spotify = FakeSpotify({A: 3, B: 4})
        summary = self.again(spotify, s3)
        assert (summary.written, summary.already_there, summary.unchanged) == ([], [], [A, B])
        assert (spotify.fetched, spotify.requests) == ([], 1)
        assert s3.objects == before
        assert (counted()["PlaylistsUnchanged"], counted()["SnapshotsCopied"]) == (2, 0)

    def test_of_the_next_day_are_copied_however_soon_it_comes(self, s3):
        self.LATER = AT.replace(hour=23, minute=55)
        changed = FakeSpotify({A: 3, B: 4})
        changed.versions[A] = 2
        assert self.again(changed, s3).written == [A]
        self.LATER += timedelta(minutes=2)
        assert self.again(changed, s3).unchanged == [A, B]
        self.LATER += timedelta(minutes=3)
        summary = self.again(changed, s3)
        assert (summary.written, summary.unchanged) == ([A, B], [])
        assert envelope.decode(s3.objects[keys.raw_key(A, self.LATER)]).copied_from.key == keys.raw_key(
            A, AT.replace(hour=23, minute=55)
        )

    def test_several_changes_a_day_are_all_read(self, s3):
        spotify = FakeSpotify({A: 3, B: 4})
        for version, minutes in ((2, 5), (2, 10), (3, 15), (3, 20)):
            spotify.versions[A] = version
            self.LATER = AT + timedelta(minutes=minutes)
            self.again(spotify, s3)
        assert [key for key in s3.snapshots if A in key] == [
            keys.raw_key(A, AT + timedelta(minutes=minutes)) for minutes in (0, 5, 15)
        ]

    def test_are_compared_with_the_snapshot_before_and_not_with_a_later_one(self, s3):
        """What is made up for later takes the place between its neighbors."""
        spotify = FakeSpotify({A: 3, B: 4})
        spotify.versions[A] = 2
        self.LATER = AT + timedelta(hours=8)
        assert self.again(spotify, s3).written == [A]
        self.LATER = AT + timedelta(hours=4)
        assert self.again(spotify, s3).written == [A]
        assert self.again(spotify, s3).already_there == [A]
        self.LATER = AT - timedelta(hours=2)
        assert self.again(spotify, s3).written == [A, B]

    def test_are_read_again_after_a_week_within_the_day_too(self, s3):
        self.LATER = AT + timedelta(minutes=5)
        spotify = FakeSpotify({A: 3, B: 4})
        assert self.again(spotify, s3, now=NOW + timedelta(days=7)).written == [A, B]
        assert spotify.fetched == [A, B]

    def test_what_is_a_week_old_is_read_again(self, s3):
        for days, read in ((6, []), (7, [A, B])):
            self.LATER = AT + timedelta(days=days)
            spotify = FakeSpotify({A: 3, B: 4})
            self.again(spotify, s3, now=NOW + timedelta(days=days))
            assert spotify.fetched == read

    def test_lists_made_by_spotify_are_always_read(self, s3):
        spotify = FakeSpotify({A: 3}, owners={A: "spotify"})
        self.again(spotify, s3, playlists=(A,))
        assert spotify.fetched == [A]

    def test_a_lost_state_costs_two_readings(self, s3):
        before = s3.objects.pop(keys.EXTRACT_STATE)
        read = []
        for days in (1, 2, 3):
            spotify = FakeSpotify({A: 3, B: 4})
            self.LATER = AT + timedelta(days=days)
            assert self.again(spotify, s3, now=NOW + timedelta(days=days)).written == [A, B]
            read.append(spotify.fetched)
        assert read == [[A, B], [A, B], []]
        lost, made = (json.loads(state)["playlists"] for state in (before, s3.objects[keys.EXTRACT_STATE]))
        assert made == {
            name: last | {"key": keys.raw_key(name, AT + timedelta(days=2))} for name, last in lost.items()
        }

    @pytest.mark.parametrize("state", [None, b"{"])
    def test_after_a_lost_or_damaged_state_a_copy_in_raw_is_proof_enough(self, s3, state, caplog):
        self.again(FakeSpotify({A: 3, B: 4}), s3)
        s3.objects.pop(keys.EXTRACT_STATE)
        if state:
            s3.objects[keys.EXTRACT_STATE] = state
        self.LATER = AT + timedelta(days=2)
        spotify = FakeSpotify({A: 3, B: 4})
        assert self.again(spotify, s3).written == [A, B]
        assert spotify.fetched == []
        assert (keys.EXTRACT_STATE in caplog.text) == bool(state)

    @pytest.mark.parametrize(
        "content",
        [
            None,
            b"no gzip",
            gzip.compress(b"{}"),
            payloads.raw_object([], playlist_object=payloads.playlist(A, snapshot_id="another")),
            payloads.raw_object([], playlist_object=payloads.playlist(B, snapshot_id=f"{A}-v1")),
            payloads.raw_object([], playlist_object=payloads.playlist(A, snapshot_id=f"{A}-v1"))[:40],
        ],
    )
    def test_a_wrong_state_is_not_believed(self, s3, content):
        key = keys.raw_key(A, AT)
        if content is None:
            s3.objects.pop(key)
        else:
            s3.objects[key] = content
        spotify = FakeSpotify({A: 3, B: 4})
        assert self.again(spotify, s3).written == [A, B]
        assert spotify.fetched == [A]
        assert len(envelope.decode(s3.objects[keys.raw_key(A, self.LATER)]).entries) == 3

    def test_another_sign_in_is_asked_who_it_is(self, s3):
        spotify = FakeSpotify({A: 3, B: 4})
        spotify.sign_in_fingerprint = "another"
        self.again(spotify, s3)
        assert spotify.requests == 2
        assert json.loads(s3.objects[keys.EXTRACT_STATE])["user"] == {"sign_in": "another", "id": "me"}

    def test_nothing_is_written_when_nothing_is_new(self, s3):
        puts, s3.listings = [], 0
        s3.on_put = puts.append
        self.again(FakeSpotify({A: 3, B: 4}), s3)
        assert puts == [keys.raw_key(A, self.LATER), keys.raw_key(B, self.LATER)]
        assert s3.listings == 2, "each playlist's snapshots of the day"

    def test_two_runs_at_once(self, s3):
        """Each takes its turn at every PUT; the second finds what the first has done."""
        inner = []

        def other_run(key):
            s3.on_put = None
            inner.append(self.again(FakeSpotify({A: 3, B: 4}), s3, now=NOW + timedelta(days=1, seconds=1)))

        s3.on_put = other_run
        outer = self.again(FakeSpotify({A: 3, B: 4}), s3)
        assert (inner[0].written, outer.already_there) == ([A, B], [A, B])
        assert len(s3.snapshots) == 4
