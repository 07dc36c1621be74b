"""Show what other tools need to reach the lake, for a shell.

`eval "$(./lake connect --laptop)"` sets the variables that the AWS command-line tool, boto3,
awswrangler, PyAthena, DuckDB, Polars, dbt and examples/ read. For a lake on AWS it shows no secret: credentials stay
where the AWS command-line tool keeps them.
"""

from __future__ import annotations

import os
import shlex
from collections.abc import Iterator, Mapping
from typing import Final

import typer

from cli.options import Laptop, Stack
from cli.stack import DEFAULT_STACK, Lake, find, laptop_environment
from spotify_lake.printable import printable

EXAMPLES: Final = ("./lake connect", "./lake connect --laptop")


def command(*, laptop: Laptop = False, stack: Stack = DEFAULT_STACK) -> None:
    """Run the command; see the module."""
    lake = find(laptop=laptop, stack=stack)
    for line in lines(lake, laptop_environment() if laptop else _named(lake, os.environ)):
        typer.echo(printable(line))


def lines(lake: Lake, access: Mapping[str, str]) -> Iterator[str]:
    """Yield lines for a shell: variables, and comments with what each tool takes.

    Parameters
    ----------
    lake
        The lake.
    access
        The variables with which AWS tools reach its account.
    """
    bucket, workgroup, database = (
        lake.output(name) for name in ("LakeBucketName", "AthenaWorkGroupName", "DatabaseName")
    )
    variables = {**access, "LAKE_BUCKET": bucket, "LAKE_WORKGROUP": workgroup, "LAKE_DATABASE": database}
    yield f'# {lake.place}. To set these variables: eval "$({lake.command("connect")})"'
    for name, value in variables.items():
        yield f"export {name}={shlex.quote(value)}"
    results = f"s3://{bucket}/athena-results/"
    endpoint = access.get("AWS_ENDPOINT_URL")
    keys = "the key and secret above" if endpoint else "AWS's default chain: no secret is shown here"
    yield f"# credentials     {keys}"
    yield f"# tables          s3://{bucket}/curated/<table>/snapshot_date=<date>/, one Parquet file for each snapshot"
    yield "# boto3, awswrangler, the AWS CLI, Polars and pyarrow read the variables."
    yield f"# PyAthena        connect(work_group={workgroup!r}, schema_name={database!r})"
    named = f"database={database!r}, workgroup={workgroup!r}"
    yield f"# awswrangler     athena.read_sql_query(…, {named}, ctas_approach=False)"
    if endpoint:
        host = endpoint.removeprefix("http://")
        yield f"# DuckDB          CREATE SECRET (TYPE s3, PROVIDER credential_chain, ENDPOINT '{host}',"
        yield "#                 URL_STYLE 'path', USE_SSL false), with its extensions httpfs and aws"
    else:
        yield "# DuckDB          CREATE SECRET (TYPE s3, PROVIDER credential_chain), with its extensions httpfs and aws"
        yield f"# Metabase        region {lake.region}, workgroup {workgroup}, S3 staging directory {results}"
        yield f"# Grafana         region {lake.region}, workgroup {workgroup}, database {database}"


def _named(lake: Lake, environ: Mapping[str, str]) -> dict[str, str]:
    """Return the variables that choose an account on AWS: a region and perhaps a profile, never a key."""
    profile = {"AWS_PROFILE": environ["AWS_PROFILE"]} if environ.get("AWS_PROFILE") else {}
    return {**profile, "AWS_DEFAULT_REGION": lake.region, "AWS_REGION": lake.region}
