"""What other tools get: dbt's sources and models, the variables of `./lake connect`, and the committed notebook."""

import json
import re
from dataclasses import replace
from typing import Any

import pytest
import yaml

from cli.commands import connect, export
from cli.stack import Lake
from local.emulator import Keys, client_environment
from local.sql_dialect import to_duckdb
from queries import views
from spotify_lake.normalize.quality import RULES, Reference
from spotify_lake.schema.playlists import SONGS, TABLES
from spotify_lake.schema.types import Column, Type
from tests.support import exported
from tests.support.template import ROOT
from tools import catalog, dbt
from tools import schema as generator

PROJECT = ROOT / "examples" / "dbt"
OUTPUTS = {
    "LakeBucketName": "lake-bucket",
    "AthenaWorkGroupName": "spotify-lake",
    "DatabaseName": "spotify_lake",
}
LAKE = Lake(False, "spotify-lake", "123456789012", "eu-central-1", OUTPUTS, {}, lambda _service: None)


def sources(text: str) -> dict[str, dict[str, Any]]:
    [source] = yaml.safe_load(text)["sources"]
    return {table["name"]: table for table in source["tables"]}


def checks(table: dict[str, Any]) -> dict[str, list[Any]]:
    return {column["name"]: column.get("data_tests", []) for column in table["columns"]}


def test_a_new_column_is_everywhere_by_make_schema_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    column = Column("mood", Type.STRING, "How it feels.", "calm", values=("calm", "wild"))
    changed = [replace(one, columns=(*one.columns, column)) if one is SONGS else one for one in TABLES]
    for module, name in ((dbt, "TABLES"), (catalog, "LAKE"), (generator, "TABLES")):
        monkeypatch.setattr(module, name, changed)
    songs = sources(dbt.sources())["songs"]
    assert [one for one in songs["columns"] if one["name"] == "mood"] == [
        {
            "name": "mood",
            "description": "How it feels.",
            "data_type": "string",
            "data_tests": ["not_null", {"accepted_values": {"arguments": {"values": ["calm", "wild"]}}}],
        }
    ]
    assert "mood" in catalog.stack()
    assert "| `mood` | string | How it feels. | never | `calm` |" in generator.dictionary("")


def test_the_sources_are_what_an_export_writes() -> None:
    found = sources(dbt.SOURCES.read_text())
    assert tuple(found) == export.TABLES_TO_EXPORT
    types = exported.SCHEMA | {"listening": dict(views()["listening"].types)}
    for name, table in found.items():
        assert {column["name"]: column["data_type"] for column in table["columns"]} == types[name], name


def test_keys_references_and_bounds_are_tests() -> None:
    found = sources(dbt.SOURCES.read_text())
    assert found["songs"]["data_tests"] == [
        {"unique_together": {"arguments": {"columns": ["scheduled_at", "playlist_id", "song_id"]}}}
    ]
    songs, albums = checks(found["songs"]), checks(found["albums"])
    assert songs["song_id"] == ["not_null"]
    assert songs["name"] == []
    assert checks(found["play_files"])["source_object"] == ["not_null", "unique"]
    assert songs["album_id"] == [
        {
            "relationships": {
                "name": "song_album",
                "arguments": {"to": "source('lake', 'albums')", "field": "album_id"},
            }
        }
    ]
    warned = {
        "name": "song_popularity",
        "arguments": {"low": "0", "high": "100"},
        "config": {"severity": "warn"},
    }
    assert songs["popularity"] == [{"between": warned}]
    assert {"accepted_values": {"arguments": {"values": ["day", "month", "year"]}}} in albums[
        "release_date_precision"
    ]
    named = re.findall(r"name: (\w+)\n +arguments", dbt.SOURCES.read_text())
    assert {rule.name for rule in RULES if isinstance(rule.check, Reference)} <= set(named)


def test_freshness_is_the_alarms() -> None:
    freshness = sources(dbt.SOURCES.read_text())["playlists"]["config"]["freshness"]
    assert freshness["error_after"] == {"count": 26, "period": "hour"}


@pytest.mark.parametrize("path", sorted((PROJECT / "models").rglob("*.sql")), ids=lambda path: path.stem)
def test_a_model_is_valid_sql_of_athena_too(path: Any) -> None:
    known = dict(exported.SCHEMA)
    known["listening"] = dict(views()["listening"].types)
    known["stg_songs"] = {name: known["songs"][name] for name in (
        "song_id", "snapshot_date", "name", "album_id", "artist_names", "duration_ms", "is_explicit")}  # fmt: skip
    known["stg_playlists"] = {name: known["playlists"][name] for name in (
        "playlist_id", "scheduled_at", "snapshot_date", "name", "entry_count")}  # fmt: skip
    sql = re.sub(r"\{\{ (?:source\('lake', '(\w+)'\)|ref\('(\w+)'\)) \}\}", r"\1\2", path.read_text())
    assert "{" not in sql
    to_duckdb(sql, known)


def test_connect_shows_names_and_no_secret_of_aws(monkeypatch: pytest.MonkeyPatch) -> None:
    environ = {"AWS_PROFILE": "my lake", "AWS_ACCESS_KEY_ID": "AKIAMINE", "AWS_SECRET_ACCESS_KEY": "hidden"}
    said = "\n".join(connect.lines(LAKE, connect._named(LAKE, environ)))
    assert "hidden" not in said
    assert "AKIAMINE" not in said
    assert re.findall(r"(?m)^export (.*)$", said) == [
        "AWS_PROFILE='my lake'",
        "AWS_DEFAULT_REGION=eu-central-1",
        "AWS_REGION=eu-central-1",
        "LAKE_BUCKET=lake-bucket",
        "LAKE_WORKGROUP=spotify-lake",
        "LAKE_DATABASE=spotify_lake",
    ]
    assert all(line.startswith(("export ", "#")) for line in said.splitlines())


def test_connect_shows_the_laptops_keys() -> None:
    access = client_environment("http://127.0.0.1:4566", Keys("AKIAX", "secret"))
    said = "\n".join(connect.lines(replace(LAKE, on_laptop=True), access))
    for line in (
        "AWS_ENDPOINT_URL=http://127.0.0.1:4566",
        "AWS_SECRET_ACCESS_KEY=secret",
        "AWS_ALLOW_HTTP=true",
    ):
        assert f"export {line}" in said
    assert 'eval "$(./lake connect --laptop)"' in said
    assert "ENDPOINT '127.0.0.1:4566'" in said


def test_the_page_names_every_example_and_only_those() -> None:
    page = (ROOT / "docs" / "open.md").read_text()
    scripts = {path.name for path in (ROOT / "examples").glob("*.py")} - {"lake.py"}
    assert set(re.findall(r"\b((?:with|run)_\w+\.py)\b", page)) == scripts
    assert {path.stem for path in (ROOT / "examples").glob("with_*.py")} == set(
        re.findall(r"make schema: (with_\w+)", page)
    )


def test_the_committed_notebook_has_its_pictures_and_is_small() -> None:
    text = (ROOT / "examples" / "explore.ipynb").read_text()
    cells = json.loads(text)["cells"]
    shown = [output.get("data", {}) for cell in cells for output in cell.get("outputs", [])]
    assert sum("image/png" in data for data in shown) == 5
    assert len(text) < 400_000
    assert str(ROOT) not in text
    assert not any(output["output_type"] == "error" for cell in cells for output in cell.get("outputs", []))


def test_examples_stay_out_of_the_layers_and_of_the_main_environment() -> None:
    lock = (ROOT / "requirements" / "examples.txt").read_text()
    theirs = {"dbt-core", "dbt-duckdb", "polars", "altair", "nbclient", "ipykernel", "pyathena"}
    assert all(re.search(rf"(?m)^{name}==", lock) for name in theirs)
    for path in (ROOT / "requirements" / "dev.txt", *(ROOT / "layers").glob("*/requirements.txt")):
        assert not theirs.intersection(re.findall(r"(?m)^([\w-]+)==", path.read_text())), path
