"""`./lake logs`: the newest lines of each function's log, formatted for the terminal."""

import datetime as dt
import json

import pytest

from cli.commands import logs
from cli.stack import Lake
from tests.support.operated import Person

NOON = dt.datetime(2026, 9, 1, 12, tzinfo=dt.UTC)


@pytest.mark.parametrize(
    "line, shown",
    [
        (
            {
                "level": "INFO",
                "message": "Snapshot written",
                "service": "extract",
                "entries": 3,
                "key": "raw/x",
            },
            "12:00:00 extract   INFO     Snapshot written  entries=3 key=raw/x",
        ),
        (
            {"level": "ERROR", "message": "Failed", "exception": "Traceback\n  …\nValueError: bad"},
            "12:00:00 extract   ERROR    Failed: ValueError: bad",
        ),
        (
            {"_aws": {"CloudWatchMetrics": [{"Metrics": [{"Name": "Written"}]}]}, "Written": [2.0, 1.0]},
            "12:00:00 extract   metrics  Written=3.0",
        ),
        (
            "REPORT RequestId: 1\tDuration: 48.1 ms\tBilled Duration: 49 ms",
            "12:00:00 extract   finished after 48.1 ms",
        ),
        ("plain text", "12:00:00 extract   plain text"),
        ("[1]", "12:00:00 extract   [1]"),
    ],
)
def test_log_lines_are_made_for_reading(line, shown):
    text = line if isinstance(line, str) else json.dumps(line)
    assert logs.log_line(NOON, "extract", text).plain.rstrip() == shown


class FakeLogs:
    """CloudWatch Logs and Lambda of a lake; the logs are lists of lines by stream."""

    class exceptions:
        class ResourceNotFoundException(Exception):
            pass

    def __init__(self, **groups):
        self.groups = groups

    def get_function_configuration(self, *, FunctionName):
        return {"LoggingConfig": {"LogGroup": FunctionName}}

    def describe_log_streams(self, *, logGroupName, orderBy, descending, limit):
        assert (orderBy, descending) == ("LastEventTime", True)
        if logGroupName not in self.groups:
            raise self.exceptions.ResourceNotFoundException
        return {"logStreams": [{"logStreamName": name} for name in self.groups[logGroupName]][:limit]}

    def get_log_events(self, *, logGroupName, logStreamName, limit, startFromHead):
        assert startFromHead is False
        found = self.groups[logGroupName][logStreamName]
        return {
            "events": [{"timestamp": 1000 * second, "message": message} for second, message in found[-limit:]]
        }


def shown(fake, *arguments):
    outputs = {f"{name.capitalize()}FunctionName": name for name in logs.Function}
    person = Person()
    lake = Lake(False, "spotify-lake", "1" * 12, "eu-central-1", outputs, {}, lambda _service: fake)
    logs.run(lake, person, *arguments)
    return [line.split(maxsplit=1)[1] for line in person.saw.splitlines()]


def test_the_newest_lines_of_all_functions_and_streams_come_last():
    fake = FakeLogs(
        extract={"b": [(1, "one"), (5, "five")], "a": [(3, "three\nand more")]},
        transform={"c": [(0, "START RequestId: 1"), (2, "two"), (4, "four")]},
    )
    assert shown(fake) == [
        "extract   one",
        "transform two",
        "extract   three",
        "extract   and more",
        "transform four",
        "extract   five",
    ]
    assert shown(fake, None, 2) == ["transform four", "extract   five"]
    assert shown(fake, logs.Function.TRANSFORM) == ["transform two", "transform four"]


def test_functions_that_never_ran():
    assert shown(FakeLogs()) == ["functions have not logged anything yet."]
