"""Generate files from spotify_lake's schema.py and quality.py and from queries/.

These are the Glue tables, the crawler's targets, the views, the saved queries and the documentation.

`python -m tools.schema` rewrites the files; `python -m tools.schema --check` reports whether they are up to date.
"""

import json
import sys
from pathlib import Path
from typing import Final

from queries import views as all_views
from spotify_lake import keys
from spotify_lake.normalize.quality import RULES
from spotify_lake.schema.playlists import PARTITION, TABLES
from spotify_lake.schema.types import Column, Table
from spotify_lake.schema.warehouse import WAREHOUSE, WarehouseTable
from tools import queries, quicksight
from tools.queries import meaning

ROOT: Final = Path(__file__).parents[1]
TEMPLATE: Final = ROOT / "template.yaml"
DICTIONARY: Final = ROOT / "docs" / "data-dictionary.md"
BEGIN: Final = "  # --- tables: generated from spotify_lake/schema/playlists.py by make schema ---\n"
END: Final = "  # --- end of generated tables ---\n"
BEGIN_TARGETS: Final = "          # generated from spotify_lake/schema/playlists.py by make schema\n"
END_TARGETS: Final = "          # end of generated targets\n"

_TABLE_HEAD = """\
  {logical_id}:
    Type: AWS::Glue::Table
    Properties:
      CatalogId: !Ref AWS::AccountId
      DatabaseName: !Ref GlueDatabase
      TableInput:
        Name: {name}
        Description: {description}
        TableType: EXTERNAL_TABLE
        Parameters:
          EXTERNAL: "TRUE"
          classification: parquet
"""
_PARQUET = """\
          InputFormat: org.apache.hadoop.hive.ql.io.parquet.MapredParquetInputFormat
          OutputFormat: org.apache.hadoop.hive.ql.io.parquet.MapredParquetOutputFormat
          SerdeInfo:
            SerializationLibrary: org.apache.hadoop.hive.ql.io.parquet.serde.ParquetHiveSerDe
          Columns:
{columns}
"""

_TABLE_RESOURCE = (
    _TABLE_HEAD
    + """\
          projection.enabled: "true"
          projection.{partition}.type: date
          projection.{partition}.format: yyyy-MM-dd
          projection.{partition}.range: !Sub "${{FirstSnapshotDate}},NOW+1DAYS"
          storage.location.template: !Sub "s3://${{LakeBucket}}/{prefix}{partition}=${{!{partition}}}/"
        PartitionKeys:
{partition_keys}
        StorageDescriptor:
          Location: !Sub "s3://${{LakeBucket}}/{prefix}"
"""
    + _PARQUET
)

_WAREHOUSE_RESOURCE = (
    _TABLE_HEAD
    + """\
{parameters}\
        PartitionKeys:{partition_keys}
        StorageDescriptor:
          Location: !Sub "s3://${{LakeBucket}}/{root}{name}/"
"""
    + _PARQUET
)

_WAREHOUSE_HEAD = """\
## The bulk data sets

The Glue jobs in `jobs/` read the files below `staging/` and write these tables below `datawarehouse/`. The charts are a
star schema around `fact_chart_entry`. The tables that begin with `catalog_`, and `track_catalog`, which joins them,
hold Kaggle's "Spotify Dataset 2023".

```mermaid
erDiagram
    fact_chart_entry }o--|| dim_date : date_key
    fact_chart_entry }o--|| dim_region : region_key
    fact_chart_entry }o--|| dim_chart : chart_key
    fact_chart_entry }o--|| dim_track : track_key
    dim_track ||--o{ bridge_track_artist : track_key
    bridge_track_artist }o--|| dim_artist : artist_key
```
"""

_DICTIONARY_HEAD = """\
# Data dictionary

The tables of the lake in the Glue database and in Athena, the quality rules, and the views. `make schema` generates
this page from `schema/` and `normalize/quality.py` in `layers/common/spotify_lake` and from `queries/views/`.

Every table is partitioned by `{partition}` ({partition_type}): {partition_description} Give a condition on it
in every query; Athena then reads only those days. All times are UTC. Rows of one snapshot share `playlist_id` and
`scheduled_at`.

```mermaid
erDiagram
    playlists ||--o{{ playlist_entries : "playlist_id, scheduled_at"
    playlists ||--o{{ rejects : "playlist_id, scheduled_at"
    playlists ||--o{{ quality : "playlist_id, scheduled_at"
    playlist_entries }}o--o| songs : "song_id (kind = song)"
    songs }}o--o| albums : album_id
    songs }}o--o{{ artists : artist_ids
    albums }}o--o{{ artists : artist_ids
```
"""

_RULES_HEAD = """\
## Quality rules

Each snapshot is checked against these rules, and the table `quality` holds the results. If a row violates a breaking
rule, its entry becomes a reject with the rule's name as the reason. Violations of other rules are counted, and the row
stays. A null never violates a rule.

| rule | column | each value | breaking |
|---|---|---|---|
"""


def logical_id(table: Table) -> str:
    """Return the name of a table's resource in the template, for example PlaylistEntriesTable."""
    return "".join(part.capitalize() for part in table.name.split("_")) + "Table"


def template_tables() -> str:
    """Return the YAML of all Glue tables, ready to stand under Resources."""
    lake = [
        _TABLE_RESOURCE.format(
            logical_id=logical_id(table),
            name=table.name,
            prefix=table.prefix,
            description=json.dumps(f"{table.description} One row: {table.grain}."),
            partition=PARTITION.name,
            partition_keys=_yaml_column(PARTITION, indent=10),
            columns="\n".join(_yaml_column(column, indent=12) for column in table.columns),
        )
        for table in TABLES
    ]
    return "\n".join([*lake, *map(_warehouse_resource, WAREHOUSE)])


def _warehouse_resource(declared: WarehouseTable) -> str:
    table, partitions = declared.table, declared.partitions
    settings = {
        f"projection.{partition.column.name}.{name}": value
        for partition in partitions
        for name, value in partition.projection.items()
    }
    if partitions:
        settings = {"projection.enabled": "true"} | settings
    partition_keys = "".join(f"\n{_yaml_column(partition.column, indent=10)}" for partition in partitions)
    return _WAREHOUSE_RESOURCE.format(
        logical_id=logical_id(table),
        name=table.name,
        root=keys.WAREHOUSE,
        description=json.dumps(f"{table.description} One row: {table.grain}."),
        parameters="".join(f"          {name}: {json.dumps(value)}\n" for name, value in settings.items()),
        partition_keys=partition_keys or " []",
        columns="\n".join(_yaml_column(column, indent=12) for column in table.columns),
    )


def crawler_targets() -> str:
    """Return the YAML of the crawler's targets. It names tables by folder, so it cannot visit one named otherwise."""
    folders = [table.prefix for table in TABLES if table.prefix.endswith(f"/{table.name}/")]
    folders += [f"{keys.WAREHOUSE}{declared.table.name}/" for declared in WAREHOUSE]
    return "".join(f"          - Path: !Sub s3://${{LakeBucket}}/{folder}\n" for folder in folders)


def dictionary() -> str:
    """Return docs/data-dictionary.md."""
    parts = [
        _DICTIONARY_HEAD.format(
            partition=PARTITION.name,
            partition_type=PARTITION.type,
            partition_description=PARTITION.description,
        )
    ]
    for table in TABLES:
        lines = [
            f"## {table.name}",
            "",
            f"{table.description} One row: {table.grain}. Unique within a snapshot: {', '.join(table.key)}.",
            "",
            "| column | type | meaning | null when | example |",
            "|---|---|---|---|---|",
            *(_markdown_row(column) for column in (*table.columns, PARTITION)),
        ]
        parts.append("\n".join(lines) + "\n")
    parts.append(_WAREHOUSE_HEAD)
    for declared in WAREHOUSE:
        table, partitions = declared.table, [partition.column for partition in declared.partitions]
        divided = f" Partitioned by {', '.join(column.name for column in partitions)}." if partitions else ""
        lines = [
            f"### {table.name}",
            "",
            f"{table.description} One row: {table.grain}. Unique: {', '.join(table.key)}.{divided}",
            "",
            "| column | type | meaning | null when | example |",
            "|---|---|---|---|---|",
            *(_markdown_row(column) for column in (*table.columns, *partitions)),
        ]
        parts.append("\n".join(lines) + "\n")
    rules = [
        f"| `{rule.name}` | {rule.table.name}.{rule.column} | {rule.meaning} | {'yes' if rule.breaking else 'no'} |\n"
        for rule in RULES
    ]
    parts.append(_RULES_HEAD + "".join(rules))
    return "\n".join(parts)


def with_tables(template: str) -> str:
    """Return the template with the generated blocks replaced; raises ValueError without markers."""
    template = _between(template, BEGIN, template_tables(), END)
    return _between(template, BEGIN_TARGETS, crawler_targets(), END_TARGETS)


def _between(template: str, begin: str, content: str, end: str) -> str:
    before, found_begin, rest = template.partition(begin)
    _, found_end, after = rest.partition(end)
    if not (found_begin and found_end):
        raise ValueError(f"{TEMPLATE.name} lacks the lines {begin.strip()!r} and {end.strip()!r}")
    return before + begin + content + end + after


def main(arguments: list[str]) -> int:
    """Write or check the generated files; returns the exit code."""
    wanted, views = queries.files()
    wanted |= {quicksight.STACK: quicksight.stack(all_views())}
    wanted |= {TEMPLATE: with_tables(TEMPLATE.read_text()), DICTIONARY: f"{dictionary()}\n{views}"}
    stale = [path for path, text in wanted.items() if not path.exists() or path.read_text() != text]
    if "--check" in arguments:
        for path in stale:
            print(f"{path.relative_to(ROOT)} does not match the schema and queries/: run `make schema`")
        return 1 if stale else 0
    for path in stale:
        path.parent.mkdir(exist_ok=True)
        path.write_text(wanted[path])
        print(f"wrote {path.relative_to(ROOT)}")
    return 0


def _yaml_column(column: Column, indent: int) -> str:
    comment = json.dumps(_comment(column), ensure_ascii=False)
    return " " * indent + f'- {{Name: {column.name}, Type: "{column.type}", Comment: {comment}}}'


def _comment(column: Column) -> str:
    return meaning(column).replace("`", "'")


def _markdown_row(column: Column) -> str:
    cells = (
        f"`{column.name}`",
        str(column.type).replace("<", "\\<"),
        column.description,
        column.null_when or "never",
        f"`{column.example}`",
    )
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
