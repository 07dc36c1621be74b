"""From tables to what the page shows: the report's queries run on DuckDB, whose SQL they share with Athena."""

import datetime as dt
from collections import defaultdict
from itertools import pairwise

import pytest
import sqlglot
from botocore.exceptions import ClientError

from spotify_lake.athena import Athena
from spotify_lake.errors import QueryFailed
from spotify_lake.report import queries
from spotify_lake.report.content import Content, Entry, Totals, artist_dates, runs, songs_to_look_up
from spotify_lake.report.queries import SnapshotRow, StandingRow, Window
from tests.support import payloads
from tests.support.lake_in_memory import FakeAthenaClient, Lake, generate, snapshot

MONDAY = dt.date(2026, 9, 7)
OTHER = payloads.spotify_id("Other")


def day(number):
    return MONDAY + dt.timedelta(days=number)


def report(*snapshots, days=730):
    lake = Lake()
    lake.add(*snapshots)
    return lake.report(days)


def expand(values):
    return [value for run in values for value in ([run[0]] * run[1] if isinstance(run, tuple) else [run])]


def names(content, entries):
    return [content.songs[entry.song].name for entry in entries]


def test_an_empty_lake_is_an_empty_report():
    assert report() == Content()


def test_one_snapshot_has_positions_but_no_changes():
    content = report(snapshot(MONDAY, ["A", "B"]))
    [playlist] = content.playlists
    assert (content.first, content.last) == (MONDAY, MONDAY)
    assert (playlist.name, playlist.owner, playlist.counts) == ("Road Trip", "Nadia", [2])
    assert names(content, playlist.entries) == ["A", "B"]
    assert [entry.week_ago for entry in playlist.entries] == [None, None]
    assert (playlist.entered, playlist.left, playlist.events) == ([0], [0], [])


def test_positions_are_followed_from_day_to_day():
    content = report(
        snapshot(day(0), ["A", "B", "C"]),
        snapshot(day(1), ["B", "A", "C"]),
        snapshot(day(2), ["B", "D", "A"]),
    )
    [playlist] = content.playlists
    found = {content.songs[entry.song].name: entry for entry in playlist.entries}
    assert {name: expand(entry.positions) for name, entry in found.items()} == {
        "B": [2, 1, 1],
        "D": [2],
        "A": [1, 2, 3],
    }
    assert found["D"].start == 2
    assert (found["A"].position, found["A"].best, found["A"].days, found["A"].first) == (3, 1, 3, 0)
    assert names(content, playlist.former) == ["C"]
    assert (playlist.entered, playlist.left) == ([0, 0, 1], [0, 0, 1])
    events = [
        (event.day, event.step, content.songs[event.song].name, event.position) for event in playlist.events
    ]
    assert events == [(2, 1, "D", 2), (2, -1, "C", 3)]


def test_days_without_a_snapshot_are_passed_over():
    content = report(snapshot(day(0), ["A"]), snapshot(day(3), ["A", "B"]), snapshot(day(9), ["B"]))
    [playlist] = content.playlists
    assert playlist.days == [0, 3, 9]
    assert (playlist.entered, playlist.left) == ([0, 1, 0], [0, 0, 1])
    [entry] = playlist.entries
    assert entry.week_ago == 0, "the last snapshot a week before was that of day 0, without B"


def test_what_returns_enters_again():
    content = report(snapshot(day(0), ["A", "B"]), snapshot(day(1), ["A"]), snapshot(day(2), ["A", "B"]))
    [playlist] = content.playlists
    assert (playlist.entered, playlist.left) == ([0, 0, 1], [0, 1, 0])
    assert expand(playlist.entries[1].positions) == [2, 0, 2]
    assert playlist.entries[1].days == 2


def test_the_last_snapshot_stands_for_its_day():
    content = report(
        snapshot(MONDAY, ["A"], hour=6), snapshot(MONDAY, ["B"], hour=7), snapshot(MONDAY, ["C"], hour=5)
    )
    [playlist] = content.playlists
    assert (playlist.days, names(content, playlist.entries)) == ([0], ["B"])


def test_the_last_snapshot_stands_for_its_day_even_if_nothing_is_in_it():
    content = report(
        snapshot(day(0), ["A"]),
        snapshot(day(1), ["A", "B"], hour=6),
        snapshot(day(1), [], hour=7),
        snapshot(day(2), ["A"]),
    )
    [playlist] = content.playlists
    assert (playlist.counts, playlist.entered, playlist.left) == ([1, 0, 1], [0, 0, 1], [0, 1, 0])
    assert (playlist.entries[0].days, playlist.former, playlist.artists[0].entries) == (2, [], [1, 0, 1])


def test_a_list_that_was_empty_for_a_day_starts_again():
    content = report(snapshot(day(0), ["A"]), snapshot(day(1), []), snapshot(day(2), ["A"]))
    [playlist] = content.playlists
    assert playlist.counts == [1, 0, 1]
    assert (playlist.entered, playlist.left) == ([0, 0, 1], [0, 1, 0])


def test_a_list_that_has_always_been_empty_is_there():
    content = report(snapshot(day(0), []), snapshot(day(1), []))
    [playlist] = content.playlists
    assert (playlist.counts, playlist.entries, playlist.totals) == ([0, 0], [], Totals())


def test_a_playlist_that_ended_is_shown_as_it_was_last_seen():
    content = report(
        snapshot(day(0), ["A", "B"], playlist_id=OTHER, name="Ended"),
        snapshot(day(1), ["B"], playlist_id=OTHER, name="Ended"),
        *(snapshot(day(number), ["C"]) for number in range(60)),
    )
    ended, going = content.playlists
    assert (ended.name, ended.days, names(content, ended.entries)) == ("Ended", [0, 1], ["B"])
    assert [event.step for event in ended.events] == [-1]
    assert content.songs[ended.entries[0].song].artists, "it is looked up on the day it was last seen"
    assert going.days[-1] == 59


def test_older_days_than_asked_for_are_left_out():
    content = report(*(snapshot(day(number), ["A"]) for number in range(20)), days=7)
    assert (content.first, content.playlists[0].days) == (day(13), list(range(7)))
    assert content.playlists[0].entries[0].days == 7


def test_every_kind_of_entry_is_shown():
    content = report(snapshot(MONDAY, payloads.every_kind()))
    [playlist] = content.playlists
    assert playlist.counts == [12]
    kinds = {(content.songs[entry.song].kind, content.songs[entry.song].name) for entry in playlist.entries}
    assert {("local", "Boathouse (demo)"), ("episode", "Episode 12: Rope"), ("song", "Twice")} <= kinds
    twice = [entry for entry in playlist.entries if content.songs[entry.song].name == "Twice"]
    assert [entry.position for entry in twice] == [10], "at its better position, and once"
    assert playlist.totals.popularity is not None, "old apps still get it"


def test_details_of_songs_albums_and_artists():
    content = report(
        snapshot(
            MONDAY,
            [payloads.entry(payloads.song("Duet", artists=[payloads.artist("X"), payloads.artist("Y")]))],
        )
    )
    [song] = content.songs
    assert (song.id, song.seconds, song.explicit) == (payloads.spotify_id("Duet"), 208, 0)
    assert [content.artists[number].name for number in song.artists] == ["X", "Y"]
    album = content.albums[song.album]
    assert (album.name, album.year) == ("Harbor Lights", 2017)
    assert album.image.startswith("https://i.scdn.co/image/")
    assert content.playlists[0].totals.years == [(2017, 1)]
    assert (content.totals.songs, content.different_artists) == (1, 2)


def test_artists_are_counted_by_day_and_together():
    by = {name: [payloads.artist(name)] for name in ("X", "Y")}
    songs = {
        name: payloads.entry(payloads.song(name, artists=by[artist]))
        for name, artist in [("A", "X"), ("B", "X"), ("C", "Y")]
    }
    content = report(
        snapshot(day(0), [songs["A"], songs["C"]]),
        snapshot(day(1), [songs["A"], songs["B"]]),
        snapshot(day(1), [songs["B"]], playlist_id=OTHER, name="Other"),
    )

    def counted(artists):
        return {
            content.artists[row.artist].name: (row.now, row.start, expand(row.entries)) for row in artists
        }

    road_trip = next(playlist for playlist in content.playlists if playlist.name == "Road Trip")
    assert content.artist_days == [0, 1]
    assert counted(road_trip.artists) == {"X": (2, 0, [1, 2]), "Y": (0, 0, [1])}
    assert counted(content.top_artists) == {"X": (2, 0, [1, 3]), "Y": (0, 0, [1])}, "B is in two playlists"


def test_totals_count_each_song_once():
    def song(name, seconds, year, **changes):
        released = {"release_date": str(year), "release_date_precision": "year"}
        album = payloads.album() | released | {"id": payloads.spotify_id(f"Album of {name}")}
        return payloads.entry(payloads.song(name, duration_ms=seconds * 1000, album=album, **changes))

    long, short = song("Long", 6000, 1999, explicit=True, popularity=71), song("Short", 120, 2020)
    content = report(
        snapshot(MONDAY, [long, short, long]),
        snapshot(MONDAY, [long], playlist_id=OTHER, name="Other"),
    )
    assert content.totals == Totals(
        songs=2,
        explicit=1,
        seconds=6120,
        years=[(1999, 1), (2020, 1)],
        popularity=[0, 0, 0, 0, 0, 0, 0, 1, 0, 0],
        mean_popularity=71.0,
    )
    other, road_trip = content.playlists
    assert (other.totals.songs, other.totals.seconds, other.counts) == (1, 6000, [1])
    assert (road_trip.totals.songs, road_trip.totals.seconds, road_trip.counts) == (2, 6120, [3])


def test_an_artists_songs_are_those_of_the_last_day():
    ended = snapshot(day(0), ["A", "B"], playlist_id=OTHER, name="Ended")
    content = report(ended, snapshot(day(1), ["C"]))
    assert [row.now for row in content.playlists[0].artists] == [2]
    assert [row.now for row in content.top_artists] == [1]
    assert content.totals.songs == 3


def test_what_has_just_left_keeps_its_positions():
    content = report(
        snapshot(day(0), [f"Song {number}" for number in range(12)]),
        snapshot(day(1), [f"Song {number}" for number in range(11)]),
        snapshot(day(2), [f"Song {number}" for number in range(10)]),
    )
    [playlist] = content.playlists
    gone = {
        content.songs[entry.song].name: (
            entry.first,
            entry.last,
            entry.best,
            entry.days,
            expand(entry.positions),
        )
        for entry in playlist.former
    }
    assert gone == {"Song 10": (0, 1, 11, 2, [11, 11]), "Song 11": (0, 0, 12, 1, [12])}


def test_artists_without_an_id_are_named_but_not_counted():
    artists = [payloads.artist("X"), payloads.artist("Y", id=None), payloads.artist("Z", id=None)]
    content = report(snapshot(MONDAY, [payloads.entry(payloads.song("Duet", artists=artists))]))
    assert [content.artists[number].name for number in content.songs[0].artists] == ["X", "Y", "Z"]
    assert [content.artists[row.artist].name for row in content.top_artists] == ["X"]
    assert content.different_artists == 1


@pytest.mark.parametrize(
    "url, kept",
    [
        ("https://i.scdn.co/image/ab67", True),
        ("https://mosaic.scdn.co/640/ab67616d00001e02ab67616d00001e02", True),
        ("https://image-cdn-ak.spotifycdn.com/image/ab67706c0000da84", True),
        ("https://thisis-images.spotifycdn.com/37i9dQZF1DZ06evO-default.jpg?v=2&w=300", True),
        ("http://i.scdn.co/image/ab67", False),
        ("javascript:alert(1)", False),
        ("data:text/html,<script>", False),
        ("//i.scdn.co/image/ab67", False),
        ("HTTPS://i.scdn.co/image/ab67", False),
        ('https://i.scdn.co/"><script>', False),
        ("https://open.spotify.com@evil.example/", False),
        ("https://i.scdn.co@evil.example/image/ab67", False),
        ("https://i.scdn.co:pass@evil.example/image/ab67", False),
        ("https://user@i.scdn.co/image/ab67", False),
        ("https://i.scdn.co:8443/image/ab67", False),
        ("https://i.scdn.co.evil.example/image/ab67", False),
        ("https://evilscdn.co/image/ab67", False),
        ("https://evil-spotifycdn.com/image/ab67", False),
        ("https://evil.example/i.scdn.co/image", False),
        ("https://evil.example?i.scdn.co/image", False),
        ("https://evil.example#i.scdn.co/image", False),
        (r"https://evil.example\.scdn.co/image", False),
        (r"https://evil.example\@i.scdn.co/image", False),
        ("https://evil.example/\n.scdn.co/", False),
        ("https://i.scdn.co/image\n", False),
        ("https://i.sсdn.co/image/ab67", False),
        ("https://i。scdn.co/image/ab67", False),
        ("https://scdn.co%2eevil.example/", False),
        ("https://ｉ.scdn.co/image/ab67", False),
    ],
)
def test_only_covers_on_spotifys_image_hosts_become_links(url, kept):
    song = payloads.song("A")
    song["album"]["images"] = [{"url": url, "height": 1, "width": 1}]
    content = report(snapshot(MONDAY, [payloads.entry(song)], images=[{"url": url, "height": 1, "width": 1}]))
    assert content.playlists[0].image == (url if kept else None)
    assert [album.image for album in content.albums] == [url if kept else None]


def test_ids_that_are_none_become_no_link():
    content = report(snapshot(MONDAY, [payloads.entry(payloads.song("A", id="../../evil?x="))]))
    assert content.songs[0].id is None


def test_the_description_is_text_and_no_markup():
    content = report(snapshot(MONDAY, ["A"], description="Sasha &amp; I &lt;3"))
    assert content.playlists[0].description == "Sasha & I <3"


def test_long_lists_are_cut_and_counted_whole(monkeypatch):
    monkeypatch.setattr(queries, "LISTED", 3)
    [playlist] = report(snapshot(MONDAY, list("ABCDE"))).playlists
    assert (len(playlist.entries), playlist.unlisted, playlist.totals.songs, playlist.counts) == (
        3,
        2,
        5,
        [5],
    )


def test_runs():
    assert runs([5, 5, 5, 5, 4, 4, 9]) == [(5, 4), 4, 4, 9]
    assert runs([]) == []


# --- Many days, against plain Python ---


@pytest.fixture(scope="module")
def filled():
    lake = Lake()
    generate(lake, playlists=4, days=130, entries=12, songs=60)
    return lake


@pytest.fixture(scope="module")
def content(filled):
    return filled.report()


@pytest.fixture(scope="module")
def standings(filled):
    """Playlist name to day to song id to position, read without any of the report's queries."""
    rows = filled.connection.execute(
        "select 'List ' || cast(substr(playlist_id, 5) as integer), snapshot_date, song_id, position"
        " from playlist_entries"
    ).fetchall()
    found = defaultdict(lambda: defaultdict(dict))
    for name, date, song_id, position in rows:
        found[name][date][song_id] = position
    return found


def test_movement_is_what_python_finds(content, standings):
    for playlist in content.playlists:
        days = [set(songs) for _, songs in sorted(standings[playlist.name].items())]
        assert playlist.entered == [0, *(len(now - before) for before, now in pairwise(days))]
        assert playlist.left == [0, *(len(before - now) for before, now in pairwise(days))]


def test_histories_are_what_python_finds(content, standings):
    for playlist in content.playlists:
        history = standings[playlist.name]
        last = max(history)
        listed = {content.songs[entry.song].id: entry.position for entry in playlist.entries}
        assert listed == history[last]
        for entry in [*playlist.entries, *playlist.former]:
            song_id = content.songs[entry.song].id
            seen = {date: songs[song_id] for date, songs in history.items() if song_id in songs}
            assert (entry.days, entry.best, entry.first, entry.last) == (
                len(seen),
                min(seen.values()),
                (min(seen) - content.first).days,
                (max(seen) - content.first).days,
            )
            sampled = [content.first + dt.timedelta(days=number) for number in playlist.samples]
            expected = [seen.get(date, 0) for date in sampled]
            month = [
                place if date >= last - dt.timedelta(days=queries.NEWS) else 0
                for date, place in zip(sampled, expected, strict=True)
            ]
            positions = [0] * entry.start + expand(entry.positions)
            positions += [0] * (len(sampled) - len(positions))
            if entry.position is None and min(seen.values()) > 10:
                assert positions == month, "it left recently, and was never in the top ten"
            elif entry.position is None:
                assert positions in (expected, month)
            else:
                assert positions == expected


def test_every_recent_day_is_sampled_and_one_a_week_before(content):
    for playlist in content.playlists:
        assert playlist.samples[-queries.DAILY :] == list(range(130 - queries.DAILY, 130))
        older = [content.first + dt.timedelta(days=number) for number in playlist.samples[: -queries.DAILY]]
        assert {date.weekday() for date in older} == {6}, "the last day of a week"


def test_events_are_what_python_finds(content, standings):
    for playlist in content.playlists:
        history = standings[playlist.name]
        expected = set()
        for number in range(130 - queries.NEWS, 130):
            date = content.first + dt.timedelta(days=number)
            now, before = set(history[date]), set(history[date - dt.timedelta(days=1)])
            expected |= {(number, 1, song) for song in now - before} | {
                (number, -1, song) for song in before - now
            }
        found = {(event.day, event.step, content.songs[event.song].id) for event in playlist.events}
        assert found == expected


def test_leaders_are_the_longest_among_the_first_ten(content, standings):
    for playlist in content.playlists:
        score = defaultdict(int)
        for songs in standings[playlist.name].values():
            for song_id, position in songs.items():
                score[song_id] += max(0, 11 - position)
        best = sorted(score.values(), reverse=True)[: queries.LEADERS]
        entries: list[Entry] = [*playlist.entries, *playlist.former]
        shown = sorted((score[content.songs[entry.song].id] for entry in entries), reverse=True)
        assert shown[: len(best)] == best


def test_the_same_tables_give_the_same_content(filled, content):
    assert filled.report() == content


# --- The queries ---


@pytest.fixture(scope="module")
def questions(filled):
    every = queries.histories(Window(MONDAY, filled.newest_date()))
    rows = filled.athena().ask(every)
    snapshots = [row for row in rows if isinstance(row, SnapshotRow)]
    standings = [row for row in rows if isinstance(row, StandingRow)]
    return [
        every,
        queries.artists(Window.of(snapshots), artist_dates(snapshots)),
        queries.songs(*songs_to_look_up(standings, snapshots)),
    ]


@pytest.mark.parametrize("number", range(3))
def test_read_as_athenas_sql_a_query_gives_the_same(filled, questions, number):
    sql = questions[number].sql
    [translated] = sqlglot.transpile(sql, read="athena", write="duckdb")
    native, other = (filled.connection.execute(text).fetchall() for text in (sql, translated))
    assert native
    assert native == other
    assert len(sql) < 262_144, "more than Athena takes"


@pytest.mark.parametrize("number", range(3))
def test_a_query_names_the_days_it_needs_of_every_table(questions, number):
    """Without a condition on snapshot_date, Athena would look into every day since FirstSnapshotDate."""
    tree = sqlglot.parse_one(questions[number].sql, read="athena")
    ctes = {cte.alias for cte in tree.find_all(sqlglot.exp.CTE)}
    for table in tree.find_all(sqlglot.exp.Table):
        if table.name not in ctes or table.name == "songs":
            select = table.find_ancestor(sqlglot.exp.Select)
            limits = [
                node for kind in (sqlglot.exp.Between, sqlglot.exp.In) for node in select.find_all(kind)
            ]
            assert any(limit.this.name == "snapshot_date" for limit in limits), table.sql()


def test_what_left_is_looked_up_on_as_few_days_as_have_it_all():
    def stood(name, first, last, *, is_leader=False, position=None):
        days = [(day(number) - dt.date(1970, 1, 1)).days for number in range(first, last + 1)]
        return StandingRow(
            *("list", name, "song", name, None, len(days), 1, day(first), day(last), position, is_leader),
            *(days, [1] * len(days)),
        )

    snapshots = [
        SnapshotRow("list", day(number), 5, 0, 0, "List", None, None, None, None) for number in range(60)
    ]
    rows = [
        stood("still there", 0, 59, position=1),
        stood("left first", 20, 40),
        stood("was there then", 30, 45),
        stood("came later", 41, 50),
        stood("led at that time", 35, 42, is_leader=True),
        stood("led before", 2, 10, is_leader=True),
        stood("led before that", 0, 4, is_leader=True),
    ]
    assert songs_to_look_up(rows, snapshots) == (
        {day(59), day(40), day(50)},
        {day(4)},
        {"led before", "led before that"},
    )


def test_texts_from_spotify_cannot_leave_their_quotes():
    assert "IN ('it''s', 'x')" in queries.songs([MONDAY], [MONDAY], ["it's", "x"]).sql


@pytest.mark.parametrize("sign", ["x", "'", "é", "😀"])
@pytest.mark.parametrize("length", [22, 64, 3000])
def test_however_many_and_long_the_ids_athena_takes_the_query(sign, length):
    ids = [f"{number:09}".ljust(length, sign) for number in range(400_000 // length)]
    dates = [MONDAY + dt.timedelta(days=number) for number in range(3660)]
    text = queries.songs(dates[::2], dates[1::2], ids).sql
    used = len(text.encode())
    one = len(f"'{ids[0]}', ".replace(sign, "''" if sign == "'" else sign).encode())
    assert used <= 262_144
    assert used + one + 2 > 262_144, "it names as many as fit"


def test_a_window_ends_with_the_newest_snapshot():
    assert Window(day(0), day(200)).recent == day(200 - queries.DAILY + 1)
    assert Window(day(0), day(3)).recent == day(0)


# --- Asking Athena ---

WEEK = Window(day(0), day(6))


def test_answers_come_page_by_page(filled, content, monkeypatch):
    monkeypatch.setattr(FakeAthenaClient, "page_size", 7)
    assert filled.report() == content


def test_a_query_that_fails_is_named_with_athenas_reason(filled):
    filled_client = FakeAthenaClient(filled.connection)
    athena = Athena(filled_client, "lake", "lake", time_left=lambda: 60)
    broken = queries.Question("broken", "select nothing from nowhere", queries.SongRow)
    with pytest.raises(QueryFailed, match=r"'broken'.*nowhere") as failure:
        athena.ask(broken)
    assert failure.value.retryable


class SlowClient(FakeAthenaClient):
    def __init__(self):
        self.stopped = []

    def start_query_execution(self, **_):
        return {"QueryExecutionId": "q"}

    def get_query_execution(self, **_):
        return {"QueryExecution": {"Status": {"State": "RUNNING"}}}

    def stop_query_execution(self, **arguments):
        self.stopped.append(arguments)


def test_a_query_that_takes_too_long_is_stopped():
    client = SlowClient()
    with pytest.raises(QueryFailed, match="took too long"):
        Athena(client, "lake", "lake", time_left=lambda: 0).ask(queries.histories(WEEK))
    assert client.stopped == [{"QueryExecutionId": "q"}]


class RefusingClient(FakeAthenaClient):
    def __init__(self):
        pass

    def start_query_execution(self, **_):
        answer = {"Error": {"Code": "InvalidRequestException", "Message": "mismatched input"}}
        raise ClientError(answer, "StartQueryExecution")


def test_a_query_that_is_refused_is_named():
    with pytest.raises(QueryFailed, match="'histories' failed: Athena refused it: mismatched input"):
        Athena(RefusingClient(), "lake", "lake", time_left=lambda: 9).ask(queries.histories(WEEK))
