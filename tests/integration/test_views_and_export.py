"""`./lake views` and `./lake export`, against an Athena that answers from the small lake of tests/support/lakes.py."""

import codecs
import csv
import datetime as dt
import io
import json
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from botocore.exceptions import ClientError
from rich.console import Console

from cli.commands import export, query, views
from cli.stack import Lake, OpsError
from cli.terminal import Terminal
from local.sql_dialect import to_duckdb
from queries import queries
from queries import views as all_views
from spotify_lake.athena import Column, ResultStream
from spotify_lake.errors import QueryFailed
from tests.support import charted, hostile, lakes

ATHENA_TYPES = {"VARCHAR": "varchar", "INTEGER": "integer", "HUGEINT": "bigint", "DOUBLE": "double"}
PAGE_ROWS = 100


class Aws:
    """AWS with one lake: its Athena runs queries, knows the views once they are created, and pages its answers."""

    def __init__(self, connection: Any) -> None:
        self.connection = connection
        self.views: dict[str, Any] = {}
        self.created: list[str] = []
        self.refused = ""
        self.answers: dict[str, Any] = {}
        self.fails_after_pages: int | None = None

    class exceptions:
        ClientError = ClientError

    def client(self, _service: str) -> Any:
        return self

    def start_query_execution(self, *, QueryString: str, QueryExecutionContext: Any, WorkGroup: str) -> Any:
        assert (QueryExecutionContext, WorkGroup) == ({"Database": "spotify_lake"}, "work")
        identity = str(len(self.answers))
        if QueryString.startswith("CREATE OR REPLACE VIEW "):
            name = QueryString.split()[4]
            if name == self.refused:
                raise ClientError(
                    {"Error": {"Code": "Invalid", "Message": "no such function"}}, "StartQueryExecution"
                )
            view = all_views()[name]
            to_duckdb(view.sql, lakes.SCHEMA, self.views)  # it may only use what is there
            self.views[name] = view
            self.created.append(name)
            self.answers[identity] = ([], [])
        else:
            sql = to_duckdb(QueryString, lakes.SCHEMA, self.views, lakes.TODAY)
            columns = self.connection.execute(f"DESCRIBE {sql}").fetchall()
            self.answers[identity] = (columns, self.connection.execute(sql).fetchall())
        return {"QueryExecutionId": identity}

    def get_query_execution(self, **_request: Any) -> Any:
        return {"QueryExecution": {"Status": {"State": "SUCCEEDED"}}}

    def get_paginator(self, operation: str) -> Any:
        return {"get_query_results": Results, "get_tables": Tables}[operation](self)


class Results:
    def __init__(self, aws: Aws) -> None:
        self.aws = aws

    def paginate(self, *, QueryExecutionId: str) -> Iterator[Any]:
        columns, rows = self.aws.answers[QueryExecutionId]
        info = [
            {"Name": name, "Type": ATHENA_TYPES.get(str(kind), str(kind).lower())}
            for name, kind, *_ in columns
        ]
        texts = [
            [column["Name"] for column in info],
            *([None if v is None else self.text(v) for v in r] for r in rows),
        ]
        for number, start in enumerate(range(0, len(texts), PAGE_ROWS)):
            if number == self.aws.fails_after_pages:
                raise ClientError({"Error": {"Code": "Throttled", "Message": "slow down"}}, "GetQueryResults")
            data = [
                {"Data": [{} if text is None else {"VarCharValue": text} for text in row]}
                for row in texts[start : start + PAGE_ROWS]
            ]
            yield {"ResultSet": {"ResultSetMetadata": {"ColumnInfo": info}, "Rows": data if columns else []}}

    @staticmethod
    def text(value: Any) -> str:
        return str(value).lower() if isinstance(value, bool) else str(value)


class Tables:
    def __init__(self, _aws: Aws) -> None:
        pass

    def paginate(self, **_request: Any) -> Iterator[Any]:
        for name, columns in lakes.SCHEMA.items():
            listed = [{"Name": column, "Type": kind} for column, kind in columns.items()]
            yield {"TableList": [{"Name": name, "StorageDescriptor": {"Columns": listed}}]}
        yield {"TableList": [{"Name": "somebody_elses", "StorageDescriptor": {"Columns": []}}]}


@pytest.fixture(scope="module")
def connection() -> Iterator[Any]:
    with lakes.database(lakes.snapshots(), charted.warehouse()) as found:
        yield found


@pytest.fixture
def aws(connection: Any) -> Aws:
    return Aws(connection)


@pytest.fixture
def aws_with_views(aws: Aws) -> Aws:
    aws.views = all_views()
    return aws


@pytest.fixture
def lake(aws: Aws) -> Lake:
    outputs = {"AthenaWorkGroupName": "work", "DatabaseName": "spotify_lake", "LakeBucketName": "lake"}
    return Lake(False, "spotify-lake", "123456789012", "us-east-1", outputs, {}, aws.client)


@pytest.fixture
def told() -> io.StringIO:
    return io.StringIO()


@pytest.fixture
def terminal(told: io.StringIO) -> Terminal:
    return Terminal(Console(file=told, width=200))


def test_views_are_created_each_after_those_it_uses_and_again(
    aws: Aws, lake: Lake, terminal: Terminal, told: io.StringIO
) -> None:
    for _ in range(2):
        views.run(lake, terminal)
    assert aws.created == 2 * list(all_views())
    assert "The 15 views are in the database spotify_lake" in told.getvalue()


def test_a_view_that_is_refused_is_named(aws: Aws, lake: Lake, terminal: Terminal, told: io.StringIO) -> None:
    aws.refused = "latest_songs"
    with pytest.raises(QueryFailed, match="Athena refused it: no such function"):
        views.run(lake, terminal)
    assert "✓ latest_entries" in told.getvalue()
    assert "✓ latest_songs" not in told.getvalue()


@pytest.mark.usefixtures("aws_with_views")
def test_files_hold_what_athena_answers(aws: Aws, lake: Lake, terminal: Terminal, tmp_path: Path) -> None:
    names = [
        *lakes.SCHEMA,
        "latest_entries",
        "song_history",
        "chart_entries",
        "new_releases",
        "series_by_day",
    ]
    export.run(lake, terminal, names, tmp_path / "out" / "now")
    for name in names:
        sql = queries()[name].sql if name in queries() else f"SELECT * FROM {name}"  # noqa: S608 - our own names
        statement = to_duckdb(sql, lakes.SCHEMA, aws.views, lakes.TODAY)
        header = [name for name, *_ in aws.connection.execute(f"DESCRIBE {statement}").fetchall()]
        rows = aws.connection.execute(statement).fetchall()
        table = pq.read_table(tmp_path / "out" / "now" / f"{name}.parquet")
        assert table.column_names == header
        found = [tuple(plain(value) for value in row.values()) for row in table.to_pylist()]
        assert sorted(found, key=str) == sorted(rows, key=str), name
        with (tmp_path / "out" / "now" / f"{name}.csv").open(newline="", encoding="utf-8-sig") as file:
            lines = list(csv.reader(file))
        assert lines[0] == header
        assert len(lines) == len(rows) + 1
    assert len(list((tmp_path / "out" / "now").iterdir())) == 2 * len(names), "drafts are gone"


def plain(value: Any) -> Any:
    return value.replace(tzinfo=None) if isinstance(value, dt.datetime) else value


@pytest.mark.usefixtures("aws_with_views")
def test_types_and_lists(lake: Lake, terminal: Terminal, tmp_path: Path) -> None:
    export.run(lake, terminal, ["latest_songs"], tmp_path)
    schema = pq.read_schema(tmp_path / "latest_songs.parquet")
    types = {name: schema.field(name).type for name in schema.names}
    assert types["artist_names"] == pa.list_(pa.string())
    assert types["snapshot_date"] == pa.date32()
    assert types["scheduled_at"] == pa.timestamp("us", tz="UTC")
    assert types["popularity"] == pa.int32()
    assert types["is_explicit"] == pa.bool_()
    with (tmp_path / "latest_songs.csv").open(newline="", encoding="utf-8-sig") as file:
        row = next(row for row in csv.DictReader(file) if row["song_id"] == "s05")
    assert json.loads(row["artist_ids"])[0] is None
    assert json.loads(row["artist_names"])[0] == "Nobody's Band"


@pytest.mark.usefixtures("aws_with_views")
def test_every_view_of_the_playlists_is_exported_without_names(
    lake: Lake, terminal: Terminal, tmp_path: Path
) -> None:
    export.run(lake, terminal, [], tmp_path)
    others = {"chart_entries", "listening", "play_gaps"}
    assert {path.stem for path in tmp_path.glob("*.csv")} == set(all_views()) - others


@pytest.mark.parametrize("name", ["nix", "../songs", "songs; DROP TABLE songs", "somebody_elses", ""])
def test_only_known_names_are_exported(lake: Lake, terminal: Terminal, tmp_path: Path, name: str) -> None:
    with pytest.raises(OpsError, match="There is nothing called"):
        export.run(lake, terminal, ["songs", name], tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_failed_export_leaves_the_old_files(
    aws: Aws, lake: Lake, terminal: Terminal, tmp_path: Path
) -> None:
    (tmp_path / "songs.csv").write_text("old")
    aws.fails_after_pages = 1
    with pytest.raises(ClientError, match="slow down"):
        export.run(lake, terminal, ["songs"], tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["songs.csv"]
    assert (tmp_path / "songs.csv").read_text() == "old"


def test_a_folder_that_cannot_be_written_to_is_explained(
    lake: Lake, terminal: Terminal, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(OpsError, match=r"cannot be written to: .*--out"):
        export.run(lake, terminal, ["songs"], tmp_path / "file" / "below")


def test_many_rows_become_few_row_groups(
    monkeypatch: pytest.MonkeyPatch, lake: Lake, terminal: Terminal, tmp_path: Path
) -> None:
    monkeypatch.setattr(export, "BATCH_ROWS", 500)
    export.run(lake, terminal, ["playlist_entries"], tmp_path)
    metadata = pq.read_metadata(tmp_path / "playlist_entries.parquet")
    sizes = [metadata.row_group(number).num_rows for number in range(metadata.num_row_groups)]
    assert all(500 <= size < 500 + PAGE_ROWS for size in sizes[:-1])
    assert sum(sizes) > 3 * 500


FORMULAS = {
    "=1+1": "'=1+1",
    "+1": "'+1",
    "-1": "'-1",
    "@SUM(A1)": "'@SUM(A1)",
    "\t=1+1": "'\t=1+1",
    "\r=1+1": "'\r'=1+1",
    '=cmd|"/c calc"!A1': '\'=cmd|"/c calc"!A1',
    "=HYPERLINK(1)": "'=HYPERLINK(1)",
    "one;=1+1;two": "one;'=1+1;two",  # where semicolons separate cells
    "one\n@SUM(A1)": "one\n'@SUM(A1)",
}
AT = dt.datetime(2026, 11, 20, 6, 0, 3, 120_001, tzinfo=dt.UTC)
PLAIN = ["a=b", "1-1", " =1+1", "'quoted'", "Röyksopp, “So Easy”", hostile.NAME]


class OneAnswer:
    """An Athena that answers every query with the same table."""

    columns = (
        Column("name", "varchar"),
        Column("gain", "bigint"),
        Column("share", "decimal"),
        Column("rate", "double"),
        Column("at", "timestamp"),
    )

    def stream(self, sql: str, timeout_s: float) -> ResultStream:
        rows: list[Any] = [(text, -5, Decimal("-0.5"), -1.5, AT) for text in [*FORMULAS, *PLAIN]]
        return ResultStream(self.columns, iter([rows, [(None,) * 5]]), "id", 0)


@pytest.mark.parametrize("raw", [False, True])
def test_a_spreadsheet_reads_every_cell_and_runs_none(tmp_path: Path, raw: bool) -> None:
    athena: Any = OneAnswer()
    export.export(athena, export.Source("SELECT"), tmp_path / "now", lambda _rows: None, raw=raw)
    data = (tmp_path / "now.csv").read_bytes()
    assert data.startswith(codecs.BOM_UTF8) is not raw, "Excel takes a file without the mark for Windows-1252"
    lines = list(csv.reader(io.StringIO(data.decode("utf-8-sig"), newline="")))
    assert lines[0] == ["name", "gain", "share", "rate", "at"]
    texts = list(FORMULAS) if raw else list(FORMULAS.values())
    assert [line[0] for line in lines[1:]] == [*texts, *PLAIN, ""]
    at = "2026-11-20 06:00:03.120001Z" if raw else "2026-11-20 06:00:03"  # of the two, Excel reads the latter
    assert {tuple(line[1:]) for line in lines[1:-1]} == {("-5", "-0.5", "-1.5", at)}, "numbers stay numbers"
    exact = pq.read_table(tmp_path / "now.parquet")
    assert exact["name"].to_pylist() == [*FORMULAS, *PLAIN, None]
    assert exact["at"].to_pylist() == [AT] * (len(lines) - 2) + [None]


def test_the_commands_show_a_hostile_name_of_a_column_or_value(
    lake: Lake, terminal: Terminal, told: io.StringIO
) -> None:
    sql = f"SELECT '{hostile.NAME.replace(chr(0), '')}' AS name"
    query.run(lake, terminal, sql)
    with pytest.raises(OpsError) as refused:
        export.run(lake, terminal, [hostile.NAME], Path())
    assert hostile.obeyed(told.getvalue() + str(refused.value)) == set()
    assert hostile.VISIBLE[:12] in told.getvalue()
