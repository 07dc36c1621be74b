"""The laptop's Athena: its answers are those of Athena (Trino's documentation says which), or it refuses."""

import datetime as dt
import math
import re
from decimal import Decimal
from typing import Any

import duckdb
import pytest

import queries
from local.errors import LaptopError
from local.sql_dialect import to_duckdb
from local.trino.functions import TRANSLATED
from tests.support import lakes
from tests.support.template import ROOT

VIEWS = queries.views()
AT = dt.datetime


@pytest.fixture(scope="module")
def lake() -> Any:
    with lakes.database([]) as connection:
        yield connection


def ask(connection: Any, sql: str) -> tuple[Any, str]:
    """Return the first value of an answer and its type in DuckDB."""
    found = connection.execute(to_duckdb(sql, lakes.SCHEMA, VIEWS))
    return found.fetchone()[0], str(found.description[0][1])


@pytest.mark.parametrize(
    "sql, value, kind",
    [
        ("7 / 2", 3, "INTEGER"),
        ("-7 / 2", -3, "INTEGER"),
        ("BIGINT '7' / 2", 3, "BIGINT"),
        ("7 / 2e0", 3.5, "DOUBLE"),
        ("CAST(7 AS double) / 2", 3.5, "DOUBLE"),
        ("7 / 2.0", Decimal("3.5"), "DECIMAL(28,1)"),
        ("1.0 / 3", Decimal("0.3"), "DECIMAL(28,1)"),
        ("100.0 * 2 / 3", Decimal("66.7"), "DECIMAL(28,1)"),
        ("1e0 / 0", math.inf, "DOUBLE"),
        ("(SELECT max(x) / 2 FROM (VALUES 7) AS t (x))", 3, "INTEGER"),
        ("(SELECT sum(x) / count(*) FROM (VALUES 3, 4) AS t (x))", 3, "BIGINT"),
        ("(SELECT count_if(x > 3) FROM (VALUES 3, 4) AS t (x))", 1, "BIGINT"),
        ("(SELECT sum(x) FILTER (WHERE x > 3) OVER () FROM (VALUES 4) AS t (x))", 4, "BIGINT"),
        ("(SELECT sum(x) FROM (VALUES 1e0, 2e0) AS t (x))", 3.0, "DOUBLE"),
        ("(SELECT avg(x) FROM (VALUES 1.5, 2.0) AS t (x))", Decimal("1.8"), "DECIMAL(38,1)"),
        ("(SELECT avg(x) FROM (VALUES 1, 2) AS t (x))", 1.5, "DOUBLE"),
        ("floor(7 / 2)", 3, "BIGINT"),
        ("CAST(2.5e0 AS integer)", 3, "INTEGER"),
        ("TRY(1 / 0)", None, "INTEGER"),
        # dates stay dates, and differences count whole units
        ("date_trunc('month', DATE '2026-03-17')", dt.date(2026, 3, 1), "DATE"),
        ("date_trunc('hour', TIMESTAMP '2026-03-17 10:20:30')", AT(2026, 3, 17, 10), "TIMESTAMP"),
        ("DATE '2026-03-31' + INTERVAL '1' MONTH", dt.date(2026, 4, 30), "DATE"),
        ("date_add('week', -1, DATE '2026-03-08')", dt.date(2026, 3, 1), "DATE"),
        ("date_diff('day', TIMESTAMP '2026-03-01 23:00', TIMESTAMP '2026-03-02 01:00')", 0, "BIGINT"),
        ("date_diff('hour', TIMESTAMP '2026-03-01 23:50', TIMESTAMP '2026-03-02 01:00')", 1, "BIGINT"),
        ("date_diff('month', DATE '2026-01-15', DATE '2026-03-14')", 1, "BIGINT"),
        ("date_diff('month', DATE '2026-03-14', DATE '2026-01-15')", -1, "BIGINT"),
        ("date_diff('year', DATE '2025-12-31', DATE '2026-01-01')", 0, "BIGINT"),
        ("date_diff('week', DATE '2026-03-01', DATE '2026-03-14')", 1, "BIGINT"),
        ("date_diff('day', DATE '2026-03-01', TIMESTAMP '2026-03-03 01:00')", 2, "BIGINT"),
        ("day_of_week(DATE '2026-03-01')", 7, "BIGINT"),
        ("extract(DOW FROM DATE '2026-03-01')", 7, "BIGINT"),
        # times in UTC
        ("from_unixtime(1772323200)", AT(2026, 3, 1), "TIMESTAMP"),
        ("from_unixtime(0.5e0)", AT(1970, 1, 1, 0, 0, 0, 500000), "TIMESTAMP"),
        ("TIMESTAMP '2026-03-01 10:00:00' AT TIME ZONE 'Europe/Berlin'", AT(2026, 3, 1, 11), "TIMESTAMP"),
        ("TIMESTAMP '2026-03-01 10:00:00' AT TIME ZONE 'UTC'", AT(2026, 3, 1, 10), "TIMESTAMP"),
        ("CAST(DATE '2026-03-01' AT TIME ZONE 'UTC' AS timestamp)", AT(2026, 3, 1), "TIMESTAMP"),
        ("at_timezone(TIMESTAMP '2026-03-01 01:00', 'America/New_York')", AT(2026, 2, 28, 20), "TIMESTAMP"),
        ("CAST(from_unixtime(0) AT TIME ZONE 'America/New_York' AS date)", dt.date(1969, 12, 31), "DATE"),
        ("from_iso8601_timestamp('2026-03-01T10:00:00+02:00')", AT(2026, 3, 1, 8), "TIMESTAMP"),
        ("CAST(TIMESTAMP '2026-03-01 10:00:00' AS varchar)", "2026-03-01 10:00:00.000", "VARCHAR"),
        ("abs(date_diff('second', now(), current_timestamp)) < 9", True, "BOOLEAN"),
        ("date(current_timestamp) >= current_date", True, "BOOLEAN"),
        # texts and arrays
        ("concat('a', NULL) IS NULL", True, "BOOLEAN"),
        ("regexp_extract('abc', 'x')", None, "VARCHAR"),
        ("regexp_extract('a12', '([a-z])([0-9]+)', 2)", "12", "VARCHAR"),
        ("regexp_replace('a1b2', '([a-z])([0-9])', '$2$1')", "1a2b", "VARCHAR"),
        ("split_part('a-b', '-', 2)", "b", "VARCHAR"),
        ("split_part('a-b', '-', 3)", None, "VARCHAR"),
        ("ARRAY['a', 'b'][2]", "b", "VARCHAR"),
        ("(SELECT a[n] || a[n + 1] FROM (VALUES (ARRAY['a', 'b'], 1)) AS t (a, n))", "ab", "VARCHAR"),
        ("(SELECT m[k] FROM (VALUES (MAP(ARRAY['a'], ARRAY[7]), 'a')) AS t (m, k))", 7, "INTEGER"),
        ("element_at(ARRAY['a', 'b'], 3)", None, "VARCHAR"),
        ("MAP(ARRAY['a'], ARRAY[7])['a']", 7, "INTEGER"),
        ("max_by(x, y) FROM (VALUES ('x', 1), (NULL, 2)) AS t (x, y)", None, "VARCHAR"),
    ],
)
def test_the_answer_is_athenas(lake: Any, sql: str, value: Any, kind: str) -> None:
    assert ask(lake, f"SELECT {sql}") == (value, kind)


@pytest.mark.parametrize(
    "sql, reason",
    [
        ("1 / 0", "Division by zero"),
        ("1 % 0", "Division by zero"),
        ("1.0 / 0", "Division by zero"),
        ("ARRAY['a'][2]", "out of bounds"),
        ("ARRAY['a'][0]", "out of bounds"),
        ("(SELECT a[n] FROM (VALUES (ARRAY['a'], 0)) AS t (a, n))", "out of bounds"),
        ("(SELECT a[n] FROM (VALUES (ARRAY['a'], 2)) AS t (a, n))", "out of bounds"),
        ("MAP(ARRAY['a'], ARRAY[7])['b']", "Key not present"),
        ("CAST('x' AS integer)", "Could not convert"),
    ],
)
def test_what_fails_on_athena_while_it_runs_fails(lake: Any, sql: str, reason: str) -> None:
    with pytest.raises(duckdb.Error, match=reason):
        ask(lake, f"SELECT {sql}")


@pytest.mark.parametrize(
    "sql, sentence",
    [
        # types
        (
            "SELECT 1 FROM songs WHERE snapshot_date = '2026-01-01'",
            r"mix date and varchar.* Write DATE '2026-01-01'",
        ),
        ("SELECT 1 FROM songs WHERE '2026-01-01' < snapshot_date", r"Write DATE '2026-01-01'"),
        ("SELECT 1 FROM songs WHERE snapshot_date IN ('2026-01-01')", r"Write DATE '2026-01-01'"),
        ("SELECT 1 FROM songs WHERE scheduled_at BETWEEN '2026' AND '2027'", r"Write TIMESTAMP '2026'"),
        ("SELECT 1 FROM songs WHERE popularity = '5'", "Write the number without quotes"),
        ("SELECT 1 FROM songs WHERE popularity", "WHERE takes boolean, not integer"),
        ("SELECT 1 FROM songs AS a JOIN songs AS b ON a.popularity = b.name", r"CAST\(b.name AS integer\)"),
        ("SELECT name || popularity FROM songs", r"CAST\(songs.popularity AS varchar\)"),
        ("SELECT name + 'x' FROM songs", r"write \|\|"),
        ("SELECT snapshot_date + 1 FROM songs", r"INTERVAL '1' DAY"),
        ("SELECT snapshot_date - snapshot_date FROM songs", r"date_diff\('day'"),
        ("SELECT snapshot_date + INTERVAL '3' HOUR FROM songs", "hours to a timestamp only"),
        ("SELECT date_trunc('hour', snapshot_date) FROM songs", "no hours of a date"),
        ("SELECT date_trunc('month', '2026-01-01')", "Write DATE '2026-01-01'"),
        ("SELECT sum(name) FROM songs", "sum takes numbers"),
        ("SELECT lower(snapshot_date) FROM songs", "lower takes varchar, not date"),
        ("SELECT coalesce(name, 0) FROM songs", "mix varchar and integer"),
        ("SELECT CASE WHEN true THEN 1 ELSE 'x' END", "mix integer and varchar"),
        ("SELECT name FROM songs UNION SELECT popularity FROM songs", "in a column of a UNION"),
        ("SELECT 1 FROM songs WHERE scheduled_at AT TIME ZONE 'UTC' > now()", "Compare before AT TIME ZONE"),
        ("SELECT transform(ARRAY[1], x -> x / 2)", r"types in x / 2.* CAST"),
        # names
        (
            "SELECT 1 FROM default.songs",
            "'default.songs' does not exist: the tables are in the database spotify_lake",
        ),
        ("SELECT 1 FROM information_schema.tables", "'information_schema.tables' does not exist"),
        ("SELECT 1 FROM sngs", "no table sngs. Did you mean songs?"),
        ("SELECT nme FROM songs", "Column 'nme' cannot be resolved. Did you mean name?"),
        ('SELECT 1 FROM songs WHERE name = "Hello"', "single quotes: 'Hello'; double quotes are for names"),
        ("SELECT a.name FROM songs", "FROM names no a"),
        ("SELECT name FROM songs JOIN albums ON true", "albums and songs have it. Write"),
        ("SELECT 1 AS a, a + 1 AS b", "in ORDER BY only"),
        ("SELECT name AS n FROM songs WHERE n = 'x'", "in ORDER BY only"),
        ("SELECT lower(name) AS n, count(*) FROM songs GROUP BY n", "GROUP BY write its number"),
        ("SELECT name, count(*) AS n FROM songs GROUP BY 1 HAVING n > 1", "in ORDER BY only"),
        # syntax
        ("SELECT 'Don't' FROM songs", "written twice: 'Don''t'"),
        ("SELECT `name` FROM songs", "Names stand in double quotes"),
        ("SELECT popularity::double FROM songs", "no `::`"),
        ("SELECT name FROM songs WHERE name ILIKE 'x'", "no ILIKE"),
        ("SELECT * FROM songs LIMIT 1 OFFSET 1", "OFFSET before LIMIT"),
        ("SELECT * EXCEPT (name) FROM songs", "neither EXCEPT nor REPLACE"),
        ("SELECT name FROM songs GROUP BY ALL", "no GROUP BY ALL"),
        ("SELECT DISTINCT ON (name) name FROM songs", "no DISTINCT ON"),
        ("SELECT INTERVAL 7 DAY", "INTERVAL '7' DAY"),
        ("SELECT [1, 2]", r"ARRAY\[…\]"),
        ("SELECT name, FROM songs", "comma too many"),
        ("FROM songs", "without SELECT"),
        ("SELECT 1 FROM songs AS a SEMI JOIN albums AS b ON true", "no SEMI JOIN"),
        # functions
        ("SELECT ifnull(name, 'x') FROM songs", "no function ifnull. Did you mean coalesce?"),
        ("SELECT string_agg(name, ',') FROM songs", "Did you mean listagg?"),
        ("SELECT read_text('/x')", "no function read_text"),
        ("SELECT zip(ARRAY[1], ARRAY[2])", "Athena has the function zip, but the laptop cannot run it"),
    ],
)
def test_what_athena_refuses_is_refused(sql: str, sentence: str) -> None:
    with pytest.raises(LaptopError, match=sentence):
        to_duckdb(sql, lakes.SCHEMA, VIEWS)


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT 1 FROM awsdatacatalog.spotify_lake.songs",
        "SELECT 1 FROM songs WHERE snapshot_date = DATE '2026-01-01' AND scheduled_at > current_date",
        "SELECT date_trunc('month', snapshot_date) AS m, count(*) FROM songs GROUP BY 1 HAVING count(*) > 1 ORDER BY m",
        "SELECT t.n / 2 FROM songs CROSS JOIN UNNEST(ARRAY[1, 2]) AS t (n)",
        "WITH RECURSIVE t (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM t WHERE n < 3) SELECT n / 2 FROM t",
        "SELECT * FROM songs AS s WHERE EXISTS (SELECT 1 FROM albums AS a WHERE a.album_id = s.album_id)",
        "SELECT * FROM songs JOIN albums USING (album_id)",
        "SELECT song_id FROM songs OFFSET 1 LIMIT 1",
        "SELECT song_id FROM songs FETCH FIRST 3 ROWS ONLY",
        "SELECT transform(artist_names, x -> upper(x)), artist_ids[1] FROM songs",
        "SELECT position('a' IN name) / 2, substring(name FROM 2), trim(BOTH 'x' FROM name) FROM songs",
        "SELECT name, count(*) FROM songs GROUP BY GROUPING SETS ((name), ())",
    ],
)
def test_what_athena_takes_is_run(lake: Any, sql: str) -> None:
    assert lake.execute(to_duckdb(sql, lakes.SCHEMA, VIEWS)) is not None


def test_each_reference_to_a_table_reads_its_columns_alone() -> None:
    sql = "SELECT a.name FROM songs AS a JOIN songs AS b ON b.song_id = a.song_id"
    found = to_duckdb(sql, lakes.SCHEMA)
    assert found.startswith("WITH __songs AS NOT MATERIALIZED ("), "DuckDB would copy the table first"


def test_what_is_utc_already_is_not_converted() -> None:
    found = to_duckdb("SELECT CAST(scheduled_at AT TIME ZONE 'UTC' AS date) FROM songs", lakes.SCHEMA)
    assert "timezone" not in found.lower()


def test_headings_are_as_written(lake: Any) -> None:
    sql = 'SELECT count(*), Count(*) AS Entries, max(name) AS "Song Title", 1 FROM songs'
    found = lake.execute(to_duckdb(sql, lakes.SCHEMA, VIEWS))
    assert [column[0] for column in found.description] == ["_col0", "Entries", "Song Title", "_col3"]
    found = lake.execute(
        to_duckdb("SELECT Song_ID, * FROM songs UNION ALL SELECT 'x', * FROM songs", lakes.SCHEMA)
    )
    assert [column[0] for column in found.description][:2] == ["Song_ID", "playlist_id"]


# --- the differences that remain, as docs/laptop-athena.md lists them ---

DOCUMENT = (ROOT / "docs" / "laptop-athena.md").read_text()
DIFFERENCES = re.findall(r"^\| `(SELECT [^`]+)` \| ([^|]+) \| ([^|]+) \|$", DOCUMENT, re.MULTILINE)


@pytest.mark.parametrize("sql, athena, laptop", DIFFERENCES, ids=[one[0] for one in DIFFERENCES])
def test_a_documented_difference_is_there(lake: Any, sql: str, athena: str, laptop: str) -> None:
    assert athena.strip() != laptop.strip()
    if laptop.strip() == "refused":
        with pytest.raises(LaptopError):
            to_duckdb(sql, lakes.SCHEMA, VIEWS)
        return
    assert f"`{ask(lake, sql)[0]}`" == laptop.strip()


def test_the_functions_that_the_laptop_runs_are_documented() -> None:
    assert len(DIFFERENCES) > 5
    listed = re.search(r"^The laptop runs these functions:\n\n(?P<names>(?:.+\n)+)", DOCUMENT, re.MULTILINE)
    assert listed is not None
    assert set(re.findall(r"\w+", listed["names"])) == TRANSLATED
