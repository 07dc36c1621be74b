"""The emulator's Athena for programs that know nothing of the laptop: boto3, awswrangler, PyAthena, JDBC.

The emulator runs statements on DuckDB and has no views. Here it translates Athena's SQL first (`local.sql_dialect`),
gives values the texts that Athena gives them, and puts the result file where it says that it is.
"""

from __future__ import annotations

import asyncio
import csv
import datetime as dt
import functools
import io
import sys
from collections.abc import Callable, Iterable
from contextvars import ContextVar
from pathlib import Path
from typing import Any, Final

from ministack.services import athena, glue, s3

from local.front import TRANSLATED

ROOT: Final = Path(__file__).resolve().parents[2]
# The translation and its library. They are no part of the emulator's environment, which the functions share.
_TRANSLATION: Final = (
    str(ROOT / "layers" / "common"),
    str(ROOT / ".venv" / "lib" / f"python3.{sys.version_info.minor}" / "site-packages"),
)
_LISTS: Final = {f"{kind}[]": "array" for kind in ("VARCHAR", "INTEGER", "BIGINT", "DOUBLE", "DATE")}

_run_duckdb = athena._run_duckdb
_copy_objects = athena._materialize_table_files
# The paths of the copies that the running query has made, by location.
_copies: ContextVar[dict[str, list[str]]] = ContextVar("copies")


def mend() -> None:
    """Replace the parts of the emulator's Athena that differ from AWS's."""
    athena._run_duckdb = functools.partial(_run, _translation())
    athena._materialize_table_files = _copy_once
    athena._save_query_results = _save
    athena._DUCKDB_TYPE_MAP.update(_LISTS)


def _translation() -> Callable[[str, str], str]:
    """Return the translation of a statement for a database; its library can be imported in here only."""
    sys.path.extend(_TRANSLATION)
    try:
        from local.sql_dialect import declared, to_duckdb  # noqa: PLC0415
        from queries import views  # noqa: PLC0415
    finally:
        del sys.path[-len(_TRANSLATION) :]

    def translate(sql: str, database: str) -> str:
        tables = [table for name, table in list(glue._tables.items()) if name.startswith(f"{database}/")]
        return to_duckdb(sql, declared(tables), views(), database=database)

    return translate


async def _run(
    translate: Callable[[str, str], str], query: str, database: str, catalog: str | None = None
) -> dict[str, Any]:
    if not query.startswith(TRANSLATED):
        query = await asyncio.to_thread(translate, query, database)
    _copies.set({})
    answer: dict[str, Any] = await _run_duckdb(query, database, catalog)
    answer["rows"] = [[_as_athena(value) for value in row] for row in answer["rows"]]
    return answer


def _copy_once(location: str, folders: list[str]) -> list[str]:
    """Copy a table's objects for a query, and return the files; once, although views name a table many times."""
    copies = _copies.get()
    if location not in copies:
        copies[location] = _copy_objects(location, folders)
    return copies[location]


def _as_athena(value: Any) -> Any:
    """Return a value as Athena writes it: times with milliseconds, lists and rows without quotation marks."""
    match value:
        case dt.datetime():
            text = value.strftime("%Y-%m-%d %H:%M:%S.%f")
            return text.removesuffix("000")
        case list():
            return f"[{_listed(value)}]"
        case dict():
            return "{" + _listed(f"{name}={_text(of)}" for name, of in value.items()) + "}"
    return value


def _listed(values: Iterable[Any]) -> str:
    return ", ".join(_text(value) for value in values)


def _text(value: Any) -> str:
    return "null" if value is None else str(athena._datum_text(_as_athena(value)))


async def _save(query_id: str) -> None:
    """Write a result to the address that the execution names. The emulator writes it below that address."""
    execution = athena._executions[query_id]
    columns, rows = execution["_results"]["columns"], execution["_results"]["rows"]
    file = io.StringIO()
    writer = csv.writer(file, quoting=csv.QUOTE_NOTNULL, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows([None if value is None else athena._datum_text(value) for value in row] for row in rows)
    data = file.getvalue().encode()
    bucket, _, key = execution["ResultConfiguration"]["OutputLocation"].removeprefix("s3://").partition("/")
    status, _, body = s3._put_object(
        bucket, key, data, {"content-type": "text/csv", "content-length": str(len(data))}
    )
    if status >= 300:
        raise OSError(f"The result could not be written to s3://{bucket}/{key}: {body.decode()}")
