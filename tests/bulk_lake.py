"""A warehouse in a folder that the jobs of the bulk data sets fill, and what holds for every run."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import duckdb
import pyarrow.parquet as pq

from bulk import load_charts, load_kaggle
from bulk.places import Folder
from bulk.run import Arguments, Run
from spotify_lake.schema import Type
from spotify_lake.warehouse import WarehouseTable

LOADS = {"charts": load_charts.load, "kaggle2023": load_kaggle.load}
type Row = tuple[Any, ...]


class Lake:
    """A warehouse in a folder, and the jobs that fill it."""

    def __init__(self, spark: Any, root: Path) -> None:
        self.spark, self.root, self.batches = spark, root, 0

    def load(self, job: str, files: dict[str, bytes | str], **defaults: str) -> dict[str, Any]:
        """Run a job on files by name."""
        self.batches += 1
        folder = self.root / "staging" / str(self.batches)
        for name, content in files.items():
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content if isinstance(content, bytes) else content.encode())
        shutil.rmtree(self.root / "work", ignore_errors=True)
        arguments = Arguments(
            Folder(folder), Folder(self.root / "warehouse"), Folder(self.root / "work"), defaults
        )
        return LOADS[job](Run(self.spark, arguments, job))

    def rows(self, table: str, *columns: str) -> list[Row]:
        """Return the rows of a table, sorted; all columns by name, or those named."""
        chosen = ", ".join(f'"{column}"' for column in columns) or "*"
        files = f"{self.root}/warehouse/{table}/**/*.parquet"
        relation = duckdb.read_parquet(files, hive_partitioning=True)
        return relation.project(chosen).order("all").fetchall()

    def content(self) -> dict[str, list[Row]]:
        """Return all tables."""
        folders = (path for path in (self.root / "warehouse").iterdir() if not path.name.startswith("_"))
        return {path.name: self.rows(path.name) for path in sorted(folders)}


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
