"""The made-up streaming history: always the same, in the form of an export, and with the oddities of real ones."""

import datetime as dt
import json
from collections import Counter

import duckdb
import pytest

from local.made_up_listening import Listener, Row, account_files, extended_files, history
from local.sql_dialect import to_duckdb
from queries import views
from spotify_lake.normalize.plays import PlayTables, normalize_export
from spotify_lake.raw.plays import Form, pack_export, unpack_export
from tests.support import listened
from tests.support.lakes import SCHEMA

type Rows = list[tuple[str, Row]]

SMALL = Listener(plays=6000, first=dt.date(2023, 6, 1), last=dt.date(2024, 8, 31))


@pytest.fixture(scope="module")
def rows() -> Rows:
    return list(history(SMALL))


def test_it_is_always_the_same_and_as_long_as_wanted(rows: Rows) -> None:
    assert rows == list(history(SMALL))
    assert len(rows) == 6000
    assert rows != list(history(Listener(6000, SMALL.first, SMALL.last, seed=16)))
    assert max(row["ts"] for _, row in rows) <= "2024-08-31T23:59:59Z"


def test_it_has_the_oddities_of_exports_unless_they_are_switched_off(rows: Rows) -> None:
    def odd(found: Rows) -> dict[str, bool]:
        equal = Counter(json.dumps(row) for _, row in found)
        moments = Counter((row["ts"], row["spotify_track_uri"]) for _, row in found)
        return {
            "video": any(form == "video" for form, _ in found),
            "private session": any(row["incognito_mode"] for _, row in found),
            "offline": any(row["offline_timestamp"] for _, row in found),
            "podcast": any(row["episode_name"] for _, row in found),
            "audiobook": any(row["audiobook_title"] for _, row in found),
            "equal rows": max(equal.values()) > 1,
            "same moment": len(moments) < len(equal),
            "vanished": any(row["spotify_track_uri"] and not row["master_metadata_track_name"] for _, row in found),
        }  # fmt: skip

    assert all(odd(rows).values())
    plain = list(history(Listener(1000, SMALL.first, SMALL.last, is_odd=False)))
    assert not any(odd(plain).values())


def test_files_are_named_as_spotify_names_them(rows: Rows) -> None:
    files = dict(extended_files(rows))
    assert list(files) == [
        "Streaming_History_Audio_2023-2024_0.json",
        "Streaming_History_Video_2023-2024.json",
    ]
    assert sum(map(len, files.values())) == 6000
    told = account_files(rows, dt.date(2024, 6, 1))
    assert list(told) == ["StreamingHistory_music_0.json", "StreamingHistory_podcast_0.json"]
    assert told["StreamingHistory_music_0.json"][0].keys() == {
        "endTime",
        "artistName",
        "trackName",
        "msPlayed",
    }


def tables(form: Form, name: str, found: list[Row]) -> PlayTables:
    lines = [json.dumps(row).encode() for row in found]
    packed = pack_export(form, name, lines, dt.datetime(2026, 11, 20, tzinfo=dt.UTC))
    assert not packed.unknown_fields
    return normalize_export(unpack_export(packed.data, packed.key))


def test_its_plays_are_those_of_its_json(rows: Rows) -> None:
    """Counted plays, hours and the top artists of the view, against DuckDB over the rows themselves."""
    exported = dict(extended_files(rows))
    account = account_files(rows, dt.date(2024, 3, 1))
    files: list[tuple[Form, str, list[Row]]] = []
    files += [("video" if "Video" in name else "audio", name, found) for name, found in exported.items()]
    files += [("podcast" if "podcast" in name else "music", name, found) for name, found in account.items()]
    newer = [row | {"platform": "spelled otherwise"} for form, row in rows if form == "audio"]
    files.append(("audio", "Streaming_History_Audio_2023-2024_0.json", newer))
    everything = [tables(*file) for file in files]
    assert [one.unaccounted for one in everything] == [0] * len(everything)
    with listened.rows_of({}) as lake:
        listened.fill(lake, listened.as_rows(everything))
        sql = "SELECT is_counted, source, count(*) AS n, sum(listened_ms) AS ms FROM listening"
        sql += " GROUP BY is_counted, source"
        found = {row[:2]: row[2:] for row in lake.execute(to_duckdb(sql, SCHEMA, views())).fetchall()}
        sql = (
            "SELECT artist_name, sum(listened_ms) AS ms FROM listening WHERE is_counted AND artist_name IS NOT NULL"
            " GROUP BY artist_name ORDER BY ms DESC LIMIT 10"
        )
        top = lake.execute(to_duckdb(sql, SCHEMA, views())).fetchall()
    assert found[True, "extended"] == (6000, sum(row["ms_played"] for _, row in rows))
    # Every play of account data is one of the extended history too.
    assert found.keys() == {(True, "extended"), (False, "account")}
    assert found[False, "account"][0] == sum(map(len, account.values()))
    with duckdb.connect() as plain:
        told = [[row[name] for _, row in rows] for name in ("master_metadata_album_artist_name", "ms_played")]
        plain.execute(
            "CREATE TABLE told AS SELECT unnest(?::VARCHAR[]) AS artist, unnest(?::BIGINT[]) AS ms", told
        )
        sql = "SELECT artist, sum(ms) FROM told WHERE artist IS NOT NULL GROUP BY artist ORDER BY 2 DESC LIMIT 10"
        assert top == plain.execute(sql).fetchall()
