"""Writes rows as Parquet objects.

Each snapshot gives exactly one object for each table, with a key made from the snapshot's identity, so writing it again
replaces the same objects with the same bytes.
"""

import io
from functools import cache
from typing import TYPE_CHECKING, Any, Final

import awswrangler as wr
import boto3
import pyarrow as pa
import pyarrow.parquet as pq

from spotify_lake.keys import curated_key
from spotify_lake.normalize.rows import Tables
from spotify_lake.raw.store import CORRELATION_ID
from spotify_lake.schema.playlists import TABLES
from spotify_lake.schema.types import Table, Type

if TYPE_CHECKING:
    from collections.abc import Sequence

    from spotify_lake.normalize.rows import Row

ARROW_TYPES: Final = {
    Type.STRING: pa.string(),
    Type.INT: pa.int32(),
    Type.BIGINT: pa.int64(),
    Type.BOOLEAN: pa.bool_(),
    Type.DATE: pa.date32(),
    Type.TIMESTAMP: pa.timestamp("us", tz="UTC"),
    Type.STRINGS: pa.list_(pa.string()),
}


class Session(boto3.Session):
    """A session that creates one client for each service.

    awswrangler requests a client for each object, and creating one takes longer than writing the object.
    """

    def __init__(self) -> None:
        super().__init__()
        self._clients: dict[str, Any] = {}

    def client(self, service_name: Any, *args: Any, **options: Any) -> Any:
        """Return the client of a service; the arguments of the first call apply."""
        if service_name not in self._clients:
            self._clients[service_name] = super().client(service_name, *args, **options)
        return self._clients[service_name]


@cache
def arrow_schema(table: Table) -> pa.Schema:
    """Return the schema of a table's Parquet files; the partition column is in the key, not in the file."""
    return pa.schema([(column.name, ARROW_TYPES[column.type]) for column in table.columns])


def to_parquet(rows: "Sequence[Row]", table: Table) -> bytes:
    """Return the rows of a table as a Parquet file; equal rows give equal bytes."""
    schema = arrow_schema(table)
    values = zip(*rows, strict=True) if rows else ((),) * len(schema)
    columns = [pa.array(column, type=field.type) for column, field in zip(values, schema, strict=True)]
    file = io.BytesIO()
    pq.write_table(pa.table(columns, schema=schema), file, compression="zstd", version="2.6")
    return file.getvalue()


def write(
    tables: Tables, bucket: str, session: "boto3.Session", correlation_id: str | None = None
) -> list[str]:
    """Write one Parquet object per table, the playlists row last.

    Parameters
    ----------
    tables
        Rows of one snapshot.
    bucket
        The lake bucket.
    session
        A session whose credentials may write.
    correlation_id
        Id of the run that took the snapshot, for the objects' metadata; their content does not depend on it.

    Returns
    -------
    list of str
        Keys of the objects, in the order written.
    """
    keys = []
    metadata = {CORRELATION_ID: correlation_id} if correlation_id else {}
    for table in TABLES:
        object_key = curated_key(table.prefix, tables.playlist_id, tables.scheduled_at)
        wr.s3.upload(
            io.BytesIO(to_parquet(tables.rows[table.name], table)),
            f"s3://{bucket}/{object_key}",
            use_threads=False,  # one small object: a pool of threads would cost more than it saves
            boto3_session=session,
            s3_additional_kwargs={"Metadata": metadata},
        )
        keys.append(object_key)
    return keys
