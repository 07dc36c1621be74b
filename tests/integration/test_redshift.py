"""The star schema of Redshift on a PostgreSQL server: what one load after the other leaves there.

`DataApi` answers boto3's calls as the Redshift Data API does, and runs the statements, translated by sqlglot, in one
transaction. PostgreSQL enforces the keys that are hints in Redshift, so a wrong order of statements fails here.
"""

import csv
import datetime as dt
import io
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import boto3
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import sqlglot
from botocore import xform_name
from sqlglot import exp

from cli import star_schema
from cli.commands.redshift import STATEMENTS_A_CALL, Database, load, run
from cli.stack import Lake, OpsError
from spotify_lake.schema.types import Table, Type
from tests.support.operated import Person

BUCKET = "lake"
ARROW = {Type.STRING: pa.string(), Type.INT: pa.int32(), Type.BIGINT: pa.int64(), Type.DATE: pa.date32()}
TABLES = {table.name: table for table in star_schema.TABLES}
# What Redshift understands beyond PostgreSQL, and what says where rows lie.
ONLY_REDSHIFT = (exp.DistKeyProperty, exp.DistStyleProperty, exp.SortKeyProperty)

type Content = dict[str, list[tuple[Any, ...]]]


def programs() -> Path | None:
    """The folder of PostgreSQL's newest server on this machine."""
    found = sorted(
        Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: int(path.parts[-3].split(".")[0])
    )
    on_path = shutil.which("initdb")
    return found[-1].parent if found else Path(on_path).parent if on_path else None


class Postgres:
    """A server of its own, reached through a socket in its folder."""

    def __init__(self, programs: Path, folder: Path) -> None:
        self._programs = programs
        self.folder = folder
        # PostgreSQL does not run as root; Debian's packages make a user for it.
        self._as_user = ["runuser", "-u", "postgres", "--"] if os.geteuid() == 0 else []
        if self._as_user:
            shutil.chown(folder, "postgres")

    def start(self) -> None:
        data = str(self.folder / "data")
        self._run("initdb", "-D", data, "-U", "lake", "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync")
        options = f"-k {self.folder} -c listen_addresses= -c fsync=off -c max_connections=10"
        self._run("pg_ctl", "-D", data, "-w", "-l", str(self.folder / "log"), "-o", options, "start")

    def stop(self) -> None:
        self._run("pg_ctl", "-D", str(self.folder / "data"), "-m", "immediate", "stop")

    def psql(self, script: str, database: str, *options: str) -> subprocess.CompletedProcess[str]:
        """Run a script; stops at the first error."""
        command = [
            self._programs / "psql",
            "-h",
            self.folder,
            "-U",
            "lake",
            "-d",
            database,
            "-X",
            "-q",
            "--csv",
        ]
        return subprocess.run(
            [*command, "-v", "ON_ERROR_STOP=1", *options],
            input=script,
            capture_output=True,
            text=True,
            check=False,
        )

    def _run(self, program: str, *arguments: str) -> None:
        done = subprocess.run(
            [*self._as_user, self._programs / program, *arguments],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,  # not a pipe, which the server would keep open
            stderr=subprocess.DEVNULL,
            cwd=self.folder,
            check=False,
        )
        assert done.returncode == 0, f"{program} exited with {done.returncode}"


@pytest.fixture(scope="module")
def postgres() -> Iterator[Postgres]:
    found = programs()
    if found is None:
        if os.environ.get("CI") and sys.platform == "linux":
            pytest.fail("there is no PostgreSQL server here, and CI must have one: see .ci/run")
        pytest.skip("there is no PostgreSQL server here: install Debian's package postgresql, or the like")
    with tempfile.TemporaryDirectory(prefix="pg-") as folder:  # short: a socket's path has 107 characters
        server = Postgres(found, Path(folder))
        server.start()
        try:
            yield server
        finally:
            server.stop()


def to_postgres(statement: str) -> str:
    tree = sqlglot.parse_one(statement, read="redshift")
    for found in list(tree.find_all(*ONLY_REDSHIFT)):
        found.pop()
    return tree.sql("postgres")


@dataclass
class DataApi:
    """Answers a boto3 client's calls; requests are checked against the service's model before they come here."""

    postgres: Postgres
    database: str
    lake: Path
    looks: int = 0
    calls: list[list[str]] = field(default_factory=list)
    done: dict[str, dict[str, Any]] = field(default_factory=dict)
    results: dict[str, list[list[str]]] = field(default_factory=dict)

    def client(self, service: str) -> Any:
        client = boto3.client(service, region_name="us-east-1")
        client.meta.events.register(f"before-call.{service}", self._answer)
        return client

    def _answer(self, model: Any, params: Any, **_: Any) -> Any:
        return SimpleNamespace(status_code=200), getattr(self, xform_name(model.name))(
            json.loads(params["body"])
        )

    def get_namespace(self, request: dict[str, Any]) -> dict[str, Any]:
        assert request == {"namespaceName": "spotify-lake"}
        return {"namespace": {"dbName": "spotify_lake", "adminPasswordSecretArn": "arn:secret"}}

    def batch_execute_statement(self, request: dict[str, Any]) -> dict[str, Any]:
        assert request["WorkgroupName"] == "spotify-lake"
        assert request["Database"] == "spotify_lake"
        assert request["SecretArn"] == "arn:secret"
        assert len(request["Sqls"]) <= 40
        self.calls.append(request["Sqls"])
        name = f"{len(self.calls):08d}-0000-0000-0000-000000000000"
        self.done[name] = self._run(name, request["Sqls"])
        return {"Id": name}

    def describe_statement(self, request: dict[str, Any]) -> dict[str, Any]:
        self.looks += 1
        state = self.done[request["Id"]]
        return {"Id": request["Id"], "Status": "STARTED"} if self.looks % 2 else state

    def get_statement_result(self, request: dict[str, Any]) -> dict[str, Any]:
        """One row a page."""
        rows, page = self.results[request["Id"]], int(request.get("NextToken", 0))
        answer = {"Records": [[self._cell(one) for one in row] for row in rows[page : page + 1]]}
        return answer | ({"NextToken": str(page + 1)} if page + 1 < len(rows) else {})

    @staticmethod
    def _cell(text: str) -> dict[str, Any]:
        return {"longValue": int(text)} if text.isdigit() else {"stringValue": text}

    def _run(self, name: str, statements: list[str]) -> dict[str, Any]:
        lines = []
        for number, statement in enumerate(statements):
            lines.append(f"\\echo @@{number}")
            try:
                lines += self._translated(statement)
            except LoadError as error:
                lines.append(f"DO $$ BEGIN RAISE EXCEPTION '{error}'; END $$;")
                break
        ran = self.postgres.psql("\n".join(lines), self.database, "--single-transaction")
        outputs = re.split(r"^@@\d+\n", ran.stdout, flags=re.MULTILINE)[1:]
        subs = [
            {"Id": f"{name}:{number + 1}", "Status": "FINISHED", "HasResultSet": bool(output)}
            for number, output in enumerate(outputs)
        ]
        if ran.returncode:
            subs[-1] |= {"Status": "FAILED", "Error": f"ERROR: {ran.stderr.split('ERROR:')[-1].strip()}"}
            return {"Id": name, "Status": "FAILED", "Error": "Query failed", "SubStatements": subs}
        for sub, output in zip(subs, outputs, strict=True):
            self.results[sub["Id"]] = list(csv.reader(io.StringIO(output)))[1:]
        return {"Id": name, "Status": "FINISHED", "SubStatements": subs}

    def _translated(self, statement: str) -> Iterator[str]:
        if not statement.startswith("COPY "):
            yield to_postgres(statement) + ";"
            return
        copy = re.fullmatch(
            r"""COPY "(staged_(\w+))" FROM 's3://lake/(.+/)' IAM_ROLE default FORMAT AS PARQUET""", statement
        )
        assert copy, statement
        found = sorted((self.lake / copy[3]).rglob("*.parquet"))
        if not found:
            raise LoadError("The specified S3 prefix does not exist")
        wanted = [(one.name, ARROW[one.type]) for one in TABLES[copy[2]].columns]
        for number, path in enumerate(found):
            rows = pq.read_table(path, partitioning=None)
            # As Redshift takes Parquet: by number, order and type of the columns.
            if [(one.name, one.type) for one in rows.schema] != wanted:
                raise LoadError(f"{path.name} has an incompatible Parquet schema")
            text = self.lake / f"{copy[2]}-{number}.csv"
            with text.open("w", newline="") as file:
                csv.writer(file, quoting=csv.QUOTE_NOTNULL).writerows(
                    zip(*(column.to_pylist() for column in rows.columns), strict=True)
                )
            yield f"\\copy \"{copy[1]}\" FROM '{text}' (FORMAT csv)"


class LoadError(Exception):
    """What COPY refuses."""


class Warehouse:
    """The charts' tables of a lake as the jobs leave them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        artists = ["Shakira", "Maluma", "Drake", 'Ångström "quoted", O\'Neil\nsecond line']
        self.rows: dict[str, dict[tuple[Any, ...], tuple[Any, ...]]] = {name: {} for name in TABLES}
        for number, name in enumerate(artists):
            self.put("dim_artist", -number - 2**62, name)
        tracks = (
            (-1, "Chantaje", "Shakira, Maluma", (0, 1)),
            (2, "God's Plan", "Drake", (2,)),
            (3, "日本語の曲", "Ångström", (3,)),
        )
        for key, track, artist, credits_ in tracks:
            self.put("dim_track", key, f"id{key}", track, artist, None, 20201231, 20210102)
            for position, artist_number in enumerate(credits_, 1):
                self.put("bridge_track_artist", key, -artist_number - 2**62, position)
        self.put("dim_region", 11, "Argentina", "ar")
        self.put("dim_region", 12, "Atlantis", None)
        self.put("dim_chart", 21, "top200", "Top 200", "daily")
        self.put("dim_chart", 22, "viral50", "Viral 50", "daily")
        for day in (dt.date(2020, 12, 31), dt.date(2021, 1, 1), dt.date(2021, 1, 2)):
            self.day(day)

    def day(self, day: dt.date, streams: int = 1000) -> None:
        """Add a date and its charts."""
        key = int(f"{day:%Y%m%d}")
        iso = day.isocalendar()
        self.put(
            "dim_date", key, day, day.year, (day.month + 2) // 3, day.month, iso.week, day.day, iso.weekday
        )
        for region in (11, 12):
            for rank, track in enumerate((-1, 2, 3), 1):
                self.put("fact_chart_entry", key, region, 21, rank, track, streams - rank, "MOVE_UP")
                self.put("fact_chart_entry", key, region, 22, rank, track, None, None)

    def put(self, table: str, *row: Any) -> None:
        """Add a row, or replace the one with its key."""
        self.rows[table][self._key(TABLES[table], row)] = row

    def drop(self, table: str, *key: Any) -> None:
        del self.rows[table][key]

    def write(self) -> None:
        """Write the objects under the names that the jobs give them."""
        root = self.folder / "datawarehouse"
        shutil.rmtree(root, ignore_errors=True)
        for name, rows in self.rows.items():
            parts: dict[str, list[tuple[Any, ...]]] = {}
            for row in rows.values():
                year, month, chart = (
                    row[0] // 10000,
                    row[0] // 100,
                    "top200" if row[2:3] == (21,) else "viral50",
                )
                fact = f"year={year}/chart={chart}/month-{month}.parquet"
                parts.setdefault(fact if name == "fact_chart_entry" else f"{name}.parquet", []).append(row)
            for part, some in parts.items():
                self.write_part(root / name / part, TABLES[name], some)

    @staticmethod
    def write_part(path: Path, table: Table, rows: list[tuple[Any, ...]]) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        schema = pa.schema([pa.field(one.name, ARROW[one.type]) for one in table.columns])
        columns = [
            pa.array(values, field.type)
            for values, field in zip(zip(*rows, strict=True), schema, strict=True)
        ]
        pq.write_table(pa.Table.from_arrays(columns, schema=schema), path)

    @property
    def content(self) -> Content:
        return {name: sorted(rows.values(), key=repr) for name, rows in self.rows.items()}

    @staticmethod
    def _key(table: Table, row: tuple[Any, ...]) -> tuple[Any, ...]:
        return tuple(row[table.column_names.index(name)] for name in table.key)


class Redshift:
    """A database of its own, and what loads it."""

    def __init__(self, postgres: Postgres, name: str, lake: Path) -> None:
        self._postgres, self._name = postgres, name
        made = postgres.psql(f"CREATE DATABASE {name}", "postgres")
        assert made.returncode == 0, made.stderr
        # A view of Redshift's catalog with the same columns as the standard's.
        self.ask("CREATE VIEW svv_columns AS SELECT * FROM information_schema.columns")
        self.api = DataApi(postgres, name, lake)
        self.database = Database(
            self.api.client("redshift-data"),
            workgroup="spotify-lake",
            database="spotify_lake",
            secret_arn="arn:secret",
            wait=lambda _seconds: None,
        )

    def load(self) -> dict[str, int]:
        return load(self.database, BUCKET)

    def ask(self, sql: str) -> list[list[str]]:
        ran = self._postgres.psql(sql, self._name)
        assert ran.returncode == 0, ran.stderr
        return list(csv.reader(io.StringIO(ran.stdout)))[1:]

    @property
    def content(self) -> Content:
        """All rows, as the warehouse has them."""
        tables = " UNION ALL ".join(
            f"SELECT '{name}', coalesce(json_agg(t), '[]') FROM charts.{name} t"  # noqa: S608
            for name in TABLES
        )
        return {
            name: sorted(
                (
                    tuple(self._value(row[one.name], one.type) for one in TABLES[name].columns)
                    for row in json.loads(rows)
                ),
                key=repr,
            )
            for name, rows in self.ask(tables)
        }

    @staticmethod
    def _value(value: Any, kind: Type) -> Any:
        return dt.date.fromisoformat(value) if kind is Type.DATE else value

    @property
    def versions(self) -> set[tuple[str, ...]]:
        """The transactions that wrote the rows of each table."""
        tables = (f"SELECT DISTINCT '{name}', xmin::text FROM charts.{name}" for name in TABLES)  # noqa: S608
        return {tuple(row) for row in self.ask(" UNION ALL ".join(tables))}


@pytest.fixture
def warehouse(tmp_path) -> Warehouse:
    made = Warehouse(tmp_path)
    made.write()
    return made


@pytest.fixture
def redshift(postgres, warehouse, request) -> Redshift:
    return Redshift(postgres, re.sub(r"\W+", "_", request.node.name)[:60].lower(), warehouse.folder)


def test_the_tables_hold_what_the_warehouse_holds(redshift, warehouse):
    counts = redshift.load()
    assert redshift.content == warehouse.content
    assert counts == {name: len(rows) for name, rows in warehouse.content.items()}


def test_a_second_load_of_the_same_writes_no_row(redshift, warehouse):
    redshift.load()
    before = redshift.versions
    redshift.load()
    assert redshift.content == warehouse.content
    assert redshift.versions == before


def test_overlapping_loads_leave_what_one_load_leaves(redshift, warehouse):
    redshift.load()
    warehouse.day(dt.date(2021, 1, 2), streams=5000)  # again, with other streams
    warehouse.day(dt.date(2021, 2, 1))  # new
    warehouse.put(
        "dim_track", 2, "id2", "God’s Plan (Remix)", "Drake, Maluma", "https://x.test", 20201231, 20210201
    )
    warehouse.put("bridge_track_artist", 2, -1 - 2**62, 2)
    warehouse.put("dim_region", 12, "Atlantis", "at")  # was null
    warehouse.put("dim_track", 3, None, "日本語の曲", "Ångström", None, 20201231, 20210102)  # becomes null
    warehouse.write()
    redshift.load()
    assert redshift.content == warehouse.content


def test_what_the_warehouse_no_longer_has_is_deleted(redshift, warehouse):
    redshift.load()
    warehouse.drop("bridge_track_artist", -1, -1 - 2**62)
    warehouse.drop("dim_artist", -1 - 2**62)
    warehouse.drop("fact_chart_entry", 20210102, 12, 21, 3)
    warehouse.write()
    redshift.load()
    assert redshift.content == warehouse.content


def test_a_key_that_comes_twice_stops_the_load(redshift, warehouse):
    redshift.load()
    before = redshift.content
    warehouse.day(dt.date(2021, 2, 1))
    warehouse.write()
    for name, table in TABLES.items():
        twice = warehouse.folder / f"datawarehouse/{name}/twice.parquet"
        Warehouse.write_part(twice, table, [warehouse.content[name][-1]])
        with pytest.raises(OpsError, match=f'every_key_once.*"{name}" of relation'):
            redshift.database.run(star_schema.loading(BUCKET), "loading the tables")
        twice.unlink()
    assert redshift.content == before


def test_a_table_that_is_missing_in_the_warehouse_stops_the_load(redshift, warehouse):
    redshift.load()
    before = redshift.content
    shutil.rmtree(warehouse.folder / "datawarehouse" / "dim_region")
    with pytest.raises(
        OpsError, match=r'failed at COPY "staged_dim_region" .*not exist.*Nothing was changed'
    ):
        redshift.load()
    assert redshift.content == before


def test_a_table_with_other_columns_is_named(redshift):
    redshift.load()
    redshift.ask("ALTER TABLE charts.dim_region ADD COLUMN capital varchar(10)")
    with pytest.raises(OpsError, match=r"charts\.dim_region .* capital character varying.* DROP TABLE"):
        redshift.load()


def test_tables_and_columns_are_described(redshift):
    redshift.load()
    described = redshift.ask(
        "SELECT c.relname, a.attname FROM pg_description d JOIN pg_class c ON c.oid = d.objoid"
        " LEFT JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = d.objsubid AND d.objsubid > 0"
        " WHERE c.relnamespace = 'charts'::regnamespace"
    )
    wanted = [[name, column] for name, table in TABLES.items() for column in ("", *table.column_names)]
    assert sorted(described) == sorted(wanted)


def test_one_load_is_one_transaction(redshift):
    redshift.load()
    *_, last = redshift.api.calls
    assert len(last) <= STATEMENTS_A_CALL
    assert sum(statement.startswith("MERGE ") for statement in last) == len(TABLES)
    assert all(
        not re.match("COPY|MERGE|DELETE|INSERT", statement)
        for call in redshift.api.calls[:-1]
        for statement in call
    )


def test_the_command_says_how_many_rows_there_are(redshift, warehouse, monkeypatch):
    monkeypatch.setattr("cli.commands.redshift.SECONDS_BETWEEN_LOOKS", 0)
    person = Person()
    outputs = {"RedshiftWorkgroupName": "spotify-lake", "LakeBucketName": BUCKET}
    run(Lake(False, "spotify-lake", "1" * 12, "us-east-1", outputs, {}, redshift.api.client), person)
    assert f"charts.fact_chart_entry: {len(warehouse.rows['fact_chart_entry'])} rows" in person.saw
