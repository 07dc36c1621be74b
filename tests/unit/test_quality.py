import json
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from spotify_lake.errors import SnapshotUnreadable
from spotify_lake.normalize import quality
from spotify_lake.normalize import rows as module
from spotify_lake.normalize.quality import RULES, Between, Reference, Rule
from spotify_lake.normalize.rows import Tables, normalize
from spotify_lake.raw import envelope
from spotify_lake.schema.playlists import ALBUMS, PLAYLIST_ENTRIES, SONGS, TABLES
from spotify_lake.schema.types import Table
from spotify_lake.spotify.models import Entry
from tests.support import payloads
from tests.unit.test_normalize import row, rows, tables_of

DAY_MS = 86_400_000
GOOD = payloads.raw_object([payloads.entry(payloads.old_song(), key="track"), *payloads.every_kind()])


def with_value(table: Table, number: int, **values: Any) -> quality.Rows:
    """The rows of a good snapshot, with other values in one row."""
    found = {name: list(each) for name, each in normalize(envelope.decode(GOOD)).rows.items()}
    changed = dict(zip(table.column_names, found[table.name][number], strict=True)) | values
    found[table.name][number] = tuple(changed.values())
    return found


def violated(found: quality.Rows, entry_count: int = 13) -> dict[str, list[Any]]:
    """Rule to keys of the rows that violate it."""
    findings = quality.check(found, entry_count, payloads.NOON)
    return {each.rule.name: [value.key for value in each.violations] for each in findings if each.violations}


def in_song(**changes: Any) -> Callable[[], Any]:
    return lambda: payloads.entry(payloads.old_song(**changes), key="track")


def in_album(**changes: Any) -> Callable[[], Any]:
    return in_song(album=payloads.album(**changes))


def in_artist(**changes: Any) -> Callable[[], Any]:
    return in_song(artists=[payloads.artist(**changes)])


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.name)
def test_a_rule_is_about_a_column_and_describes_itself(rule: Rule) -> None:
    assert rule.table in TABLES
    assert rule.column in (*rule.table.column_names, "*")
    assert rule.meaning
    if rule.breaking:
        entry = envelope.decode(GOOD).entries[0]
        assert isinstance(entry, Entry)
        spoken_of = {PLAYLIST_ENTRIES.name, *dict(module._rows_of(entry))}
        assert rule.table.name in spoken_of, "no entry could be rejected"


def test_names_of_rules_are_unique_and_no_other_reasons() -> None:
    names = [rule.name for rule in RULES]
    assert len(set(names)) == len(names)
    assert not {"undecodable", "song_without_id"} & set(names)


def test_what_spotify_really_sends_violates_nothing() -> None:
    tables = normalize(envelope.decode(GOOD))
    assert tables.violations == {}
    found = {each["rule"]: each for each in rows(tables, "quality")}
    assert list(found) == [rule.name for rule in RULES]
    assert {each["violations"] for each in found.values()} == {0}
    assert {each["example"] for each in found.values()} == {None}
    assert found["entry_position"]["checked"] == 13
    assert found["entry_position"]["is_breaking"] is True
    assert found["song_has_length"]["is_breaking"] is False


@pytest.mark.parametrize(
    "table, number, values, rules",
    [
        (PLAYLIST_ENTRIES, 0, {"position": 2}, {"playlist_entries_unique": [2, 2]}),
        (PLAYLIST_ENTRIES, 0, {"position": 0}, {"entry_position": [0]}),
        (PLAYLIST_ENTRIES, 0, {"position": 14}, {"entry_position": [14]}),
        (PLAYLIST_ENTRIES, 0, {"song_id": "nowhere"}, {"entry_song": [1]}),
        (PLAYLIST_ENTRIES, 0, {"song_id": "nowhere", "kind": "unavailable"}, {}),
        (SONGS, 1, {"song_id": payloads.song()["id"]}, "songs_unique"),
        (SONGS, 0, {"album_id": "nowhere"}, {"song_album": [payloads.song()["id"]]}),
        (SONGS, 0, {"album_id": None}, {}),
        (SONGS, 0, {"artist_ids": [None, payloads.artist()["id"]]}, {}),
        (SONGS, 0, {"artist_ids": [payloads.artist()["id"], "x", "y"]}, {"song_artists": [payloads.song()["id"]] * 2}),
        (ALBUMS, 0, {"artist_ids": ["nowhere"]}, {"album_artists": [payloads.album()["id"]]}),
        (ALBUMS, 0, {"artist_ids": None}, {}),
    ],
)  # fmt: skip
def test_keys_and_references_that_normalize_never_breaks_are_checked_all_the_same(
    table: Table, number: int, values: dict[str, Any], rules: Any
) -> None:
    found = violated(with_value(table, number, **values))
    if isinstance(rules, str):
        assert rules in found
    else:
        assert found == rules


@pytest.mark.parametrize(
    "make, rules",
    [
        (in_song(duration_ms=0), {"song_has_length": 1}),
        (in_song(duration_ms=1), {}),
        (in_song(duration_ms=None), {}),
        (in_song(duration_ms=DAY_MS - 1), {}),
        (in_song(duration_ms=DAY_MS), {"song_duration": 1}),
        (in_song(duration_ms=-1), {"song_duration": 1}),
        (in_song(popularity=0), {}),
        (in_song(popularity=100), {}),
        (in_song(popularity=101), {"song_popularity": 1}),
        (in_song(popularity=-1), {"song_popularity": 1}),
        (in_album(popularity=101), {"album_popularity": 1}),
        (in_artist(popularity=101), {"artist_popularity": 1}),
        (in_artist(followers={"total": 0}), {}),
        (in_artist(followers={"total": -1}), {"artist_followers": 1}),
        (in_artist(followers={"total": 2**62}), {"artist_followers": 1}),
        (in_album(release_date="1860"), {}),
        (in_album(release_date="1859-12-31"), {"album_release_date": 1}),
        (in_album(release_date="2028-11-20"), {}),
        (in_album(release_date="2029"), {"album_release_date": 1}),
        (lambda: payloads.entry(payloads.song(), added_at="2006-01-01T00:00:00Z"), {}),
        (
            lambda: payloads.entry(payloads.song(), added_at="2005-12-31T23:59:59Z"),
            {"entry_added_at": 1},
        ),
        (lambda: payloads.entry(payloads.song(), added_at="1970-01-01T00:00:00Z"), {}),
        (lambda: payloads.entry(payloads.song(), added_at="2026-11-21T12:00:00Z"), {}),
        (
            lambda: payloads.entry(payloads.song(), added_at="2026-11-22T12:00:00Z"),
            {"entry_added_at": 1},
        ),
    ],
)
def test_values_out_of_range_are_counted(make: Callable[[], Any], rules: dict[str, int]) -> None:
    assert tables_of(make()).violations == rules


def test_a_playlists_followers_are_checked() -> None:
    playlist = payloads.playlist(followers={"total": -5})
    assert tables_of(playlist_object=playlist).violations == {"playlist_followers": 1}


def test_a_violation_that_breaks_nothing_leaves_the_row() -> None:
    tables = tables_of(in_song(popularity=101)())
    assert row(tables, "songs")["popularity"] == 101
    assert rows(tables, "rejects") == []
    (found,) = [each for each in rows(tables, "quality") if each["violations"]]
    assert found["rule"] == "song_popularity"
    assert found["example"] == payloads.old_song()["id"]
    assert (found["table_name"], found["column_name"], found["checked"]) == ("songs", "popularity", 1)


BAD = payloads.entry(payloads.song("Bad", duration_ms=-5, album=payloads.album("Only here")))


@pytest.mark.parametrize("sent", [BAD, BAD | {"unknown": {"deep": [1, {"x": None}]}}])
@pytest.mark.parametrize("also", [None, 7], ids=["decoded as a whole", "taken apart"])
def test_a_breaking_violation_rejects_its_entries_and_keeps_the_others(sent: Any, also: Any) -> None:
    good = payloads.entry(payloads.song())
    tables = tables_of(good, sent, also, sent, good)
    assert tables.unaccounted == 0
    first, *_ = rejects = [each for each in rows(tables, "rejects") if each["reason"] != "undecodable"]
    assert [each["position"] for each in rejects] == [2, 4]
    assert {each["reason"] for each in rejects} == {"song_duration"}
    assert first["detail"] == "songs.duration_ms is -5; it must be one that is from 0 to 86,399,999"
    assert json.loads(first["payload"]) == sent
    assert [each["name"] for each in rows(tables, "songs")] == ["Low Tide"]
    assert "Only here" not in [each["name"] for each in rows(tables, "albums")]
    (found,) = [each for each in rows(tables, "quality") if each["violations"]]
    assert (found["rule"], found["checked"], found["violations"]) == ("song_duration", 2, 1)
    assert found["example"] == payloads.song("Bad")["id"]
    without = tables_of(good, None, also, None, good)
    assert [tables.rows[name] for name in ("songs", "albums", "artists")] == [
        without.rows[name] for name in ("songs", "albums", "artists")
    ]


def test_the_pages_inside_a_playlist_object_are_looked_up_too() -> None:
    playlist = payloads.playlist(tracks=payloads.page([payloads.entry(payloads.song()), BAD]))
    tables = tables_of(playlist_object=playlist, contract="embedded")
    assert json.loads(row(tables, "rejects")["payload"]) == BAD


def test_what_the_rejection_brings_to_light_is_rejected_too(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the first entry, the album is as the second tells it."""
    rule = Rule("album_size", ALBUMS, "total_tracks", Between(1, 100), breaking=True)
    monkeypatch.setattr(quality, "RULES", (*RULES, rule))
    size = {"good": 11, "bad": -1}
    first, second = (
        payloads.entry(payloads.song(name, album=payloads.album(total_tracks=size[name]), **changes))
        for name, changes in (("good", {"duration_ms": -1}), ("bad", {}))
    )
    tables = tables_of(first, second, payloads.entry(payloads.song(album=payloads.album("Another"))))
    assert [each["reason"] for each in rows(tables, "rejects")] == ["song_duration", "album_size"]
    assert tables.violations == {"song_duration": 1, "album_size": 1}
    assert [each["name"] for each in rows(tables, "albums")] == ["Another"]


def test_a_violation_without_an_entry_behind_it_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    rule = Rule("nobody", PLAYLIST_ENTRIES, "song_id", Reference(ALBUMS), breaking=True)
    monkeypatch.setattr(quality, "RULES", (rule,))
    monkeypatch.setattr(module, "_tables", lose_positions(module._tables))
    tables = tables_of(payloads.entry(payloads.song()))
    assert tables.violations == {"nobody": 1}
    assert rows(tables, "rejects") == []


def lose_positions(tables: Callable[[envelope.Snapshot], Tables]) -> Callable[[envelope.Snapshot], Tables]:
    def lossy(snapshot: envelope.Snapshot) -> Tables:
        found = tables(snapshot)
        at = PLAYLIST_ENTRIES.column_names.index("position")
        found.rows["playlist_entries"] = [
            (*each[:at], -1, *each[at + 1 :]) for each in found.rows["playlist_entries"]
        ]
        return found

    return lossy


def test_an_entry_that_cannot_be_read_again_is_a_named_error(monkeypatch: pytest.MonkeyPatch) -> None:
    snapshot = envelope.decode(payloads.raw_object([BAD]))
    monkeypatch.setattr(envelope.msgspec.json, "decode", fail)
    monkeypatch.setattr(envelope.json, "loads", fail)
    with pytest.raises(SnapshotUnreadable, match="too deep"):
        normalize(snapshot)


def fail(*_: object, **__: object) -> None:
    raise RecursionError("too deep")


@pytest.mark.parametrize("year", [1, 9999])
def test_any_time_of_a_snapshot_will_do(year: int) -> None:
    moment = datetime(year, 12, 31, 12, tzinfo=UTC)
    tables = tables_of(in_album(release_date="9999")(), scheduled_at=moment)
    assert tables.violations.get("album_release_date") == (1 if year == 1 else None)


@pytest.mark.parametrize("earlier", ["scheduled_at", "fetched_at"])
def test_the_later_of_its_times_is_when_a_snapshot_was_taken(earlier: str) -> None:
    """A snapshot may be fetched days after its time, and a dump tells of a time that is another one's clock."""
    snapshot = envelope.decode(GOOD)
    snapshot = replace(snapshot, **{earlier: datetime(2016, 1, 1, tzinfo=UTC)})  # type: ignore[arg-type]
    assert normalize(snapshot).violations == {}


def test_text_of_values() -> None:
    assert quality._text(date(2026, 11, 20)) == "2026-11-20"
    assert quality._text(datetime.max.replace(tzinfo=UTC)).startswith("9999-12-31")
    assert quality._later(datetime.max.replace(tzinfo=UTC), timedelta(days=1)).year == 9999
