"""stacks/catalog.yaml: the tables of schema.py and warehouse.py in the Glue Data Catalog, and the crawler over them."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from spotify_lake import keys
from spotify_lake.schema.playlists import PARTITION, TABLES
from spotify_lake.schema.types import Column, Table
from spotify_lake.schema.warehouse import WAREHOUSE, WarehouseTable
from tools.queries import meaning

STACK: Final = Path(__file__).parents[1] / "stacks" / "catalog.yaml"

_HEAD = """\
# Generated from spotify_lake/schema.py by make schema: change the tables there, the rest in tools/catalog.py.
AWSTemplateFormatVersion: "2010-09-09"
Description: >-
  The tables of Spotify Lake in the Glue Data Catalog, and the crawler over them.

Parameters:
  LakeName:
    Description: Name of the lake, and of the crawler.
    Type: String
  LakeBucketName:
    Description: Bucket of the tables.
    Type: String
  DatabaseName:
    Description: Database of the tables.
    Type: String
  FirstSnapshotDate:
    Description: Date of the oldest snapshot that queries see.
    Type: String
  CrawlerSchedule:
    Description: When the crawler runs, as a Glue cron expression in UTC; empty for on demand.
    Type: String
  KmsKeyArn:
    Description: Key of the lake; empty for the keys of AWS.
    Type: String
  PermissionsBoundaryArn:
    Description: Limit of the role; empty for none.
    Type: String

Conditions:
  CrawlsOnSchedule: !Not [!Equals [!Ref CrawlerSchedule, ""]]
  HasKmsKey: !Not [!Equals [!Ref KmsKeyArn, ""]]
  HasBoundary: !Not [!Equals [!Ref PermissionsBoundaryArn, ""]]

Resources:
"""

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

_CRAWLER = """\
  CrawlerRole:
    Type: AWS::IAM::Role
    Properties:
      Description: What the crawler of Spotify Lake may do.
      PermissionsBoundary: !If [HasBoundary, !Ref PermissionsBoundaryArn, !Ref AWS::NoValue]
      AssumeRolePolicyDocument:
        Version: "2012-10-17"
        Statement:
          - Effect: Allow
            Principal: { Service: glue.amazonaws.com }
            Action: sts:AssumeRole
      Policies:
        - PolicyName: crawler
          PolicyDocument:
            Version: "2012-10-17"
            Statement:
              - Sid: ReadTables
                Effect: Allow
                Action: s3:GetObject
                Resource:
                  - !Sub arn:${AWS::Partition}:s3:::${LakeBucketName}/curated/*
                  - !Sub arn:${AWS::Partition}:s3:::${LakeBucketName}/datawarehouse/*
              - Sid: ListTables
                Effect: Allow
                Action: s3:ListBucket
                Resource: !Sub arn:${AWS::Partition}:s3:::${LakeBucketName}
                Condition:
                  StringLike: { s3:prefix: [curated/*, datawarehouse/*] }
              - Sid: LocateLake
                Effect: Allow
                Action: s3:GetBucketLocation
                Resource: !Sub arn:${AWS::Partition}:s3:::${LakeBucketName}
              - Sid: KeepCatalog
                Effect: Allow
                Action:
                  - glue:GetDatabase
                  - glue:GetTable
                  - glue:GetTables
                  - glue:CreateTable
                  - glue:UpdateTable
                  - glue:GetPartition
                  - glue:GetPartitions
                  - glue:BatchGetPartition
                  - glue:CreatePartition
                  - glue:BatchCreatePartition
                  - glue:UpdatePartition
                  - glue:BatchUpdatePartition
                Resource:
                  - !Sub arn:${AWS::Partition}:glue:${AWS::Region}:${AWS::AccountId}:catalog
                  - !Sub arn:${AWS::Partition}:glue:${AWS::Region}:${AWS::AccountId}:database/${DatabaseName}
                  - !Sub arn:${AWS::Partition}:glue:${AWS::Region}:${AWS::AccountId}:table/${DatabaseName}/*
              - Sid: WriteLogs
                Effect: Allow
                Action: [logs:CreateLogGroup, logs:CreateLogStream, logs:PutLogEvents]
                Resource:
                  - !Sub arn:${AWS::Partition}:logs:${AWS::Region}:${AWS::AccountId}:log-group:/aws-glue/crawlers:*
              - !If
                - HasKmsKey
                - Sid: UseKey
                  Effect: Allow
                  Action: kms:Decrypt
                  Resource: !Ref KmsKeyArn
                  Condition:
                    StringEquals:
                      kms:ViaService: !Sub s3.${AWS::Region}.${AWS::URLSuffix}
                - !Ref AWS::NoValue

  Crawler:
    Type: AWS::Glue::Crawler
    Properties:
      Name: !Ref LakeName
      Description: Registers partitions for engines that do not project them, and rebuilds the catalog if it is lost.
      # The ARN by name, not GetAtt: the emulator of the laptop stack forgets attributes when it updates a nested stack.
      Role: !Sub arn:${AWS::Partition}:iam::${AWS::AccountId}:role/${CrawlerRole}
      DatabaseName: !Ref DatabaseName
      Targets:
        S3Targets:
"""
_CRAWLER_SETTINGS = """\
      Schedule: !If [CrawlsOnSchedule, { ScheduleExpression: !Ref CrawlerSchedule }, !Ref AWS::NoValue]
      # The declared tables stay as they are; new tables and partitions are still added.
      SchemaChangePolicy: { UpdateBehavior: LOG, DeleteBehavior: LOG }
      # Crawling new folders only would not find the old partitions of a catalog that was lost.
      RecrawlPolicy: { RecrawlBehavior: CRAWL_EVERYTHING }
      Configuration: >-
        {"Version": 1.0,
        "CrawlerOutput": {"Partitions": {"AddOrUpdateBehavior": "InheritFromTable"}},
        "Grouping": {"TableGroupingPolicy": "CombineCompatibleSchemas"},
        "CreatePartitionIndex": false}
"""


def stack() -> str:
    """Return stacks/catalog.yaml."""
    tables = [*map(_lake_table, TABLES), *map(_warehouse_table, WAREHOUSE)]
    return "".join([_HEAD, *tables, _CRAWLER, _targets(), _CRAWLER_SETTINGS])


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
    folders = [table.prefix for table in TABLES if table.prefix.endswith(f"/{table.name}/")]
    folders += [f"{keys.WAREHOUSE}{declared.table.name}/" for declared in WAREHOUSE]
    return "".join(f"          - Path: !Sub s3://${{LakeBucketName}}/{folder}\n" for folder in folders)
