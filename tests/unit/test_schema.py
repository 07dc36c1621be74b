from pathlib import Path

import pytest

from spotify_lake.schema.playlists import PARTITION, TABLES
from spotify_lake.schema.types import Column, Table, Type
from tools import catalog
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
    stack, dictionary = tmp_path / "stacks" / "catalog.yaml", tmp_path / "docs" / "data-dictionary.md"
    stack.parent.mkdir()
    dictionary.parent.mkdir()
    stack.write_text(catalog.STACK.read_text().replace("Name: isrc", "Name: irsc"))
    wanted = {stack: catalog.STACK.read_text(), dictionary: generator.DICTIONARY.read_text()}
    monkeypatch.setattr(catalog, "STACK", stack)
    for name, value in {"ROOT": tmp_path, "DICTIONARY": dictionary}.items():
        monkeypatch.setattr(generator, name, value)
    assert generator.main(["--check"]) == 1
    assert "stacks/catalog.yaml does not match" in capsys.readouterr().out
    assert not dictionary.exists(), "checking writes nothing"
    assert generator.main([]) == 0
    assert {path: path.read_text() for path in wanted} == wanted
    assert generator.main(["--check"]) == 0


def test_a_bar_in_a_description_does_not_end_the_cell() -> None:
    column = Column("x", Type.STRINGS, "One | two.", "a|b")
    assert generator._markdown_row(column) == r"| `x` | array\<string> | One \| two. | never | `a\|b` |"
