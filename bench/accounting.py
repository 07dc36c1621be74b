"""Whether every row of an export is accounted for, checked against SQL that reads the JSON files alone.

The files contain what real ones contain: overlapping downloads, split at different rows; account data of the same
plays; rows that cannot be plays; names that vanished. The SQL below shares no code with the transform and the view
`listening`.
"""

from __future__ import annotations

import datetime as dt
import io
import itertools
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, cast

import duckdb

from bench.finding import Finding, Measured
from cli.imports import history
from local.made_up_listening import Listener, Row, account_files, extended_files
from local.made_up_listening import history as made_up
from local.sql_dialect import to_duckdb
from queries import views
from spotify_lake.observability import logger, metrics
from spotify_lake.raw.plays import pack_export
from spotify_lake.raw.store import RawObject
from spotify_lake.schema.listening import PLAY_FILES, PLAY_REJECTS, PLAYED_MONTH, PLAYS
from spotify_lake.transform.listening import ListeningWriter

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

IMPORTED_AT: Final = dt.datetime(2026, 11, 20, 12, tzinfo=dt.UTC)
TOPS: Final = 25
TABLES: Final = (PLAYS, PLAY_REJECTS, PLAY_FILES)
SPOILED: Final = 500  # one row in 500 cannot be a play
LATER: Final = 15_000  # rows of a file of the second download
SCHEMA: Final = {
    table.name: {
        column.name: str(column.type)
        for column in (*table.columns, *([PLAYED_MONTH] if table is PLAYS else []))
    }
    for table in TABLES
}
_NAMELESS: Final = dict.fromkeys(
    f"{name}"
    for name in (
        *(
            "master_metadata_track_name",
            "master_metadata_album_artist_name",
            "master_metadata_album_album_name",
        ),
        *("spotify_track_uri", "episode_name", "episode_show_name", "spotify_episode_uri", "audiobook_title"),
        *("audiobook_uri", "audiobook_chapter_uri", "audiobook_chapter_title"),
    )
)
# Rows of exports that cannot be plays: a good row with these changes, or these values instead of a row.
_NO_PLAYS: Final[tuple[Any, ...]] = (
    {"ts": "1970-01-01T00:00:00Z"},
    {"ts": "2099-01-01T00:00:00Z"},
    {"ts": "yesterday"},
    {"ts": None},
    {"ms_played": -1},
    {"ms_played": 10**12},
    {"ms_played": None},
    _NAMELESS,
    None,
    7,
)

# Each play of the files once. Equal rows of one file are as many plays; the same rows of several files are the same
# plays. Account data is replaced play by play by the extended history of its minute.
INDEPENDENT: Final = """
CREATE OR REPLACE TEMP TABLE found AS
SELECT parse_filename(filename) AS file, json_type(r) = 'OBJECT' AS is_object, r
FROM (SELECT filename, unnest(from_json(content, '["JSON"]')) AS r FROM read_text('{folder}/*.json'));

CREATE OR REPLACE TEMP TABLE valid AS
WITH named AS (
    SELECT
        file,
        file LIKE 'StreamingHistory%' AS is_account,
        TRY_CAST(coalesce(r->>'ts', r->>'endTime') AS timestamp) AS ended,
        TRY_CAST(coalesce(r->>'ms_played', r->>'msPlayed') AS bigint) AS ms,
        coalesce(r->>'spotify_track_uri', r->>'spotify_episode_uri', r->>'audiobook_chapter_uri',
                 r->>'audiobook_uri') AS uri,
        coalesce(r->>'master_metadata_track_name', r->>'episode_name', r->>'audiobook_chapter_title', r->>'trackName',
                 r->>'episodeName', r->>'chapterName') AS name,
        coalesce(r->>'master_metadata_album_artist_name', r->>'artistName', r->>'authorName') AS artist,
        r->>'master_metadata_album_album_name' AS album,
        coalesce(r->>'episode_show_name', r->>'audiobook_title', r->>'podcastName', r->>'audiobookName') AS show_name
    FROM found
    WHERE is_object
)
SELECT *, coalesce(uri, CAST([name, artist, album, show_name] AS varchar)) AS what
FROM named
WHERE ended BETWEEN TIMESTAMP '2006-04-01' AND TIMESTAMP '{latest}' AND ms BETWEEN 0 AND 604800000
    AND coalesce(uri, name, artist, album, show_name) IS NOT NULL;

CREATE OR REPLACE TEMP TABLE once AS
WITH numbered AS (
    SELECT *, row_number() OVER (PARTITION BY file, ended, ms, what) AS number FROM valid
),
united AS (
    SELECT is_account, ended, ms, what, max(name) AS name, max(artist) AS artist, max(show_name) AS show_name
    FROM numbered
    GROUP BY is_account, ended, ms, what, number
),
counted AS (
    SELECT
        *,
        lower(name) AS title,
        lower(coalesce(show_name, artist)) AS by_whom,
        date_trunc('minute', ended) AS in_minute
    FROM united
),
beside AS (
    SELECT
        *,
        count(*) FILTER (NOT is_account) OVER (PARTITION BY title, by_whom, in_minute, ms) AS better,
        row_number() OVER (PARTITION BY title, by_whom, in_minute, ms, is_account) AS number
    FROM counted
)
SELECT
    *,
    is_account AND title IS NOT NULL AND by_whom IS NOT NULL AND number <= better AS is_replaced
FROM beside;
"""
_BY_FILE: Final = """
SELECT file, count(*) AS n, count(*) - (SELECT count(*) FROM valid AS v WHERE v.file = f.file)
FROM found AS f GROUP BY file HAVING n > 0 ORDER BY file
"""
_COUNTED: Final = "SELECT count(*), CAST(sum(ms) AS bigint) FROM once WHERE NOT is_replaced"
_TOPS: Final = """
SELECT lower(artist) AS artist, title, CAST(sum(ms) AS bigint) AS ms, count(*) AS plays
FROM once WHERE NOT is_replaced AND artist IS NOT NULL AND title IS NOT NULL AND show_name IS NULL
GROUP BY ALL ORDER BY ms DESC, artist, title LIMIT {tops}
"""
_LAKE_BY_FILE: Final = """
SELECT
    f.file_name,
    sum(f.row_count),
    sum(f.reject_count),
    sum((SELECT count(*) FROM plays AS p WHERE p.source_object = f.source_object)),
    sum((SELECT count(*) FROM play_rejects AS r WHERE r.source_object = f.source_object))
FROM play_files AS f GROUP BY f.file_name ORDER BY f.file_name
"""
_LAKE_COUNTED: Final = """
SELECT
    (SELECT count(*) FROM plays),
    count(*) FILTER (is_counted),
    count(*) FILTER (replaced_by IS NOT NULL),
    (SELECT count(*) - count(DISTINCT play_id) FROM plays),
    CAST(sum(listened_ms) FILTER (is_counted) AS bigint)
FROM heard
"""
_LAKE_TOPS: Final = """
SELECT lower(artist_name) AS artist, lower(name) AS title, CAST(sum(listened_ms) AS bigint) AS ms, count(*) AS plays
FROM heard WHERE is_counted AND artist_name IS NOT NULL AND name IS NOT NULL AND show_name IS NULL
GROUP BY ALL ORDER BY ms DESC, artist, title LIMIT {tops}
"""


class Wrong(Exception):
    """The lake and the independent count differ; the message says where."""


@dataclass(frozen=True)
class Accounts:
    """What became of the rows of some files, all of it confirmed by the independent count.

    Attributes
    ----------
    files
        Their number.
    rows, plays, rejects
        Rows of the files, in plays and in play_rejects.
    counted, replaced, repeated
        What the rows in plays are.
    milliseconds
        Listened, of the counted plays.
    """

    files: int
    rows: int
    plays: int
    rejects: int
    counted: int
    replaced: int
    repeated: int
    milliseconds: int


def check(connection: duckdb.DuckDBPyConnection, folder: Path) -> Accounts:
    """Compare the tables of plays with the files they are from.

    Parameters
    ----------
    connection
        Has plays, play_files and play_rejects of these files and nothing else.
    folder
        The files of an export, JSON arrays. Those of account data have Spotify's names.

    Raises
    ------
    Wrong
        A number differs.
    """
    latest = (IMPORTED_AT + dt.timedelta(days=1)).replace(tzinfo=None)
    connection.execute(INDEPENDENT.format(folder=folder, latest=latest))
    expected = connection.execute(_BY_FILE).fetchall()
    lake = connection.execute(_LAKE_BY_FILE).fetchall()
    _equal("files", [name for name, *_ in lake], [name for name, *_ in expected])
    for (name, rows, no_plays), (_, lake_rows, rejects, in_plays, in_rejects) in zip(
        expected, lake, strict=True
    ):
        found = (lake_rows, rejects, in_rejects, in_plays)
        _equal(f"rows, rejects and plays of {name}", found, (rows, no_plays, no_plays, rows - no_plays))
    listening = to_duckdb("SELECT * FROM listening", SCHEMA, views())
    connection.execute(f"CREATE OR REPLACE TEMP TABLE heard AS {listening}")
    stored, counted, replaced, repeated, milliseconds = connection.execute(_LAKE_COUNTED).fetchall()[0]
    _equal("counted + replaced + repeated rows in plays", counted + replaced + repeated, stored)
    plays, independent = connection.execute(_COUNTED).fetchall()[0]
    _equal("counted plays", counted, plays)
    _equal("milliseconds", milliseconds, independent)
    tops = [connection.execute(sql.format(tops=TOPS)).fetchall() for sql in (_LAKE_TOPS, _TOPS)]
    _equal("songs heard most", *tops)
    rejects = sum(no_plays for *_, no_plays in expected)
    return Accounts(len(lake), stored + rejects, stored, rejects, counted, replaced, repeated, milliseconds)


def _equal(what: str, lake: object, independent: object) -> None:
    if lake != independent:
        raise Wrong(
            f"The lake has other {what} than the files: {lake!s:.500} instead of {independent!s:.500}."
        )


def measure(listener: Listener, folder: Path) -> Measured:
    """Write an odd export into a folder, transform it in this process, and check every number.

    Parameters
    ----------
    listener
        Whose history it is. A second download and account data repeat a sixth of its rows.
    folder
        An empty one.
    """
    logger.registered_handler.setStream(io.StringIO())  # type: ignore[attr-defined]
    export, lake = folder / "export", folder / "lake"
    export.mkdir()
    for name, rows in _files(list(made_up(listener))):
        (export / name).write_text(json.dumps(rows, ensure_ascii=False))
    _transform(export, lake)
    with duckdb.connect(config={"threads": 2}) as connection:
        for table in TABLES:
            connection.execute(
                f"CREATE VIEW {table.name} AS SELECT * FROM read_parquet('{lake}/{table.prefix}**/*.parquet',"  # noqa: S608 # nosec B608 # ours
                f" hive_partitioning = true, hive_types_autocast = false)"
            )
        found = check(connection, export)
    of = f"Odd export, {found.rows:,} rows in {found.files} files"
    return Measured(
        [
            Finding(
                f"{of}: rows",
                f"{found.rows:,} = {found.plays:,} plays + {found.rejects:,} rejects",
                "exact, in each file",
                met=True,
            ),
            Finding(
                f"{of}: rows in plays",
                f"{found.plays:,} = {found.counted:,} counted + {found.replaced:,} replaced + {found.repeated:,}"
                " repeated",
                "exact",
                met=True,
            ),
            Finding(
                f"{of}: plays, hours and the {TOPS} songs heard most",
                f"{found.counted:,} plays, {found.milliseconds / 3_600_000:,.0f} hours",
                "those of DuckDB on the JSON files",
                met=True,
            ),
        ]
    )


def _files(whole: Sequence[tuple[str, Row]]) -> Iterable[tuple[str, list[Any]]]:
    """Yield the files of two downloads and of account data, including rows that cannot be plays."""
    for name, rows in extended_files(whole):
        yield name, _spoiled(rows)
    again = [row for form, row in whole[-len(whole) // 10 :] if form == "audio"]
    later = map(_of_later_download, itertools.count(), again)
    for number, listed in enumerate(itertools.batched(later, LATER, strict=False)):
        yield f"Streaming_History_Audio_later_{number}.json", list(listed)
    since = dt.date.fromisoformat(whole[-len(whole) // 15][1]["ts"][:10])
    for name, rows in account_files(whole, since).items():
        yield name, [*rows, {**rows[0], "endTime": "2099-01-01 00:00"}]
    book = {
        "endTime": "2026-02-03 04:05",
        "authorName": "A. Fern",
        "audiobookName": "Lists",
        "msPlayed": 60_000,
    }
    yield "StreamingHistory_audiobook_0.json", [book, book]


def _spoiled(rows: Iterable[Row]) -> list[Any]:
    return [
        _no_play(row, number // SPOILED) if number % SPOILED == 0 else row for number, row in enumerate(rows)
    ]


def _no_play(row: Row, number: int) -> Any:
    change = _NO_PLAYS[number % len(_NO_PLAYS)]
    return row | change if isinstance(change, dict) else change


def _of_later_download(number: int, row: Row) -> Row:
    """Spell a row as a later download does: other platforms and reasons, names that vanished, new fields."""
    changes: Row = {"platform": "android", "reason_end": "unknown", "field_of_tomorrow": 1}
    if number % 50 == 0 and row["spotify_track_uri"]:
        changes |= _NAMELESS | {"spotify_track_uri": row["spotify_track_uri"]}
    return row | changes


class _Folder:
    """An S3 that writes objects below a folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def put_object(self, *, Key: str, Body: bytes, **_request: Any) -> None:  # noqa: N803 - as in boto3
        path = self._folder / Key
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(Body)


def _transform(export: Path, lake: Path) -> None:
    """Import every file and transform it, as the command and the function do."""
    writer = ListeningWriter(cast("S3Client", _Folder(lake)), "bench")
    for path in sorted(export.iterdir()):
        read = history.read(path.name, path.read_bytes())
        if read is None or read.form is None or read.problems:
            raise Wrong(f"{path.name} was not recognized as a file with plays.")
        for rows in read.pieces():
            packed = pack_export(read.form, path.name, rows, IMPORTED_AT)
            writer.transform(RawObject("bench", packed.key, None), packed.data, None)
            metrics.clear_metrics()
