"""The lake with a KMS key of its own: the parameter is changed on the deployed stack, and put back.

The emulator keeps which key a queue, a secret, a log group and an object have, but encrypts nothing and asks
nobody for the permission to use a key. Its CloudFormation leaves out the keys of buckets, topics and functions; for
the buckets, the test sets what the template says, as CloudFormation does on AWS. Proved here is therefore that the
main path works with all objects under the key, and what the roles and the key's policy allow; not that KMS is asked.
"""

import datetime as dt
import json
from collections.abc import Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError

from local.spotify_stub import PLAYLISTS
from local.stack import DEAD_LETTER_OUTPUTS, LaptopStack
from tests.e2e.test_permissions import role_name, session_of
from tests.support.template import ROOT, load

PLAYLIST_ID = PLAYLISTS["Morning Ten"]
SCHEDULED_AT = dt.datetime(2026, 10, 12, 6, tzinfo=dt.UTC)
KEY_STACK = "spotify-lake-key"

pytestmark = pytest.mark.long


def update(stack: LaptopStack, **changed: str) -> None:
    """Change parameters of the deployed stack, and nothing else."""
    cloudformation = stack.client("cloudformation")
    [found] = cloudformation.describe_stacks(StackName="spotify-lake")["Stacks"]
    parameters = [
        {"ParameterKey": name, "ParameterValue": changed[name]}
        if (name := one["ParameterKey"]) in changed
        else {"ParameterKey": name, "UsePreviousValue": True}
        for one in found["Parameters"]
    ]
    cloudformation.update_stack(
        StackName="spotify-lake",
        UsePreviousTemplate=True,
        Parameters=parameters,
        Capabilities=["CAPABILITY_IAM", "CAPABILITY_AUTO_EXPAND"],
    )
    cloudformation.get_waiter("stack_update_complete").wait(
        StackName="spotify-lake", WaiterConfig={"Delay": 1, "MaxAttempts": 60}
    )


def encryption(bucket: str, key: str) -> dict[str, Any]:
    """What the template says of a bucket's encryption when there is a key."""
    declared = load()["Resources"][bucket]["Properties"]["BucketEncryption"]
    [rule] = declared["ServerSideEncryptionConfiguration"]
    _condition, with_key, _without = rule["ServerSideEncryptionByDefault"]["If"]
    assert with_key["KMSMasterKeyID"] == {"Ref": "KmsKeyArn"}
    assert rule["BucketKeyEnabled"] == {"If": ["HasKmsKey", True, {"Ref": "AWS::NoValue"}]}
    default = with_key | {"KMSMasterKeyID": key}
    return {"Rules": [{"ApplyServerSideEncryptionByDefault": default, "BucketKeyEnabled": True}]}


@pytest.fixture(scope="module")
def key(stack: LaptopStack) -> Iterator[str]:
    """The lake with a key, which stacks/key.yaml makes; without it again afterwards."""
    cloudformation, s3 = stack.client("cloudformation"), stack.client("s3")
    cloudformation.create_stack(StackName=KEY_STACK, TemplateBody=(ROOT / "stacks" / "key.yaml").read_text())
    cloudformation.get_waiter("stack_create_complete").wait(
        StackName=KEY_STACK, WaiterConfig={"Delay": 1, "MaxAttempts": 60}
    )
    [made] = cloudformation.describe_stacks(StackName=KEY_STACK)["Stacks"]
    arn = {one["OutputKey"]: one["OutputValue"] for one in made["Outputs"]}["KmsKeyArn"]
    update(stack, KmsKeyArn=arn)
    for bucket in ("RawBucket", "LakeBucket"):
        s3.put_bucket_encryption(
            Bucket=stack.outputs[f"{bucket}Name"],
            ServerSideEncryptionConfiguration=encryption(bucket, arn),
        )
    try:
        yield arn
    finally:
        for bucket in ("RawBucket", "LakeBucket"):
            s3.delete_bucket_encryption(Bucket=stack.outputs[f"{bucket}Name"])
        update(stack, KmsKeyArn="")
        cloudformation.delete_stack(StackName=KEY_STACK)


def statement(stack: LaptopStack, role: str, sid: str) -> dict[str, Any]:
    name = role_name(stack, role)
    iam = stack.client("iam")
    [policy] = iam.list_role_policies(RoleName=name)["PolicyNames"][:1]
    document = iam.get_role_policy(RoleName=name, PolicyName=policy)["PolicyDocument"]
    [found] = [one for one in document["Statement"] if one["Sid"] == sid]
    return dict(found)


def test_a_snapshot_becomes_tables_and_all_its_objects_have_the_key(stack: LaptopStack, key: str) -> None:
    assert stack.invoke_extract(SCHEDULED_AT, [PLAYLIST_ID])["written"] == [PLAYLIST_ID]
    assert stack.wait_until_idle().is_clear
    answer = stack.athena("select count(*) from playlist_entries")
    assert answer.rows == ((10,),)
    s3 = stack.client("s3")
    keys_of = {
        (output, prefix): {
            s3.head_object(Bucket=stack.outputs[output], Key=found["Key"]).get("SSEKMSKeyId")
            for found in s3.list_objects_v2(Bucket=stack.outputs[output], Prefix=prefix)["Contents"]
        }
        for output, prefix in [
            ("RawBucketName", "raw/"),
            ("RawBucketName", "state/"),
            ("LakeBucketName", "curated/"),
        ]
    }
    assert set(map(frozenset, keys_of.values())) == {frozenset({key})}, keys_of


def test_queues_secret_and_logs_have_the_key(stack: LaptopStack, key: str) -> None:
    for output in ("TransformQueueUrl", *DEAD_LETTER_OUTPUTS):
        attributes = stack.client("sqs").get_queue_attributes(
            QueueUrl=stack.outputs[output], AttributeNames=["All"]
        )["Attributes"]
        assert attributes["KmsMasterKeyId"] == key, output
        assert attributes["SqsManagedSseEnabled"] == "false", output
    secret = stack.client("secretsmanager").describe_secret(SecretId=stack.outputs["SpotifySecretArn"])
    assert secret["KmsKeyId"] == key
    for function in ("Extract", "Transform", "Report"):
        name = stack.outputs[f"{function}FunctionName"]
        [group] = stack.client("logs").describe_log_groups(logGroupNamePrefix=f"/aws/lambda/{name}")[
            "logGroups"
        ]
        assert group["kmsKeyId"] == key


def test_roles_may_use_this_key_through_services_only(stack: LaptopStack, key: str) -> None:
    for function in ("extract", "transform", "report"):
        use = statement(stack, function, "UseKey")
        assert use["Resource"] == key
        assert all(
            via.endswith(".us-east-1.amazonaws.com")
            for via in use["Condition"]["StringEquals"]["kms:ViaService"]
        )
        with pytest.raises(ClientError, match="AccessDenied"):
            session_of(stack, function)("kms").generate_data_key(KeyId=key, KeySpec="AES_256")


def test_the_policy_of_the_key_names_the_stack_s_own_topic_bucket_and_logs(
    stack: LaptopStack, key: str
) -> None:
    policy = json.loads(stack.client("kms").get_key_policy(KeyId=key, PolicyName="default")["Policy"])
    conditions = {one["Sid"]: one.get("Condition", {}) for one in policy["Statement"]}
    bucket = f"arn:aws:s3:::{stack.outputs['RawBucketName']}"
    topic = {"kms:EncryptionContext:aws:sns:topicArn": stack.outputs["AlarmTopicArn"]}
    assert conditions["LetRawBucketSend"]["ArnEquals"] == {"aws:SourceArn": bucket}
    assert conditions["LetAlarmsSend"]["StringEquals"] == topic
    assert conditions["LetRulesSend"] == {"StringEquals": topic}
