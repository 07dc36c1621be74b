from pathlib import Path

import pytest

from spotify_lake.schema.playlists import TABLES
from spotify_lake.schema.types import PARTITION, Column, Table, Type
from tools import catalog, pages
from tools import schema as generator

NAMES = "[a-z][a-z0-9_]*"


@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.name)
def test_a_table_describes_itself_completely(table: Table) -> None:
    names = table.column_names
    assert len(set(names)) == len(names)
    assert PARTITION.name not in names, "the partition column is in the key, not in the file"
    assert names[:2] == ("playlist_id", "scheduled_at")
    assert set(table.key) <= set(names)
    for column in table.columns:
        assert column.description.endswith("."), column.name
        assert column.example, column.name
        assert column.name not in table.key or not column.nullable, column.name


def test_column_comments_fit_into_the_catalog() -> None:
    for table in TABLES:
        for column in table.columns:
            assert len(catalog.comment(column)) <= 255, f"{table.name}.{column.name}"


def test_a_playlists_row_is_written_last() -> None:
    assert TABLES[-1].name == "playlists"


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
