"""What follows a change of the tables by itself; tests/e2e/test_evolution.py has the data's part."""

import difflib
from pathlib import Path

import pytest

from tests.support.evolution import (
    COLUMN_ADDED,
    PACKAGE,
    ROOT,
    SWITCHED,
    TWO_VERSIONS,
    Edits,
    evolved,
    generate,
)
from tests.support.template import load


def added_and_removed(folder: Path, name: str) -> tuple[list[str], list[str]]:
    """The lines of a generated file that the copy has and the repository has not, and the other way round."""
    before, after = ((root / name).read_text().splitlines() for root in (ROOT, folder))
    lines = list(difflib.unified_diff(before, after, lineterm="", n=0))[2:]
    return [line[1:].strip() for line in lines if line[0] == "+"], [
        line[1:].strip() for line in lines if line[0] == "-"
    ]


def test_a_column_is_one_line_in_the_schema_and_the_rest_follows(tmp_path: Path) -> None:
    folder = evolved(tmp_path, COLUMN_ADDED)
    added, removed = added_and_removed(folder, "stacks/catalog.yaml")
    comment = "Spotify URI of the song. Null when Spotify does not send it."
    assert added == [f'- {{Name: uri, Type: "string", Comment: "{comment}"}}']
    assert removed == []
    added, removed = added_and_removed(folder, "docs/data-dictionary.md")
    assert added[0] == (
        "| `uri` | string | Spotify URI of the song. | Spotify does not send it | `spotify:track:11dF…` |"
    )
    assert len(added) == 2, "the table, and the view of its newest rows"
    assert removed == []
    added, _ = added_and_removed(folder, "queries/views/latest_songs.sql")
    assert "t.uri" in " ".join(added)


def test_a_change_without_make_schema_is_noticed(tmp_path: Path) -> None:
    folder = evolved(tmp_path)
    assert generate(folder, "--check") == 0
    schema = folder / PACKAGE / "schema" / "playlists.py"
    schema.write_text(schema.read_text().replace('"Link to the song."', '"A link."'))
    assert generate(folder, "--check") == 1


@pytest.mark.parametrize(
    "edits, tables, targets",
    [
        (
            TWO_VERSIONS,
            {"albums": ("curated/albums/", "int"), "albums_v2": ("curated/v2/albums/", "string")},
            {"curated/albums/"},
        ),
        (SWITCHED, {"albums": ("curated/v2/albums/", "string")}, {"curated/v2/albums/"}),
    ],
)
def test_a_type_changes_by_way_of_a_second_table(
    edits: Edits, tables: dict[str, tuple[str, str]], targets: set[str], tmp_path: Path
) -> None:
    resources = load(evolved(tmp_path, edits) / "stacks/catalog.yaml")["Resources"]
    declared = [
        each["Properties"]["TableInput"] for each in resources.values() if each["Type"] == "AWS::Glue::Table"
    ]
    inputs = [table for table in declared if "/curated/" in table["StorageDescriptor"]["Location"]["Sub"]]
    found = {}
    for table in inputs:
        columns = {column["Name"]: column["Type"] for column in table["StorageDescriptor"]["Columns"]}
        prefix = table["StorageDescriptor"]["Location"]["Sub"].removeprefix("s3://${LakeBucketName}/")
        for key in [key["Name"] for key in table["PartitionKeys"]]:
            template = table["Parameters"]["storage.location.template"]["Sub"]
            assert template == f"s3://${{LakeBucketName}}/{prefix}{key}=${{!{key}}}/"
        if "albums" in table["Name"]:
            found[table["Name"]] = (prefix, columns["release_year"])
    assert found == tables
    every = [
        each["Path"]["Sub"] for each in resources["RecoveryCrawler"]["Properties"]["Targets"]["S3Targets"]
    ]
    paths = {path for path in every if "/curated/" in path}
    assert {path.removeprefix("s3://${LakeBucketName}/") for path in paths if "albums" in path} == targets
    assert {table["Name"] for table in inputs} - {"albums_v2"} == {path.split("/")[-2] for path in paths}, (
        "a crawler names a table by its folder"
    )
    [visited] = resources["Crawler"]["Properties"]["Targets"]["CatalogTargets"]
    partitioned = {table["Name"] for table in inputs if table["PartitionKeys"]}
    assert partitioned <= set(visited["Tables"])
