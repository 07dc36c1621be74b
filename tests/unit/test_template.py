"""The template keeps its promises: closed buckets, narrow roles, queues that lose nothing, clear parameters."""

import json
import re
import tomllib
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from typing import Any, ClassVar

import pytest

from spotify_lake import keys
from spotify_lake.bulk.arrival import JOBS
from spotify_lake.extract.request import parse_event
from spotify_lake.keys import KNOWN_DETAILS as KEY
from spotify_lake.schema.listening import LIBRARY, LISTENING_TABLES
from spotify_lake.schema.playlists import TABLES
from spotify_lake.schema.warehouse import WAREHOUSE
from spotify_lake.settings import MAX_DETAIL_CALLS, parse_playlist_ids
from tests.support.template import NESTED, ROOT, load, nested
from tests.support.template import resources as all_resources

TEMPLATE = load()
RESOURCES = all_resources()
PARAMETERS: dict[str, dict[str, Any]] = TEMPLATE["Parameters"]
FUNCTIONS = ("ExtractFunction", "TransformFunction", "ReportFunction", "ArrivalFunction")
WORKGROUP = "arn:${AWS::Partition}:athena:${AWS::Region}:${AWS::AccountId}:workgroup/${WorkGroup}"
CATALOG = [
    f"arn:${{AWS::Partition}}:glue:${{AWS::Region}}:${{AWS::AccountId}}:{part}"
    for part in ("catalog", "database/${DatabaseName}", "table/${DatabaseName}/*")
]
BUCKETS = ("RawBucket", "LakeBucket")
LAKE = "arn:${AWS::Partition}:s3:::${LakeBucketName}"  # the lake bucket, as nested stacks know it
OWN_KEY = {"If": ["HasKmsKey", {"Ref": "KmsKeyArn"}, {"Ref": "AWS::NoValue"}]}
PLAYLIST = "37i9dQZF1DXcBWIGoYBM5M"


def of_type(kind: str) -> dict[str, dict[str, Any]]:
    return {name: resource["Properties"] for name, resource in RESOURCES.items() if resource["Type"] == kind}


def statements(role: str, *, with_key: bool = False) -> list[dict[str, Any]]:
    """What a role may do; with KmsKeyArn, one statement more."""
    listed = [s for p in RESOURCES[role]["Properties"]["Policies"] for s in p["PolicyDocument"]["Statement"]]
    return [s for s in listed if "If" not in s] + [s["If"][1] for s in listed if "If" in s and with_key]


def as_list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def resources_of(statement: dict[str, Any]) -> list[str]:
    """What a statement is about, the way the template writes it: RawBucket.Arn, ${RawBucket.Arn}/raw/*, …"""
    return [
        next(iter(resource.values())) if isinstance(resource, dict) else resource
        for resource in as_list(statement["Resource"])
    ]


def arn_of(service: str, resource: str) -> str:
    return f"arn:${{AWS::Partition}}:{service}:${{AWS::Region}}:${{AWS::AccountId}}:{resource}"


ROLES = [name for name, resource in RESOURCES.items() if resource["Type"] == "AWS::IAM::Role"]
QUEUES = of_type("AWS::SQS::Queue")
# It names jobs and crawlers, and its senders need no permission for a key.
OF_AWS_KEY = {"AlarmsUndelivered"}


class TestParameters:
    @pytest.mark.parametrize("name", PARAMETERS)
    def test_each_explains_itself(self, name):
        parameter = PARAMETERS[name]
        assert parameter["Description"].endswith(".")
        assert parameter["ConstraintDescription"].startswith(f"{name} must be ")
        assert parameter["ConstraintDescription"].endswith(".")
        assert "\n" not in parameter["ConstraintDescription"]
        assert "Default" in parameter

    def test_each_has_a_place_and_a_label_in_the_console(self):
        interface = TEMPLATE["Metadata"]["AWS::CloudFormation::Interface"]
        grouped = [name for group in interface["ParameterGroups"] for name in group["Parameters"]]
        assert sorted(grouped) == sorted(PARAMETERS)
        assert interface["ParameterLabels"].keys() == PARAMETERS.keys()

    @pytest.mark.parametrize("name", PARAMETERS)
    def test_defaults_are_allowed(self, name):
        parameter = PARAMETERS[name]
        default = parameter["Default"]
        assert default in parameter.get("AllowedValues", [default])
        assert parameter.get("MinValue", 0) <= (default if parameter["Type"] == "Number" else 0)
        if "AllowedPattern" in parameter:
            assert re.search(parameter["AllowedPattern"], default)

    @pytest.mark.parametrize("name", [name for name in PARAMETERS if "AllowedPattern" in PARAMETERS[name]])
    def test_patterns_mean_the_same_to_cloudformation(self, name):
        pattern = PARAMETERS[name]["AllowedPattern"]
        assert pattern.startswith("^")
        assert pattern.endswith("$")
        assert not re.search(r"\(\?P|\\Z|\\A|\(\?[aiLmsux]", pattern), "Java reads these differently"

    @pytest.mark.parametrize(
        "value",
        [
            "owned",
            " owned ",
            "owned,liked",
            "liked",
            f"{PLAYLIST} , liked, owned,",
            f"owned,{PLAYLIST}",
            PLAYLIST,
            f"{PLAYLIST},{PLAYLIST}",
            f" {PLAYLIST} , {PLAYLIST} ,",
            f"spotify:playlist:{PLAYLIST}",
            f"spotify:user:spotify:playlist:{PLAYLIST}",
            f"https://open.spotify.com/playlist/{PLAYLIST}",
            f"https://open.spotify.com/playlist/{PLAYLIST}?si=0123456789abcdef&pi=u-1",
            f"http://open.spotify.com/intl-de/playlist/{PLAYLIST}/",
            f"open.spotify.com/user/me/playlist/{PLAYLIST}",
            f"https://open.spotify.com/playlist/{PLAYLIST}?si=1, spotify:playlist:{PLAYLIST}, {PLAYLIST}",
        ],
    )
    def test_playlists_that_the_template_takes_the_function_takes_too(self, value):
        assert re.search(PARAMETERS["PlaylistIds"]["AllowedPattern"], value)
        assert parse_playlist_ids(value)

    @pytest.mark.parametrize(
        "value",
        [
            "",
            " ",
            ",",
            "Owned",
            "mine",
            "owned liked",
            "ownedliked",
            f"liked{PLAYLIST}",
            "loved",
            PLAYLIST[:-1],
            PLAYLIST + "0",
            f"{PLAYLIST} {PLAYLIST}",
            f"{PLAYLIST};{PLAYLIST}",
            f"{PLAYLIST}{PLAYLIST}",
            f"{PLAYLIST},,{PLAYLIST}",
            PLAYLIST.replace("Z", "_"),
            f"spotify:track:{PLAYLIST}",
            f"spotify:album:{PLAYLIST}",
            f"https://open.spotify.com/album/{PLAYLIST}",
            f"https://open.spotify.com.example.org/playlist/{PLAYLIST}",
            f"https://example.org/playlist/{PLAYLIST}",
            f"https://openXspotify.com/playlist/{PLAYLIST}",
            f"{PLAYLIST}, the second one",
        ],
    )
    def test_playlists_that_are_none_are_refused(self, value):
        assert not re.search(PARAMETERS["PlaylistIds"]["AllowedPattern"], value)

    @pytest.mark.parametrize(
        "name, taken, refused",
        [
            (
                "LakeName",
                ["spotify-lake", "lake2", "a-b-c"],
                ["Lake", "2lake", "-lake", "lake-", "a--b", "la_ke"],
            ),
            ("DatabaseName", ["spotify_lake", "lake2"], ["Lake", "spotify-lake", "2lake", "_lake", ""]),
            (
                "ScheduleExpression",
                ["cron(0 6 * * ? *)", "rate(1 day)", "rate(12 hours)"],
                ["0 6 * * *", "cron()", "rate(0 days)", "rate(1 week)", "at(2026-11-20T06:00:00)", "daily"],
            ),
            (
                "ListeningSchedule",
                ["", "rate(30 minutes)", "cron(0/30 * * * ? *)"],
                ["30 minutes", "rate(0 days)"],
            ),
            ("ReportSchedule", ["cron(0 7 * * ? *)", "rate(15 minutes)"], ["0 7 * * *", "rate(0 days)", ""]),
            (
                "ScheduleTimezone",
                [
                    "UTC",
                    "Europe/Berlin",
                    "America/Argentina/Buenos_Aires",
                    "Etc/GMT+3",
                    "America/Port-au-Prince",
                ],
                ["", "Europe/", "Berlin Time", "+01:00"],
            ),
            (
                "QuickSightPrincipal",
                [
                    "",
                    "arn:aws:quicksight:us-east-1:123456789012:user/default/nadia",
                    "arn:aws:quicksight:eu-central-1:123456789012:user/default/AWSReserved/nadia@example.org",
                    "arn:aws:quicksight:us-east-1:123456789012:group/default/analysts",
                ],
                [
                    "nadia",
                    "arn:aws:iam::123456789012:user/nadia",
                    "arn:aws:quicksight:us-east-1::user/default/n",
                ],
            ),
            ("CrawlerSchedule", ["", "cron(0 8 ? * SUN *)"], ["rate(7 days)", "weekly", "cron()"]),
            (
                "KmsKeyArn",
                [
                    "",
                    "arn:aws:kms:eu-central-1:123456789012:key/01234567-89ab-cdef-0123-456789abcdef",
                    "arn:aws-cn:kms:cn-north-1:123456789012:key/mrk-0123456789abcdef0123456789abcdef",
                ],
                [
                    " ",
                    "alias/spotify-lake",
                    "01234567-89ab-cdef-0123-456789abcdef",
                    "arn:aws:kms:eu-central-1:123456789012:alias/spotify-lake",
                    "arn:aws:kms:eu-central-1:123456789012:key/*",
                ],
            ),
            (
                "PermissionsBoundaryArn",
                ["", "arn:aws:iam::123456789012:policy/spotify-lake-boundary"],
                ["spotify-lake-boundary", "arn:aws:iam::aws:policy/AdministratorAccess"],
            ),
            (
                "SpotifyApiUrl",
                [
                    "https://api.spotify.com",
                    "http://127.0.0.1:8080",
                    "http://localhost:1",
                    "https://stub.test:8443",
                ],
                [
                    "http://api.spotify.com",
                    "https://api.spotify.com/",
                    "https://api.spotify.com/v1",
                    "api.spotify.com",
                ],
            ),
        ],
    )
    def test_other_patterns(self, name, taken, refused):
        pattern = PARAMETERS[name]["AllowedPattern"]
        assert [value for value in taken if not re.search(pattern, value)] == []
        assert [value for value in refused if re.search(pattern, value)] == []

    def test_details_have_the_limit_that_the_function_knows(self):
        parameter = PARAMETERS["DetailCallsPerRun"]
        assert (parameter["Default"], parameter["MinValue"]) == (0, 0)
        assert parameter["MaxValue"] == MAX_DETAIL_CALLS
        variables = RESOURCES["ExtractFunction"]["Properties"]["Environment"]["Variables"]
        assert variables["DETAIL_CALLS_PER_RUN"] == {"Ref": "DetailCallsPerRun"}

    def test_details_are_kept_where_the_function_may_write_and_no_event_tells_of_it(self):
        [keep] = [statement for statement in statements("ExtractRole") if statement["Sid"] == "KeepDetails"]
        assert resources_of(keep) == ["${RawBucket.Arn}/state/details/*"]
        assert KEY.startswith("state/details/")
        assert not KEY.startswith("raw/"), "the transform is told of everything below raw/"

    def test_bucket_names_fit_in_every_region(self):
        longest = "x" * PARAMETERS["LakeName"]["MaxLength"] + "-lake-" + "0" * 12 + "-ap-southeast-1"
        assert len(longest) <= 63


class TestRoles:
    @pytest.mark.parametrize("role", ROLES)
    def test_each_statement_has_one_purpose(self, role):
        assert "ManagedPolicyArns" not in RESOURCES[role]["Properties"]
        sids = [statement["Sid"] for statement in statements(role)]
        assert len(sids) == len(set(sids))
        for statement in statements(role):
            assert statement["Effect"] == "Allow"
            assert "NotAction" not in statement
            assert "NotResource" not in statement

    @pytest.mark.parametrize("role", ROLES)
    def test_no_wildcards(self, role):
        for statement in statements(role):
            assert [a for a in as_list(statement["Action"]) if "*" in a] == []
            assert [r for r in resources_of(statement) if r in {"*", "arn:*"}] == []

    @pytest.mark.parametrize("role", ROLES)
    def test_nobody_deletes_data(self, role):
        deleted = {
            resource
            for statement in statements(role)
            if any(re.match(r"(s3|glue):.*Delete", action) for action in as_list(statement["Action"]))
            for resource in resources_of(statement)
        }
        assert deleted <= {f"{LAKE}/intermediate/*", f"{LAKE}/intermediate_$folder$"}, (
            "the jobs' intermediate results"
        )

    @pytest.mark.parametrize("role", ["CrawlerRole", "RecoveryCrawlerRole"])
    def test_a_crawler_lists_only_tables(self, role):
        [listing] = [s for s in statements(role) if s["Action"] == "s3:ListBucket"]
        assert listing["Condition"] == {"StringLike": {"s3:prefix": ["curated/*", "datawarehouse/*"]}}

    def test_each_crawler_keeps_to_its_database(self):
        """The one on the schedule makes no table, and the other one touches no declared one."""
        keeps = {
            role: next(s for s in statements(role) if s["Sid"] == "KeepCatalog")
            for role in ("CrawlerRole", "RecoveryCrawlerRole")
        }
        assert resources_of(keeps["CrawlerRole"]) == CATALOG
        assert resources_of(keeps["RecoveryCrawlerRole"]) == [
            part.replace("${DatabaseName}", "${DatabaseName}_recovery") for part in CATALOG
        ]
        both = {role: set(keep["Action"]) for role, keep in keeps.items()}
        assert both["RecoveryCrawlerRole"] - both["CrawlerRole"] == {"glue:CreateTable"}
        assert both["CrawlerRole"] <= both["RecoveryCrawlerRole"]

    def test_functions_may_ask_whether_an_object_is_there(self):
        for role in ("ExtractRole", "TransformRole"):
            [listing] = [s for s in statements(role) if s["Action"] == "s3:ListBucket"]
            assert "Condition" not in listing, (
                "s3:prefix is absent when an object is read: 403 instead of 404"
            )

    # Lambda, S3 and the scheduler use some of these on a role's behalf, where the emulator does not check them.
    @pytest.mark.parametrize(
        "role, granted",
        [
            (
                "ExtractRole",
                {
                    ("s3:PutObject", "${RawBucket.Arn}/raw/playlist_id=*"),
                    ("s3:PutObject", "${RawBucket.Arn}/raw/plays/api/*"),
                    ("s3:PutObject", "${RawBucket.Arn}/raw/library/*"),
                    ("s3:GetObject", "${RawBucket.Arn}/raw/playlist_id=*"),
                    ("s3:ListBucket", "RawBucket.Arn"),
                    ("s3:GetObject", "${RawBucket.Arn}/state/extract.json"),
                    ("s3:GetObject", "${RawBucket.Arn}/state/plays.json"),
                    ("s3:PutObject", "${RawBucket.Arn}/state/plays.json"),
                    ("s3:GetObject", "${RawBucket.Arn}/state/attempts/*"),
                    ("s3:PutObject", "${RawBucket.Arn}/state/extract.json"),
                    ("s3:PutObject", "${RawBucket.Arn}/state/attempts/*"),
                    ("s3:PutObject", "${RawBucket.Arn}/state/details/*"),
                    ("s3:GetObject", "${RawBucket.Arn}/state/details/*"),
                    ("secretsmanager:GetSecretValue", "SpotifySecret.Id"),
                    ("secretsmanager:PutSecretValue", "SpotifySecret.Id"),
                    ("scheduler:CreateSchedule", arn_of("scheduler", "schedule/${Continuations}/*")),
                    # No account on AWS has this number.
                    (
                        "scheduler:CreateSchedule",
                        arn_of("scheduler", "schedule/default/*").replace("${AWS::AccountId}", "0" * 12),
                    ),
                    ("iam:PassRole", "ScheduleRole.Arn"),
                    ("sqs:SendMessage", "ExtractFailures.Arn"),
                    ("logs:CreateLogStream", "ExtractLogGroup.Arn"),
                    ("logs:PutLogEvents", "ExtractLogGroup.Arn"),
                },
            ),
            (
                "TransformRole",
                {
                    ("s3:GetObject", "${RawBucket.Arn}/raw/*"),
                    ("s3:ListBucket", "RawBucket.Arn"),
                    ("s3:PutObject", "${LakeBucket.Arn}/curated/*"),
                    ("s3:GetObject", "${LakeBucket.Arn}/curated/plays/*/api-*"),
                    ("s3:GetObject", "${LakeBucket.Arn}/curated/play_rejects/api-*"),
                    ("s3:GetObject", "${LakeBucket.Arn}/curated/play_files/api-*"),
                    ("sqs:ReceiveMessage", "TransformQueue.Arn"),
                    ("sqs:DeleteMessage", "TransformQueue.Arn"),
                    ("sqs:GetQueueAttributes", "TransformQueue.Arn"),
                    ("events:PutEvents", "ChangeEvents.Arn"),
                    ("logs:CreateLogStream", "TransformLogGroup.Arn"),
                    ("logs:PutLogEvents", "TransformLogGroup.Arn"),
                },
            ),
            (
                "ReportRole",
                {
                    *(
                        (f"athena:{action}", WORKGROUP)
                        for action in (
                            "StartQueryExecution",
                            "GetQueryExecution",
                            "GetQueryResults",
                            "StopQueryExecution",
                        )
                    ),
                    *(
                        (f"glue:{action}", resource)
                        for action in (
                            "GetDatabase",
                            "GetTable",
                            "GetTables",
                            "GetPartition",
                            "GetPartitions",
                        )
                        for resource in CATALOG
                    ),
                    ("glue:GetDatabase", arn_of("glue", "database/default")),
                    ("s3:GetObject", "${LakeBucket.Arn}/curated/*"),
                    ("s3:GetObject", "${LakeBucket.Arn}/datawarehouse/*"),
                    ("s3:GetObject", "${LakeBucket.Arn}/athena-results/*"),
                    ("s3:PutObject", "${LakeBucket.Arn}/athena-results/*"),
                    ("s3:AbortMultipartUpload", "${LakeBucket.Arn}/athena-results/*"),
                    ("s3:ListMultipartUploadParts", "${LakeBucket.Arn}/athena-results/*"),
                    ("s3:ListBucket", "LakeBucket.Arn"),
                    ("s3:ListBucketMultipartUploads", "LakeBucket.Arn"),
                    ("s3:GetBucketLocation", "LakeBucket.Arn"),
                    ("s3:PutObject", "${LakeBucket.Arn}/report/*"),
                    ("sqs:SendMessage", "ReportFailures.Arn"),
                    ("logs:CreateLogStream", "ReportLogGroup.Arn"),
                    ("logs:PutLogEvents", "ReportLogGroup.Arn"),
                },
            ),
            (
                "ReportScheduleRole",
                {
                    ("lambda:InvokeFunction", "ReportFunction.Arn"),
                    ("sqs:SendMessage", "ReportFailures.Arn"),
                },
            ),
            (
                "ArrivalRole",
                {
                    ("s3:ListBucket", "LakeBucket.Arn"),
                    ("s3:GetObject", "${LakeBucket.Arn}/staging/*/_READY"),
                    ("s3:PutObject", "${LakeBucket.Arn}/staging/*/_STARTED"),
                    ("s3:PutObject", "${LakeBucket.Arn}/jobs/*"),
                    ("s3:GetObject", "${LakeBucket.Arn}/datawarehouse/_runs/*"),
                    ("glue:StartJobRun", arn_of("glue", "job/${LakeName}-charts")),
                    ("glue:StartJobRun", arn_of("glue", "job/${LakeName}-kaggle2023")),
                    ("glue:StartJobRun", arn_of("glue", "job/${LakeName}-forecast")),
                    ("glue:StartJobRun", arn_of("glue", "job/${LakeName}-popularity")),
                    ("sns:Publish", "Alarms"),
                    ("logs:CreateLogStream", "ArrivalLogGroup.Arn"),
                    ("logs:PutLogEvents", "ArrivalLogGroup.Arn"),
                },
            ),
            (
                "JobRole",
                {
                    ("s3:GetObject", f"{LAKE}/jobs/*"),
                    ("s3:GetObject", f"{LAKE}/staging/*"),
                    *(
                        (f"s3:{action}", f"{LAKE}/{place}")
                        for place in ("datawarehouse/*", "intermediate/*", "intermediate_$folder$")
                        for action in ("GetObject", "PutObject", "AbortMultipartUpload")
                    ),
                    ("s3:DeleteObject", f"{LAKE}/intermediate/*"),
                    ("s3:DeleteObject", f"{LAKE}/intermediate_$folder$"),
                    ("s3:ListBucket", LAKE),
                    ("s3:ListBucketMultipartUploads", LAKE),
                    ("s3:GetBucketLocation", LAKE),
                    *(
                        (f"logs:{action}", arn_of("logs", f"log-group:/aws-glue/${{LakeName}}/{group}:*"))
                        for group in ("output", "error")
                        for action in ("CreateLogGroup", "CreateLogStream", "PutLogEvents")
                    ),
                },
            ),
            (
                "ScheduleRole",
                {
                    ("lambda:InvokeFunction", arn_of("lambda", "function:${LakeName}-extract")),
                    ("sqs:SendMessage", "ScheduleDeadLetters.Arn"),
                },
            ),
        ],
    )
    def test_grants_exactly(self, role, granted):
        assert granted == {
            (action, resource)
            for statement in statements(role)
            for action in as_list(statement["Action"])
            for resource in resources_of(statement)
        }

    @pytest.mark.parametrize("role", ["ExtractRole", "TransformRole", "ReportRole", "JobRole"])
    def test_a_missing_object_is_told_from_a_forbidden_one(self, role):
        """S3 answers 403 instead of 404 to whoever may not list, and a request for an object has no prefix."""
        [listing] = [one for one in statements(role) if "s3:ListBucket" in as_list(one["Action"])]
        assert "Condition" not in listing

    def test_only_services_take_the_roles(self):
        principals = {
            role: [
                statement["Principal"]
                for statement in RESOURCES[role]["Properties"]["AssumeRolePolicyDocument"]["Statement"]
            ]
            for role in ROLES
        }
        assert principals == {
            "ExtractRole": [{"Service": "lambda.amazonaws.com"}],
            "TransformRole": [{"Service": "lambda.amazonaws.com"}],
            "ScheduleRole": [{"Service": "scheduler.amazonaws.com"}],
            "CrawlerRole": [{"Service": "glue.amazonaws.com"}],
            "RecoveryCrawlerRole": [{"Service": "glue.amazonaws.com"}],
            "ReportRole": [{"Service": "lambda.amazonaws.com"}],
            "ReportScheduleRole": [{"Service": "scheduler.amazonaws.com"}],
            "ArrivalRole": [{"Service": "lambda.amazonaws.com"}],
            "JobRole": [{"Service": "glue.amazonaws.com"}],
        }


def test_the_secret_of_each_stack_has_a_name_of_its_own():
    """The name of a deleted secret stays taken for 30 days, which would fail the deployment after a failed one."""
    name = RESOURCES["SpotifySecret"]["Properties"]["Name"]
    assert name == {
        "Join": [
            "-",
            [
                {"Sub": "${LakeName}/spotify"},
                {"Select": [2, {"Split": ["/", {"Ref": "AWS::StackId"}]}]},
            ],
        ]
    }


class TestBuckets:
    @pytest.mark.parametrize("bucket", BUCKETS)
    def test_stays_when_the_stack_goes(self, bucket):
        assert RESOURCES[bucket]["DeletionPolicy"] == "RetainExceptOnCreate"
        assert RESOURCES[bucket]["UpdateReplacePolicy"] == "Retain"

    @pytest.mark.parametrize("bucket", BUCKETS)
    def test_private_and_encrypted(self, bucket):
        properties = RESOURCES[bucket]["Properties"]
        assert set(properties["PublicAccessBlockConfiguration"].values()) == {True}
        assert len(properties["PublicAccessBlockConfiguration"]) == 4
        assert properties["OwnershipControls"] == {"Rules": [{"ObjectOwnership": "BucketOwnerEnforced"}]}
        [rule] = properties["BucketEncryption"]["ServerSideEncryptionConfiguration"]
        condition, with_key, without = rule["ServerSideEncryptionByDefault"]["If"]
        assert condition == "HasKmsKey"
        assert with_key == {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": {"Ref": "KmsKeyArn"}}
        assert without == {"SSEAlgorithm": "AES256"}
        assert rule["BucketKeyEnabled"] == {"If": ["HasKmsKey", True, {"Ref": "AWS::NoValue"}]}

    @pytest.mark.parametrize("bucket", BUCKETS)
    def test_refuses_plain_http(self, bucket):
        [policy] = [p for p in of_type("AWS::S3::BucketPolicy").values() if p["Bucket"] == {"Ref": bucket}]
        [deny] = policy["PolicyDocument"]["Statement"]
        assert deny["Resource"] == [{"GetAtt": f"{bucket}.Arn"}, {"Sub": f"${{{bucket}.Arn}}/*"}]
        assert_refuses_plain_http(deny, "s3:*")

    def test_raw_is_versioned_and_archived(self):
        properties = RESOURCES["RawBucket"]["Properties"]
        assert properties["VersioningConfiguration"] == {"Status": "Enabled"}
        rules = {rule["Id"]: rule for rule in properties["LifecycleConfiguration"]["Rules"]}
        assert rules["ArchiveSnapshots"]["Prefix"] == "raw/"
        assert rules["ArchiveSnapshots"]["Transitions"] == [
            {"StorageClass": "GLACIER_IR", "TransitionInDays": 90}
        ]
        assert not any("ExpirationInDays" in rule for rule in rules.values()), "raw is the record"

    def test_only_query_results_and_work_expire_in_the_lake(self):
        rules = RESOURCES["LakeBucket"]["Properties"]["LifecycleConfiguration"]["Rules"]
        expiring = {
            rule.get("Prefix"): rule["ExpirationInDays"] for rule in rules if "ExpirationInDays" in rule
        }
        assert expiring == {"athena-results/": 7, "intermediate/": 1}


class TestQueues:
    @pytest.mark.parametrize("queue", QUEUES)
    def test_encrypted_and_refuses_plain_http(self, queue):
        if queue in OF_AWS_KEY:
            assert QUEUES[queue]["SqsManagedSseEnabled"] is True
        else:
            assert QUEUES[queue]["SqsManagedSseEnabled"] == {"If": ["HasKmsKey", False, True]}
            assert QUEUES[queue]["KmsMasterKeyId"] == OWN_KEY
        [policy] = [p for p in of_type("AWS::SQS::QueuePolicy").values() if p["Queues"] == [{"Ref": queue}]]
        [deny] = [s for s in policy["PolicyDocument"]["Statement"] if s["Effect"] == "Deny"]
        by_name = {"Sub": arn_of("sqs", QUEUES[queue]["QueueName"]["Sub"])}
        assert deny["Resource"] in ({"GetAtt": f"{queue}.Arn"}, by_name)
        assert_refuses_plain_http(deny, "sqs:*")

    @pytest.mark.parametrize("queue", [queue for queue in QUEUES if queue != "TransformQueue"])
    def test_failures_are_kept_two_weeks(self, queue):
        assert QUEUES[queue]["MessageRetentionPeriod"] == 14 * 24 * 3600

    def test_messages_come_back_only_after_the_transform_has_surely_ended(self):
        timeout = RESOURCES["TransformFunction"]["Properties"]["Timeout"]
        assert QUEUES["TransformQueue"]["VisibilityTimeout"] >= 6 * timeout

    def test_messages_that_fail_five_times_are_set_aside(self):
        assert QUEUES["TransformQueue"]["RedrivePolicy"] == {
            "deadLetterTargetArn": {"GetAtt": "TransformDeadLetters.Arn"},
            "maxReceiveCount": 5,
        }
        allowed = QUEUES["TransformDeadLetters"]["RedriveAllowPolicy"]
        assert allowed["redrivePermission"] == "byQueue"
        [source] = [arn["Sub"] for arn in allowed["sourceQueueArns"]]
        assert source.endswith(":" + QUEUES["TransformQueue"]["QueueName"]["Sub"])

    def test_only_the_raw_bucket_sends(self):
        policy = RESOURCES["TransformQueuePolicy"]["Properties"]["PolicyDocument"]
        [allow] = [statement for statement in policy["Statement"] if statement["Effect"] == "Allow"]
        assert allow["Principal"] == {"Service": "s3.amazonaws.com"}
        assert allow["Action"] == "sqs:SendMessage"
        bucket = RESOURCES["RawBucket"]["Properties"]["BucketName"]["Sub"]
        assert allow["Condition"] == {
            "ArnEquals": {"aws:SourceArn": {"Sub": "arn:${AWS::Partition}:s3:::" + bucket}},
            "StringEquals": {"aws:SourceAccount": {"Ref": "AWS::AccountId"}},
        }
        assert RESOURCES["RawBucket"]["DependsOn"] == "TransformQueuePolicy"

    def test_every_new_snapshot_is_announced(self):
        [notification] = RESOURCES["RawBucket"]["Properties"]["NotificationConfiguration"][
            "QueueConfigurations"
        ]
        rules = {rule["Name"]: rule["Value"] for rule in notification["Filter"]["S3Key"]["Rules"]}
        assert notification["Event"] == "s3:ObjectCreated:*"
        assert rules == {"prefix": "raw/", "suffix": ".json.gz"}


class TestFunctions:
    @pytest.mark.parametrize("function", FUNCTIONS)
    def test_logs_are_json_and_end(self, function):
        logging = RESOURCES[function]["Properties"]["LoggingConfig"]
        group = RESOURCES[logging["LogGroup"]["Ref"]]["Properties"]
        name = RESOURCES[function]["Properties"]["FunctionName"]["Sub"]
        assert logging["LogFormat"] == "JSON"
        assert group == {
            "LogGroupName": {"Sub": f"/aws/lambda/{name}"},
            "RetentionInDays": {"Ref": "LogRetentionDays"},
            "KmsKeyId": OWN_KEY,
        }

    def test_no_concurrency_is_reserved(self):
        assert "ReservedConcurrentExecutions" not in json.dumps(TEMPLATE)

    @pytest.mark.parametrize("function", ["ExtractFunction", "ReportFunction", "ArrivalFunction"])
    def test_what_needs_no_pandas_starts_without(self, function):
        layers = RESOURCES[function]["Properties"]["Layers"]
        assert {"Ref": "CommonLayer"} in layers
        assert {"Ref": "PandasLayer"} not in layers

    def test_settings(self):
        both = set(TEMPLATE["Globals"]["Function"]["Environment"]["Variables"])
        own = {name: set(RESOURCES[name]["Properties"]["Environment"]["Variables"]) for name in FUNCTIONS}
        assert both == {"RAW_BUCKET", "POWERTOOLS_METRICS_NAMESPACE", "POWERTOOLS_LOG_LEVEL"}
        assert own == {
            "ExtractFunction": {
                "POWERTOOLS_SERVICE_NAME",
                "PLAYLIST_IDS",
                "SPOTIFY_SECRET_ID",
                "SPOTIFY_API_URL",
                "SPOTIFY_ACCOUNTS_URL",
                "SCHEDULE_GROUP",
                "SCHEDULE_ROLE_ARN",
                "SCHEDULE_DEAD_LETTERS_ARN",
                "DETAIL_CALLS_PER_RUN",
                "LIBRARY",
            },
            "TransformFunction": {"POWERTOOLS_SERVICE_NAME", "LAKE_BUCKET", "EVENT_BUS"},
            "ReportFunction": {
                "POWERTOOLS_SERVICE_NAME",
                "LAKE_BUCKET",
                "DATABASE",
                "WORKGROUP",
                "REPORT_DAYS",
                "TIME_ZONE",
            },
            "ArrivalFunction": {"POWERTOOLS_SERVICE_NAME", "LAKE_BUCKET", "LAKE_NAME"},
        }

    def test_the_daily_run_knows_its_time_and_is_never_lost(self):
        extract = RESOURCES["ExtractFunction"]["Properties"]
        daily = extract["Events"]["Daily"]["Properties"]
        assert json.loads(daily["Input"]) == {
            "scheduled_at": "<aws.scheduler.scheduled-time>",
            "correlation_id": "<aws.scheduler.execution-id>",
        }
        assert daily["DeadLetterConfig"] == {"Arn": {"GetAtt": "ScheduleDeadLetters.Arn"}}
        assert daily["RetryPolicy"]["MaximumRetryAttempts"] > 0
        assert extract["EventInvokeConfig"]["MaximumRetryAttempts"] == 2
        assert extract["EventInvokeConfig"]["DestinationConfig"]["OnFailure"] == {
            "Type": "SQS",
            "Destination": {"GetAtt": "ExtractFailures.Arn"},
        }

    def test_plays_are_polled_only_if_somebody_says_when(self):
        polls = RESOURCES["ExtractFunction"]["Properties"]["Events"]["Plays"]["Properties"]
        event = json.loads(polls["Input"])
        assert event == {
            "plays": True,
            "scheduled_at": "<aws.scheduler.scheduled-time>",
            "correlation_id": "<aws.scheduler.execution-id>",
        }
        assert parse_event(event, lambda: datetime.now(UTC)).plays
        assert PARAMETERS["ListeningSchedule"]["Default"] == ""
        assert polls["State"] == {"If": ["PollsPlays", "ENABLED", "DISABLED"]}
        assert polls["ScheduleExpression"]["If"][:2] == ["PollsPlays", {"Ref": "ListeningSchedule"}]
        assert polls["DeadLetterConfig"] == {"Arn": {"GetAtt": "ScheduleDeadLetters.Arn"}}

    def test_the_report_is_written_after_the_snapshots_and_failures_are_kept(self):
        report = RESOURCES["ReportFunction"]["Properties"]
        daily = report["Events"]["Daily"]["Properties"]
        extract = RESOURCES["ExtractFunction"]["Properties"]["Events"]["Daily"]["Properties"]
        for same in ("State", "ScheduleExpressionTimezone", "RetryPolicy"):
            assert daily[same] == extract[same]
        # ./lake redrive would start what is in ScheduleDeadLetters as runs of the extract function.
        assert daily["DeadLetterConfig"] == {"Arn": {"GetAtt": "ReportFailures.Arn"}}
        hours = [PARAMETERS[name]["Default"].split()[1] for name in ("ScheduleExpression", "ReportSchedule")]
        assert int(hours[0]) < int(hours[1])
        assert report["EventInvokeConfig"]["DestinationConfig"]["OnFailure"] == {
            "Type": "SQS",
            "Destination": {"GetAtt": "ReportFailures.Arn"},
        }

    def test_a_stopped_run_can_go_on_by_itself(self):
        [passing] = [s for s in statements("ExtractRole") if s["Sid"] == "LetSchedulerStartExtract"]
        assert passing["Condition"] == {"StringEquals": {"iam:PassedToService": "scheduler.amazonaws.com"}}
        variables = RESOURCES["ExtractFunction"]["Properties"]["Environment"]["Variables"]
        assert variables["SCHEDULE_GROUP"] == {"Ref": "Continuations"}
        assert variables["SCHEDULE_ROLE_ARN"] == {"GetAtt": "ScheduleRole.Arn"}
        assert variables["SCHEDULE_DEAD_LETTERS_ARN"] == {"GetAtt": "ScheduleDeadLetters.Arn"}
        function = RESOURCES["ExtractFunction"]["Properties"]["FunctionName"]
        assert function == {"Sub": "${LakeName}-extract"}, "ScheduleRole names it"

    def test_the_transform_answers_message_by_message(self):
        source = RESOURCES["TransformFunction"]["Properties"]["Events"]["Snapshots"]["Properties"]
        assert source["FunctionResponseTypes"] == ["ReportBatchItemFailures"]
        assert source["Queue"] == {"GetAtt": "TransformQueue.Arn"}

    def test_concurrency_is_a_number_for_each_choice(self):
        choices = TEMPLATE["Mappings"]["TransformConcurrency"]
        assert list(choices) == PARAMETERS["TransformConcurrency"]["AllowedValues"]
        assert all(choice == {"Functions": int(name)} for name, choice in choices.items())
        assert min(choice["Functions"] for choice in choices.values()) >= 2, "Lambda's minimum"


class TestBulk:
    JOBS: ClassVar = {
        name.removesuffix("Job").lower(): job for name, job in of_type("AWS::Glue::Job").items()
    }

    def test_each_data_set_and_model_has_its_job(self):
        assert self.JOBS.keys() == set(JOBS)
        for data_set, job in self.JOBS.items():
            assert job["Name"] == {"Sub": f"${{LakeName}}-{data_set}"}, "the arrival function calls it so"
            assert (ROOT / "jobs" / f"{data_set}.py").exists()
            assert job["Command"]["ScriptLocation"] == {
                "Sub": f"s3://${{LakeBucketName}}/{keys.JOB_CODE}{data_set}.py"
            }

    def test_a_run_is_bounded_and_alone(self):
        for job in self.JOBS.values():
            assert job["ExecutionProperty"] == {"MaxConcurrentRuns": 1}
            assert (job["MaxRetries"], job["Timeout"]) == (0, 240), (
                "the command has reported the first failure"
            )
            assert job["GlueVersion"] == "6.0"
            assert job["ExecutionClass"] == {"Ref": "BulkExecutionClass"}
            arguments = job["DefaultArguments"]
            assert arguments["--enable-auto-scaling"] == "true"
            assert arguments["--job-bookmark-option"] == "job-bookmark-disable"

    def test_logs_go_where_they_end(self):
        groups = {group["LogGroupName"]["Sub"] for group in of_type("AWS::Logs::LogGroup").values()}
        for job in self.JOBS.values():
            prefix = job["DefaultArguments"]["--custom-logGroup-prefix"]["Sub"]
            assert {f"{prefix}/output", f"{prefix}/error"} <= groups

    def test_markers_and_the_end_of_runs_reach_the_function(self):
        events = {
            name: event["Properties"]
            for name, event in RESOURCES["ArrivalFunction"]["Properties"]["Events"].items()
        }
        ready = events["Ready"]["Pattern"]["detail"]
        assert ready["bucket"] == {"name": [{"Ref": "LakeBucket"}]}
        assert ready["object"] == {"key": [{"wildcard": f"{keys.STAGING}*/{keys.READY}"}]}
        assert events["Ended"]["Pattern"]["detail"]["jobName"] == [job["Name"] for job in self.JOBS.values()]
        notified = RESOURCES["LakeBucket"]["Properties"]["NotificationConfiguration"]
        assert notified == {"EventBridgeConfiguration": {"EventBridgeEnabled": True}}

    def test_a_region_without_glue_6_gets_the_rest_of_the_lake(self):
        """What goes with BulkJobs=false is all that needs Glue's jobs, and nothing that stays refers to it."""
        assert PARAMETERS["BulkJobs"]["Default"] == "true"
        assert TEMPLATE["Conditions"]["HasBulkJobs"] == {"Equals": [{"Ref": "BulkJobs"}, "true"]}
        parts = {**TEMPLATE["Resources"], **TEMPLATE["Outputs"]}
        gone = {name for name, part in parts.items() if part.get("Condition") == "HasBulkJobs"}
        assert gone == {
            "ArrivalLogGroup",
            "ArrivalRole",
            "ArrivalFunction",
            "BulkStack",
            "ArrivalFunctionName",
            "ChartsJobName",
            "Kaggle2023JobName",
        }
        left = json.dumps({name: part for name, part in parts.items() if name not in gone})
        for name in gone:
            assert not re.search(rf'"{name}[".]|\$\{{{name}[.}}]', left), f"{name} is still referred to"
        assert set(of_type("AWS::Glue::Job")) <= set(nested("bulk")["Resources"])
        assert TEMPLATE["Resources"]["MonitoringStack"]["Properties"]["Parameters"]["BulkJobs"] == {
            "Ref": "BulkJobs"
        }
        assert RESOURCES["GlueJobFailed"]["Condition"] == "HasBulkJobs"
        assert nested("monitoring")["Conditions"]["HasBulkJobs"] == TEMPLATE["Conditions"]["HasBulkJobs"]

    def test_a_failed_start_is_told(self):
        failure = RESOURCES["ArrivalFunction"]["Properties"]["EventInvokeConfig"]["DestinationConfig"]
        assert failure["OnFailure"] == {"Type": "SNS", "Destination": {"Ref": "Alarms"}}


class TestCatalog:
    def test_the_recovery_crawler_visits_every_table(self):
        targets = RESOURCES["RecoveryCrawler"]["Properties"]["Targets"]["S3Targets"]
        folders = [table.prefix for table in (*TABLES, *LISTENING_TABLES, LIBRARY)]
        folders += [f"datawarehouse/{declared.table.name}/" for declared in WAREHOUSE]
        assert sorted(target["Path"]["Sub"] for target in targets) == sorted(
            f"s3://${{LakeBucketName}}/{folder}" for folder in folders
        )

    def test_the_crawler_registers_the_partitions_of_every_declared_table(self):
        [target] = RESOURCES["Crawler"]["Properties"]["Targets"]["CatalogTargets"]
        assert target["DatabaseName"] == {"Ref": "DatabaseName"}
        declared = {
            table["TableInput"]["Name"]: name
            for name, table in of_type("AWS::Glue::Table").items()
            if table["TableInput"]["PartitionKeys"]
        }
        assert sorted(target["Tables"]) == sorted(declared)
        assert sorted(RESOURCES["Crawler"]["DependsOn"]) == sorted(declared.values())

    def test_the_recovery_crawler_registers_tables_in_a_database_apart(self):
        crawler = RESOURCES["RecoveryCrawler"]["Properties"]
        apart = {"Sub": "${DatabaseName}_recovery"}
        assert crawler["DatabaseName"] == apart
        assert RESOURCES["RecoveryDatabase"]["Properties"]["DatabaseInput"]["Name"] == apart
        assert "Schedule" not in crawler
        assert crawler["SchemaChangePolicy"] == {
            "UpdateBehavior": "UPDATE_IN_DATABASE",
            "DeleteBehavior": "LOG",
        }
        assert json.loads(crawler["Configuration"]) == {
            "Version": 1.0,
            "CrawlerOutput": {"Partitions": {"AddOrUpdateBehavior": "InheritFromTable"}},
            "Grouping": {"TableGroupingPolicy": "CombineCompatibleSchemas"},
            "CreatePartitionIndex": False,
        }

    def test_the_crawler_leaves_declared_tables_alone(self):
        crawler = RESOURCES["Crawler"]["Properties"]
        condition, on_schedule, otherwise = crawler["Schedule"]["If"]
        assert (condition, otherwise) == ("CrawlsOnSchedule", {"Ref": "AWS::NoValue"})
        assert on_schedule == {"ScheduleExpression": {"Ref": "CrawlerSchedule"}}
        assert crawler["SchemaChangePolicy"] == {"UpdateBehavior": "LOG", "DeleteBehavior": "LOG"}
        assert crawler["RecrawlPolicy"] == {"RecrawlBehavior": "CRAWL_EVERYTHING"}
        assert json.loads(crawler["Configuration"]) == {
            "Version": 1.0,
            "CrawlerOutput": {"Partitions": {"AddOrUpdateBehavior": "InheritFromTable"}},
            "Grouping": {"TableGroupingPolicy": "CombineCompatibleSchemas"},
        }

    def test_queries_have_a_limit_and_one_place_for_results(self):
        workgroup = RESOURCES["WorkGroup"]["Properties"]["WorkGroupConfiguration"]
        assert workgroup["EnforceWorkGroupConfiguration"] is True
        assert workgroup["BytesScannedCutoffPerQuery"] == {"Sub": "${AthenaScanLimitMB}000000"}
        assert PARAMETERS["AthenaScanLimitMB"]["MinValue"] >= 10, "Athena's minimum is 10 MB"
        results = workgroup["ResultConfiguration"]
        assert results["OutputLocation"] == {"Sub": "s3://${LakeBucket}/athena-results/"}
        assert results["EncryptionConfiguration"] == {
            "EncryptionOption": {"If": ["HasKmsKey", "SSE_KMS", "SSE_S3"]},
            "KmsKey": OWN_KEY,
        }


class TestOwnKey:
    def test_no_key_is_the_default(self):
        assert PARAMETERS["KmsKeyArn"]["Default"] == ""
        assert TEMPLATE["Conditions"]["HasKmsKey"] == {"Not": [{"Equals": [{"Ref": "KmsKeyArn"}, ""]}]}

    def test_all_that_can_hold_data_takes_the_key(self):
        key_rules = {
            "AWS::SNS::Topic": "KmsMasterKeyId",
            "AWS::SQS::Queue": "KmsMasterKeyId",
            "AWS::SecretsManager::Secret": "KmsKeyId",
            "AWS::Logs::LogGroup": "KmsKeyId",
        }
        for kind, name in key_rules.items():
            found = {resource: properties.get(name) for resource, properties in of_type(kind).items()}
            assert found == {resource: None if resource in OF_AWS_KEY else OWN_KEY for resource in found}
        assert set(of_type("AWS::S3::Bucket")) == set(BUCKETS), "TestBuckets looks at these"
        assert TEMPLATE["Globals"]["Function"]["KmsKeyArn"] == OWN_KEY

    @pytest.mark.parametrize("role", ROLES)
    def test_without_a_key_no_role_may_use_any(self, role):
        actions = [action for statement in statements(role) for action in as_list(statement["Action"])]
        assert [action for action in actions if action.startswith("kms:")] == []

    @pytest.mark.parametrize(
        "role, actions, services",
        [
            ("ExtractRole", {"Decrypt", "GenerateDataKey"}, {"lambda", "s3", "secretsmanager", "sqs"}),
            ("TransformRole", {"Decrypt", "GenerateDataKey"}, {"lambda", "s3", "sqs"}),
            ("ReportRole", {"Decrypt", "GenerateDataKey"}, {"lambda", "s3", "sqs"}),
            ("ScheduleRole", {"Decrypt", "GenerateDataKey"}, {"sqs"}),
            ("ReportScheduleRole", {"Decrypt", "GenerateDataKey"}, {"sqs"}),
            ("CrawlerRole", {"Decrypt"}, {"s3"}),
            ("RecoveryCrawlerRole", {"Decrypt"}, {"s3"}),
            ("ArrivalRole", {"Decrypt", "GenerateDataKey"}, {"lambda", "s3", "sns"}),
            ("JobRole", {"Decrypt", "GenerateDataKey"}, {"s3"}),
        ],
    )
    def test_a_role_may_use_this_key_through_the_services_it_works_with(self, role, actions, services):
        [use] = [s for s in statements(role, with_key=True) if s["Sid"] == "UseKey"]
        assert use["Effect"] == "Allow"
        assert set(as_list(use["Action"])) == {f"kms:{action}" for action in actions}
        assert use["Resource"] == {"Ref": "KmsKeyArn"}
        [(operator, condition)] = use["Condition"].items()
        assert (operator, list(condition)) == ("StringEquals", ["kms:ViaService"])
        assert {via["Sub"] for via in as_list(condition["kms:ViaService"])} == {
            f"{service}.${{AWS::Region}}.${{AWS::URLSuffix}}" for service in services
        }

    def test_every_role_that_works_with_data_may_use_it(self):
        assert {
            role for role in ROLES if len(statements(role, with_key=True)) == len(statements(role)) + 1
        } == set(ROLES)

    def test_the_key_s_policy_lets_in_what_has_no_role(self):
        template = load(ROOT / "stacks" / "key.yaml")
        key = template["Resources"]["Key"]
        assert key["DeletionPolicy"] == "RetainExceptOnCreate"
        assert (
            template["Parameters"]["LakeName"]["AllowedPattern"] == PARAMETERS["LakeName"]["AllowedPattern"]
        )
        found = {one["Sid"]: one for one in key["Properties"]["KeyPolicy"]["Statement"]}
        # The senders are those that the policies of queue and topic let in.
        queue = RESOURCES["TransformQueuePolicy"]["Properties"]["PolicyDocument"]["Statement"]
        topic = RESOURCES["AlarmsPolicy"]["Properties"]["PolicyDocument"]["Statement"]
        senders = {one["Sid"]: one for one in [*queue, *topic] if one["Effect"] == "Allow"}
        assert found.keys() - {"LetAccountDecide", "LetLogsEncrypt"} == senders.keys()
        for sid, sender in senders.items():
            assert found[sid]["Principal"] == sender["Principal"]
            assert found[sid]["Action"] == ["kms:Decrypt", "kms:GenerateDataKey"]
        assert found["LetRawBucketSend"]["Condition"] == senders["LetRawBucketSend"]["Condition"]
        to_topic = {"kms:EncryptionContext:aws:sns:topicArn": {"Sub": arn_of("sns", "${LakeName}-alarms")}}
        assert RESOURCES["Alarms"]["Properties"]["TopicName"] == {"Sub": "${LakeName}-alarms"}
        assert found["LetRulesSend"]["Condition"] == {"StringEquals": to_topic}
        assert found["LetAlarmsSend"]["Condition"] == {
            "ArnLike": senders["LetAlarmsSend"]["Condition"]["ArnLike"],
            "StringEquals": to_topic,
        }
        logs = found["LetLogsEncrypt"]["Condition"]["ArnLike"]["kms:EncryptionContext:aws:logs:arn"]
        begins = tuple(one["Sub"].partition("log-group:")[2].rstrip("*") for one in logs)
        for group in of_type("AWS::Logs::LogGroup").values():
            assert group["LogGroupName"]["Sub"].startswith(begins)


class TestDeployment:
    def test_outputs_tell_what_they_are(self):
        outputs = TEMPLATE["Outputs"]
        assert [name for name, output in outputs.items() if not output["Description"].endswith(".")] == []
        assert outputs.keys() >= {
            "AthenaConsole",
            "AthenaWorkGroupName",
            "CrawlerName",
            "DatabaseName",
            "ExtractFailuresUrl",
            "ExtractFunctionName",
            "LakeBucketName",
            "RawBucketName",
            "ReportFailuresUrl",
            "ReportFunctionName",
            "ScheduleDeadLettersUrl",
            "ScheduleName",
            "SpotifySecretArn",
            "TransformDeadLettersUrl",
            "TransformFunctionName",
            "TransformQueueUrl",
        }

    def test_works_in_every_partition(self):
        for name in ("template.yaml", *(f"stacks/{stack}.yaml" for stack in NESTED)):
            assert "arn:aws:" not in (ROOT / name).read_text()

    def test_every_suppressed_check_has_its_reason_in_one_place(self):
        lines = (ROOT / ".checkov.yaml").read_text().splitlines()
        listed = lines[lines.index("skip-check:") + 1 :]
        for before, line in pairwise(["", *listed]):
            if not line.startswith("  # "):
                assert re.fullmatch(r"  - CKV_AWS_\d+", line)
                assert re.fullmatch(r"  # .*\.|  - CKV_AWS_\d+", before), f"{line} has no reason"
        for path in [ROOT / "template.yaml", *(ROOT / "stacks").glob("*.yaml")]:
            assert "checkov" not in path.read_text()

    @pytest.mark.parametrize("stack", NESTED)
    def test_a_nested_stack_gets_the_parameters_it_asks_for(self, stack):
        resource = TEMPLATE["Resources"][f"{stack.capitalize()}Stack"]
        assert resource["Properties"]["TemplateURL"] == f"stacks/{stack}.yaml"
        assert resource["Properties"]["Parameters"].keys() == nested(stack)["Parameters"].keys()
        assert "Transform" not in nested(stack), "the emulator wants plain CloudFormation"
        assert "GetAtt" not in json.dumps(nested(stack)), "the emulator forgets attributes on an update"

    def test_nested_stacks_take_names_that_are_known_only_after_the_change(self):
        """A change set with nested stacks has a placeholder for them, which no pattern, condition or split can take."""
        known = PARAMETERS.keys() | {"AWS::AccountId", "AWS::Region"}
        stacks = {
            resource["Properties"]["TemplateURL"]: resource["Properties"]["Parameters"]
            for resource in TEMPLATE["Resources"].values()
            if resource["Type"] == "AWS::CloudFormation::Stack"
        }
        assert len(stacks) == 6
        for path, given in stacks.items():
            inside = load(ROOT / path)
            for name, value in given.items():
                if value["Ref"] in known:
                    continue
                assert inside["Parameters"][name].keys() == {"Type", "Description"}, (path, name)
                assert inside["Parameters"][name]["Type"] == "String"
                assert f'"{name}"' not in json.dumps(inside.get("Conditions", {})), (path, name)
            functions = set(
                re.findall(r'"(?:Fn::)?(Select|Split|FindInMap|ImportValue)": \[', json.dumps(inside))
            )
            assert not functions, path

    @pytest.mark.parametrize("stack", NESTED)
    def test_a_lake_can_be_deployed_without_a_nested_stack(self, stack):
        """The runbook and the changelog do so, to have its resources made anew."""
        others = {key: value for key, value in TEMPLATE.items() if key != "Resources"}
        others |= {
            name: one for name, one in TEMPLATE["Resources"].items() if name != f"{stack.capitalize()}Stack"
        }
        assert f"{stack.capitalize()}Stack" not in json.dumps(others)

    def test_outputs_name_what_the_nested_stacks_make(self):
        outputs = {name: output["Value"] for name, output in TEMPLATE["Outputs"].items()}
        assert outputs["CrawlerName"] == RESOURCES["Crawler"]["Properties"]["Name"]
        assert outputs["RecoveryCrawlerName"] == RESOURCES["RecoveryCrawler"]["Properties"]["Name"]
        assert outputs["RecoveryDatabaseName"] == RESOURCES["RecoveryCrawler"]["Properties"]["DatabaseName"]
        assert outputs["ChartsJobName"] == RESOURCES["ChartsJob"]["Properties"]["Name"]
        assert outputs["Kaggle2023JobName"] == RESOURCES["Kaggle2023Job"]["Properties"]["Name"]
        assert RESOURCES["Dashboard"]["Properties"]["DashboardName"] == {"Ref": "LakeName"}
        assert outputs["DashboardUrl"]["Sub"].endswith("#dashboards/dashboard/${LakeName}")

    def test_laptop_builds_never_reach_aws(self):
        config = tomllib.loads((ROOT / "samconfig.toml").read_text())
        build, deploy = (config["local"][command]["parameters"] for command in ("build", "deploy"))
        # sam keeps its notes on the cache in the parent of build_dir, which is .aws-sam for AWS.
        own = Path(build["build_dir"]).parent
        assert own.parent == Path(".aws-sam")
        assert Path(build["cache_dir"]).parent == own
        assert deploy["template_file"] == f"{build['build_dir']}/template.yaml"
        aws = config["default"]
        assert not {"build_dir", "cache_dir"} & aws["build"]["parameters"].keys()
        assert "template_file" not in aws["deploy"]["parameters"]


class TestLayers:
    def test_agree_on_what_both_hold(self):
        common, pandas = locked("common"), locked("pandas")
        shared = common.keys() & pandas.keys()
        assert {name: common[name] for name in shared} == {name: pandas[name] for name in shared}

    def test_leave_out_what_lambda_brings(self):
        assert not {"boto3", "botocore", "s3transfer"} & (locked("common").keys() | locked("pandas").keys())


def locked(layer: str) -> dict[str, str]:
    """Return the version of each package that a layer's lock file names."""
    text = (ROOT / "layers" / layer / "requirements.txt").read_text()
    return dict(re.findall(r"^([a-z0-9-]+)==(\S+)", text, re.MULTILINE))


def assert_refuses_plain_http(statement: dict[str, Any], action: str) -> None:
    assert statement["Effect"] == "Deny"
    assert statement["Principal"] == "*"
    assert statement["Action"] == action
    assert statement["Condition"] == {
        "Bool": {"aws:SecureTransport": "false"},
        "NotIpAddress": {"aws:SourceIp": "127.0.0.0/8"},
    }
