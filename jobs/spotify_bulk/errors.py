"""What can be wrong with a run as a whole. What is wrong with single rows becomes rejects instead."""

from typing import Final

MOST_NAMES: Final = 10


class BulkError(Exception):
    """A run cannot go on; the message says why and what to do."""


class BadArguments(BulkError):
    """The job was started with arguments that cannot work."""


class NothingToRead(BulkError):
    """The input holds no CSV file."""

    def __init__(self, uri: str, others: list[str]) -> None:
        shown = ", ".join(others[:MOST_NAMES]) + (" and more" if len(others) > MOST_NAMES else "")
        there = f" What lies there is none: {shown}. Unpack archives." if others else ""
        super().__init__(
            f"There is no CSV file (.csv, .tsv or .txt, or one of them with .gz) at {uri}: put the files there"
            f" first.{there}"
        )


class PlaceFailed(BulkError):
    """S3 does not let the job read or write."""

    def __init__(self, uri: str, error: Exception) -> None:
        super().__init__(
            f"{uri} cannot be read or written: {error}. Check the address, and the permissions of the job's role."
        )


class RowsUnaccounted(BulkError):
    """Rows that went in did not come out: a defect of the job, so nothing was published."""

    def __init__(self, rows_in: int, out: dict[str, int]) -> None:
        became = ", ".join(f"{count} {what}" for what, count in out.items())
        super().__init__(
            f"{rows_in} rows went in, but {sum(out.values())} came out: {became}. Nothing was published. This is a"
            " defect of the job: please report it with the run's log."
        )


class LinesUnaccounted(BulkError):
    """Lines of the input became neither rows nor rejects: a defect of the job, so nothing was published."""

    def __init__(self, seen: int, found: int) -> None:
        super().__init__(
            f"{seen} lines were read, but {found} are accounted for. Nothing was published. This is a defect of the"
            " job: please report it with the run's log."
        )
