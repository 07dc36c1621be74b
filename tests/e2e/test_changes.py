"""Snapshots every five minutes: what is announced, what is not, and what the tables and views then say."""

import datetime as dt
import json
import time
from collections import Counter
from collections.abc import Iterator
from typing import Any, NamedTuple

import pytest

from cli.commands.replay import s3_event
from local.spotify_stub import PLAYLISTS
from local.stack import LaptopStack
from queries import queries
from spotify_lake import keys
from spotify_lake.keys import SnapshotId
from spotify_lake.schema.playlists import TABLES
from tests.support import payloads
from tests.support.deployed import current_date
from tests.support.template import ROOT

TOP, WEEKLY = PLAYLISTS["Top 100"], PLAYLISTS["Songs of a Lifetime"]  # the latter turns over on Fridays
STEP = dt.timedelta(minutes=5)
START = dt.datetime(2026, 9, 2, 23, 40, tzinfo=dt.UTC)
# The day of the stub's lists at each run: its clock jumps, while the runs are five minutes apart.
LISTS = [dt.datetime(2026, 9, day, 12, tzinfo=dt.UTC) for day in (1, 1, 2, 3, 3, 3, 4)]
RUNS = [START + STEP * number for number in range(len(LISTS))]
MIDNIGHT = dt.datetime(2026, 9, 3, tzinfo=dt.UTC)
WRITTEN = {  # at least one a day, and one whenever something changed
    TOP: [RUNS[0], RUNS[2], RUNS[3], RUNS[4], RUNS[6]],
    WEEKLY: [RUNS[0], RUNS[4], RUNS[6]],
}
CHANGED = {TOP: [RUNS[2], RUNS[3], RUNS[6]], WEEKLY: [RUNS[6]]}


class Heard(NamedTuple):
    """What two rules took from the lake's bus: whole events, and the texts of the example's mails."""

    stack: LaptopStack
    events: str
    mails: str

    def take(self, url: str, number: int) -> list[str]:
        """Receive `number` messages and whatever comes within a moment after them."""
        sqs, bodies, until = self.stack.client("sqs"), [], time.monotonic() + 60
        while time.monotonic() < until:
            found = sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10, WaitTimeSeconds=1)
            for message in found.get("Messages", []):
                bodies.append(message["Body"])
                sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
            if len(bodies) >= number and not found.get("Messages"):
                break
        return bodies


def queue(stack: LaptopStack, name: str) -> tuple[str, str]:
    sqs = stack.client("sqs")
    url = sqs.create_queue(QueueName=name)["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    services = {"Service": ["events.amazonaws.com", "sns.amazonaws.com"]}
    statement = {"Effect": "Allow", "Principal": services, "Action": "sqs:SendMessage", "Resource": arn}
    policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    sqs.set_queue_attributes(QueueUrl=url, Attributes={"Policy": policy})
    return url, arn


@pytest.fixture(scope="module")
def heard(stack: LaptopStack) -> Iterator[Heard]:
    """The stack with the example of docs/events.md deployed beside it."""
    cloudformation, events = stack.client("cloudformation"), stack.client("events")
    events_url, events_arn = queue(stack, "heard-events")
    mails_url, mails_arn = queue(stack, "heard-mails")
    bus = stack.outputs["EventBusName"]
    events.put_rule(Name="everything", EventBusName=bus, EventPattern='{"source": ["spotify-lake"]}')
    events.put_targets(Rule="everything", EventBusName=bus, Targets=[{"Id": "queue", "Arn": events_arn}])
    cloudformation.create_stack(
        StackName="change-mails", TemplateBody=(ROOT / "stacks" / "change-mails.yaml").read_text()
    )
    cloudformation.get_waiter("stack_create_complete").wait(
        StackName="change-mails", WaiterConfig={"Delay": 1, "MaxAttempts": 30}
    )
    (example,) = cloudformation.describe_stacks(StackName="change-mails")["Stacks"]
    topic = {output["OutputKey"]: output["OutputValue"] for output in example["Outputs"]}["TopicArn"]
    stack.client("sns").subscribe(
        TopicArn=topic, Protocol="sqs", Endpoint=mails_arn, Attributes={"RawMessageDelivery": "true"}
    )
    yield Heard(stack, events_url, mails_url)
    events.remove_targets(Rule="everything", EventBusName=bus, Ids=["queue"])
    events.delete_rule(Name="everything", EventBusName=bus)
    cloudformation.delete_stack(StackName="change-mails")
    for url in (events_url, mails_url):
        stack.client("sqs").delete_queue(QueueUrl=url)


@pytest.fixture(scope="module")
def events(heard: Heard) -> list[dict[str, Any]]:
    """What was announced of seven runs, five minutes apart, over midnight."""
    stack = heard.stack
    for moment, lists in zip(RUNS, LISTS, strict=True):
        stack.set_stub_clock(lists)
        run = stack.invoke(
            "extract", {"scheduled_at": moment.isoformat(), "playlist_ids": [TOP, WEEKLY]}
        ).payload
        assert run["failed"] == []
        due = {playlist for playlist, written in WRITTEN.items() if moment in written}
        assert (set(run["written"]), set(run["unchanged"])) == (due, {TOP, WEEKLY} - due)
    assert stack.wait_until_idle().is_clear
    return [json.loads(body) for body in heard.take(heard.events, sum(map(len, CHANGED.values())))]


def zulu(moment: dt.datetime) -> str:
    return moment.isoformat().replace("+00:00", "Z")


def test_each_change_is_announced_once_and_nothing_else(events: list[dict[str, Any]]) -> None:
    assert sorted(
        (event["detail"]["playlist"]["id"], event["detail"]["scheduled_at"]) for event in events
    ) == sorted((playlist, zulu(moment)) for playlist, moments in CHANGED.items() for moment in moments)
    documented = json.loads(
        (ROOT / "docs" / "events.md").read_text().partition("```json\n")[2].partition("```")[0]
    )
    for event in events:
        assert (event["source"], event["detail-type"]) == (documented["source"], documented["detail-type"])
        assert event.keys() == documented.keys()
        assert event["detail"].keys() == documented["detail"].keys()


def test_an_event_counts_and_names_what_the_view_has(heard: Heard, events: list[dict[str, Any]]) -> None:
    found = heard.stack.athena(
        "SELECT playlist_id, scheduled_at, previous_at, change, position, previous_position, uri FROM playlist_changes"
        " WHERE snapshot_date >= DATE '2026-09-02'"
    ).records()
    assert len({row["scheduled_at"] for row in found}) == 3
    for event in events:
        detail = event["detail"]
        rows = [
            row
            for row in found
            if row["playlist_id"] == detail["playlist"]["id"]
            and zulu(row["scheduled_at"].replace(tzinfo=dt.UTC)) == detail["scheduled_at"]
        ]
        assert {zulu(row["previous_at"].replace(tzinfo=dt.UTC)) for row in rows} == {
            detail["previous"]["scheduled_at"]
        }
        counts = Counter(row["change"] for row in rows)
        assert {name: detail["counts"][name] for name in ("entered", "left", "moved")} == {
            name: counts[name] for name in ("entered", "left", "moved")
        }
        assert detail["lists_all"]
        for change, place in (("entered", "position"), ("left", "previous_position")):
            assert [(one["uri"], one[place]) for one in detail[change]] == sorted(
                ((row["uri"], row[place]) for row in rows if row["change"] == change), key=lambda one: one[1]
            )
            assert all(one["artists"] for one in detail[change])


def test_the_links_lead_to_the_rows(heard: Heard, events: list[dict[str, Any]]) -> None:
    for event in events:
        detail = event["detail"]
        rows = heard.stack.athena(detail["rows"]["sql"]).records()
        assert len(rows) == sum(detail["counts"][name] for name in ("entered", "left", "moved"))
        assert len(detail["rows"]["keys"]) == len(TABLES)
        for key in detail["rows"]["keys"]:
            heard.stack.client("s3").head_object(Bucket=detail["rows"]["bucket"], Key=key)


def test_the_example_mails_what_entered_or_left(heard: Heard, events: list[dict[str, Any]]) -> None:
    changed = [event["detail"] for event in events]
    expected = [
        f"https://open.spotify.com/playlist/{one['playlist']['id']}: {one['counts']['entered']} entered,"
        f" {one['counts']['left']} left, {one['counts']['moved']} moved at {one['scheduled_at']}."
        for one in changed
        if one["counts"]["entered"] or one["counts"]["left"]
    ]
    assert len(expected) >= 3
    mails = heard.take(heard.mails, len(expected))
    assert sorted(mail.strip('"') for mail in mails) == sorted(expected)


def test_views_take_the_last_snapshot_of_a_day_and_count_days(
    heard: Heard, events: list[dict[str, Any]]
) -> None:
    athena = heard.stack.athena
    with current_date(MIDNIGHT.date()):
        newest = athena("SELECT playlist_id, scheduled_at FROM latest_playlists").records()
    assert {row["playlist_id"]: row["scheduled_at"].replace(tzinfo=dt.UTC) for row in newest} == {
        playlist: written[-1] for playlist, written in WRITTEN.items()
    }
    days = athena("SELECT playlist_id, snapshot_date, scheduled_at FROM daily_playlists").records()
    assert {(row["playlist_id"], row["scheduled_at"].replace(tzinfo=dt.UTC)) for row in days} == {
        (playlist, max(moment for moment in written if (moment < MIDNIGHT) == before))
        for playlist, written in WRITTEN.items()
        for before in (True, False)
    }
    lives = athena("SELECT max(days_in_list) AS days FROM song_history GROUP BY playlist_id").records()
    assert [row["days"] for row in lives] == [2, 2]
    with current_date(MIDNIGHT.date()):
        fresh = athena(queries()["data_freshness"].sql).records()
    assert {(row["days_observed"], row["days_missing"]) for row in fresh} == {(2, 0)}
    assert sorted(row["snapshots"] for row in fresh) == sorted(map(len, WRITTEN.values()))


def test_a_replay_an_import_and_what_is_made_up_for_later_are_not_announced(
    heard: Heard, events: list[dict[str, Any]]
) -> None:
    """And a second delivery of S3's own event says the same as the first."""
    stack = heard.stack
    bucket = stack.outputs["RawBucketName"]
    for moment in CHANGED[TOP]:
        stack.client("sqs").send_message(
            QueueUrl=stack.outputs["TransformQueueUrl"], MessageBody=s3_event(bucket, SnapshotId(moment, TOP))
        )
    imported = payloads.raw_object([], playlist_object=payloads.playlist(TOP), scheduled_at=RUNS[-1] + STEP)
    stack.client("s3").put_object(Bucket=bucket, Key=keys.raw_key(TOP, RUNS[-1] + STEP), Body=imported)
    stack.set_stub_clock(dt.datetime(2026, 9, 20, 12, tzinfo=dt.UTC))
    late = {"scheduled_at": (RUNS[3] + dt.timedelta(minutes=1)).isoformat(), "playlist_ids": [TOP]}
    assert stack.invoke("extract", late).payload["written"] == [TOP]
    (first,) = (
        event["detail"]
        for event in events
        if event["detail"]["scheduled_at"] == zulu(RUNS[3]) and event["detail"]["playlist"]["id"] == TOP
    )
    s3_object = {"bucket": {"name": bucket}, "object": {"key": keys.raw_key(TOP, RUNS[3])}}
    again = {"eventSource": "aws:s3", "eventTime": first["fetched_at"], "s3": s3_object}
    stack.client("sqs").send_message(
        QueueUrl=stack.outputs["TransformQueueUrl"], MessageBody=json.dumps({"Records": [again]})
    )
    assert stack.wait_until_idle().is_clear
    assert [json.loads(body)["detail"] for body in heard.take(heard.events, 1)] == [first]
    assert stack.dead_letters() == {}
