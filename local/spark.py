"""Runs Glue jobs on this machine: the same files, with the Spark version of AWS Glue."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from local.errors import LaptopError

JAVA_VERSIONS: Final = (17, 21)  # what Spark 4.1 runs on
DRIVER_MEMORY: Final = "3g"
JAVA_OPTIONS: Final = (
    # Nothing here is interactive, so pauses do not matter; this garbage collector takes the least time overall.
    "-XX:+UseParallelGC",
    # The methods that see every row are called millions of times. By default the JVM also optimizes those that plan and
    # compile a run, which takes longer than they then save: see decision 29.
    "-XX:Tier4InvocationThreshold=200000",
    "-XX:Tier4CompileThreshold=1000000",  # calls and loops, for methods that see many rows at each call
    "-XX:Tier4BackEdgeThreshold=200000",
)
SETTINGS: Final = {
    "spark.driver.bindAddress": "127.0.0.1",
    "spark.driver.host": "127.0.0.1",
    "spark.driver.extraJavaOptions": " ".join(JAVA_OPTIONS),
    "spark.log.level": "ERROR",
    "spark.sql.shuffle.partitions": "4",
    "spark.ui.enabled": "false",
    "spark.ui.showConsoleProgress": "false",
}


def java_version(environment: Mapping[str, str]) -> int | None:
    """Return the major version of the Java that Spark would use, or None if there is none."""
    home = environment.get("JAVA_HOME")
    java = str(Path(home) / "bin" / "java") if home else shutil.which("java", path=environment.get("PATH"))
    if not java:
        return None
    try:
        said = subprocess.run(
            [java, "-version"], capture_output=True, text=True, check=True, timeout=60
        ).stderr
    except (OSError, subprocess.SubprocessError):
        return None
    found = re.search(r'version "(\d+)', said)
    return int(found[1]) if found else None


def need_java(environment: Mapping[str, str]) -> None:
    """Check that there is a Java that Spark supports.

    Raises
    ------
    LaptopError
        There is none.
    """
    version = java_version(environment)
    if version not in JAVA_VERSIONS:
        found = "none was found" if version is None else f"version {version} was found"
        raise LaptopError(
            f"The bulk jobs run on Spark, which needs Java 17 or 21; {found}. Install it (apt install"
            " openjdk-17-jre-headless, brew install openjdk@17, ...), or set JAVA_HOME to its folder."
        )


def spark_environment(environment: Mapping[str, str]) -> dict[str, str]:
    """Return the environment for running a job on two cores of this machine."""
    settings = " ".join(f"--conf {shlex.quote(f'{name}={value}')}" for name, value in SETTINGS.items())
    arguments = f"--master local[2] --driver-memory {DRIVER_MEMORY} {settings} pyspark-shell"
    return {**environment, "PYSPARK_SUBMIT_ARGS": arguments}


def job_command(root: Path, job: str, arguments: Sequence[str]) -> list[str]:
    """Return the command that runs a job of this repository; raises LaptopError as `spark_python` does."""
    return [str(spark_python(root)), str(root / "jobs" / f"{job}.py"), *arguments]


def spark_python(root: Path) -> Path:
    """Return the Python interpreter of the environment with Spark.

    Raises
    ------
    LaptopError
        Spark is not installed.
    """
    python = root / ".tools" / "spark" / "bin" / "python"
    if not python.exists():
        raise LaptopError(f"{python} is missing. `./lake bulk-demo` installs it.")
    return python
