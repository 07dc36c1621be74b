from pathlib import Path

import pytest

from spotify_lake.schema.listening import LIBRARY, LISTENING_TABLES
from spotify_lake.schema.playlists import TABLES
from spotify_lake.schema.types import Column, Table, Type
from tools import catalog, pages
from tools import schema as generator

NAMES = "[a-z][a-z0-9_]*"


LISTENING = (*LISTENING_TABLES, LIBRARY)


@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.name)
def test_the_tables_of_playlists_name_the_snapshot_first(table: Table) -> None:
    assert table.column_names[:2] == ("playlist_id", "scheduled_at")


@pytest.mark.parametrize("table", [*TABLES, *LISTENING], ids=lambda table: table.name)
def test_a_table_describes_itself_completely(table: Table) -> None:
    names = table.column_names
    assert len(set(names)) == len(names)
    assert not table.partition or table.partition.name not in names, "it is in the key, not in the file"
    assert set(table.key) <= set(names)
    for column in table.columns:
        assert column.description.endswith("."), column.name
        assert column.example, column.name
        assert column.name not in table.key or not column.nullable, column.name


def test_column_comments_fit_into_the_catalog() -> None:
    for table in (*TABLES, *LISTENING):
        for column in table.columns:
            assert len(catalog.comment(column)) <= 255, f"{table.name}.{column.name}"


def test_a_playlists_row_is_written_last() -> None:
    assert TABLES[-1].name == "playlists"


def test_the_row_of_a_file_of_plays_is_written_last() -> None:
    assert LISTENING_TABLES[-1].name == "play_files"


def test_months_of_plays_are_projected() -> None:
    found = catalog.stack()
    table = found[found.index("  PlaysTable:") :]
    table = table[: table.index("Columns:")]
    for line in (
        "projection.played_month.type: date",
        "projection.played_month.format: yyyy-MM",
        'projection.played_month.range: "2006-04,NOW+1MONTHS"',
        'projection.played_month.interval: "1"',
        "projection.played_month.interval.unit: MONTHS",
        "curated/plays/played_month=${!played_month}/",
        '{Name: played_month, Type: "string"',
    ):
        assert line in table
    files = found[found.index("  PlayFilesTable:") :]
    assert "projection" not in files[: files.index("Columns:")]
    assert "PartitionKeys: []" in files[: files.index("Columns:")]


def test_catalog_and_dictionary_follow_the_schema() -> None:
    assert generator.main(["--check"]) == 0, "run `make schema`"


def test_drift_is_noticed_and_mended(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    damaged = {}
    for module, name, right, wrong in (
        (catalog, "STACK", "Name: isrc", "Name: irsc"),
        (generator, "DICTIONARY", "`popularity`", "`fame`"),
    ):
        path = getattr(module, name)
        copy = tmp_path / path.relative_to(generator.ROOT)
        copy.parent.mkdir()
        copy.write_text(path.read_text().replace(right, wrong) + "# Written by hand.\n")
        damaged[copy] = (copy.read_text(), path.read_text() + "# Written by hand.\n")
        monkeypatch.setattr(module, name, copy)
    monkeypatch.setattr(generator, "ROOT", tmp_path)
    assert generator.main(["--check"]) == 1
    assert "stacks/catalog.yaml does not match" in capsys.readouterr().out
    assert {path: path.read_text() for path in damaged} == {path: was for path, (was, _) in damaged.items()}
    assert generator.main([]) == 0
    assert {path: path.read_text() for path in damaged} == {
        path: mended for path, (_, mended) in damaged.items()
    }
    assert generator.main(["--check"]) == 0


@pytest.mark.parametrize("text", ["", "# make schema: x\n", "# make schema: y\n# make schema: end\n"])
def test_a_file_without_the_part_to_write_is_named(tmp_path: Path, text: str) -> None:
    (tmp_path / "page.md").write_text(text)
    with pytest.raises(ValueError, match=r"page\.md must have one part 'make schema: x'"):
        pages.filled(tmp_path / "page.md", {"x": "new"})


def test_a_bar_in_a_cell_does_not_end_it() -> None:
    assert pages.table(("a", "b"), [("One | two.", "1")]) == "| a | b |\n|---|---|\n| One \\| two. | 1 |"


def test_a_type_in_the_dictionary_is_not_taken_for_html() -> None:
    table = Table("x", "row", "D.", ("y",), (Column("y", Type.STRINGS, "Z.", "a"),))
    row = generator._described(table, table.columns, "##").splitlines()[-1]
    assert row == r"| `y` | array\<string> | Z. | never | `a` |"
