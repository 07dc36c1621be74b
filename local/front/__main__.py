"""Run the emulator behind the front: ``python -m local.front``, in the emulator's environment.

The keys of the account's owner are in AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, its other settings in the variables
that the emulator documents.
"""

from __future__ import annotations

import hmac
import os
import tempfile
import threading
from pathlib import Path
from typing import Any

import duckdb
from ministack.core import lambda_runtime
from ministack.services import sts

from local import private
from local.front import athena, health_token, signatures, unpacked, workers
from local.front.gate import Gate

_connect = duckdb.connect
_issue = lambda_runtime.execution_credentials
_issuing = threading.Lock()


def main() -> None:
    """Serve until the process is ended."""
    os.umask(private.UMASK)
    os.chdir(tempfile.gettempdir())
    duckdb.connect = _connect_without_files
    lambda_runtime.execution_credentials = _unguessable_credentials
    lambda_runtime.zipfile = unpacked.ZIPFILE
    lambda_runtime.kill_workers = workers.after_their_work(lambda_runtime.kill_workers)
    from ministack import app as emulator  # noqa: PLC0415 (it copies what is replaced above)

    athena.mend()
    emulator.app = Gate(emulator.app, health_token(os.environ["AWS_SECRET_ACCESS_KEY"]), signatures.refusal)
    emulator.main()


def _connect_without_files(*arguments: Any, **settings: Any) -> duckdb.DuckDBPyConnection:
    """Connect to DuckDB so that queries read the tables' files, which Athena has just copied, and no others."""
    connection = _connect(*arguments, **settings)
    copies = [str(path) for path in Path(tempfile.gettempdir()).glob("ministack-athena-*")]
    connection.execute("SET allowed_directories = $copies", {"copies": copies})
    connection.execute("SET enable_external_access = false")
    connection.execute("SET parquet_metadata_cache = true")  # a query opens each file several times
    return connection


def _unguessable_credentials(config: dict[str, Any]) -> dict[str, str]:
    """Issue the credentials of a function's role. The emulator's own can be computed from the function's name."""
    with _issuing:
        issued: dict[str, str] = _issue(config)
        session = sts._sessions.pop(issued["AWS_ACCESS_KEY_ID"])  # noqa: SLF001
    secret = os.environ["AWS_SECRET_ACCESS_KEY"].encode()
    mixed = {name: hmac.digest(secret, text.encode(), "sha256").hex() for name, text in issued.items()}
    mixed["AWS_ACCESS_KEY_ID"] = f"ASIA{mixed['AWS_ACCESS_KEY_ID'][:32].upper()}"
    session |= {
        "SecretAccessKey": mixed["AWS_SECRET_ACCESS_KEY"],
        "SessionToken": mixed["AWS_SESSION_TOKEN"],
    }
    sts.register_session(mixed["AWS_ACCESS_KEY_ID"], session)
    return mixed


if __name__ == "__main__":
    main()
