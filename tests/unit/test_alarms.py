"""Alarms, dashboard and runbook agree with each other and with what the functions count."""

import json
import re

import pytest

from cli.dead_letters import QUEUES
from spotify_lake.spotify.auth import WARNING_DAYS
from tests.support.template import ROOT, load, nested, resources

TEMPLATE = load()
RESOURCES = resources()
MONITORING = nested("monitoring")
ALARMS = {
    name: resource["Properties"]
    for name, resource in RESOURCES.items()
    if resource["Type"] == "AWS::CloudWatch::Alarm"
}
RULES = {
    name: resource["Properties"]
    for name, resource in RESOURCES.items()
    if resource["Type"] == "AWS::Events::Rule"
}
ESSENTIAL = {name for name in ALARMS if "Condition" not in RESOURCES[name]}
RUNBOOK = (ROOT / "docs" / "runbook.md").read_text()
FUNCTIONS = {"extract": "ExtractFunction", "transform": "TransformFunction"}
DEAD_LETTER_QUEUES = {
    name for name, resource in RESOURCES.items() if resource["Type"] == "AWS::SQS::Queue"
} - {"TransformQueue"}
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
    },
    "AWS/Athena": {"ProcessedBytes"},
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
        "SnapshotsWritten",
    }


def test_every_condition_is_watched():
    watched = {
        (alarm["MetricName"], json.dumps(alarm["Dimensions"][0]["Value"])) for alarm in ALARMS.values()
    }
    for function in FUNCTIONS.values():
        for metric in ("Errors", "Throttles", "Duration"):
            assert (metric, name_of(function, "FunctionName")) in watched
    for queue in DEAD_LETTER_QUEUES:
        assert ("ApproximateNumberOfMessagesVisible", name_of(queue, "QueueName")) in watched
    own = {alarm["MetricName"] for alarm in ALARMS.values() if is_own(alarm)}
    assert own >= {
        "ContinuationLimitReached",
        "EntriesUnaccounted",
        "PlaylistsFailed",
        "QuotaExceeded",
        "RejectsPercent",
        "SignInDaysLeft",
        "SnapshotsWritten",
    }


@pytest.mark.parametrize("name", ALARMS)
def test_an_alarm_reaches_the_topic_and_says_where_to_read_on(name):
    alarm = ALARMS[name]
    assert alarm["AlarmActions"] == [{"Ref": "AlarmTopicArn"}]
    assert alarm["AlarmName"]["Sub"].startswith("${LakeName}-")
    assert alarm["AlarmDescription"].endswith(f"See docs/runbook.md, {name}.")
    assert alarm["TreatMissingData"] == ("breaching" if name == "Stale" else "notBreaching")


@pytest.mark.parametrize("name", RULES)
def test_a_rule_reaches_the_topic_and_says_where_to_read_on(name):
    [target] = RULES[name]["Targets"]
    assert target["Arn"] == {"Ref": "AlarmTopicArn"}
    assert f"docs/runbook.md, {name}." in target["InputTransformer"]["InputTemplate"]
    assert set(re.findall(r"<(\w+)>", target["InputTransformer"]["InputTemplate"])) == set(
        target["InputTransformer"]["InputPathsMap"]
    )


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
    BODY = TEXT.replace("${MoreAlarms}", MORE["Sub"])
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
        [alarms, *_] = json.loads(self.TEXT.replace("${MoreAlarms}", self.LESS))["widgets"]
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
        assert set(re.findall(r"crawler --name (\S+)", RUNBOOK)) == {lake}

    def test_redrive_is_told_queues_that_exist(self):
        from_docs = set(re.findall(r"\./lake redrive --queue (\w+)", RUNBOOK))
        assert from_docs == DEAD_LETTER_QUEUES == {queue.name for queue in QUEUES}
