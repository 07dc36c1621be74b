"""The laptop stack without its servers: ports, state, fingerprints, SQL, and what people get to read."""

import datetime as dt
import itertools
import json
import os
import queue
import shlex
import shutil
import tempfile
import threading
import time
import zipfile
from decimal import Decimal
from pathlib import Path

import pytest
from botocore.exceptions import ClientError
from rich.console import Console

from local import backlog, demo, deploy, display, emulator, process, stack
from local.errors import LaptopError
from local.fingerprint import fingerprint
from local.front import unpacked, workers
from local.spark import JAVA_OPTIONS, spark_environment
from local.sql_dialect import to_duckdb
from local.state import State
from queries.display import show_result
from spotify_lake.athena import Athena, Column, QueryResult, explain
from spotify_lake.errors import QueryFailed
from spotify_lake.schema.playlists import TABLES
from spotify_lake.schema.types import PARTITION
from tests.support import template

ROOT = Path(__file__).parents[2]
SCHEMA = {
    table.name: {column.name: str(column.type) for column in (*table.columns, PARTITION)} for table in TABLES
}


# --- processes and ports ---


def test_the_preferred_port_is_taken_when_it_is_free(monkeypatch):
    monkeypatch.setattr(process, "port_is_free", lambda port: True)
    assert process.find_port(4566) == 4566


def test_ports_that_are_taken_are_passed_over(monkeypatch):
    monkeypatch.setattr(process, "port_is_free", lambda port: port >= 4569)
    assert process.find_port(4566) == 4569


def test_no_free_port_is_said_in_a_sentence(monkeypatch):
    monkeypatch.setattr(process, "port_is_free", lambda port: False)
    with pytest.raises(LaptopError, match="No free port between 65500 and 65535"):
        process.find_port(65500)


def test_spark_gets_all_options_of_java_as_one_setting():
    words = shlex.split(spark_environment({})["PYSPARK_SUBMIT_ARGS"])
    assert f"spark.driver.extraJavaOptions={' '.join(JAVA_OPTIONS)}" in words
    assert words[-1] == "pyspark-shell"
    assert len(words[:-1]) % 2 == 0  # each setting follows its flag


@pytest.fixture
def sleeper(tmp_path):
    background = process.BackgroundProcess("sleeper", tmp_path)
    yield background
    background.stop()


def start(background, seconds="60"):
    background.start(["sleep", seconds], {"PATH": os.environ["PATH"]}, background.directory)


def test_a_process_is_found_by_another_command_and_ended(sleeper, tmp_path):
    assert sleeper.pid() is None
    start(sleeper)
    found = process.BackgroundProcess("sleeper", tmp_path)
    pid = found.pid()
    assert pid is not None
    os.kill(pid, 0)  # raises when there is no such process
    assert found.stop() is True
    assert sleeper.pid() is None
    assert found.stop() is False


def test_a_process_is_not_started_twice(sleeper, monkeypatch):
    monkeypatch.setattr(process, "PROBE_PATIENCE_S", 0.1)
    start(sleeper)
    with pytest.raises(LaptopError, match="sleeper is already running"):
        start(process.BackgroundProcess("sleeper", sleeper.directory))


def test_the_pid_of_a_dead_process_is_not_believed(sleeper):
    start(sleeper, seconds="0")
    deadline = time.monotonic() + 5
    while sleeper.pid() is not None and time.monotonic() < deadline:
        time.sleep(0.02)
    (sleeper.directory / "sleeper.pid").write_text(str(os.getpid()))
    assert sleeper.pid() is None
    assert sleeper.stop() is False


def test_children_end_with_their_process(sleeper):
    # The child's life is seen in a file that grows.
    script = "(while :; do printf x; sleep 0.02; done) & sleep 60"
    sleeper.start(["/bin/sh", "-c", script], {"PATH": os.environ["PATH"]}, sleeper.directory)
    deadline = time.monotonic() + 5
    while not sleeper.log_tail() and time.monotonic() < deadline:
        time.sleep(0.02)
    assert sleeper.stop() is True
    written = sleeper.log_tail()
    assert written
    time.sleep(0.2)
    assert sleeper.log_tail() == written


def test_a_lock_that_another_holds_refuses_with_the_given_sentence(tmp_path):
    lock = tmp_path / "below" / "lock"
    again = process.exclusive(lock, "Wait.")
    with process.exclusive(lock, "Wait."), pytest.raises(LaptopError, match=r"^Wait\.$"), again:
        pytest.fail("the lock was taken twice")
    with process.exclusive(lock, "Wait."):
        pass


def test_a_lock_is_shared_by_those_who_only_read(tmp_path):
    lock = tmp_path / "lock"
    held, alone = process.shared(lock, "Wait."), process.exclusive(lock, "Wait.")
    with held, process.shared(lock, "Wait."), pytest.raises(LaptopError, match=r"^Wait\.$"), alone:
        pytest.fail("the lock was taken by one alone")
    held, more = process.exclusive(lock, "Wait."), process.shared(lock, "Wait.")
    with held, pytest.raises(LaptopError, match=r"^Wait\.$"), more:
        pytest.fail("the lock was shared with one who holds it alone")


# --- layers ---


@pytest.fixture
def layer(tmp_path):
    folder = tmp_path / "layer"
    for name, text in (("python/b.py", "2"), ("python/a.py", "1"), ("bin/run", "#!/bin/sh")):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        path.chmod(0o755 if text.startswith("#!") else 0o644)
    return folder


def test_equal_layers_give_equal_archives(layer, tmp_path):
    first, again = tmp_path / "first.zip", tmp_path / "again.zip"
    deploy.pack(layer, first)
    os.utime(layer / "python" / "a.py", (0, 0))
    deploy.pack(layer, again)
    assert first.read_bytes() == again.read_bytes()
    with zipfile.ZipFile(first) as packed:
        modes = {info.filename: info.external_attr >> 16 & 0o777 for info in packed.infolist()}
        assert packed.read("python/b.py") == b"2"
    assert modes == {"bin/run": 0o755, "python/a.py": 0o644, "python/b.py": 0o644}


def test_processes_share_what_equal_archives_hold(layer, tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "tmp"))
    (tmp_path / "tmp").mkdir()

    def unpack(name):
        deploy.pack(layer, tmp_path / f"{name}.zip")
        target = tmp_path / name
        target.mkdir()
        with unpacked.ZIPFILE.ZipFile(tmp_path / f"{name}.zip") as archive:
            assert sorted(archive.namelist()) == ["bin", "python"]
            archive.extractall(target)
        return target / "python" / "a.py"

    first, second = unpack("one"), unpack("two")
    assert first.read_text() == "1"
    assert first.samefile(second)
    (layer / "python" / "a.py").write_text("3")
    assert unpack("changed").read_text() == "3"
    assert first.read_text() == "1"
    shutil.rmtree(first.parents[1])
    assert second.read_text() == "1"


def test_a_process_at_work_is_ended_afterwards():
    class Worker:
        def __init__(self):
            self._lock = threading.Lock()

    idle, busy, ended = Worker(), Worker(), queue.Queue()

    def kill(found):
        for worker in found:
            ended.put(worker)

    with busy._lock:
        workers.after_their_work(kill)([busy, None, idle])
        assert ended.get(timeout=10) is idle
        assert ended.empty()
    assert ended.get(timeout=10) is busy


# --- state and fingerprints ---


def test_state_survives_and_damage_means_none(tmp_path):
    path = tmp_path / "deep" / "state.json"
    assert State.load(path) == State()
    state = State(emulator_port=4566, emulator_id="x", deployed="y")
    state.save(path)
    assert State.load(path) == state
    for damage in ("{", "[]", '{"unknown": 1}', ""):
        path.write_text(damage)
        assert State.load(path) == State()


def test_a_fingerprint_follows_content_names_and_extra_text(tmp_path):
    source = tmp_path / "functions" / "app.py"
    source.parent.mkdir()
    source.write_text("1")
    (tmp_path / "template.yaml").write_text("2")
    names = ["functions", "template.yaml", "absent"]
    first = fingerprint(tmp_path, names)
    (source.parent / "__pycache__").mkdir()
    (source.parent / "__pycache__" / "app.pyc").write_text("compiled")
    (source.parent / ".hidden").write_text("x")
    assert fingerprint(tmp_path, names) == first
    changed = {
        fingerprint(tmp_path, names, "extra"),
        fingerprint(tmp_path, names, "ex", "tra"),
        first,
    }
    source.write_text("3")
    changed.add(fingerprint(tmp_path, names))
    source.rename(source.with_name("main.py"))
    changed.add(fingerprint(tmp_path, names))
    assert len(changed) == 5


def test_the_repository_says_where_the_laptop_build_goes():
    settings = deploy.SamSettings.read(ROOT / "samconfig.toml")
    assert settings.stack_name == "spotify-lake"
    assert settings.build_dir != settings.cache_dir
    assert settings.build_dir != ROOT / ".aws-sam" / "build", "that one is for AWS"


def test_samconfig_without_the_local_environment_is_explained(tmp_path):
    path = tmp_path / "samconfig.toml"
    path.write_text("version = 0.1\n")
    with pytest.raises(LaptopError, match="lacks 'stack_name' for the environment 'local'"):
        deploy.SamSettings.read(path)


def test_programs_see_no_aws_settings_and_no_proxies():
    environ = {
        "PATH": "/bin",
        "HOME": "/home/me",
        "AWS_PROFILE": "work",
        "HTTPS_PROXY": "http://proxy",
        "X": "1",
    }
    clean = emulator.clean_environment(environ)
    assert clean["PATH"] == "/bin"
    assert clean["AWS_CONFIG_FILE"] == os.devnull
    assert not {"AWS_PROFILE", "HTTPS_PROXY", "X"} & clean.keys()


def test_this_program_leaves_aws_settings_and_reaches_this_machine_directly():
    environ = {
        "AWS_PROFILE": "work",
        "AWS_ENDPOINT_URL_S3": "https://x",
        "no_proxy": "corp",
        "HOME": "/home/me",
    }
    emulator.leave_aws(environ)
    assert {name for name in environ if name.startswith("AWS_")} == set(emulator.NO_AWS_SETTINGS)
    assert environ["no_proxy"] == "corp,127.0.0.1,localhost"
    assert environ["HOME"] == "/home/me"


def test_the_telling_lines_of_a_failed_tool_are_picked():
    output = "Building\n\nError: no such file\nstill here\nCREATE_FAILED Role\nError: no such file\n"
    assert deploy.telling_lines(output) == ["Error: no such file", "CREATE_FAILED Role"]
    assert deploy.telling_lines("one\ntwo\n", limit=1) == ["two"]


class Progressing(stack.LaptopStack):
    """A stack whose backlog is a script, and whose function logged lines, by seconds after now."""

    def __init__(self, *backlogs, logged=()):
        super().__init__(ROOT, ROOT / "nowhere")
        self.logged = logged
        self.script = list(backlogs)

    def log_events(self, function, limit=200):
        assert function == "transform"
        return [(dt.datetime.now(dt.UTC) + dt.timedelta(seconds=at), line) for at, line in self.logged]

    def backlog(self):
        return self.script.pop(0) if len(self.script) > 1 else self.script[0]


@pytest.fixture
def clock(monkeypatch):
    now = [0.0]
    monkeypatch.setattr(backlog.time, "monotonic", lambda: now[0])
    monkeypatch.setattr(backlog.time, "sleep", lambda seconds: now.__setitem__(0, now[0] + seconds))
    return now


def test_waiting_ends_when_everything_is_done(clock):
    backlogs = [
        backlog.Backlog(2, 0, 2),
        backlog.Backlog(2, 1, 0),
        backlog.Backlog(2, 2, 1),
        backlog.Backlog(2, 2, 0),
    ]
    seen = []
    assert Progressing(*backlogs).wait_until_idle(progress=seen.append).is_clear
    assert seen == backlogs


def test_waiting_ends_when_the_queue_is_empty_without_a_result(clock):
    assert not Progressing(backlog.Backlog(2, 1, 0)).wait_until_idle().is_clear
    assert clock[0] < 5


def test_waiting_for_a_stuck_transform_is_explained(clock):
    with pytest.raises(
        LaptopError,
        match=r"1 of 2 snapshots are waiting .*, which has finished none for 90 s",
    ):
        Progressing(backlog.Backlog(2, 1, 1)).wait_until_idle()


DENIED = {
    "level": "ERROR",
    "message": "s3://raw/x failed",
    "exception": "Traceback\nClientError: AccessDenied: PutObject.",
}


def test_a_missing_permission_is_told_at_once(clock):
    stuck = Progressing(backlog.Backlog(2, 1, 1), logged=[(1, "INIT"), (1, json.dumps(DENIED)), (2, "END")])
    with pytest.raises(
        LaptopError, match=r"error it logged: s3://raw/x failed: ClientError: AccessDenied: PutObject\. `"
    ):
        stuck.wait_until_idle()
    assert clock[0] < 10


def test_a_full_disk_ends_the_wait_at_once(clock, monkeypatch):
    monkeypatch.setattr(stack.trouble, "free_mb", lambda _path: 3)
    with pytest.raises(LaptopError, match=r"^The disk is full: 3 MB are free for "):
        Progressing(backlog.Backlog(210, 0, 210)).wait_until_idle()
    assert clock[0] < 10


def test_errors_that_may_pass_are_waited_for_and_told_in_the_end(clock):
    logged = [(-60, json.dumps(DENIED)), (1, json.dumps({"level": "ERROR", "message": "S3 is slow."}))]
    with pytest.raises(
        LaptopError, match=r"finished none for 90 s\. The last error it logged: S3 is slow\. `"
    ):
        Progressing(backlog.Backlog(2, 1, 1), logged=logged).wait_until_idle()
    assert clock[0] > 90


# --- Athena ---


class FakeAthena:
    """The Athena API with one prepared answer."""

    class exceptions:
        ClientError = ClientError

    def __init__(self, states=("QUEUED", "SUCCEEDED"), pages=(), reason=""):
        self.states, self.pages, self.reason = list(states), pages, reason
        self.queries = []
        self.stopped = False

    def start_query_execution(self, **request):
        self.queries.append(request)
        return {"QueryExecutionId": "id-1"}

    def get_query_execution(self, **_request):
        state = self.states.pop(0) if len(self.states) > 1 else self.states[0]
        status = {"State": state, "StateChangeReason": self.reason}
        return {"QueryExecution": {"Status": status, "Statistics": {"DataScannedInBytes": 7}}}

    def stop_query_execution(self, **_request):
        self.stopped = True

    def get_paginator(self, _name):
        return self

    def paginate(self, **_request):
        return self.pages


def page(columns, *rows):
    return {
        "ResultSet": {
            "ResultSetMetadata": {"ColumnInfo": [{"Name": name, "Type": kind} for name, kind in columns]},
            "Rows": [{"Data": [{} if v is None else {"VarCharValue": v} for v in row]} for row in rows],
        }
    }


def ask(client, sql="SELECT 1", **arguments):
    return Athena(client, "spotify-lake", "spotify_lake").run(sql, **arguments)


def test_an_answer_comes_with_types_over_all_pages():
    columns = [
        ("name", "varchar"),
        ("n", "bigint"),
        ("share", "double"),
        ("exact", "decimal"),
        ("ok", "boolean"),
        ("day", "date"),
        ("at", "timestamp"),
    ]
    header = [name for name, _ in columns]
    first = page(columns, header, ["a", "1", "0.5", "1.10", "true", "2026-09-01", "2026-09-01 06:00:00.000"])
    second = page(columns, ["b", None, None, None, "false", None, "2026-09-01 06:00:00 UTC"])
    client = FakeAthena(pages=[first, second])
    result = ask(client)
    six = dt.datetime(2026, 9, 1, 6, tzinfo=dt.UTC)
    assert result.rows == (
        ("a", 1, 0.5, Decimal("1.10"), True, dt.date(2026, 9, 1), six),
        ("b", None, None, None, False, None, six),
    )
    assert result.records()[1]["name"] == "b"
    assert result.scanned_bytes == 7
    assert client.queries[0]["WorkGroup"] == "spotify-lake"
    assert client.queries[0]["QueryExecutionContext"] == {"Database": "spotify_lake"}


def test_a_failed_query_says_why():
    reason = 'Binder Error: Referenced column "x" not found!\n\nLINE 1: SELECT x FROM read_parquet([...])'
    with pytest.raises(QueryFailed, match=r'^The query failed: Referenced column "x" not found!$'):
        ask(FakeAthena(states=["FAILED"], reason=reason))


def test_a_refused_query_says_why():
    class Refusing(FakeAthena):
        def start_query_execution(self, **_request):
            raise ClientError(
                {"Error": {"Code": "InvalidRequestException", "Message": "no output location"}}, "x"
            )

    with pytest.raises(QueryFailed, match="Athena refused it: no output location"):
        ask(Refusing())


def test_a_query_that_takes_too_long_is_cancelled():
    client = FakeAthena(states=["RUNNING"])
    with pytest.raises(QueryFailed, match="took too long"):
        ask(client, timeout_s=0)
    assert client.stopped


@pytest.mark.parametrize(
    "sql, sentence",
    [
        ("", "one statement at a time"),
        ("SELECT 1; SELECT 2", "one statement at a time"),
        ("SELECT (1", "not valid Athena SQL"),
        ("DELETE FROM songs", "runs queries only"),
        ("DROP TABLE songs", "runs queries only"),
        (
            "SELECT * FROM sings",
            "There is no table sings. Did you mean songs\\? The tables are albums, artists,",
        ),
    ],
)
def test_what_is_no_query_is_explained(sql, sentence):
    with pytest.raises(LaptopError, match=sentence):
        to_duckdb(sql, SCHEMA)


@pytest.mark.parametrize(
    "source",
    [
        "read_csv('/etc/passwd')",
        "read_parquet('/x')",
        "read_text('/etc/passwd')",
        "read_blob('/etc/passwd') as t",
        "read_json_auto('/x')",
        "sniff_csv('/x')",
        "x.read_csv('/x')",
        "query('select 1')",
        "duckdb_secrets()",
        "table(read_text('/x'))",
        "songs, read_text('/x')",
        "songs natural join read_csv('/x')",
        "songs cross join lateral read_text(songs.track_id)",
        "(select * from read_text('/x'))",
        "songs where exists (select 1 from read_text('/x'))",
        "json_table('x', '$' columns(a int path 'b'))",
    ],
)
def test_a_query_reads_from_nothing_but_tables(source):
    with pytest.raises(LaptopError, match=r"cannot read from .*: a query reads tables, views, subqueries"):
        to_duckdb(f"select * from {source}", SCHEMA)  # noqa: S608
    with pytest.raises(LaptopError, match=r"cannot read from"):
        to_duckdb(f"with a as (select * from {source}) select * from a union all select 1", SCHEMA)  # noqa: S608


@pytest.mark.parametrize("name", ["'/etc/passwd'", '"/etc/passwd"', "'songs.csv'"])
def test_a_file_is_no_table(name):
    with pytest.raises(LaptopError, match="There is no table"):
        to_duckdb(f"select * from {name}", SCHEMA)  # noqa: S608
    # The name is known, but not where it is used, so DuckDB would look for a file.
    elsewhere = f"select (with {name} as (select 1 as a) select a from {name}), content from {name}"  # noqa: S608
    with pytest.raises(LaptopError, match="may have letters, digits, spaces"):
        to_duckdb(elsewhere, SCHEMA)


@pytest.mark.parametrize(
    "sql",
    [
        *("COPY songs TO '/tmp/x'", "COPY (SELECT 1) TO '/tmp/x'", "ATTACH '/tmp/x' AS y", "INSTALL httpfs"),
        *(
            "LOAD httpfs",
            "PRAGMA version",
            "SET threads = 1",
            "CALL pragma_version()",
            "USE x",
            "SUMMARIZE songs",
        ),
        *("EXPORT DATABASE '/tmp/x'", "IMPORT DATABASE '/tmp/x'", "EXPLAIN SELECT 1", "DESCRIBE songs"),
        *("INSERT INTO songs SELECT 1", "SELECT * INTO x FROM songs", "VALUES (1)", "VACUUM", "CHECKPOINT"),
        "CREATE MACRO f() AS TABLE SELECT 1",
        "UNLOAD (SELECT 1) TO 's3://b/x/' WITH (format = 'PARQUET')",
    ],
)
def test_what_only_duckdb_runs_is_refused(sql):
    with pytest.raises(LaptopError, match=r"runs queries only|not valid Athena SQL"):
        to_duckdb(sql, SCHEMA)


@pytest.mark.parametrize(
    "sql",
    [
        "CREATE TABLE x AS SELECT * FROM read_text('/etc/passwd')",
        "CREATE TABLE x AS SELECT * FROM songs",
        "CREATE EXTERNAL TABLE x AS SELECT 1",
        "CREATE TABLE x (a int)",
        "CREATE VIEW x AS SELECT 1",
        "CREATE EXTERNAL TABLE x (a string) LOCATION '/etc/'",
        "CREATE EXTERNAL TABLE x (a string)",
        "CREATE SCHEMA x LOCATION 's3://b/'",
    ],
)
def test_only_external_tables_are_created(sql):
    with pytest.raises(LaptopError, match="creates external tables only"):
        to_duckdb(sql, SCHEMA)


def test_creating_an_external_table_is_left_to_the_emulator():
    sql = "CREATE EXTERNAL TABLE x (a string) STORED AS PARQUET LOCATION 's3://b/x/'"
    assert to_duckdb(sql, SCHEMA) == sql


@pytest.mark.parametrize(
    "sql",
    [
        "select * from (values (1)) as t (a)",
        "select * from unnest(array[1, 2]) as t (a)",
        "select * from songs cross join unnest(artist_ids) as t (a)",
        "select * from lateral (select 1 as a) as t",
        'with "the-top 10" as (select 1 as a) select * from "the-top 10"',
        "select * from (songs join albums on true)",
    ],
)
def test_what_athena_reads_from_is_allowed(sql):
    assert to_duckdb(sql, SCHEMA)


def test_an_error_keeps_its_sentence_only():
    assert explain("\x1b[4mParser Error: odd\x1b[0m\nthing\n\nLINE 1: x") == "odd thing"


# --- what people read ---

DAY_1, DAY_2 = dt.date(2026, 9, 1), dt.date(2026, 9, 2)


def test_a_sparkline_shows_the_best_position_highest():
    assert display.sparkline([3, None, 1], low_is_high=True) == "▁ █"
    assert display.sparkline([1, 2, 3]) == "▁▅█"
    assert display.sparkline([5, 5]) == "▅▅"
    assert display.sparkline([None]) == " "


def test_bars_show_shares_and_whatever_is_there():
    assert display.bar(10, 10, 5) == "█████"
    assert display.bar(1, 1000, 5) == "█"
    assert display.bar(0, 10, 5) == ""
    assert display.bar(0, 0, 5) == ""


def printed(show, *arguments, width=100):
    console = Console(width=width, record=True, file=open(os.devnull, "w"))  # noqa: SIM115, PTH123
    with console.file:
        show(console, *arguments)
    return console.export_text()


RESULT = QueryResult(
    (Column("name", "varchar"), Column("n", "bigint")), (("a [b]", 1), (None, 2)), "id-1", 0.1, 0
)


def test_results_are_tables_and_null_is_not_empty():
    text = printed(show_result, RESULT)
    assert "a [b]" in text
    assert "null" in text


def test_wide_results_are_shown_value_by_value():
    text = printed(show_result, RESULT, width=12)
    assert "── row 1 ──" in text
    assert "name  a [b]" in text


def test_columns_stand_side_by_side_as_long_as_their_headings_fit():
    columns = tuple(Column(f"a_long_heading_{number}", "varchar") for number in range(4))
    result = QueryResult(columns, (("x" * 50,) * 4,), "id", 0.0, 0)
    table = printed(show_result, result, width=80)
    assert [f"a_long_heading_{number}" in table for number in range(4)] == [True] * 4
    assert "row 1" not in table
    assert "row 1" in printed(show_result, result, width=70)


def test_an_error_keeps_its_log_and_its_lines(tmp_path):
    error = LaptopError("It broke [x].", log=tmp_path / "a.log", excerpt=["Error: [1]"])
    assert str(error) == "It broke [x]."
    assert error.__notes__ == ["Error: [1]", f"Log: {tmp_path / 'a.log'}"]


NOON = dt.datetime(2026, 9, 1, 12, tzinfo=dt.UTC)


def test_the_demo_takes_thirty_days_up_to_its_last_one():
    moments = demo.moments(dt.date(2026, 9, 30))
    assert len(moments) == 30
    assert (moments[0].date(), moments[-1].date()) == (dt.date(2026, 9, 1), dt.date(2026, 9, 30))
    assert {later - earlier for earlier, later in itertools.pairwise(moments)} == {dt.timedelta(days=1)}


def test_the_demo_of_yesterday_is_fresh_all_day_long():
    newest = demo.moments(DAY_1)[-1]
    end_of_the_next_day = dt.datetime.combine(DAY_2, dt.time.max, dt.UTC)
    stale_after = dt.timedelta(hours=template.load()["Parameters"]["StaleAfterHours"]["Default"])
    assert dt.timedelta(0) < end_of_the_next_day - newest < stale_after


def test_the_demo_ends_on_a_day_that_is_over():
    today = dt.datetime.now(dt.UTC).date()
    with pytest.raises(LaptopError, match="or earlier, not"):
        demo.run(None, Console(), None, None, today)


def test_the_songs_journey_is_drawn():
    columns = (
        Column("day", "date"),
        Column("playlist", "varchar"),
        Column("song", "varchar"),
        Column("artists", "varchar"),
        Column("position", "integer"),
    )
    rows = (
        (DAY_1, "Mix", "Blue", "Ann", 9),
        (DAY_2, "Mix", None, None, None),
        (DAY_2, "Mix", "Blue", "Ann", 1),
    )
    text = printed(Console.print, demo._journey(QueryResult(columns, rows, "id", 0.1, 0)))
    assert "Blue by Ann, in “Mix”" in text
    assert "#9 ▁ █ #1" in text
    assert "Best: #1 on 2026-09-02. In the list on 2 of 3 days." in text
    assert "No song has changed its position" in printed(
        Console.print, demo._journey(QueryResult(columns, (), "id", 0.1, 0))
    )


def test_the_artists_heard_most_are_the_first_few_with_bars_for_their_hours():
    names = ("artist", "hours", "plays", "rank_by_time", "songs")
    columns = tuple(Column(name, "varchar" if name == "artist" else "double") for name in names)
    rows = tuple((f"Artist {number}", 40.0 / number, 9, number, 3) for number in range(1, 8))
    text = printed(Console.print, demo._artists(QueryResult(columns, rows, "id", 0.1, 0)))
    assert "Artist 1   40 ████████████████" in text
    assert "Artist 2   20 ████████ " in text
    assert "Artist 5" in text
    assert "Artist 6" not in text
    assert "rank_by_time" not in text


def test_playlists_that_were_not_extracted_stop_the_demo():
    failed = [{"playlist_id": "p", "message": "It is gone."}]
    with pytest.raises(LaptopError, match="1 playlists were not extracted for 2026-09-01") as error:
        demo._refuse_failures({"failed": failed}, NOON)
    assert error.value.excerpt == ("p: It is gone.",)


@pytest.mark.parametrize(
    "location, done",
    [
        ("s3://lake/curated/b/", 0),
        ("s3://elsewhere/b/", 1),
        ("s3://lake/other/b/", 1),
        ("s3://lake/curated/plays/", 1),
        ("s3://lake/curated/library/", 1),
    ],
)
def test_only_tables_that_the_transform_fills_count_for_the_backlog(location, done, monkeypatch, tmp_path):
    playlist = "6rqhFgbbKwnb9MLmUQDhG6"
    keys = {
        "raw/": [f"raw/playlist_id={playlist}/20261120T060000Z.json.gz"],
        "curated/": [f"curated/a/snapshot_date=2026-11-20/{playlist}-20261120T060000Z.parquet"],
    }
    lake = stack.LaptopStack(ROOT, tmp_path)
    lake._outputs = {"RawBucketName": "raw", "LakeBucketName": "lake"}
    monkeypatch.setattr(backlog, "keys_below", lambda _s3, _bucket, prefix: keys[prefix])
    monkeypatch.setattr(lake, "client", lambda _service: None)
    monkeypatch.setattr(lake, "queue_length", lambda _output: 0)
    tables = [{"StorageDescriptor": {"Location": path}} for path in ("s3://lake/curated/a/", location)]
    monkeypatch.setattr(lake, "tables", lambda: tables)
    assert lake.backlog() == backlog.Backlog(raw=1, done=done, queued=0)
