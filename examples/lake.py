"""Where the examples find the lake: in exported files, or behind the variables that `./lake connect` shows.

Each function ends the program with a sentence that says what to run, where something is missing.
"""

import os
from pathlib import Path

import pyarrow.parquet as pq
import yaml

EXAMPLES = Path(__file__).resolve().parent
EXPORT = Path(os.environ.get("LAKE_EXPORT", EXAMPLES.parent / "export"))
AGAIN = "Run `./lake export --tables`, with `--laptop` for the lake on this laptop, then this again."
CONNECT = 'Run `eval "$(./lake connect)"`, with `--laptop` for the lake on this laptop, then this again.'


def exported(table: str) -> str:
    """Return the path of an exported table, after a look at its columns.

    Raises
    ------
    SystemExit
        It is not there, another version of the lake wrote it, or it has no rows.
    """
    path = EXPORT / f"{table}.parquet"
    if not path.exists():
        raise SystemExit(f"There is no file {path}. {AGAIN}")
    found, declared = pq.ParquetFile(path), _columns(table)
    if differing := set(found.schema_arrow.names) ^ set(declared):
        raise SystemExit(
            f"{path} is from another version of the lake, which differs in {', '.join(sorted(differing))}. {AGAIN}"
        )
    if not found.metadata.num_rows:
        raise SystemExit(
            f"The table {table} had no rows when it was exported. Fill the lake: `make demo`, or a daily run. {AGAIN}"
        )
    return str(path)


def _columns(table: str) -> list[str]:
    [source] = yaml.safe_load((EXAMPLES / "dbt" / "models" / "sources.yml").read_text())["sources"]
    [columns] = [one["columns"] for one in source["tables"] if one["name"] == table]
    return [column["name"] for column in columns]


def connected(name: str) -> str:
    """Return a variable of `./lake connect`, such as LAKE_BUCKET, after a look at the credentials.

    Raises
    ------
    SystemExit
        The variable is not set, or AWS or the laptop stack does not take the credentials.
    """
    import boto3  # noqa: PLC0415 (exported files need no AWS)
    from botocore.exceptions import BotoCoreError, ClientError  # noqa: PLC0415

    if name not in os.environ:
        raise SystemExit(f"The variable {name} is not set. {CONNECT}")
    try:
        boto3.client("sts").get_caller_identity()
    except (BotoCoreError, ClientError) as error:
        raise SystemExit(
            f"No credentials are valid: {str(error).rstrip('.')}. Sign in to AWS with `aws login`; for the lake on"
            ' this laptop run `eval "$(./lake connect --laptop)"`. Then run this again.'
        ) from None
    return os.environ[name]
