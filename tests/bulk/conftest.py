"""Tests of the Glue jobs, on one local Spark for all of them."""

import os
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

from spotify_bulk.run import session
from tests.support.bulk_lake import Lake


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


@pytest.fixture
def small_blocks(spark: Any) -> Iterator[None]:
    """Files are read in several tasks, as large ones are."""
    spark.conf.set("spark.sql.files.maxPartitionBytes", "1500")
    spark.conf.set("spark.sql.files.openCostInBytes", "0")
    yield
    spark.conf.unset("spark.sql.files.maxPartitionBytes")
    spark.conf.unset("spark.sql.files.openCostInBytes")


@pytest.fixture
def new_lake(spark: Any, tmp_path: Path) -> Callable[[str], Lake]:
    return lambda name="lake": Lake(spark, tmp_path / name)


@pytest.fixture
def lake(new_lake: Callable[[str], Lake]) -> Lake:
    return new_lake("lake")
