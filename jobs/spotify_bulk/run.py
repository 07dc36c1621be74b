"""One run of a job: its arguments, its files, publishing and the summary."""

from __future__ import annotations

import argparse
import hashlib
import json
import re
import sys
import time
import uuid
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from typing import Any, Final

from pyspark.sql import DataFrame, SparkSession

from spotify_bulk.errors import BadArguments, BulkError
from spotify_bulk.sources import CsvFile, as_utf8
from spotify_bulk.storage import Bucket, Folder, Storage, storage_at

COPIES_AT_A_TIME: Final = 16
# The name that Spark gives to a file it writes.
_PART: Final = re.compile(r"(?P<folder>.*/)?part-[^/]*\.parquet")
# Characters that Spark interprets as patterns or escapes in a file name.
_SPECIAL: Final = re.compile(r"[][*?{}\\^%#:\x00-\x1f]")


@dataclass(frozen=True)
class Arguments:
    """The arguments of a job.

    Attributes
    ----------
    input
        The folder or prefix whose CSV files are loaded.
    warehouse
        The folder or prefix of the tables.
    work
        The folder or prefix for intermediate results; a local folder if Spark cannot read S3.
    defaults
        Values for columns that a file lacks.
    """

    input: Storage
    warehouse: Storage
    work: Storage
    defaults: Mapping[str, str]

    @classmethod
    def parse(cls, argv: Sequence[str], defaults: Iterable[str] = ()) -> Arguments:
        """Parse the arguments of a job; the ones that AWS Glue adds are ignored.

        Raises
        ------
        BadArguments
            One is missing or invalid.
        """
        parser = argparse.ArgumentParser(allow_abbrev=False, add_help=False, exit_on_error=False)
        for name in ("input", "warehouse", "work", *defaults):
            parser.add_argument(f"--{name}", default="")
        try:
            found = vars(parser.parse_known_args(argv)[0])
        except argparse.ArgumentError as error:
            raise BadArguments(f"The job's arguments are invalid: {error}.") from error
        storages = {}
        for name in ("input", "warehouse", "work"):
            try:
                storages[name] = storage_at(found[name])
            except ValueError as error:
                problem = f"--{name}: {error}" if found[name] else f"The argument --{name} is missing."
                raise BadArguments(
                    f"{problem} Give an address such as s3://bucket/prefix, or a local path."
                ) from error
        work, given = (f"{storages[name].uri().rstrip('/')}/" for name in ("work", "input"))
        if work.startswith(given) or storages["work"] == storages["warehouse"]:
            raise BadArguments(
                "--work must not be the warehouse or part of the input, because files there are overwritten."
            )
        for name in ("work", "warehouse"):
            if _SPECIAL.search(storages[name].uri().removeprefix("s3:")):
                raise BadArguments(
                    f"--{name}: {found[name]!r} contains characters that Spark treats as patterns."
                )
        values = {name: found[name].strip() for name in defaults if found[name].strip()}
        if "date" in values:
            try:
                values["date"] = f"{date.fromisoformat(values['date'])}"
            except ValueError as error:
                raise BadArguments(f"--date: {values['date']!r} is not a date such as 2021-12-31.") from error
        return cls(**storages, defaults=values)


@dataclass
class Run:
    """One run: reads existing tables, stages new ones, publishes them and writes the summary.

    Attributes
    ----------
    name
        The time it started and a random suffix; names its summary.
    """

    spark: SparkSession
    arguments: Arguments
    job: str
    name: str = field(default_factory=lambda: f"{datetime.now(UTC):%Y%m%dT%H%M%SZ}-{uuid.uuid4().hex[:6]}")
    began: float = field(default_factory=time.monotonic)

    def work_path(self, name: str) -> str:
        """Return the address of an intermediate result, for Spark."""
        return self.arguments.work.uri(f"{self.job}/{name}")

    def input_paths(self, sources: Sequence[CsvFile]) -> list[str]:
        """Return the address of each input file, for Spark.

        Files whose names Spark would misread are copied; UTF-16 files are rewritten, because Spark cannot split
        them into lines.
        """
        given, work = self.arguments.input, self.arguments.work

        def one(source: CsvFile) -> str:
            uri, is_utf16 = given.uri(source.name), source.charset == "utf-16"
            suffix = ".gz" if source.gzipped and not is_utf16 else ""
            copy = f"{self.job}/in/{hashlib.sha256(uri.encode()).hexdigest()}.csv{suffix}"
            if is_utf16:
                with given.open(source.name) as content:
                    work.write(copy, as_utf8(content, source))
                return work.uri(copy)
            misnamed = _SPECIAL.search(uri.removeprefix("s3:")) or uri.endswith(".gz") != source.gzipped
            if self._spark_can_read(given) and not misnamed:
                return uri
            work.copy_from(given, source.name, copy)
            return work.uri(copy)

        with ThreadPoolExecutor(COPIES_AT_A_TIME) as pool:
            return list(pool.map(one, sources))

    def read_existing(
        self, table: str, wanted: Callable[[str], bool] = lambda _name: True
    ) -> DataFrame | None:
        """Return the current content of a table in the warehouse, or None if there is none."""
        names = [
            item.name
            for item in self.arguments.warehouse.find(f"{table}/")
            if item.name.endswith(".parquet") and wanted(item.name)
        ]
        if not names:
            return None
        with ThreadPoolExecutor(COPIES_AT_A_TIME) as pool:
            paths = list(pool.map(lambda name: self._readable_path(self.arguments.warehouse, name), names))
        return self.spark.read.parquet(*paths)

    def stage_table(self, table: str, frame: DataFrame, *order: str) -> DataFrame:
        """Write a sorted table as one object to the work area; return it as read from there."""
        path = self.work_path(f"out/{table}")
        frame.repartition(1).sortWithinPartitions(*order).write.mode("overwrite").parquet(path)
        return self.spark.read.schema(frame.schema).parquet(path)

    def publish(
        self, table: str, staged: str | None = None, last_partition_names_object: bool = False
    ) -> int:
        """Copy the staged objects of a table to the warehouse, one by one.

        An object has the same name in every run, so one PUT replaces the previous one and nothing is ever deleted.

        Parameters
        ----------
        table
            The table.
        staged
            The folder of its objects below ``out/``; by default the table's name.
        last_partition_names_object
            Use the last partition as the object's name instead of a folder.

        Returns
        -------
        int
            Number of objects.

        Raises
        ------
        BulkError
            Spark wrote two files for one object.
        """
        root = f"{self.job}/out/{staged or table}/"
        names: dict[str, str] = {}
        for item in self.arguments.work.find(root):
            if match := _PART.fullmatch(item.name.removeprefix(root)):
                folder = (match["folder"] or "").rstrip("/")
                *folders, last = (
                    folder.split("/") if last_partition_names_object else (*folder.split("/"), table)
                )
                name = "/".join([table, *filter(None, folders), f"{last.replace('=', '-')}.parquet"])
                if name in names:
                    raise BulkError(
                        f"Spark wrote two files for {name}. {table} was not published. This is a bug in the job."
                    )
                names[name] = item.name
        with ThreadPoolExecutor(COPIES_AT_A_TIME) as pool:
            list(
                pool.map(
                    lambda pair: self.arguments.warehouse.copy_from(self.arguments.work, pair[1], pair[0]),
                    names.items(),
                )
            )
        return len(names)

    def write_summary(self, summary: Mapping[str, Any]) -> dict[str, Any]:
        """Write the run's summary to the warehouse, under the run's name and as the latest, and print it."""
        complete = {
            "job": self.job,
            "run": self.name,
            "finished_at": f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}",
            "seconds": round(time.monotonic() - self.began, 1),
            "input": self.arguments.input.uri(),
            "defaults": dict(self.arguments.defaults),
            **summary,
        }
        text = json.dumps(complete, indent=2, ensure_ascii=False)
        for name in (self.name, "latest"):
            self.arguments.warehouse.write(f"_runs/{self.job}/{name}.json", text.encode())
        sys.stdout.write(f"{text}\n")
        return complete

    def _readable_path(self, source: Storage, name: str) -> str:
        """Return an address of the file that Spark can read: its own, or that of a copy."""
        if self._spark_can_read(source):
            return source.uri(name)
        copy = f"{self.job}/in/{name}"
        self.arguments.work.copy_from(source, name, copy)
        return self.arguments.work.uri(copy)

    def _spark_can_read(self, source: Storage) -> bool:
        """Return whether Spark can read it directly: not S3 while the work area is a local folder."""
        return not (isinstance(source, Bucket) and isinstance(self.arguments.work, Folder))


def session(name: str) -> SparkSession:
    """Return the Spark session, on AWS Glue or local.

    The environment sets master and memory, for example through ``PYSPARK_SUBMIT_ARGS``.
    """
    settings = {
        "spark.sql.session.timeZone": "UTC",
        # The codec that Redshift is documented to read, see docs/redshift.md.
        "spark.sql.parquet.compression.codec": "snappy",
        "spark.sql.legacy.javaCharsets": "true",  # windows-1252
        # Undefined bytes become U+FFFD; otherwise Spark would fail the run.
        "spark.sql.legacy.codingErrorAction": "true",
        # With fewer writers, each task first sorts its rows by partition.
        "spark.sql.maxConcurrentOutputFileWriters": "100",
        # The first of two levels hashes strings byte by byte, which takes longer than the second level alone.
        "spark.sql.codegen.aggregate.map.twolevel.enabled": "false",
        "spark.sql.sources.partitionColumnTypeInference.enabled": "false",
        "spark.hadoop.mapreduce.fileoutputcommitter.marksuccessfuljobs": "false",
        "spark.sql.execution.arrow.pyspark.enabled": "false",
    }
    builder = SparkSession.builder.appName(name)
    for setting, value in settings.items():
        builder = builder.config(setting, value)
    return builder.getOrCreate()


def main(job: Callable[[Run], object], name: str, defaults: Iterable[str] = ()) -> None:
    """Run a job from the command line or on AWS Glue; an error ends it with a one-sentence message."""
    try:
        arguments = Arguments.parse(sys.argv[1:], defaults)
        job(Run(session(name), arguments, name))
    except BulkError as error:
        # AWS Glue shows the text of the exception as the reason why the run failed.
        raise SystemExit(f"{type(error).__name__}: {error}") from error
