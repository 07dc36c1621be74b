"""A warehouse in a folder that the jobs of the bulk data sets fill, and what holds for every run."""

from __future__ import annotations

import hashlib
import shutil
from pathlib import Path
from typing import Any

import duckdb
import pyarrow.parquet as pq
import pytest

from spotify_bulk import forecast_charts, load_charts, load_kaggle, predict_popularity
from spotify_bulk.reconciliation import REJECTS
from spotify_bulk.run import Arguments, Run
from spotify_bulk.storage import Bucket, Folder, Storage
from spotify_lake.schema.types import Type
from spotify_lake.schema.warehouse import WarehouseTable

LOADS = {"charts": load_charts.load, "kaggle2023": load_kaggle.load}
LOADS |= {"forecast": forecast_charts.load, "popularity": predict_popularity.load}
type Row = tuple[Any, ...]


class Lake:
    """A warehouse in a folder, and the jobs that fill it."""

    def __init__(self, spark: Any, root: Path) -> None:
        self.spark, self.root = spark, root

    def load(self, job: str, files: dict[str, bytes | str], **defaults: str) -> dict[str, Any]:
        """Run a job on files by name; the same files lie in the same folder."""
        bodies = {
            name: content if isinstance(content, bytes) else content.encode()
            for name, content in files.items()
        }
        batch = hashlib.sha256(repr(sorted(bodies.items())).encode()).hexdigest()[:8]
        given = self.storage(f"staging/{batch}")
        for name, body in bodies.items():
            given.write(name, body)
        shutil.rmtree(self.root / "work", ignore_errors=True)
        arguments = Arguments(given, self.storage("warehouse"), Folder(self.root / "work"), defaults)
        return LOADS[job](Run(self.spark, arguments, job))

    def die(self, patch: pytest.MonkeyPatch, published: int, job: str, files: dict[str, bytes | str]) -> None:
        """Run a job that is killed when it has put some objects into the warehouse."""
        warehouse, left = self.storage("warehouse"), iter(range(published))
        copy_from = type(warehouse).copy_from

        def dying(storage: Storage, *what: Any) -> None:
            if storage == warehouse and next(left, None) is None:
                raise KeyboardInterrupt
            copy_from(storage, *what)

        with patch.context() as context:
            context.setattr(type(warehouse), "copy_from", dying)
            context.setattr("spotify_bulk.run.COPIES_AT_A_TIME", 1)
            with pytest.raises(KeyboardInterrupt):
                self.load(job, files)

    def storage(self, name: str) -> Storage:
        """Return where a part of the lake is."""
        return Folder(self.root / name)

    def copy(self, name: str) -> Lake:
        """Return another lake with the same content."""
        other = Lake(self.spark, self.root.with_name(name))
        shutil.copytree(self.root, other.root)
        return other

    def rows(self, table: str, *columns: str) -> list[Row]:
        """Return the rows of a table, sorted; all columns by name, or those named."""
        chosen = ", ".join(f'"{column}"' for column in columns) or "*"
        files = f"{self.root}/warehouse/{table}/**/*.parquet"
        relation = duckdb.read_parquet(files, hive_partitioning=True)
        return relation.project(chosen).order("all").fetchall()

    def content(self) -> dict[str, list[Row]]:
        """Return all tables; of files that are with_file_addresses, the last part of their address."""
        folders = (path for path in (self.root / "warehouse").iterdir() if not path.name.startswith("_"))
        tables = {path.name: self.rows(path.name) for path in sorted(folders)}
        return tables | {REJECTS: [(source.split("/")[-1], *others) for source, *others in tables[REJECTS]]}


class BucketLake(Lake):
    """A warehouse in a bucket, with a copy in the folder."""

    def storage(self, name: str) -> Storage:
        """Return where a part of the lake is."""
        return Bucket("lake", f"{name}/")

    def content(self) -> dict[str, list[Row]]:
        """Return all tables."""
        there, here = self.storage("warehouse"), Folder(self.root / "warehouse")
        shutil.rmtree(here.path, ignore_errors=True)
        for item in there.find():
            here.copy_from(there, item.name, item.name)
        return super().content()


def balance(summary: dict[str, Any]) -> None:
    assert summary["rows_in"] == summary["rows_out"] + summary["rejects"] + summary["duplicates"]
    assert summary["rejects"] == sum(summary["rejects_by_reason"].values())


def assert_declared(lake: Lake, declared: WarehouseTable) -> None:
    names = {
        "int32": Type.INT,
        "int64": Type.BIGINT,
        "string": Type.STRING,
        "double": Type.DOUBLE,
        "bool": Type.BOOLEAN,
    }
    names |= {"date32[day]": Type.DATE, "list<element: string>": Type.STRINGS}
    files = sorted((lake.root / "warehouse" / declared.table.name).rglob("*.parquet"))
    assert files, declared.table.name
    for file in files:
        # In order, as Redshift takes them.
        schema = [(field.name, names[str(field.type)]) for field in pq.read_schema(file)]
        assert schema == [(column.name, column.type) for column in declared.table.columns], file
        assert {part.split("=")[0] for part in file.parts if "=" in part} <= {
            p.column.name for p in declared.partitions
        }
