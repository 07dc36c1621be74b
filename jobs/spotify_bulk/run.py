"""One run of a job: its arguments, where its files are, what it publishes, and its summary."""

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
from spotify_bulk.places import Bucket, Folder, Place, place
from spotify_bulk.sources import Source, as_utf8

COPIES_AT_A_TIME: Final = 16
# Whatever the name of the one file that Spark writes, it becomes this.
_PART: Final = re.compile(r"(?P<folder>.*/)?part-[^/]*\.parquet")
# In the name of a file, Spark takes them for patterns and escapes.
_MISLEADING: Final = re.compile(r"[][*?{}\\^%#:\x00-\x1f]")


@dataclass(frozen=True)
class Arguments:
    """What a job is told.

    Attributes
    ----------
    input
        The folder or prefix whose CSV files are read.
    warehouse
        Where the tables are.
    work
        Where intermediate results may go. A folder of this machine, if Spark cannot read S3 by itself.
    defaults
        Values for files that do not say them.
    """

    input: Place
    warehouse: Place
    work: Place
    defaults: Mapping[str, str]

    @classmethod
    def parse(cls, argv: Sequence[str], defaults: Iterable[str] = ()) -> Arguments:
        """Read the arguments of a job; AWS Glue adds some of its own, which are left alone.

        Raises
        ------
        BadArguments
            One is missing or cannot be meant.
        """
        parser = argparse.ArgumentParser(allow_abbrev=False, add_help=False, exit_on_error=False)
        for name in ("input", "warehouse", "work", *defaults):
            parser.add_argument(f"--{name}", default="")
        try:
            found = vars(parser.parse_known_args(argv)[0])
        except argparse.ArgumentError as error:
            raise BadArguments(f"The arguments of the job cannot be read: {error}.") from error
        places = {}
        for name in ("input", "warehouse", "work"):
            try:
                places[name] = place(found[name])
            except ValueError as error:
                said = f"--{name}: {error}" if found[name] else f"The argument --{name} is missing."
                raise BadArguments(
                    f"{said} Give an address such as s3://bucket/prefix, or a path on this machine."
                ) from error
        work, read = (f"{places[name].uri().rstrip('/')}/" for name in ("work", "input"))
        if work.startswith(read) or places["work"] == places["warehouse"]:
            raise BadArguments("--work must be a place of its own: what lies there is overwritten.")
        for name in ("work", "warehouse"):
            if _MISLEADING.search(places[name].uri().removeprefix("s3:")):
                raise BadArguments(
                    f"--{name}: {found[name]!r} has characters that mean something else to Spark."
                )
        given = {name: found[name].strip() for name in defaults if found[name].strip()}
        if "date" in given:
            try:
                given["date"] = f"{date.fromisoformat(given['date'])}"
            except ValueError as error:
                raise BadArguments(f"--date: {given['date']!r} is no date such as 2021-12-31.") from error
        return cls(**places, defaults=given)


@dataclass
class Run:
    """What one run has to do with files.

    Attributes
    ----------
    name
        When it began; names its summary.
    """

    spark: SparkSession
    arguments: Arguments
    job: str
    name: str = field(default_factory=lambda: f"{datetime.now(UTC):%Y%m%dT%H%M%SZ}-{uuid.uuid4().hex[:6]}")
    began: float = field(default_factory=time.monotonic)

    def stage(self, name: str) -> str:
        """Return where an intermediate result of this run goes, as Spark takes it."""
        return self.arguments.work.uri(f"{self.job}/{name}")

    def inputs(self, sources: Sequence[Source]) -> list[str]:
        """Return where Spark finds the input files.

        Those whose names would mislead it are copied, and those that it cannot read by lines are rewritten.
        """
        given, work = self.arguments.input, self.arguments.work

        def one(source: Source) -> str:
            uri, wide = given.uri(source.name), source.charset == "utf-16"
            suffix = ".gz" if source.gzipped and not wide else ""
            copy = f"{self.job}/in/{hashlib.sha256(uri.encode()).hexdigest()}.csv{suffix}"
            if wide:
                with given.open(source.name) as content:
                    work.write(copy, as_utf8(content, source))
                return work.uri(copy)
            misnamed = _MISLEADING.search(uri.removeprefix("s3:")) or uri.endswith(".gz") != source.gzipped
            if self._in_reach(given) and not misnamed:
                return uri
            work.take(given, source.name, copy)
            return work.uri(copy)

        with ThreadPoolExecutor(COPIES_AT_A_TIME) as pool:
            return list(pool.map(one, sources))

    def before(self, *tables: str, wanted: Callable[[str], bool] = lambda _name: True) -> DataFrame | None:
        """Return what tables of the warehouse hold now, or None."""
        names = [
            item.name
            for table in tables
            for item in self.arguments.warehouse.find(f"{table}/")
            if item.name.endswith(".parquet") and wanted(item.name)
        ]
        if not names:
            return None
        with ThreadPoolExecutor(COPIES_AT_A_TIME) as pool:
            paths = list(pool.map(lambda name: self._bring(self.arguments.warehouse, name), names))
        return self.spark.read.parquet(*paths)

    def write_one(self, table: str, frame: DataFrame, *order: str) -> DataFrame:
        """Write a table of one object to the stage, sorted; return it."""
        path = self.stage(f"out/{table}")
        frame.repartition(1).sortWithinPartitions(*order).write.mode("overwrite").parquet(path)
        return self.spark.read.schema(frame.schema).parquet(path)

    def publish(self, table: str, staged: str | None = None, divided_by_last: bool = False) -> int:
        """Put the staged objects of a table in place of those of the warehouse, one by one.

        Each has a name of its own that does not change from run to run, so that one PUT replaces what was there, and
        nothing is ever deleted.

        Parameters
        ----------
        table
            The table.
        staged
            Where its objects lie below ``out/``; by default under its name.
        divided_by_last
            The last partition column becomes the object's name instead of a folder.

        Returns
        -------
        int
            Number of objects.
        """
        root = f"{self.job}/out/{staged or table}/"
        names: dict[str, str] = {}
        for item in self.arguments.work.find(root):
            if match := _PART.fullmatch(item.name.removeprefix(root)):
                folder = (match["folder"] or "").rstrip("/")
                *folders, last = folder.split("/") if divided_by_last else (*folder.split("/"), table)
                name = "/".join([table, *filter(None, folders), f"{last.replace('=', '-')}.parquet"])
                if name in names:
                    raise BulkError(f"Spark wrote two files for {name}: a defect. {table} was not published.")
                names[name] = item.name
        with ThreadPoolExecutor(COPIES_AT_A_TIME) as pool:
            list(
                pool.map(
                    lambda pair: self.arguments.warehouse.take(self.arguments.work, pair[1], pair[0]),
                    names.items(),
                )
            )
        return len(names)

    def summarize(self, summary: Mapping[str, Any]) -> dict[str, Any]:
        """Write the run's summary to the warehouse, as the newest and under its own name, and print it."""
        whole = {
            "job": self.job,
            "run": self.name,
            "finished_at": f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}",
            "seconds": round(time.monotonic() - self.began, 1),
            "input": self.arguments.input.uri(),
            "defaults": dict(self.arguments.defaults),
            **summary,
        }
        text = json.dumps(whole, indent=2, ensure_ascii=False)
        for name in (self.name, "latest"):
            self.arguments.warehouse.write(f"_runs/{self.job}/{name}.json", text.encode())
        sys.stdout.write(f"{text}\n")
        return whole

    def _bring(self, source: Place, name: str) -> str:
        """Return where Spark finds a file: where it is, or in a copy."""
        if self._in_reach(source):
            return source.uri(name)
        copy = f"{self.job}/in/{name}"
        self.arguments.work.take(source, name, copy)
        return self.arguments.work.uri(copy)

    def _in_reach(self, source: Place) -> bool:
        """Tell whether Spark reads from there by itself: not from S3 if it works in a folder."""
        return not (isinstance(source, Bucket) and isinstance(self.arguments.work, Folder))


def session(name: str) -> SparkSession:
    """Return the Spark session, the one of AWS Glue or a local one.

    Master and memory are what the surroundings say, such as ``PYSPARK_SUBMIT_ARGS``.
    """
    settings = {
        "spark.sql.session.timeZone": "UTC",
        # What Redshift is documented to read, see docs/redshift.md.
        "spark.sql.parquet.compression.codec": "snappy",
        "spark.sql.legacy.javaCharsets": "true",  # windows-1252
        # A byte that means nothing in it becomes U+FFFD, where Spark would give up the run.
        "spark.sql.legacy.codingErrorAction": "true",
        # Without it, each task sorts its rows by partition before writing them.
        "spark.sql.maxConcurrentOutputFileWriters": "100",
        # The first level of two hashes texts byte by byte, which takes longer than the second by itself.
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
    """Run a job from the command line or AWS Glue; what is wrong is said in a sentence."""
    try:
        arguments = Arguments.parse(sys.argv[1:], defaults)
        job(Run(session(name), arguments, name))
    except BulkError as error:
        # An exception, and not an exit status: AWS Glue shows its text as the reason of the failed run.
        raise SystemExit(f"{type(error).__name__}: {error}") from error
