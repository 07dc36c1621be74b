"""`./lake query`: what the Glue Data Catalog answers, on AWS and on the laptop."""

import pytest

from cli.commands import query
from cli.stack import Lake
from tests.support.operated import lake as command

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


def headings(text):
    """Names of the tables in a listing: the lines that are not indented."""
    return [line.split()[0] for line in text.splitlines() if line[:1].strip()]


@pytest.mark.parametrize(
    "sql, shown",
    [
        ("", ["albums", "songs", "latest_songs"]),
        ("show tables;", ["albums", "songs", "latest_songs"]),
        (" DESCRIBE Songs ", ["songs"]),
        ("describe latest_songs", ["latest_songs"]),
    ],
)
@pytest.mark.parametrize("on_laptop", [True, False], ids=["laptop", "aws"])
def test_the_catalog_lists_tables_and_views(finds, capsys, sql, shown, on_laptop):
    finds(["albums", "songs"] if on_laptop else TABLES, on_laptop=on_laptop)
    assert command("query", sql) == 0
    assert [name for name in headings(capsys.readouterr().out) if name in TABLES] == shown


def test_views_that_were_not_created_on_aws_are_not_listed(finds, capsys):
    finds(["albums"], on_laptop=False)
    assert command("query") == 0
    out = capsys.readouterr().out
    assert "latest_songs" not in out
    assert "albums_id" in out


def test_a_table_that_does_not_exist_is_an_error_that_names_the_others(finds, capsys):
    finds(["albums"], on_laptop=False)
    assert command("query", "describe sings") == 1
    assert "There is no table or view sings. There are albums." in capsys.readouterr().err
