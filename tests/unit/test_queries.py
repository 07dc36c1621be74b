"""The files of queries/: headers, names, types, and that they are Athena's SQL and can be translated."""

import datetime as dt
import functools
import re
from pathlib import Path
from typing import Any

import duckdb
import pytest
import sqlglot
import yaml
from sqlglot import exp

import queries
from bench.plans import Planner, reads
from local.errors import LaptopError
from local.sql_dialect import to_duckdb
from local.stack import LAPTOP_PARAMETERS
from queries import HeaderError, Statement
from spotify_lake.schema.listening import LISTENING_TABLES
from spotify_lake.schema.playlists import PLAYLIST_ENTRIES, PLAYLISTS, TABLES
from spotify_lake.schema.types import PARTITION, Type
from spotify_lake.schema.warehouse import WAREHOUSE
from tests.support.lakes import SCHEMA
from tests.support.template import ROOT, load
from tools import queries as generator

QUERIES, VIEWS = queries.queries(), queries.views()
EVERY = [*QUERIES.values(), *VIEWS.values()]
TODAY = dt.date(2026, 10, 14)
# What a query must limit, by table and view.
PARTITIONS = {
    name: {PARTITION.name}
    for name in {*(t.name for t in TABLES), *VIEWS}
    if not name.startswith(("latest_", "recent_"))
} | {
    declared.table.name: {partition.column.name for partition in declared.partitions}
    for declared in WAREHOUSE
}
PARTITIONS["chart_entries"] = PARTITIONS["fact_chart_entry"]
# These are small and about the whole history.
OF_PLAYS = ["listening", "play_gaps", *(table.name for table in LISTENING_TABLES)]
for name in OF_PLAYS:
    PARTITIONS.pop(name, None)
TYPES = {
    "VARCHAR": "string",
    "VARCHAR[]": "array<string>",
    "INTEGER": "int",
    "BIGINT": "bigint",
    "HUGEINT": "bigint",
    "BOOLEAN": "boolean",
    "DATE": "date",
    "TIMESTAMP": "timestamp",
    "DOUBLE": "double",
}
# Athena refuses these as names in a SELECT unless they are quoted.
RESERVED = set(
    """
    alter and as between by case cast constraint create cross cube current_catalog current_date current_path
    current_schema current_time current_timestamp current_user deallocate delete describe distinct drop else end
    escape except execute exists extract false first for from full group grouping having in inner insert intersect into
    is join json_array json_exists json_object json_query json_table json_value last left like listagg localtime
    localtimestamp natural normalize not null on or order outer prepare recursive right rollup select skip table then
    trim true uescape union unnest using values when where with
    """.split()
)

each_statement = pytest.mark.parametrize("statement", EVERY, ids=lambda statement: statement.name)
each_query = pytest.mark.parametrize("query", QUERIES.values(), ids=lambda query: query.name)
each_view = pytest.mark.parametrize("view", VIEWS.values(), ids=lambda view: view.name)


def parsed(statement: Statement) -> exp.Expr:
    """The syntax tree of a statement. Tests share it and leave it alone."""
    return _parsed(statement.sql)


@functools.cache
def _parsed(sql: str) -> exp.Expr:
    return sqlglot.parse_one(sql, read="athena")


@pytest.fixture(scope="module")
def empty_lake():
    connection = duckdb.connect()
    types = {athena: engine for engine, athena in TYPES.items() if engine != "HUGEINT"}
    for table, columns in SCHEMA.items():
        declared = ", ".join(f'"{name}" {types[kind]}' for name, kind in columns.items())
        connection.execute(f"CREATE TABLE {table} ({declared})")
    yield connection
    connection.close()


@each_statement
def test_a_statement_runs_and_its_header_lists_its_columns(empty_lake: Any, statement: Statement) -> None:
    sql = to_duckdb(statement.sql, SCHEMA, VIEWS, TODAY)
    empty_lake.execute(f"CREATE OR REPLACE TEMP TABLE answer AS {sql}")
    found = {name: kind for name, kind, *_ in empty_lake.execute("DESCRIBE answer").fetchall()}
    assert list(found) == list(statement.columns)
    assert set(found.values()) <= TYPES.keys()
    if statement.is_view:
        assert {name: TYPES[kind] for name, kind in found.items()} == statement.types
    # Nothing is known yet: no rows, and no errors such as a division by zero.
    assert empty_lake.execute("FROM answer").fetchall() == []


def test_every_file_is_in_a_group_and_names_are_unique() -> None:
    files = {path.relative_to(queries.FOLDER).as_posix() for path in queries.FOLDER.rglob("*.sql")}
    loaded = [statement for group in (*queries.GROUPS, queries.VIEWS) for statement in queries.load(group)]
    assert {statement.file for statement in loaded} == files
    assert len({statement.name for statement in loaded}) == len(loaded)


@each_query
def test_a_query_says_what_it_answers(query: Statement) -> None:
    assert query.summary.endswith("?")
    assert not query.is_view
    assert not query.notes or query.notes.endswith(".")
    assert all(meaning.endswith(".") for meaning in (*query.columns.values(), *query.parameters.values()))


@each_query
def test_parameters_are_in_the_sql_and_what_is_in_the_sql_is_a_parameter(query: Statement) -> None:
    assert [text for text in query.parameters if text not in query.sql] == []
    tunable = set(re.findall(r"LIMIT (?!1\b)\d+|_number <= \d+", query.sql))
    assert [text for text in tunable if not any(text in known for known in query.parameters)] == []


@each_view
def test_a_view_says_what_it_holds(view: Statement) -> None:
    assert view.is_view
    assert view.summary.endswith(".")
    assert view.row
    assert all(". Null when" in meaning or meaning.endswith(".") for meaning in view.columns.values())
    assert set(view.types.values()) <= {*map(str, Type), "double"}
    assert view.create.startswith(f"CREATE OR REPLACE VIEW {view.name} AS\n")


@each_statement
def test_names_are_not_reserved_in_athena(statement: Statement) -> None:
    tree = parsed(statement)
    names = {alias.alias for alias in tree.find_all(exp.Alias, exp.CTE)} | {
        name.name for alias in tree.find_all(exp.TableAlias) for name in (alias, *alias.columns)
    }
    assert {name.lower() for name in names} & RESERVED == set()
    assert not set(QUERIES) & set(VIEWS)


@each_statement
def test_quotients_are_not_cut_to_whole_numbers(statement: Statement) -> None:
    """Athena divides whole numbers to whole numbers, the laptop's engine does not."""
    for quotient in parsed(statement).find_all(exp.Div):
        dividend = quotient.this.unnest()
        is_fraction = isinstance(dividend, exp.Avg) or (
            isinstance(dividend, exp.Cast) and dividend.to.is_type("double")
        )
        assert is_fraction or quotient.this.name == "score", quotient.sql()


@each_statement
def test_the_only_clock_is_the_date(statement: Statement) -> None:
    """Tests replace `current_date` by the day of their data; other clocks would go their own way."""
    clocks = (exp.CurrentTimestamp, exp.CurrentTime, exp.CurrentDatetime, exp.Localtime, exp.Localtimestamp)
    assert not list(parsed(statement).find_all(*clocks))
    assert "now()" not in statement.sql


@each_query
def test_a_query_reads_only_some_days(query: Statement) -> None:
    """Of each table and view that does not limit itself."""
    for select in parsed(query).find_all(exp.Select):
        sources = [
            source.this for source in [select.args.get("from_"), *select.args.get("joins", [])] if source
        ]
        for source in sources:
            if isinstance(source, exp.Table) and (divided_by := PARTITIONS.get(source.name)):
                where = select.args.get("where")
                assert where, f"{source.name} has no condition"
                columns = {column.name for column in where.find_all(exp.Column)}
                assert divided_by <= columns, f"{source.name} has no condition on {divided_by - columns}"


def test_conditions_reach_the_tables_through_the_views(tmp_path: Path) -> None:
    """Each query of playlists leaves days of every table unread."""
    planner = Planner(tmp_path, 250)
    bulk = [declared.table.name for declared in WAREHOUSE]
    for query in QUERIES.values():
        if not queries.used_by(query.sql, [*bulk, "chart_entries", *OF_PLAYS]):
            scans = planner.scans(query.sql)
            assert scans, query.name
            whole = {scan.table for scan in scans if len(scan.days) == len(planner.days)}
            assert not whole, query.name


def test_the_view_of_plays_reads_the_table_four_times() -> None:
    """Athena plans each reference to a common table expression anew: those of those multiply."""
    assert reads(VIEWS["listening"].sql, "plays") == 4


def test_the_view_of_the_whole_history_reads_each_table_once() -> None:
    assert [
        reads(VIEWS["song_history"].sql, name) for name in ("playlists", "playlist_entries", "songs")
    ] == [1, 1, 1]


def test_reads_of_a_table_multiply() -> None:
    sql = """
        WITH twice AS (SELECT p.name FROM plays AS p JOIN plays AS q ON q.name = p.name),
        four AS (SELECT t.name FROM twice AS t JOIN twice AS u ON u.name = t.name)
        SELECT f.name FROM four AS f JOIN plays AS p ON p.name = f.name JOIN songs AS s ON s.name = f.name
    """
    assert reads(sql, "plays") == 5
    assert reads(sql, "songs") == 1


def test_saved_queries_hold_every_query_and_view() -> None:
    stack = load(generator.SAVED_QUERIES)
    saved = {
        properties["Name"]: properties
        for properties in (r["Properties"] for r in stack["Resources"].values())
    }
    assert {r["Type"] for r in stack["Resources"].values()} == {"AWS::Athena::NamedQuery"}
    for query in QUERIES.values():
        text = saved[query.summary]["QueryString"]
        if queries.TIME_ZONE in query.sql:
            assert text["Sub"].strip() == query.in_time_zone("${TimeZone}")
            assert "AT TIME ZONE '${TimeZone}'" in text["Sub"]
        else:
            assert text.strip() == query.sql
            assert "AT TIME ZONE" not in text
    in_order = [p["QueryString"].strip() for name, p in saved.items() if name.startswith("View ")]
    assert in_order == [view.create for view in VIEWS.values()]
    assert len(saved) == len(QUERIES) + len(VIEWS)
    for name, properties in saved.items():
        assert len(name) <= 128
        assert len(properties["Description"]) <= 1024
        assert len(str(properties["QueryString"]).encode()) <= 262_144
        assert properties["Database"] == {"Ref": "DatabaseName"}
        assert properties["WorkGroup"] == {"Ref": "WorkGroupName"}


def test_saved_queries_are_there_on_aws_and_not_on_the_laptop() -> None:
    template = load()
    nested = template["Resources"]["SavedQueriesStack"]
    assert nested["Properties"]["Parameters"]["TimeZone"] == {"Ref": "ScheduleTimezone"}
    assert nested["Condition"] == "HasSavedQueries"
    assert nested["Properties"]["TemplateURL"] == "stacks/saved-queries.yaml"
    assert nested["Properties"]["Parameters"].keys() == load(generator.SAVED_QUERIES)["Parameters"].keys()
    assert template["Parameters"]["SavedQueries"]["Default"] == "true"
    assert LAPTOP_PARAMETERS["SavedQueries"] == "false"
    assert 'capabilities = "CAPABILITY_IAM CAPABILITY_AUTO_EXPAND"' in (ROOT / "samconfig.toml").read_text()


def test_yaml_keeps_the_sql_as_it_is() -> None:
    odd = Statement(
        "odd",
        "playlists/odd.sql",
        "Why?",
        'He said: "#1" \\ no',
        "",
        {},
        {"a": "A."},
        {},
        "SELECT '${x}' AS a -- # \\\nFROM t",
    )
    text = generator.saved_queries({"odd": odd}, {}).replace("!Ref ", "")
    (saved,) = yaml.safe_load(text).values()
    assert saved["Properties"]["QueryString"].rstrip("\n") == odd.sql
    assert saved["Properties"]["Description"] == odd.notes


def test_views_come_after_those_they_use() -> None:
    known: set[str] = set()
    for name, view in VIEWS.items():
        tables = {table.name for table in parsed(view).find_all(exp.Table)}
        own = {cte.alias for cte in parsed(view).find_all(exp.CTE)}
        assert tables - own <= known | set(SCHEMA), name
        known.add(name)


def test_latest_views_have_every_column_of_their_table() -> None:
    latest = generator.latest_views()
    for table in TABLES:
        name = "latest_entries" if table is PLAYLIST_ENTRIES else f"latest_{table.name}"
        if name in latest:
            assert set(VIEWS[name].columns) - {"playlist"} == {*table.column_names, PARTITION.name}
    assert "latest_rejects" not in latest
    assert "playlist" not in PLAYLISTS.column_names


@pytest.mark.parametrize(
    "text, problem",
    [
        ("SELECT 1", "the first line must be a comment"),
        ("--\nSELECT 1", "the first line must be a comment"),
        ("-- Why?\nSELECT 1", "must list the columns"),
        ("-- Why?\n-- Columns:\n-- a: A.\nSELECT 1 AS a", "'a: A.' must be like '- name: meaning'"),
        (
            "-- What.\n-- One row: x\n-- Columns:\n-- - a: A.\nSELECT 1 AS a",
            "'a' must be like '- name type: meaning'",
        ),
        ("-- Why?\n-- Variants:\n-- - a: b = 1\nSELECT 1", "'b = 1' must be like 'placeholder = value'"),
    ],
)
def test_a_header_that_cannot_be_read_says_why(text: str, problem: str) -> None:
    with pytest.raises(HeaderError, match=re.escape(problem)):
        queries.parse("playlists/odd.sql", text)


def test_a_header_is_read() -> None:
    text = """\
-- Why?
-- Because.
-- Really.
--
-- Parameters:
-- - LIMIT 1: How many.
-- Columns:
-- - a: A.

SELECT 1 AS a
LIMIT 1
"""
    assert queries.parse("playlists/why.sql", text) == [
        Statement(
            "why",
            "playlists/why.sql",
            "Why?",
            "Because. Really.",
            "",
            {"LIMIT 1": "How many."},
            {"a": "A."},
            {},
            "SELECT 1 AS a\nLIMIT 1",
        )
    ]


def test_a_file_with_variants_holds_a_statement_for_each() -> None:
    text = """\
-- How many by {period}?
-- Variants:
-- - by_day: period = day; back = INTERVAL '1' DAY
-- - by_year: period = year; back = INTERVAL '2' YEAR
-- Columns:
-- - {period}: A {period}.
SELECT date_trunc('{period}', current_date) - {back} AS {period}
"""
    day, year = queries.parse("playlists/by_period.sql", text)
    assert (day.name, day.summary, day.columns) == ("by_day", "How many by day?", {"day": "A day."})
    assert day.sql == "SELECT date_trunc('day', current_date) - INTERVAL '1' DAY AS day"
    assert (year.name, year.file) == ("by_year", day.file)
    assert year.sql == "SELECT date_trunc('year', current_date) - INTERVAL '2' YEAR AS year"


# --- translation ---


def test_a_view_is_read_by_its_name_and_its_inner_names_stay_inside(
    empty_lake: Any,
) -> None:
    sql = """
        WITH snapshots AS (SELECT 1 AS number)
        SELECT c.change, n.number, o.name
        FROM spotify_lake.playlist_changes AS c
        CROSS JOIN snapshots AS n
        LEFT JOIN latest_songs AS o ON o.song_id = c.song_id
        WHERE c.name IS NULL OR c.snapshot_date = current_date
    """
    assert empty_lake.execute(to_duckdb(sql, SCHEMA, VIEWS, TODAY)).fetchall() == []


def test_a_name_of_ones_own_goes_before_a_view(empty_lake: Any) -> None:
    sql = (
        "WITH latest_songs AS (SELECT 7 AS n) SELECT n FROM latest_songs UNION ALL SELECT count(*) FROM songs"
    )
    assert sorted(empty_lake.execute(to_duckdb(sql, SCHEMA, VIEWS)).fetchall()) == [(0,), (7,)]


def test_today_is_the_day_that_is_given(empty_lake: Any) -> None:
    found = empty_lake.execute(
        to_duckdb(
            "SELECT current_date AS a, date_trunc('month', current_date) = DATE '2026-10-01' AS b",
            {},
            {},
            TODAY,
        )
    )
    assert found.fetchall() == [(TODAY, True)]


def test_arrays_side_by_side(empty_lake: Any) -> None:
    sql = """
        SELECT n, a, b
        FROM (VALUES (1, ARRAY['x', 'y'], ARRAY['p', 'q']), (2, ARRAY['z'], ARRAY[NULL])) AS t (n, one, two)
        CROSS JOIN UNNEST(t.one, t.two) AS u (a, b)
    """
    assert sorted(empty_lake.execute(to_duckdb(sql, {}, {})).fetchall()) == [
        (1, "x", "p"),
        (1, "y", "q"),
        (2, "z", None),
    ]


def test_the_name_of_the_largest_may_be_null_as_in_athena(empty_lake: Any) -> None:
    sql = "SELECT max_by(name, n) AS a, min_by(name, n) AS b FROM (VALUES ('x', 1), (NULL, 2)) AS t (name, n)"
    assert empty_lake.execute(to_duckdb(sql, {}, {})).fetchall() == [(None, "x")]


def test_what_is_neither_table_nor_view_is_named_with_what_there_is() -> None:
    with pytest.raises(
        LaptopError,
        match=r"no table sings\. Did you mean songs\? The tables are albums, .*; the views artist_trend_monthly, ",
    ):
        to_duckdb("SELECT * FROM sings", SCHEMA, VIEWS)
