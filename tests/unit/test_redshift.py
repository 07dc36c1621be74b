"""What Redshift has beyond PostgreSQL, and what becomes of statements that fail; the rest is in tests/integration."""

from typing import Any

import pytest

from cli import star_schema
from cli.commands.redshift import STATEMENTS_A_CALL, Database, run
from cli.stack import Lake, OpsError
from spotify_lake.schema.warehouse import CHARTS
from tests.support.operated import Person
from tests.support.template import ROOT, load

MADE = {
    table.name: made for table, made in zip(star_schema.TABLES, star_schema.definitions()[1:], strict=True)
}


class DataApi:
    """Answers with one state after the other."""

    def __init__(self, *states: dict[str, Any]) -> None:
        self._states = list(states)
        self.asked: list[dict[str, Any]] = []

    def batch_execute_statement(self, **request: Any) -> dict[str, str]:
        self.asked.append(request)
        return {"Id": "1"}

    def describe_statement(self, *, Id: str) -> dict[str, Any]:
        return self._states.pop(0)


def database(api: DataApi, waits: list[float] | None = None) -> Database:
    wait = ([] if waits is None else waits).append
    return Database(api, workgroup="w", database="d", secret_arn="arn:secret", wait=wait)


def test_every_table_of_the_star_schema_is_made_and_parents_first():
    assert sorted(MADE) == sorted(one.table.name for one in CHARTS)
    made: set[str] = set()
    for table in star_schema.TABLES:
        assert set(star_schema.references(table).values()) <= made, table.name
        made.add(table.name)


def test_references_follow_from_the_keys():
    found = {table.name: set(star_schema.references(table).values()) for table in star_schema.TABLES}
    assert found["fact_chart_entry"] == {"dim_date", "dim_region", "dim_chart", "dim_track"}
    assert found["bridge_track_artist"] == {"dim_track", "dim_artist"}
    assert not found["dim_track"]


@pytest.mark.parametrize("table", ["fact_chart_entry", "dim_track", "bridge_track_artist"])
def test_what_is_joined_by_track_lies_together(table):
    assert ' DISTKEY ("track_key") COMPOUND SORTKEY (' in MADE[table]


@pytest.mark.parametrize("table", ["dim_artist", "dim_region", "dim_chart", "dim_date"])
def test_what_is_small_lies_everywhere(table):
    assert " DISTSTYLE ALL COMPOUND SORTKEY (" in MADE[table]


def test_texts_are_measured_in_bytes():
    assert '"title" VARCHAR(65535)' in MADE["dim_track"]
    assert '"track_id" VARCHAR(256)' in MADE["dim_track"]


def test_a_load_fits_into_one_call_and_copies_entries_before_what_they_refer_to():
    statements = star_schema.loading("lake")
    copies = [statement.split('"')[1] for statement in statements if statement.startswith("COPY ")]
    assert len(statements) <= STATEMENTS_A_CALL
    assert copies == [f"staged_{table.name}" for table in reversed(star_schema.TABLES)]


def test_it_waits_until_the_statements_are_over():
    waits: list[float] = []
    over = {"Status": "FINISHED", "SubStatements": [{"Id": "1:1", "HasResultSet": False}]}
    api = DataApi({"Status": "PICKED"}, {"Status": "STARTED"}, over)
    assert database(api, waits).run(["SELECT"], "trying") == []
    assert len(waits) == 2
    assert api.asked == [
        {"Sqls": ["SELECT"], "WorkgroupName": "w", "Database": "d", "SecretArn": "arn:secret"}
    ]


@pytest.mark.parametrize(
    "state, sentence",
    [
        (
            {
                "Status": "FAILED",
                "Error": "Query #2 failed",
                "SubStatements": [
                    {"Id": "1:1", "Status": "FINISHED"},
                    {"Id": "1:2", "Status": "FAILED", "Error": "ERROR: no such\n  thing."},
                ],
            },
            "Redshift: trying failed at COPY b: ERROR: no such thing. Nothing was changed by it.",
        ),
        (
            {"Status": "FAILED", "Error": "no such database"},
            "Redshift: trying failed: no such database. Nothing",
        ),
        ({"Status": "ABORTED"}, "Redshift: trying was stopped: no reason given. Nothing"),
    ],
)
def test_a_failure_is_a_sentence(state, sentence):
    with pytest.raises(OpsError) as caught:
        database(DataApi(state)).run(["CREATE a (x)", "COPY b"], "trying")
    assert str(caught.value).startswith(sentence)


def test_a_lake_without_redshift_says_how_to_get_one():
    lake = Lake(
        "laptop", "spotify-lake", "0" * 12, "us-east-1", {"LakeBucketName": "x"}, {}, lambda _service: None
    )
    with pytest.raises(OpsError, match="RedshiftBaseCapacity above 0"):
        run(lake, Person())


def test_the_stack_is_off_by_default_and_reads_the_warehouse_only():
    template = load()
    assert template["Parameters"]["RedshiftBaseCapacity"]["Default"] == 0
    assert template["Resources"]["RedshiftStack"]["Condition"] == "HasRedshift"
    [policy] = load(ROOT / "stacks" / "redshift.yaml")["Resources"]["Role"]["Properties"]["Policies"]
    objects, listing, *_ = policy["PolicyDocument"]["Statement"]
    assert objects["Resource"]["Sub"].endswith(":::${LakeBucketName}/datawarehouse/*")
    assert listing["Condition"] == {"StringLike": {"s3:prefix": "datawarehouse/*"}}
