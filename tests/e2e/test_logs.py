"""What the deployed functions write of a run: its id everywhere, and never what must stay secret."""

import base64
import datetime as dt
import json
from typing import Any

from local.spotify_stub import CLIENT_ID, CLIENT_SECRET, PLAYLISTS, REFRESH_TOKEN
from local.stack import LaptopStack
from spotify_lake import keys
from spotify_lake.schema.playlists import TABLES

PLAYLIST_ID = PLAYLISTS["Morning Ten"]
SCHEDULED_AT = dt.datetime(2026, 10, 14, 6, tzinfo=dt.UTC)
RUN = "run-of-test-logs"
# Every access token of the stub begins with this; and a header says Bearer, whatever the token.
ACCESS_TOKEN, BEARER = "BQ" + base64.urlsafe_b64encode(b"user.")[:4].decode(), "Bearer "
FAULTS: list[dict[str, Any]] = [
    {"match": "POST /api/token", "status": 400, "body": {"error": "invalid_grant"}},
    {"match": "GET /v1/playlists/**", "status": 403, "times": 4},
]


def every_log(stack: LaptopStack) -> dict[str, list[str]]:
    """The lines of every log group there is."""
    logs = stack.client("logs")
    groups = [
        group for page in logs.get_paginator("describe_log_groups").paginate() for group in page["logGroups"]
    ]
    return {
        group["logGroupName"]: [
            event["message"]
            for page in logs.get_paginator("filter_log_events").paginate(logGroupName=group["logGroupName"])
            for event in page["events"]
        ]
        for group in groups
    }


def lines_of(stack: LaptopStack, function: str, run: str) -> list[dict[str, Any]]:
    lines = [text for _, text in stack.log_events(function) if text.startswith("{")]
    return [line for line in map(json.loads, lines) if line.get("correlation_id") == run]


def test_a_run_can_be_followed_from_its_event_to_its_parquet_objects(stack: LaptopStack) -> None:
    stack.set_stub_clock(SCHEDULED_AT)
    event = {"scheduled_at": SCHEDULED_AT.isoformat(), "playlist_ids": [PLAYLIST_ID], "correlation_id": RUN}
    assert stack.invoke("extract", event).error is None
    assert stack.wait_until_idle().is_clear
    s3 = stack.client("s3")
    key = keys.raw_key(PLAYLIST_ID, SCHEDULED_AT)
    found = [s3.head_object(Bucket=stack.outputs["RawBucketName"], Key=key)["Metadata"]]
    listed = s3.list_objects_v2(Bucket=stack.outputs["LakeBucketName"], Prefix="curated/")["Contents"]
    assert len(listed) == len(TABLES)
    found += [
        s3.head_object(Bucket=stack.outputs["LakeBucketName"], Key=one["Key"])["Metadata"] for one in listed
    ]
    assert found == [{"correlation-id": RUN}] * (1 + len(TABLES))
    [written] = [line for line in lines_of(stack, "extract", RUN) if line["message"] == "Snapshot written"]
    [made] = [
        line for line in lines_of(stack, "transform", RUN) if line["message"] == "Transformed a snapshot"
    ]
    assert written["key"] == made["raw_key"] == key


def test_no_log_and_no_answer_holds_a_secret(stack: LaptopStack) -> None:
    secrets, secret_id = stack.client("secretsmanager"), stack.outputs["SpotifySecretArn"]
    stored = secrets.get_secret_value(SecretId=secret_id)["SecretString"]
    answers = []
    try:
        for number, fault in enumerate([*FAULTS, None]):
            stack.control_stub("faults", method="PUT", body=[fault] if fault else [])
            moment = SCHEDULED_AT + dt.timedelta(hours=1 + number)
            event = {"scheduled_at": moment.isoformat(), "playlist_ids": [PLAYLIST_ID]}
            answers.append(stack.invoke("extract", event))
        for broken in (stored[:-1], json.dumps(json.loads(stored) | {"client_secret": CLIENT_SECRET + " x"})):
            secrets.put_secret_value(SecretId=secret_id, SecretString=broken)
            answers.append(stack.invoke("extract", {}))
    finally:
        stack.control_stub("faults", method="DELETE")
        secrets.put_secret_value(SecretId=secret_id, SecretString=stored)
    assert stack.invoke("report", {}).error is None
    assert stack.wait_until_idle().is_clear
    assert [answer.error for answer in answers] == ["Unhandled", None, None, "Unhandled", "Unhandled"]

    logs = every_log(stack)
    functions = {stack.outputs[f"{name}FunctionName"] for name in ("Extract", "Transform", "Report")}
    assert {f"/aws/lambda/{name}" for name in functions} <= {group for group, lines in logs.items() if lines}
    said = "\n".join(
        [line for lines in logs.values() for line in lines] + [str(one.payload) for one in answers]
    )
    basic = base64.b64encode(f"{CLIENT_ID}:{CLIENT_SECRET}".encode()).decode()
    assert "The run stopped" in said
    for secret in (CLIENT_SECRET, REFRESH_TOKEN, basic, ACCESS_TOKEN, BEARER):
        assert secret not in said
