"""`./lake query`: what the Glue Data Catalog answers, on AWS and on the laptop."""

import csv
import dataclasses
import datetime as dt
import io
import json

import pytest

from cli.commands import query
from cli.stack import Lake
from queries import queries, views
from spotify_lake.athena import Column, ResultStream
from spotify_lake.errors import QueryFailed
from tests.support.operated import lake as command

VIEWS = views()
TABLES = {"albums": "EXTERNAL_TABLE", "songs": "EXTERNAL_TABLE", "latest_songs": "VIRTUAL_VIEW"}


class FakeGlue:
    """A catalog of some tables, in pages of one."""

    def __init__(self, names):
        self.names = names

    def get_paginator(self, operation):
        assert operation == "get_tables"
        return self

    def paginate(self, *, DatabaseName):
        assert DatabaseName == "the_database"
        for name in self.names:
            columns = [{"Name": f"{name}_id", "Type": "string"}]
            yield {"TableList": [{"Name": name, "StorageDescriptor": {"Columns": columns}}]}


@pytest.fixture
def finds(monkeypatch):
    """Have the command find a lake with some tables."""

    def use(names, *, on_laptop):
        glue = FakeGlue(names)
        found = Lake(
            on_laptop, "lake", "1" * 12, "us-east-1", {"DatabaseName": "the_database"}, {}, lambda _name: glue
        )
        monkeypatch.setattr(query, "find", lambda **_: found)

    return use


@pytest.mark.parametrize("sql", ["", "show tables;"])
@pytest.mark.parametrize("on_laptop", [True, False], ids=["laptop", "aws"])
def test_the_tables_and_views_are_listed_in_a_few_lines(finds, capsys, sql, on_laptop):
    finds([*TABLES, *(f"table_{number}" for number in range(20))], on_laptop=on_laptop)
    assert command("query", sql) == 0
    out = capsys.readouterr().out
    assert set(TABLES) <= set(out.split())
    assert len(out.splitlines()) <= 20
    tables, views = out.split("Views\n")
    assert "songs" in tables.split()
    assert "latest_songs" not in tables
    assert "latest_songs" in views
    assert "albums_id" not in out


@pytest.mark.parametrize(
    "sql, shown",
    [
        (" DESCRIBE Songs ", "songs"),
        ("show columns in songs", "songs"),
        ('SHOW COLUMNS FROM the_database."songs";', "songs"),
        ("describe latest_songs", "latest_songs"),
    ],
)
def test_the_columns_of_a_table_are_listed(finds, capsys, sql, shown):
    finds(TABLES, on_laptop=False)
    assert command("query", sql) == 0
    first, *columns = capsys.readouterr().out.splitlines()
    assert first.split()[0] == shown
    wanted = (
        [["songs_id", "string"]]
        if shown == "songs"
        else [[*one] for one in VIEWS["latest_songs"].types.items()]
    )
    assert [line.split() for line in columns] == wanted


def test_views_that_were_not_created_on_aws_are_not_listed(finds, capsys):
    finds(["albums"], on_laptop=False)
    assert command("query") == 0
    out = capsys.readouterr().out
    assert "latest_songs" not in out
    assert "albums" in out


def test_a_table_that_does_not_exist_is_an_error_that_names_the_others(finds, capsys):
    finds(["albums", "songs"], on_laptop=False)
    assert command("query", "describe sings") == 1
    assert (
        "There is no table or view sings. Did you mean songs? There are albums, songs."
        in capsys.readouterr().err
    )


# --- answers ---

ROWS = (
    ('Don|t, "you"', 3, None, dt.date(2026, 3, 1), True),
    ("b", 1200, 0.5, dt.date(2026, 3, 2), False),
    ("c", 4, 1.5, None, None),
)
COLUMNS = (
    Column("Song", "varchar"),
    Column("n", "bigint"),
    Column("share", "double"),
    Column("day", "date"),
    Column("is_new", "boolean"),
)


class FakeAthena:
    """Answers with ROWS in pages of one, or fails."""

    def __init__(self, error=None):
        self.error = error
        self.asked = []

    def stream(self, sql, timeout_s):
        self.asked.append(sql)
        if self.error:
            raise QueryFailed(self.error)
        return ResultStream(COLUMNS, iter([[row] for row in ROWS]), "id", 0)


@pytest.fixture
def athena(finds, monkeypatch):
    """Have the command find a lake on AWS whose Athena is the one that it returns."""
    finds(["albums", "songs"], on_laptop=False)

    def use(error=None):
        fake = FakeAthena(error)
        monkeypatch.setattr(query, "connect", lambda _lake: fake)
        return fake

    return use


def test_csv_has_every_row_and_the_notes_are_elsewhere(athena, capsys):
    athena()
    assert command("query", "select 1", "--format", "csv") == 0
    out, err = capsys.readouterr()
    assert list(csv.reader(io.StringIO(out))) == [
        ["Song", "n", "share", "day", "is_new"],
        ['Don|t, "you"', "3", "", "2026-03-01", "true"],
        ["b", "1200", "0.5", "2026-03-02", "false"],
        ["c", "4", "1.5", "", ""],
    ]
    assert "3 rows" in err


def test_json_keeps_the_types(athena, capsys):
    athena()
    assert command("query", "select 1", "--format", "json") == 0
    found = json.loads(capsys.readouterr().out)
    assert found[0] == {"Song": 'Don|t, "you"', "n": 3, "share": None, "day": "2026-03-01", "is_new": True}
    assert len(found) == 3


def test_markdown_is_a_table(athena, capsys):
    athena()
    assert command("query", "select 1", "--format", "markdown", "--limit", "2") == 0
    out, err = capsys.readouterr()
    assert out.splitlines() == [
        "| Song | n | share | day | is_new |",
        "| --- | ---: | ---: | --- | --- |",
        '| Don\\|t, "you" | 3 |  | 2026-03-01 | true |',
        "| b | 1200 | 0.5 | 2026-03-02 | false |",
    ]
    assert "the first 2 rows: there are more, --limit 0 shows all" in " ".join(err.split())


@pytest.mark.parametrize("limit, cut", [("1", True), ("3", False), ("0", False)])
def test_a_table_says_when_rows_are_missing(athena, capsys, limit, cut):
    athena()
    assert command("query", "select 1", "--limit", limit) == 0
    out = capsys.readouterr().out
    assert ("there are more" in out) == cut
    assert ("1200" in out) == (not cut)
    assert "Song" in out


def test_a_saved_question_is_shown_and_run(athena, capsys):
    fake = athena()
    assert command("query", "--ask", "top_artists") == 0
    out = capsys.readouterr().out
    question = queries()["top_artists"]
    assert fake.asked == [question.sql]
    assert question.summary in out
    assert question.sql in out
    assert "1200" in out


def test_hours_and_days_are_those_of_the_schedule(athena, capsys, monkeypatch):
    fake = athena()
    lake = query.find(laptop=True, stack="")
    there = dataclasses.replace(lake, parameters={"ScheduleTimezone": "Europe/Berlin"})
    monkeypatch.setattr(query, "find", lambda **_: there)
    assert command("query", "--ask", "listening_clock") == 0
    [asked] = fake.asked
    assert "CAST(heard_at AT TIME ZONE 'Europe/Berlin' AS timestamp)" in asked
    assert asked == queries()["listening_clock"].in_time_zone("Europe/Berlin")
    assert asked in capsys.readouterr().out


def test_only_the_answer_of_a_saved_question_goes_into_a_file(athena, capsys):
    athena()
    assert command("query", "--ask", "top_artists", "--format", "csv") == 0
    out, err = capsys.readouterr()
    assert out.startswith("Song,n,")
    assert queries()["top_artists"].summary in err


def test_saved_questions_are_listed_without_a_lake(capsys):
    assert command("query", "--list") == 0
    out = capsys.readouterr().out
    assert [name for name in queries() if f"  {name} " not in out] == []


def test_a_question_that_is_not_saved(capsys):
    assert command("query", "--ask", "top_artist") == 1
    assert "no saved question top_artist. Did you mean top_artists?" in " ".join(
        capsys.readouterr().err.split()
    )
    assert command("query", "select 1", "--ask", "top_artists") == 2


@pytest.mark.parametrize(
    "sql, error, advice",
    [
        (
            "select * from sngs",
            "TABLE_NOT_FOUND: line 1:15: Table 'awsdatacatalog.spotify_lake.sngs' does not exist",
            "Did you mean songs?",
        ),
        (
            "select song_id from songs",
            "COLUMN_NOT_FOUND: line 1:8: Column 'song_id' cannot be resolved or requester is not authorized",
            "Did you mean songs_id?",
        ),
        (
            'select 1 from songs where x = "y"',
            "Column 'y' cannot be resolved",
            "Text stands in single quotes",
        ),
        ("select 'Don't' from songs", "mismatched input", "written twice: 'Don''t'"),
    ],
)
def test_athenas_refusal_comes_with_advice(athena, capsys, sql, error, advice):
    athena(error)
    assert command("query", sql) == 1
    err = capsys.readouterr().err
    assert advice in err
    assert error.split(":")[0] in err
