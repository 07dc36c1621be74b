"""Tables that change while they are in use: a new column, and a column of another type, step by step.

What CloudFormation would do of the template that `make schema` writes is done here directly: another layer for the
function, other tables in the catalog.
"""

import datetime as dt
import io
import json
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.dataset as pds
import pyarrow.parquet as pq
import pytest

from cli.commands import replay
from local.spotify_stub import PLAYLISTS
from local.stack import LaptopStack
from spotify_lake.keys import SnapshotId
from spotify_lake.schema.playlists import ALBUMS, SONGS
from spotify_lake.schema.types import PARTITION
from tests.support.evolution import COLUMN_ADDED, PACKAGE, SWITCHED, TWO_VERSIONS, Edits, evolved
from tests.support.operated import Person, as_lake
from tests.support.template import load

pytestmark = pytest.mark.long

DAYS = [dt.datetime(2026, 9, day, 6, tzinfo=dt.UTC) for day in (1, 2, 3)]
PLAYLIST_IDS = [PLAYLISTS[name] for name in ("Morning Ten", "Odds & Ends")]

type Deploy = Callable[..., None]


def as_tables(template: Path, values: dict[str, str]) -> dict[str, dict[str, Any]]:
    """The tables of a template by name, as the catalog takes them."""

    def filled(value: Any) -> Any:
        match value:
            case {"Sub": str(text)}:
                for name, replacement in values.items():
                    text = text.replace(f"${{{name}}}", replacement)
                return text.replace("${!", "${")
            case dict():
                return {key: filled(inner) for key, inner in value.items()}
            case list():
                return [filled(inner) for inner in value]
        return value

    resources = load(template)["Resources"].values()
    inputs = [each["Properties"]["TableInput"] for each in resources if each["Type"] == "AWS::Glue::Table"]
    return {table["Name"]: filled(table) for table in inputs}


@pytest.fixture
def deploy(stack: LaptopStack, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deploy]:
    """Deploys the package with some changes; at the end, everything is as it was."""
    functions, glue = stack.client("lambda"), stack.client("glue")
    database, function = stack.outputs["DatabaseName"], stack.outputs["TransformFunctionName"]
    first = as_lake(stack).parameters["FirstSnapshotDate"]
    values = {"LakeBucketName": stack.outputs["LakeBucketName"], "FirstSnapshotDate": first}
    config = functions.get_function_configuration(FunctionName=function)
    layers = [layer["Arn"] for layer in config["Layers"]]

    def use(layers: list[str], template: Path) -> None:
        functions.update_function_configuration(FunctionName=function, Layers=layers)
        functions.get_waiter("function_updated_v2").wait(FunctionName=function)
        wanted, found = as_tables(template, values), {table["Name"] for table in stack.tables()}
        for name, table in wanted.items():
            change = glue.update_table if name in found else glue.create_table
            change(DatabaseName=database, TableInput=table)
        for name in found - wanted.keys():
            glue.delete_table(DatabaseName=database, Name=name)

    def deploy(*changes: Edits) -> None:
        folder = evolved(tmp_path_factory.mktemp("evolved"), *changes)
        archive, package = io.BytesIO(), folder / PACKAGE
        with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as layer:
            for path in package.rglob("*.*"):
                layer.write(path, Path("python", "spotify_lake", path.relative_to(package)))
        answer = functions.publish_layer_version(
            LayerName="evolved", Content={"ZipFile": archive.getvalue()}, CompatibleRuntimes=["python3.13"]
        )
        # Of several layers with the same file, the last one counts.
        use([*layers, answer["LayerVersionArn"]], folder / "stacks" / "catalog.yaml")

    yield deploy
    stack.wait_until_idle()
    use(layers, stack.root / "stacks" / "catalog.yaml")


def extract(stack: LaptopStack, day: dt.datetime) -> None:
    assert stack.invoke_extract(day, PLAYLIST_IDS)["failed"] == []
    stack.wait_until_idle()


def rebuild(stack: LaptopStack) -> None:
    options = {"first": DAYS[0].date(), "last": DAYS[-1].date(), "settling_s": 3}
    outcome = replay.run(as_lake(stack), Person(), **options)
    assert outcome.missing == []
    assert not outcome.failed


def objects(stack: LaptopStack, prefix: str) -> dict[str, bytes]:
    s3, bucket = stack.client("s3"), stack.outputs["LakeBucketName"]
    found = s3.list_objects_v2(Bucket=bucket, Prefix=prefix).get("Contents", [])
    return {one["Key"]: s3.get_object(Bucket=bucket, Key=one["Key"])["Body"].read() for one in found}


def types(files: dict[str, bytes], column: str) -> set[str]:
    """Types that Parquet files themselves have for a column."""
    return {str(pq.read_schema(io.BytesIO(data)).field(column).type) for data in files.values()}


def albums(stack: LaptopStack, table: str = "albums") -> list[Any]:
    columns = ", ".join(
        "cast(release_year as varchar)" if name == "release_year" else name
        for name in (*ALBUMS.column_names, PARTITION.name)
    )
    answer = stack.athena(f"select {columns} from {table} order by playlist_id, scheduled_at, album_id")  # noqa: S608
    return list(answer.rows)


def test_a_column_and_a_type_change_while_everybody_goes_on_reading(
    stack: LaptopStack, deploy: Deploy, tmp_path: Path
) -> None:
    extract(stack, DAYS[0])
    first_songs, first_albums = objects(stack, SONGS.prefix), objects(stack, ALBUMS.prefix)
    assert len(first_songs) == len(first_albums) == len(PLAYLIST_IDS)
    before = albums(stack)

    # The new column; and the table with the new type, beside the old one.
    deploy(COLUMN_ADDED, TWO_VERSIONS)
    assert albums(stack) == before, "what is there can be read"
    extract(stack, DAYS[1])
    by_day = {
        str(row[0]): row[1:]
        for row in stack.athena("select snapshot_date, count(*), count(uri) from songs group by 1").rows
    }
    songs, without = by_day[str(DAYS[0].date())]
    assert (songs > 0, without) == (True, 0), "the old files lack the column, which reads as null"
    assert by_day[str(DAYS[1].date())] == (songs, songs)
    read_by_others(objects(stack, SONGS.prefix), tmp_path)
    assert {row[-1] for row in albums(stack, "albums_v2")} == {DAYS[1].date()}

    rebuild(stack)
    assert objects(stack, ALBUMS.prefix).items() >= first_albums.items(), "a replay changes no byte"
    complete = albums(stack)
    assert albums(stack, "albums_v2") == complete
    assert {row[-1] for row in complete} == {day.date() for day in DAYS[:2]}
    answer = stack.athena("select count(*), count(uri) from songs where uri like 'spotify:track:%'")
    assert answer.rows[0] == (2 * songs, 2 * songs), "and the column is filled for the past, too"
    new = objects(stack, "curated/v2/albums/")
    assert (types(first_albums, "release_year"), types(new, "release_year")) == ({"int32"}, {"string"})

    # The switch: the name now stands for the new objects.
    deploy(COLUMN_ADDED, SWITCHED)
    assert albums(stack) == complete
    assert "albums_v2" not in {table["Name"] for table in stack.tables()}
    extract(stack, DAYS[2])
    assert {row[-1] for row in albums(stack)} == {day.date() for day in DAYS}
    year = stack.athena("select release_year from albums where release_year is not null limit 1")
    assert (year.columns[0].type, type(year.rows[0][0])) == ("varchar", str)
    again = [SnapshotId(DAYS[0], playlist) for playlist in PLAYLIST_IDS]
    for snapshot in again:
        event = json.loads(replay.s3_event(stack.outputs["RawBucketName"], snapshot))
        assert stack.invoke("transform", event).error is None
    assert objects(stack, "curated/v2/albums/").items() >= new.items(), "the switch changes no byte either"
    old = objects(stack, ALBUMS.prefix)
    assert not [key for key in old if str(DAYS[2].date()) in key], "nothing writes the old objects any more"

    # The end: nobody needs them.
    for key in old:
        stack.client("s3").delete_object(Bucket=stack.outputs["LakeBucketName"], Key=key)
    assert {row[-1] for row in albums(stack)} == {day.date() for day in DAYS}


def read_by_others(files: dict[str, bytes], folder: Path) -> None:
    """DuckDB and Arrow by themselves, too, read files with and without the column together."""
    for key, data in files.items():
        (folder / key.replace("/", "~")).write_bytes(data)
    schemas = [pq.read_schema(path) for path in sorted(folder.iterdir())]
    assert ["uri" in schema.names for schema in schemas] == [False, False, True, True]
    read = pds.dataset(folder, schema=pa.unify_schemas(schemas)).to_table()
    known = read.num_rows - read["uri"].null_count
    assert 0 < known < read.num_rows
    query = f"select count(*), count(uri) from read_parquet('{folder}/*', union_by_name = true)"  # noqa: S608
    assert duckdb.sql(query).fetchall() == [(read.num_rows, known)]
