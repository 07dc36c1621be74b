"""A lake in a region without Glue 6.0: the parameter is changed on the deployed stack, and put back."""

import datetime as dt
from collections.abc import Iterator

import pytest

from cli.commands import bulk, status
from cli.stack import OpsError
from local.spotify_stub import PLAYLISTS
from local.stack import LaptopStack
from tests.e2e.test_own_key import update
from tests.support.operated import Person, as_lake

PLAYLIST_ID = PLAYLISTS["Morning Ten"]
SCHEDULED_AT = dt.datetime(2026, 10, 14, 6, tzinfo=dt.UTC)

pytestmark = pytest.mark.long


@pytest.fixture(scope="module")
def without_bulk(stack: LaptopStack) -> Iterator[LaptopStack]:
    update(stack, BulkJobs="false")
    try:
        yield stack
    finally:
        update(stack, BulkJobs="true")
        assert jobs(stack) == {
            f"spotify-lake-{job}" for job in ("charts", "kaggle2023", "forecast", "popularity")
        }


def jobs(stack: LaptopStack) -> set[str]:
    return {job["Name"] for job in stack.client("glue").get_jobs()["Jobs"]}


def functions(stack: LaptopStack) -> set[str]:
    return {one["FunctionName"] for one in stack.client("lambda").list_functions()["Functions"]}


def test_playlists_are_collected_without_any_job(without_bulk: LaptopStack) -> None:
    assert jobs(without_bulk) == set()
    assert functions(without_bulk) == {f"spotify-lake-{name}" for name in ("extract", "transform", "report")}
    assert without_bulk.invoke_extract(SCHEDULED_AT, [PLAYLIST_ID])["written"] == [PLAYLIST_ID]
    assert without_bulk.wait_until_idle().is_clear
    assert without_bulk.athena("select count(*) from playlist_entries").rows == ((10,),)


def test_the_commands_say_that_jobs_were_left_out(without_bulk: LaptopStack) -> None:
    lake = as_lake(without_bulk)
    lines = {line.name: line.text for line in status.gather(lake, dt.datetime.now(dt.UTC)).lines}
    assert lines["Bulk jobs"] == "left out (BulkJobs is false)"
    with pytest.raises(OpsError, match="BulkJobs=true"):
        bulk.run(lake, Person(), "charts", ["charts.csv"], "b")
    staged = without_bulk.client("s3").list_objects_v2(
        Bucket=without_bulk.outputs["LakeBucketName"], Prefix="staging/"
    )
    assert staged["KeyCount"] == 0
