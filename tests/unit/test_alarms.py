"""Alarms, dashboard and runbook agree with each other and with what the functions count."""

import json
import re
from typing import Any

import pytest

from cli.dead_letters import QUEUES
from spotify_lake.spotify.credentials import WARNING_DAYS
from tests.support.template import ROOT, load, nested, resources

TEMPLATE = load()
RESOURCES = resources()
MONITORING = nested("monitoring")
NO_VALUE = {"Ref": "AWS::NoValue"}


def alarms(*, polls: bool) -> dict[str, dict[str, Any]]:
    """The properties of the alarms, as they are in a lake that polls plays or in one that does not."""
    found = {}
    for name, resource in RESOURCES.items():
        if resource["Type"] != "AWS::CloudWatch::Alarm":
            continue
        chosen = {
            key: value["If"][1 if polls else 2]
            if isinstance(value, dict) and value.get("If", [None])[0] == "SubtractsPolls"
            else value
            for key, value in resource["Properties"].items()
        }
        found[name] = {key: value for key, value in chosen.items() if value != NO_VALUE}
    return found


ALARMS = alarms(polls=False)
RULES = {
    name: resource["Properties"]
    for name, resource in RESOURCES.items()
    if resource["Type"] == "AWS::Events::Rule"
}
ESSENTIAL = {name for name in ALARMS if "Condition" not in RESOURCES[name]}
RUNBOOK = (ROOT / "docs" / "runbook.md").read_text()
FUNCTIONS = {"extract": "ExtractFunction", "transform": "TransformFunction"}
QUEUES_OF_THE_LAKE = {name for name, resource in RESOURCES.items() if resource["Type"] == "AWS::SQS::Queue"}
# `./lake redrive` sends their messages back. What EventBridge could not deliver has no queue that it came from.
DEAD_LETTER_QUEUES = QUEUES_OF_THE_LAKE - {"TransformQueue", "AlarmsUndelivered"}
NAMES = {
    json.dumps(resource["Properties"][name])
    for resource in RESOURCES.values()
    for name in ("FunctionName", "QueueName", "BucketName", "Name")
    if name in resource.get("Properties", {})
}
# What AWS counts by itself: https://docs.aws.amazon.com/lambda/latest/dg/monitoring-metrics-types.html,
# https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-available-cloudwatch-metrics.html,
# https://docs.aws.amazon.com/athena/latest/ug/query-metrics-viewing.html,
# https://docs.aws.amazon.com/AmazonS3/latest/userguide/metrics-dimensions.html
OF_AWS = {
    "AWS/Lambda": {"Duration", "Errors", "Invocations", "Throttles"},
    "AWS/SQS": {
        "ApproximateAgeOfOldestMessage",
        "ApproximateNumberOfMessagesNotVisible",
        "ApproximateNumberOfMessagesVisible",
        "NumberOfMessagesSent",
    },
    "AWS/S3": {"BucketSizeBytes"},
}


def counted() -> set[str]:
    """The names of the metrics that the code publishes."""
    code = [*(ROOT / "layers/common/spotify_lake").rglob("*.py"), *(ROOT / "functions").rglob("*.py")]
    pattern = r'\b(?:add_metric|count)\(\s*(?:name=)?"(\w+)"'
    return {name for path in code for name in re.findall(pattern, path.read_text())}


def entries(part: str) -> dict[str, str]:
    """The entries of a part of the runbook, by heading."""
    [_, text] = RUNBOOK.split(f"\n## {part}\n")
    found = re.split(r"^### (.+)$", text.split("\n## ")[0], flags=re.MULTILINE)[1:]
    return dict(zip(found[::2], found[1::2], strict=True))


def name_of(logical_id: str, named: str) -> str:
    return json.dumps(RESOURCES[logical_id]["Properties"][named])


def name_in(logical_id: str, named: str) -> str:
    return RESOURCES[logical_id]["Properties"][named]["Sub"]


def arn_of(service: str, resource: str) -> dict[str, str]:
    return {"Sub": f"arn:${{AWS::Partition}}:{service}:${{AWS::Region}}:${{AWS::AccountId}}:{resource}"}


def is_own(alarm) -> bool:
    return alarm["Namespace"] == {"Ref": "LakeName"}


@pytest.mark.parametrize("name", ALARMS)
def test_an_alarm_watches_something_that_is_counted(name):
    alarm = ALARMS[name]
    [dimension] = alarm["Dimensions"]
    if is_own(alarm):
        assert alarm["MetricName"] in counted()
        assert dimension["Name"] == "service"
        variables = RESOURCES[FUNCTIONS[dimension["Value"]]]["Properties"]["Environment"]["Variables"]
        assert variables["POWERTOOLS_SERVICE_NAME"] == dimension["Value"]
    else:
        assert alarm["MetricName"] in OF_AWS[alarm["Namespace"]]
        named = {"AWS/Lambda": "FunctionName", "AWS/SQS": "QueueName"}[alarm["Namespace"]]
        assert dimension["Name"] == named
        assert dimension["Value"] in [one.get("Properties", {}).get(named) for one in RESOURCES.values()]


def test_the_functions_count_in_the_namespace_that_the_alarms_watch():
    variables = TEMPLATE["Globals"]["Function"]["Environment"]["Variables"]
    assert variables["POWERTOOLS_METRICS_NAMESPACE"] == {"Ref": "LakeName"}


def test_the_essential_alarms_hear_of_all_that_fails_for_good():
    assert {RESOURCES[name].get("Condition") for name in ALARMS} == {None, "HasAllAlarms"}
    watched = {json.dumps(ALARMS[name]["Dimensions"][0]["Value"]) for name in ESSENTIAL}
    assert {name_of(queue, "QueueName") for queue in DEAD_LETTER_QUEUES} <= watched
    own = {ALARMS[name]["MetricName"] for name in ESSENTIAL if is_own(ALARMS[name])}
    assert own >= {
        "EntriesUnaccounted",
        "PlaylistsFailed",
        "RejectsPercent",
        "SignInDaysLeft",
    }


def test_every_condition_is_watched():
    watched = {
        (alarm["MetricName"], json.dumps(alarm["Dimensions"][0]["Value"])) for alarm in ALARMS.values()
    }
    for function in FUNCTIONS.values():
        for metric in ("Errors", "Throttles", "Duration"):
            assert (metric, name_of(function, "FunctionName")) in watched
    for queue in QUEUES_OF_THE_LAKE - {"TransformQueue"}:
        assert ("ApproximateNumberOfMessagesVisible", name_of(queue, "QueueName")) in watched
    own = {alarm["MetricName"] for alarm in ALARMS.values() if is_own(alarm)}
    assert own >= {
        "ContinuationLimitReached",
        "EntriesUnaccounted",
        "PlaylistsFailed",
        "QuotaExceeded",
        "RejectsPercent",
        "SignInDaysLeft",
    }


@pytest.mark.parametrize("name", ALARMS)
def test_an_alarm_reaches_the_topic_and_says_where_to_read_on(name):
    alarm = ALARMS[name]
    assert alarm["AlarmActions"] == [{"Ref": "AlarmTopicArn"}]
    assert alarm["AlarmName"]["Sub"].startswith("${LakeName}-")
    assert alarm["AlarmDescription"].endswith(f"See docs/runbook.md, {name}.")
    assert alarm["TreatMissingData"] == "notBreaching"


@pytest.mark.parametrize("name", RULES)
def test_a_rule_reaches_the_topic_and_says_where_to_read_on(name):
    [target] = RULES[name]["Targets"]
    assert target["Arn"] == {"Ref": "AlarmTopicArn"}
    assert f"docs/runbook.md, {name}." in target["InputTransformer"]["InputTemplate"]


def test_what_the_rules_cannot_send_is_kept():
    """By name, because the emulator forgets attributes when it updates a nested stack."""
    queue = arn_of("sqs", name_in("AlarmsUndelivered", "QueueName"))
    [keep, deny] = RESOURCES["AlarmsUndeliveredPolicy"]["Properties"]["PolicyDocument"]["Statement"]
    assert [rule["Targets"][0]["DeadLetterConfig"] for rule in RULES.values()] == [{"Arn": queue}] * len(
        RULES
    )
    assert {RESOURCES[name]["DependsOn"] for name in RULES} == {"AlarmsUndelivered"}
    assert (keep["Effect"], keep["Principal"]) == ("Allow", {"Service": "events.amazonaws.com"})
    assert (keep["Action"], keep["Resource"]) == ("sqs:SendMessage", queue)
    assert keep["Condition"] == {
        "ArnEquals": {
            "aws:SourceArn": [arn_of("events", f"rule/{rule['Name']['Sub']}") for rule in RULES.values()]
        }
    }
    assert deny["Effect"] == "Deny"


# --- When an alarm sounds ---

HOURS = 26  # StaleAfterHours


def state(points: list[float | None], alarm: dict[str, Any]) -> str:
    """Return the state that CloudWatch gives an alarm, by
    https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/alarms-and-missing-data.html.

    Parameters
    ----------
    points
        The data points of the evaluation range, oldest first; None where one is missing. CloudWatch looks at the
        newest existing ones, and treats as many as it lacks of EvaluationPeriods as TreatMissingData says.
    alarm
        Its properties, with numbers for parameters.
    """
    below = {"LessThanThreshold": float.__lt__, "GreaterThanThreshold": float.__gt__}
    compare, threshold = below[alarm["ComparisonOperator"]], float(alarm["Threshold"])
    periods = alarm["EvaluationPeriods"]
    existing = [compare(float(point), threshold) for point in points if point is not None][-periods:]
    missing = (periods - len(existing)) * [alarm["TreatMissingData"] == "breaching"]
    return "ALARM" if sum(existing + missing) >= alarm["DatapointsToAlarm"] else "OK"


@pytest.mark.parametrize(
    "points, not_breaching, breaching",
    [
        ("0-X-X", "OK", "OK"),
        ("----0", "OK", "OK"),
        ("-----", "OK", "ALARM"),
        ("0XX-X", "ALARM", "ALARM"),
        ("--X--", "OK", "ALARM"),
    ],
)
def test_the_simulation_gives_what_aws_documents(points, not_breaching, breaching):
    """The table of AWS's page for three data points out of three; X is above the threshold."""
    alarm = {
        "ComparisonOperator": "GreaterThanThreshold",
        "Threshold": 0,
        "EvaluationPeriods": 3,
        "DatapointsToAlarm": 3,
    }
    series = [{"0": 0.0, "X": 1.0, "-": None}[sign] for sign in points]
    assert state(series, alarm | {"TreatMissingData": "notBreaching"}) == not_breaching
    assert state(series, alarm | {"TreatMissingData": "breaching"}) == breaching


@pytest.mark.parametrize(
    "sent, expected",
    [
        ([None] * 30, "OK"),  # the first minutes: SQS has published nothing yet
        ([None] * 29 + [0], "OK"),
        ([None] * 5 + [0] * (HOURS - 1), "OK"),  # the first day, before its first run
        ([None] * 4 + [0] * HOURS, "ALARM"),  # the first run never came
        ([None] * 20 + [0] * 6 + [3] + [0] * 3, "OK"),  # the first run
        ([12] + [0] * (HOURS - 1), "OK"),
        ([12] + [0] * HOURS, "ALARM"),  # yesterday's run, and none today
        ([12] + [0] * 10 + [None] + [0] * (HOURS - 11), "OK"),  # an hour that SQS did not report
        ([12] + [0] * HOURS + [7], "OK"),
    ],
)
def test_a_lake_is_stale_a_day_after_its_last_snapshot_or_its_first_hour(sent, expected):
    assert TEMPLATE["Parameters"]["StaleAfterHours"]["Default"] == HOURS
    alarm = ALARMS["Stale"]
    assert alarm["Period"] == 3600
    for name in ("EvaluationPeriods", "DatapointsToAlarm"):
        assert alarm[name] == {"Ref": "StaleAfterHours"}
    assert state(sent, alarm | {"EvaluationPeriods": HOURS, "DatapointsToAlarm": HOURS}) == expected


def test_staleness_looks_at_what_lambda_polls_and_raw_sends():
    """SQS publishes zeros for a queue that is polled, and S3 sends a message for each raw object."""
    alarm = ALARMS["Stale"]
    assert (alarm["Namespace"], alarm["MetricName"], alarm["Statistic"]) == (
        "AWS/SQS",
        "NumberOfMessagesSent",
        "Sum",
    )
    queue = RESOURCES["TransformQueue"]["Properties"]["QueueName"]
    assert alarm["Dimensions"] == [{"Name": "QueueName", "Value": queue}]
    [mapping] = RESOURCES["TransformFunction"]["Properties"]["Events"].values()
    assert mapping["Type"] == "SQS"
    assert mapping["Properties"]["Queue"] == {"GetAtt": "TransformQueue.Arn"}
    assert mapping["Properties"].get("Enabled", True) is True
    [sends] = RESOURCES["RawBucket"]["Properties"]["NotificationConfiguration"]["QueueConfigurations"]
    assert sends["Queue"] == {"GetAtt": "TransformQueue.Arn"}


class TestStaleInALakeThatPolls:
    """Each poll with a new play writes a raw object too, which sends a message all the same."""

    ALARM = alarms(polls=True)["Stale"]
    SENT, POLLS = (one["MetricStat"] for one in ALARM["Metrics"][1:])

    @pytest.mark.parametrize(
        "sent, polls, expected",
        [
            ([2] * HOURS, [2] * HOURS, "ALARM"),  # music all day, and no snapshot
            ([0] * HOURS, [None] * HOURS, "ALARM"),  # neither
            ([2, 0] * 13, [2, None] * 13, "ALARM"),
            ([2] * 25 + [14], [2] * HOURS, "OK"),  # the daily run
            ([None] * 4 + [2] * 22, [None] * 4 + [2] * 22, "OK"),  # a new lake
        ],
    )
    def test_messages_of_polls_do_not_hide_that_snapshots_are_missing(self, sent, polls, expected):
        [shown] = [one for one in self.ALARM["Metrics"] if one.get("ReturnData", True)]
        assert shown["Expression"] == "sent - FILL(polls, 0)"
        assert [one["Id"] for one in self.ALARM["Metrics"]] == [shown["Id"], "sent", "polls"]
        points = [
            None if all_ is None else all_ - (of_polls or 0)
            for all_, of_polls in zip(sent, polls, strict=True)
        ]
        alarm = self.ALARM | {"EvaluationPeriods": HOURS, "DatapointsToAlarm": HOURS}
        assert state(points, alarm) == expected

    def test_all_messages_are_counted_as_in_other_lakes(self):
        other, stat = ALARMS["Stale"], self.SENT
        assert stat["Metric"] == {name: other[name] for name in ("Namespace", "MetricName", "Dimensions")}
        assert (stat["Stat"], stat["Period"]) == (other["Statistic"], other["Period"])

    def test_a_poll_counts_once_however_many_plays_it_has(self):
        stat = self.POLLS
        assert stat["Metric"] == {
            "Namespace": {"Ref": "LakeName"},
            "MetricName": "PlaysNew",
            "Dimensions": [{"Name": "service", "Value": "extract"}],
        }
        assert (stat["Stat"], stat["Period"]) == ("SampleCount", 3600)
        assert "PlaysNew" in counted()

    def test_cloudwatch_takes_either_a_metric_or_an_expression(self):
        of_one_metric = {"Namespace", "MetricName", "Dimensions", "Statistic", "Period"}
        assert not of_one_metric & self.ALARM.keys()
        assert "Metrics" not in ALARMS["Stale"]
        assert RESOURCES["MonitoringStack"]["Properties"]["Parameters"]["ListeningSchedule"] == {
            "Ref": "ListeningSchedule"
        }
        on_aws = {"Not": [{"Equals": [{"Ref": "AWS::AccountId"}, "000000000000"]}]}
        assert MONITORING["Conditions"]["SubtractsPolls"] == {
            "And": [TEMPLATE["Conditions"]["PollsPlays"], on_aws]
        }


def test_no_alarm_searches():
    """CloudWatch refuses an alarm on SEARCH, and one that returns more than one series."""
    for polls in (False, True):
        for name, alarm in alarms(polls=polls).items():
            metrics = alarm.get("Metrics", [])
            assert not any("SEARCH" in one.get("Expression", "") for one in metrics), name
            assert len([one for one in metrics if one.get("ReturnData", True)]) == bool(metrics), name


@pytest.mark.parametrize("function", FUNCTIONS.values())
def test_slow_means_four_fifths_of_the_timeout(function):
    [alarm] = [
        alarm
        for alarm in ALARMS.values()
        if alarm["MetricName"] == "Duration"
        and json.dumps(alarm["Dimensions"][0]["Value"]) == name_of(function, "FunctionName")
    ]
    timeout_ms = 1000 * RESOURCES[function]["Properties"]["Timeout"]
    assert alarm["Threshold"] == 0.8 * timeout_ms
    # A run's numbers bear the time of its start, so the alarm has to look back over the whole of it.
    assert alarm["Period"] * (alarm["EvaluationPeriods"] - 1) >= timeout_ms / 1000


def test_the_sign_in_alarm_sounds_when_the_log_begins_to_warn():
    assert ALARMS["SignInEnding"]["Threshold"] == WARNING_DAYS
    assert ALARMS["SignInEnding"]["ComparisonOperator"] == "LessThanOrEqualToThreshold"


@pytest.mark.parametrize("name", ALARMS)
def test_cloudwatch_takes_the_window(name):
    """At most a day, or seven days in steps of an hour or more."""
    alarm = ALARMS[name]
    periods = alarm["EvaluationPeriods"]
    if periods == {"Ref": "StaleAfterHours"}:
        periods = TEMPLATE["Parameters"]["StaleAfterHours"]["MaxValue"]
    assert alarm["Period"] * periods <= (7 * 86_400 if alarm["Period"] >= 3600 else 86_400)


def test_the_alarms_get_the_topic():
    given = RESOURCES["MonitoringStack"]["Properties"]["Parameters"]
    assert given["AlarmTopicArn"] == {"Ref": "Alarms"}


def test_the_topic_takes_messages_of_alarms_and_rules_only():
    policy = RESOURCES["AlarmsPolicy"]["Properties"]["PolicyDocument"]["Statement"]
    allowed = {tuple(s["Principal"].values()) for s in policy if s["Effect"] == "Allow"}
    assert allowed == {("cloudwatch.amazonaws.com",), ("events.amazonaws.com",)}
    [deny] = [s for s in policy if s["Effect"] == "Deny"]
    assert deny["Condition"]["Bool"] == {"aws:SecureTransport": "false"}


def test_an_e_mail_address_is_optional():
    subscription = RESOURCES["AlarmsToEmail"]
    assert subscription["Condition"] == "HasAlarmEmail"
    pattern = TEMPLATE["Parameters"]["AlarmEmail"]["AllowedPattern"]
    for good in ("", "me@example.org", "a.b+c@mail.example.org"):
        assert re.search(pattern, good)
    for bad in ("me", "me@example", "a b@example.org", "me@example.org,you@example.org"):
        assert not re.search(pattern, bad)


ALARM = "arn:${AWS::Partition}:cloudwatch:${AWS::Region}:${AWS::AccountId}:alarm:"


class TestDashboard:
    TEXT, VALUES = RESOURCES["Dashboard"]["Properties"]["DashboardBody"]["Sub"]
    CONDITION, MORE, LESS = VALUES["MoreAlarms"]["If"]
    BULK = VALUES["BulkWidgets"]["If"]
    BODY = TEXT.replace("${MoreAlarms}", MORE["Sub"]).replace("${BulkWidgets}", BULK[1]["Sub"])
    WIDGETS = json.loads(BODY)["widgets"]

    def metrics(self):
        for widget in self.WIDGETS:
            yield from widget["properties"].get("metrics", [])

    def test_answers_the_four_questions_and_shows_every_alarm(self):
        titles = " ".join(widget["properties"].get("title", "") for widget in self.WIDGETS)
        for question in ("Is it fresh?", "Is it complete?", "What did it cost?", "What is stuck?"):
            assert question in titles
        [alarms] = [widget for widget in self.WIDGETS if widget["type"] == "alarm"]
        assert set(alarms["properties"]["alarms"]) == {f"{ALARM}${{{name}}}" for name in ALARMS}

    def test_shows_no_alarm_that_is_not_set(self):
        body = self.TEXT.replace("${MoreAlarms}", self.LESS).replace("${BulkWidgets}", "")
        [alarms, *_] = json.loads(body)["widgets"]
        assert self.CONDITION == "HasAllAlarms"
        assert set(alarms["properties"]["alarms"]) == {f"{ALARM}${{{name}}}" for name in ESSENTIAL}

    def test_shows_what_is_counted(self):
        for metric in self.metrics():
            if isinstance(metric[0], dict):
                continue
            namespace, name = metric[:2]
            if namespace == "${LakeName}":
                assert name in counted()
                assert metric[2] == "service"
                assert metric[3] in {*FUNCTIONS, "arrival"}
            else:
                assert name in OF_AWS[namespace]

    def test_shows_bulk_data_sets_only_if_there_are_jobs(self):
        condition, _, otherwise = self.BULK
        assert (condition, otherwise) == ("HasBulkJobs", "")
        without = json.loads(
            self.TEXT.replace("${MoreAlarms}", self.LESS).replace("${BulkWidgets}", otherwise)
        )
        assert self.BODY.count('"Bulk') > 0
        assert "Bulk" not in json.dumps(without)

    def test_searches_for_athena_s_bytes_by_its_documented_dimensions(self):
        """https://docs.aws.amazon.com/athena/latest/ug/query-metrics-viewing.html; a metric with fewer dimensions is
        another one, for which nothing is published."""
        expressions = {m[0]["id"]: m[0]["expression"] for m in self.metrics() if isinstance(m[0], dict)}
        assert expressions["ab"] == (
            'SUM(SEARCH(\'{AWS/Athena,QueryState,QueryType,WorkGroup} MetricName="ProcessedBytes" '
            "WorkGroup=\"${LakeName}\"', 'Sum', 86400))"
        )
        assert RESOURCES["WorkGroup"]["Properties"]["Name"] == {"Ref": "LakeName"}
        assert "FILL(ab, 0)" in expressions["ac"]
        assert not [m for m in self.metrics() if m[0] == "AWS/Athena"]

    def test_names_resources_that_exist(self):
        for name in re.findall(r"\$\{([\w:]+)[.\w]*\}", self.BODY):
            pseudo = {"AWS::Partition", "AWS::Region", "AWS::AccountId"}
            assert name in {*MONITORING["Resources"], *MONITORING["Parameters"], *pseudo}
        for metric in self.metrics():
            if not isinstance(metric[0], dict) and metric[0] in OF_AWS:
                name = {"Ref": "LakeName"} if metric[3] == "${LakeName}" else {"Sub": metric[3]}
                assert json.dumps(name) in NAMES

    def test_fits_on_its_grid(self):
        taken = set()
        for widget in self.WIDGETS:
            cells = {
                (x, y)
                for x in range(widget["x"], widget["x"] + widget["width"])
                for y in range(widget["y"], widget["y"] + widget["height"])
            }
            assert max(x for x, _ in cells) < 24
            assert not taken & cells
            taken |= cells

    def test_the_estimate_knows_the_functions_memory(self):
        expressions = {m[0]["id"]: m[0]["expression"] for m in self.metrics() if isinstance(m[0], dict)}
        for term, function in (("ec", "ExtractFunction"), ("tc", "TransformFunction")):
            gigabytes = RESOURCES[function]["Properties"]["MemorySize"] / 1024
            assert f"/ 1000 * {gigabytes} *" in expressions[term]


class TestRunbook:
    def test_every_alarm_has_its_entry_and_every_entry_its_alarm(self):
        assert entries("Alarms").keys() == ALARMS.keys() | RULES.keys()

    def test_no_entry_is_there_twice(self):
        headings = re.findall(r"^### (.+)$", RUNBOOK, flags=re.MULTILINE)
        assert sorted(set(headings)) == sorted(headings)

    def test_other_entries_name_a_situation(self):
        for heading in entries("Situations"):
            assert " " in heading, f"{heading} is no alarm, and no situation in words"

    @pytest.mark.parametrize("name", sorted(ALARMS.keys() | RULES.keys()))
    def test_an_entry_says_what_it_means_where_to_look_and_what_to_do(self, name):
        text = entries("Alarms")[name]
        assert "**Means.**" in text
        assert re.search(r"\*\*Look( and do)?\.\*\*", text)
        assert re.search(r"\*\*(Look and do|Do)\.\*\*", text)
        assert "```" in text, "nothing to copy"

    def test_commands_use_the_names_that_the_template_gives(self):
        lake = TEMPLATE["Parameters"]["LakeName"]["Default"]
        groups = {
            RESOURCES[name]["Properties"]["LogGroupName"]["Sub"].replace("${LakeName}", lake)
            for name in ("ExtractLogGroup", "TransformLogGroup", "ReportLogGroup", "ArrivalLogGroup")
        }
        assert set(re.findall(r"logs tail (/aws/lambda/\S+)", RUNBOOK)) == groups
        functions = {
            RESOURCES[name]["Properties"]["FunctionName"]["Sub"].replace("${LakeName}", lake)
            for name in (*FUNCTIONS.values(), "ArrivalFunction")
        }
        assert set(re.findall(r"--function-name (\S+)", RUNBOOK)) == functions
        assert set(re.findall(r"crawler --name (\S+)", RUNBOOK)) == {lake, f"{lake}-recovery"}
        assert set(re.findall(r"--queue-name ([\w-]+)", RUNBOOK)) == {f"{lake}-alarms-undelivered"}

    def test_redrive_is_told_queues_that_exist(self):
        from_docs = set(re.findall(r"\./lake redrive --queue (\w+)", RUNBOOK))
        assert from_docs == DEAD_LETTER_QUEUES == {queue.name for queue in QUEUES}
