import pytest

from spotify_lake.schema import PARTITION, TABLES, Table
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
            assert len(generator._comment(column)) <= 255, f"{table.name}.{column.name}"


def test_a_playlists_row_is_written_last() -> None:
    assert TABLES[-1].name == "playlists"


def test_template_and_dictionary_follow_the_schema() -> None:
    assert generator.main(["--check"]) == 0, "run `make schema`"


def test_drift_is_noticed() -> None:
    template = generator.TEMPLATE.read_text()
    assert generator.with_tables(template.replace("Name: isrc", "Name: irsc")) == template
    with pytest.raises(ValueError, match="lacks the lines"):
        generator.with_tables("Resources:\n")
