"""Generate the parts of stacks/catalog.yaml that follow from the schema: the tables, and what the crawlers visit."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from spotify_lake import keys
from spotify_lake.schema.playlists import PARTITION, TABLES
from spotify_lake.schema.types import Column, Table
from spotify_lake.schema.warehouse import WAREHOUSE, WarehouseTable
from tools.pages import filled
from tools.queries import meaning

STACK: Final = Path(__file__).parents[1] / "stacks" / "catalog.yaml"

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
    """Return stacks/catalog.yaml with its tables and what the crawlers visit."""
    tables = [*map(_lake_table, TABLES), *map(_warehouse_table, WAREHOUSE)]
    partitioned = [
        *(table.name for table in TABLES),
        *(each.table.name for each in WAREHOUSE if each.partitions),
    ]
    parts = {
        "tables": "".join(tables),
        "before": "".join(f"      - {_logical_id(name)}\n" for name in partitioned),
        "declared": "".join(f"              - {name}\n" for name in partitioned),
        "targets": _targets(),
    }
    return filled(STACK, parts)


def comment(column: Column) -> str:
    """Return what the catalog says about a column."""
    return meaning(column).replace("`", "'")


def _lake_table(table: Table) -> str:
    projection, date = f"projection.{PARTITION.name}", PARTITION.name
    settings = {
        "projection.enabled": '"true"',
        f"{projection}.type": "date",
        f"{projection}.format": "yyyy-MM-dd",
        f"{projection}.range": '!Sub "${FirstSnapshotDate},NOW+1DAYS"',
        "storage.location.template": f'!Sub "s3://${{LakeBucketName}}/{table.prefix}{date}=${{!{date}}}/"',
    }
    return _table(table, table.prefix, settings, [PARTITION])


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
        logical_id=_logical_id(table.name),
        name=table.name,
        prefix=prefix,
        description=json.dumps(f"{table.description} One row: {table.grain}."),
        settings="".join(f"          {name}: {value}\n" for name, value in settings.items()),
        partition_keys=_columns(partitions, indent=10) or " []",
        columns=_columns(table.columns, indent=12),
    )


def _logical_id(name: str) -> str:
    return "".join(part.capitalize() for part in name.split("_")) + "Table"


def _columns(columns: Sequence[Column], indent: int) -> str:
    return "".join(
        f'\n{" " * indent}- {{Name: {column.name}, Type: "{column.type}", '
        f"Comment: {json.dumps(comment(column), ensure_ascii=False)}}}"
        for column in columns
    )


def _targets() -> str:
    """Return the folders that the recovery crawler visits; it names tables by folder, so others are left out."""
    folders = [table.prefix for table in TABLES if table.prefix.endswith(f"/{table.name}/")]
    folders += [f"{keys.WAREHOUSE}{declared.table.name}/" for declared in WAREHOUSE]
    return "".join(f"          - Path: !Sub s3://${{LakeBucketName}}/{folder}\n" for folder in folders)
