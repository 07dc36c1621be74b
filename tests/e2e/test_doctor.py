"""What `./lake doctor` sees on the laptop stack, and what `./lake deploy` changes in it."""

import datetime as dt
import json
import os
import re
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
import yaml

from cli import answers, change_set
from cli import stack as lakes
from cli.commands import deploy
from local.spotify_stub import PLAYLISTS
from local.stack import LaptopStack
from tests.support.operated import Person, as_lake, lake

POLL: Any = {"Delay": 1, "MaxAttempts": 60}


def test_the_laptop_stack_is_well(
    stack: LaptopStack, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(lakes, "_running_laptop", lambda: stack)
    yesterday = dt.datetime.now(dt.UTC).replace(hour=6, minute=0, second=0, microsecond=0) - dt.timedelta(1)
    stack.set_stub_clock(yesterday)
    event = {"scheduled_at": yesterday.isoformat(), "playlist_ids": [PLAYLISTS["Morning Ten"]]}
    assert stack.invoke("extract", event).error is None
    assert stack.wait_until_idle().is_clear
    status = lake("doctor", "--laptop")
    shown = capsys.readouterr().out
    assert status == 0, shown
    marks = {name.strip(): mark for mark, name in re.findall(r"^([✓✗–]) (.{13}) ", shown, re.MULTILINE)}
    assert marks == {
        "Credentials": "–",
        "Region": "–",
        "Stack": "✓",
        "Lambda quota": "–",
        "Permissions": "✓",
        "Sign-in": "✓",
        "Schedule": "–",
        "Last run": "✓",
        "Queues": "✓",
        "Athena": "✓",
        "Alarm mail": "–",
    }, shown
    assert "UTC: 1 written" in shown
    assert "SELECT 1 is 1; the table playlists has 1 row of the last 30 days" in shown


def packaged(stack: LaptopStack) -> str:
    """The template that `sam deploy` packaged for the stack, as JSON."""
    s3 = stack.client("s3")
    [bucket] = [
        one["Name"] for one in s3.list_buckets()["Buckets"] if one["Name"].startswith("aws-sam-cli-managed")
    ]
    for one in s3.list_objects_v2(Bucket=bucket)["Contents"]:
        if one["Key"].endswith(".template"):
            text = s3.get_object(Bucket=bucket, Key=one["Key"])["Body"].read()
            if b"ExtractFunction:" in text:
                return json.dumps(yaml.safe_load(text))
    raise AssertionError("sam has uploaded no template")


def test_a_change_is_prepared_shown_and_applied(
    stack: LaptopStack, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(answers, "FILE", tmp_path / "deploy.toml")
    template = packaged(stack)
    kept = {name: as_lake(stack).parameter(name) for name in ("AlarmEmail", "PlaylistIds")}

    def deployed(days: str) -> tuple[str, str]:
        """Deploy with as many days; return what was shown, and what the function now has."""
        person = Person()
        options = deploy.Options(
            stack="spotify-lake",
            region=None,
            parameters=kept | {"ReportDays": days},
            role=None,
            bucket=None,
            yes=True,
        )
        with mock.patch.dict(os.environ, stack.environment):
            deploy.run(
                options,
                person,
                can_ask=False,
                package=lambda _region, _bucket: template,
                apply=lambda *which: change_set.apply(*which, POLL),
            )
        function = stack.outputs["ReportFunctionName"]
        settings = stack.client("lambda").get_function_configuration(FunctionName=function)
        return person.saw, settings["Environment"]["Variables"]["REPORT_DAYS"]

    assert answers.keep("spotify-lake", {"region": "us-east-1"})
    try:
        shown, days = deployed("30")
        assert "| Modify | `ReportFunction` | AWS::Lambda::Function" in shown
        assert "The stack spotify-lake is UPDATE_COMPLETE" in shown
        assert days == "30"
        assert answers.read("spotify-lake")["ReportDays"] == "30"
    finally:
        assert deployed("90")[1] == "90"
