"""Errors that stop a whole run. Problems with single rows become rejects instead."""

from typing import Final

MOST_NAMES: Final = 10


class BulkError(Exception):
    """The run cannot continue; the message says why and what to do.

    Names of files in it cannot control a terminal or the mail of the alarm: characters that are not printable become
    escapes.
    """

    def __init__(self, message: str) -> None:
        super().__init__("".join(sign if sign.isprintable() else repr(sign)[1:-1] for sign in message))


class BadArguments(BulkError):
    """The job was started with invalid arguments."""


class NothingToRead(BulkError):
    """The input has no CSV file."""

    def __init__(self, uri: str, others: list[str]) -> None:
        shown = ", ".join(others[:MOST_NAMES]) + (" and more" if len(others) > MOST_NAMES else "")
        ignored = f" These files were ignored: {shown}. Unpack archives." if others else ""
        super().__init__(
            f"There is no CSV file (.csv, .tsv or .txt, optionally with .gz) at {uri}: upload the files there"
            f" first.{ignored}"
        )


class StorageFailed(BulkError):
    """S3 refused a read or a write."""

    def __init__(self, uri: str, error: Exception) -> None:
        super().__init__(
            f"{uri} cannot be read or written: {error}. Check the address, and the permissions of the job's role."
        )


class RowsUnaccounted(BulkError):
    """The row counts do not add up. This is a bug in the job, and nothing was published."""

    def __init__(self, rows_in: int, out: dict[str, int]) -> None:
        outcomes = ", ".join(f"{count} {outcome}" for outcome, count in out.items())
        super().__init__(
            f"{rows_in} rows were read, but {sum(out.values())} are accounted for: {outcomes}. Nothing was published."
            " This is a bug in the job: please report it with the run's log."
        )


class LinesUnaccounted(BulkError):
    """Some input lines became neither rows nor rejects. This is a bug in the job, and nothing was published."""

    def __init__(self, seen: int, found: int) -> None:
        super().__init__(
            f"{seen} lines were read, but {found} are accounted for. Nothing was published. This is a bug in the"
            " job: please report it with the run's log."
        )


class NotEnough(BulkError):
    """A model cannot be made from these data; the message says what is needed. Nothing was published."""
