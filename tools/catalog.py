"""Generate the parts of stacks/catalog.yaml that follow from the schema: the tables, and what the crawler visits."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from spotify_lake import keys
from spotify_lake.schema.listening import LIBRARY, LISTENING_TABLES, PLAYED_MONTH
from spotify_lake.schema.playlists import TABLES
from spotify_lake.schema.types import PARTITION, Column, Table
from spotify_lake.schema.warehouse import WAREHOUSE, WarehouseTable
from tools.pages import filled
from tools.queries import meaning

STACK: Final = Path(__file__).parents[1] / "stacks" / "catalog.yaml"
LAKE: Final = (*TABLES, *LISTENING_TABLES, LIBRARY)
_PROJECTIONS: Final[Mapping[Column, Mapping[str, str]]] = {
    PARTITION: {
        "type": "date",
        "format": "yyyy-MM-dd",
        "range": '!Sub "${FirstSnapshotDate},NOW+1DAYS"',
    },
    PLAYED_MONTH: {  # from the first month in which anybody can have heard Spotify
        "type": "date",
        "format": "yyyy-MM",
        "range": '"2006-04,NOW+1MONTHS"',
        "interval": '"1"',
        "interval.unit": "MONTHS",
    },
}

_TABLE = """\
  {logical_id}:
    Type: AWS::Glue::Table
    Properties:
      CatalogId: !Ref AWS::AccountId
      DatabaseName: !Ref DatabaseName
      TableInput:
        Name: {name}
        Description: {description}
        TableType: EXTERNAL_TABLE
        Parameters:
          EXTERNAL: "TRUE"
          classification: parquet
{settings}\
        PartitionKeys:{partition_keys}
        StorageDescriptor:
          Location: !Sub "s3://${{LakeBucketName}}/{prefix}"
          InputFormat: org.apache.hadoop.hive.ql.io.parquet.MapredParquetInputFormat
          OutputFormat: org.apache.hadoop.hive.ql.io.parquet.MapredParquetOutputFormat
          SerdeInfo:
            SerializationLibrary: org.apache.hadoop.hive.ql.io.parquet.serde.ParquetHiveSerDe
          Columns:{columns}

"""


def stack() -> str:
    """Return stacks/catalog.yaml with its tables and the folders that the crawler visits."""
    tables = [*map(_lake_table, LAKE), *map(_warehouse_table, WAREHOUSE)]
    return filled(STACK, {"tables": "".join(tables), "targets": _targets()})


def comment(column: Column) -> str:
    """Return what the catalog says about a column."""
    return meaning(column).replace("`", "'")


def _lake_table(table: Table) -> str:
    if table.partition is None:
        return _table(table, table.prefix, {}, [])
    name = table.partition.name
    settings = {
        "projection.enabled": '"true"',
        **{f"projection.{name}.{part}": value for part, value in _PROJECTIONS[table.partition].items()},
        "storage.location.template": f'!Sub "s3://${{LakeBucketName}}/{table.prefix}{name}=${{!{name}}}/"',
    }
    return _table(table, table.prefix, settings, [table.partition])


def _warehouse_table(declared: WarehouseTable) -> str:
    settings = {
        f"projection.{partition.column.name}.{name}": json.dumps(value)
        for partition in declared.partitions
        for name, value in partition.projection.items()
    }
    if settings:
        settings = {"projection.enabled": '"true"'} | settings
    partitions = [partition.column for partition in declared.partitions]
    return _table(declared.table, f"{keys.WAREHOUSE}{declared.table.name}/", settings, partitions)


def _table(table: Table, prefix: str, settings: Mapping[str, str], partitions: Sequence[Column]) -> str:
    return _TABLE.format(
        logical_id="".join(part.capitalize() for part in table.name.split("_")) + "Table",
        name=table.name,
        prefix=prefix,
        description=json.dumps(f"{table.description} One row: {table.grain}."),
        settings="".join(f"          {name}: {value}\n" for name, value in settings.items()),
        partition_keys=_columns(partitions, indent=10) or " []",
        columns=_columns(table.columns, indent=12),
    )


def _columns(columns: Sequence[Column], indent: int) -> str:
    return "".join(
        f'\n{" " * indent}- {{Name: {column.name}, Type: "{column.type}", '
        f"Comment: {json.dumps(comment(column), ensure_ascii=False)}}}"
        for column in columns
    )


def _targets() -> str:
    """Return the folders that the crawler visits. It names tables by folder, so it cannot visit one named otherwise."""
    folders = [table.prefix for table in LAKE if table.prefix.endswith(f"/{table.name}/")]
    folders += [f"{keys.WAREHOUSE}{declared.table.name}/" for declared in WAREHOUSE]
    return "".join(f"          - Path: !Sub s3://${{LakeBucketName}}/{folder}\n" for folder in folders)
