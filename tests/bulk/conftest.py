"""Tests of the Glue jobs, on one local Spark for all of them."""

import os
import shutil
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from local.spark import JAVA_VERSIONS, SETTINGS, java_version

if java_version(os.environ) not in JAVA_VERSIONS:
    WHY = "Spark needs Java 17 or 21 (apt install openjdk-17-jre-headless): the bulk jobs were not tested."
    if os.environ.get("CI"):
        pytest.exit(WHY, returncode=1)
    pytest.skip(WHY, allow_module_level=True)

from bulk import load_charts, load_kaggle
from bulk.places import Folder
from bulk.run import Arguments, Run, session

LOADS = {"charts": load_charts.load, "kaggle2023": load_kaggle.load}
type Row = tuple[Any, ...]


@pytest.fixture(scope="session")
def spark(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    # Compiling whole stages takes longer than a few rows do without.
    fast = {
        "spark.sql.codegen.wholeStage": "false",
        "spark.sql.shuffle.partitions": "2",
        "spark.sql.adaptive.enabled": "false",
        "spark.sql.warehouse.dir": str(tmp_path_factory.mktemp("spark")),
        "spark.driver.extraJavaOptions": "-XX:TieredStopAtLevel=1",
    }
    settings = " ".join(f"--conf {name}={value}" for name, value in (SETTINGS | fast).items())
    os.environ["PYSPARK_SUBMIT_ARGS"] = f"--master local[2] --driver-memory 1g {settings} pyspark-shell"
    os.environ["PYSPARK_PYTHON"] = sys.executable
    found = session("tests")
    yield found
    found.stop()


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
        import duckdb

        chosen = ", ".join(f'"{column}"' for column in columns) or "*"
        files = f"{self.root}/warehouse/{table}/**/*.parquet"
        return duckdb.sql(
            f"select {chosen} from read_parquet('{files}', hive_partitioning = true) order by all"
        ).fetchall()

    def content(self) -> dict[str, list[Row]]:
        """Return all tables."""
        folders = (path for path in (self.root / "warehouse").iterdir() if not path.name.startswith("_"))
        return {path.name: self.rows(path.name) for path in sorted(folders)}


@pytest.fixture
def new_lake(spark: Any, tmp_path: Path) -> Callable[[str], Lake]:
    return lambda name="lake": Lake(spark, tmp_path / name)


@pytest.fixture
def lake(new_lake: Callable[[str], Lake]) -> Lake:
    return new_lake("lake")
