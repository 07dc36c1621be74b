"""Who else is on this machine, and what a web page sends: the front of the emulator refuses them all."""

import hashlib
import http.client
import json
import os
import shutil
import stat
import subprocess
import sys
from pathlib import Path
from urllib.parse import urlsplit

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from local.emulator import clean_environment
from local.errors import LaptopError
from local.front import TRANSLATED, health_token
from local.stack import LaptopStack
from tests.support import attack
from tests.support.deployed import eventually

NOBODY = 65534
WITH_WHAT_UP_PRINTS = """
import awswrangler, boto3, pandas, sys
bucket = sys.argv[1]
awswrangler.s3.to_parquet(pandas.DataFrame({"a": [1, 2]}), f"s3://{bucket}/other/two.parquet")
print(len(awswrangler.s3.read_parquet(f"s3://{bucket}/other/two.parquet")))
print(boto3.client("sts").get_caller_identity()["Account"])
boto3.client("s3").delete_object(Bucket=bucket, Key="other/two.parquet")
"""


def send(server: str, sent: attack.Sent, headers: dict[str, str], method: str = "POST") -> int:
    """Send a request as it is; return the status of the answer."""
    connection = http.client.HTTPConnection(urlsplit(server).netloc, timeout=60)
    try:
        connection.request(method, sent.path, sent.body or None, headers)
        return connection.getresponse().status
    finally:
        connection.close()


def as_owner(stack: LaptopStack, service: str, **changes: str) -> attack.Sent:
    """A GET that the owner's client has signed, as the link that stands for it."""
    settings = Config(signature_version="s3v4")
    client = boto3.client(
        "s3",
        endpoint_url=stack.endpoint,
        region_name="us-east-1",
        aws_access_key_id=stack.environment["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=stack.environment["AWS_SECRET_ACCESS_KEY"],
        config=settings,
    )
    link = urlsplit(client.generate_presigned_url(service, Params=changes))
    return attack.Sent(f"{link.path}?{link.query}", "")


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Origin": "http://attacker.example", "Sec-Fetch-Site": "cross-site"},
        {"Origin": "http://127.0.0.1:3000", "Sec-Fetch-Site": "same-site"},
        {"Host": "attacker.example:14566", "Origin": "http://attacker.example:14566"},
        {"Authorization": "AWS4-HMAC-SHA256 Credential=test/20261101/us-east-1/iam/aws4_request"},
        {"Authorization": "AWS test:signature"},
    ],
    ids=["another user", "page", "page of this machine", "rebinding", "forged header", "forged old header"],
)
def test_nobody_else_runs_code(stack: LaptopStack, tmp_path: Path, headers: dict[str, str]) -> None:
    marker = tmp_path / "taken"
    assert [send(stack.endpoint, sent, headers) for sent in attack.run_code(marker)] == [403, 403, 403]
    assert attack.ROLE not in json.dumps(stack.client("iam").list_roles()["Roles"], default=str)
    assert not marker.exists()


@pytest.mark.parametrize("key", ["test", "000000000000", "", "AKIAGUESSED"])
def test_no_known_key_opens_the_emulator(stack: LaptopStack, key: str) -> None:
    sent = attack.Sent(f"/?{attack.credential('s3', key)}", "")
    assert send(stack.endpoint, sent, {}, "GET") == 403


def test_the_right_key_without_its_signature_is_refused(stack: LaptopStack) -> None:
    key = stack.environment["AWS_ACCESS_KEY_ID"]
    listing = attack.Sent(f"/?{attack.credential('s3', key)}", "")
    assert send(stack.endpoint, listing, {}, "GET") == 403
    client = boto3.client(
        "s3",
        endpoint_url=stack.endpoint,
        region_name="us-east-1",
        aws_access_key_id=key,
        aws_secret_access_key="guessed",
    )
    with pytest.raises(ClientError, match="The signature does not fit"):
        client.list_buckets()


def test_a_signed_request_counts_from_programs_only(stack: LaptopStack) -> None:
    listing = as_owner(stack, "list_buckets")
    assert send(stack.endpoint, listing, {}, "GET") == 200
    host = urlsplit(stack.endpoint).netloc
    for headers in (
        {"Origin": "http://attacker.example"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Host": f"attacker.example:{host.partition(':')[2]}"},
    ):
        assert send(stack.endpoint, listing, headers, "GET") == 403


def test_a_request_cannot_name_two_keys(stack: LaptopStack) -> None:
    listing = as_owner(stack, "list_buckets")
    for other in ("AWSAccessKeyId=test", "x-amz-credential=test/20261101/us-east-1/s3/aws4_request"):
        assert send(stack.endpoint, attack.Sent(f"{listing.path}&{other}", ""), {}, "GET") == 403
    header = {"Authorization": "AWS4-HMAC-SHA256 Credential=test/20261101/us-east-1/s3/aws4_request"}
    assert send(stack.endpoint, listing, header, "GET") == 403


def test_nobody_resets_the_emulator(stack: LaptopStack) -> None:
    secret = stack.environment["AWS_SECRET_ACCESS_KEY"]
    token = {"Authorization": f"Bearer {health_token(secret)}"}
    for headers in ({}, token, {"Authorization": f"Bearer {secret}"}, {"Origin": "http://attacker.example"}):
        assert send(stack.endpoint, attack.RESET, headers) == 403
    assert send(stack.endpoint, attack.Sent("/_ministack/health", ""), {}, "GET") == 403
    assert send(stack.endpoint, attack.Sent("/_ministack/health", ""), token, "GET") == 200
    stack.client("s3").head_bucket(Bucket=stack.outputs["RawBucketName"])


def test_the_credentials_of_a_function_cannot_be_computed(stack: LaptopStack) -> None:
    settings = stack.client("lambda").get_function_configuration(
        FunctionName=stack.outputs["ExtractFunctionName"]
    )
    assert stack.invoke("report", {}).error is None  # the functions themselves have theirs
    stack.invoke("extract", "no event")
    # As the emulator computes them: see execution_credentials in ministack/core/lambda_runtime.py.
    digest = hashlib.sha256(f"{settings['FunctionArn']}:{settings['Role']}".encode()).hexdigest()
    client = boto3.client(
        "s3",
        endpoint_url=stack.endpoint,
        region_name="us-east-1",
        aws_access_key_id=f"ASIA{digest[:16].upper()}",
        aws_secret_access_key=hashlib.sha256(f"secret:{digest}".encode()).hexdigest(),
        aws_session_token=hashlib.sha256(f"token:{digest}".encode()).hexdigest(),
    )
    with pytest.raises(ClientError, match="The access key is not one of this laptop stack"):
        client.list_objects_v2(Bucket=stack.outputs["RawBucketName"])


@pytest.mark.parametrize("version", [None, "s3v4"], ids=["default", "s3v4"])
@pytest.mark.parametrize("style", ["path", "virtual"])
def test_links_work_until_they_expire(stack: LaptopStack, version: str | None, style: str) -> None:
    bucket, key = stack.outputs["LakeBucketName"], "other/a b/ü=c.txt"
    stack.client("s3").put_object(Bucket=bucket, Key=key, Body=b"hello")
    port = urlsplit(stack.endpoint).port
    client = boto3.client(
        "s3",
        endpoint_url=stack.endpoint if style == "path" else f"http://s3.localhost:{port}",
        region_name="us-east-1",
        aws_access_key_id=stack.environment["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=stack.environment["AWS_SECRET_ACCESS_KEY"],
        config=Config(signature_version=version, s3={"addressing_style": style}),
    )

    def follow(expires_s: int, more: str = "", method: str = "GET") -> int:
        params = {"Bucket": bucket, "Key": key}
        link = urlsplit(client.generate_presigned_url("get_object", Params=params, ExpiresIn=expires_s))
        if style == "virtual":
            assert link.netloc == f"{bucket}.s3.localhost:{port}"
        sent = attack.Sent(f"{link.path}{more}?{link.query}", "")
        return send(stack.endpoint, sent, {"Host": link.netloc}, method)

    assert follow(60) == 200
    assert follow(-60) == 403
    assert follow(60, more="x") == 403
    assert follow(60, method="DELETE") == 403


def test_tools_work_with_what_up_prints(stack: LaptopStack) -> None:
    environment = clean_environment(os.environ) | stack.environment
    command = [sys.executable, "-c", WITH_WHAT_UP_PRINTS, stack.outputs["LakeBucketName"]]
    answer = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert answer.stdout.split() == ["2", "000000000000"], answer.stderr


# --- another user of this machine ---


def test_everything_is_for_its_owner_alone(stack: LaptopStack) -> None:
    unpacked = stack.state_dir / "emulator" / "tmp"  # the functions' code, with the modes of the archives
    paths = [stack.state_dir, *stack.state_dir.rglob("*")]
    own = [path for path in paths if unpacked not in path.parents and not path.is_symlink()]
    assert {"state.json", "emulator.log", "tmp"} <= {path.name for path in own}
    assert [path for path in own if stat.S_IMODE(path.stat().st_mode) & 0o077] == []


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
@pytest.mark.skipif(shutil.which("curl") is None, reason="there is no curl here")
def test_another_user_neither_reads_nor_asks(stack: LaptopStack) -> None:
    def as_nobody(*command: object) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [str(part) for part in command],
            user=NOBODY,
            group=NOBODY,
            extra_groups=[],
            cwd="/",
            capture_output=True,
            text=True,
            check=False,
        )

    assert as_nobody("cat", "/etc/hostname").returncode == 0
    pid = stack.emulator.process.pid()
    for name in ("state.json", "emulator/emulator.log", "stub/stub.log"):
        refused = as_nobody("cat", stack.state_dir / name)
        assert (refused.returncode, "Permission denied" in refused.stderr) == (1, True)
    assert "Permission denied" in as_nobody("cat", f"/proc/{pid}/environ").stderr
    secret = stack.environment["AWS_SECRET_ACCESS_KEY"]
    assert secret not in as_nobody("cat", f"/proc/{pid}/cmdline").stdout
    status = ("curl", "--silent", "--output", "/dev/null", "--write-out", "%{http_code}")
    for path in ("/", "/_ministack/health", f"/?{attack.credential('s3')}"):
        assert as_nobody(*status, stack.endpoint + path).stdout == "403"
    assert as_nobody(*status, "--request", "POST", f"{stack.endpoint}/_ministack/reset").stdout == "403"
    assert as_nobody(*status, f"{stack.stub_url}/_stub/requests").stdout == "403"


def test_the_stub_refuses_pages_and_hides_its_controls(stack: LaptopStack) -> None:
    port = urlsplit(stack.stub_url).port
    for path, headers in {
        "/_stub/requests": {},
        "/_stub/faults": {"Authorization": "Bearer guessed"},
        "/v1/me": {"Host": f"attacker.example:{port}"},
        "/authorize": {"Origin": "http://attacker.example"},
        "/api/token": {"Sec-Fetch-Site": "cross-site"},
    }.items():
        assert send(stack.stub_url, attack.Sent(path, ""), headers, "GET") == 403


# --- the engine behind Athena ---


@pytest.mark.parametrize(
    "sql",
    [
        "select * from read_text('/etc/passwd')",
        "create table x as select * from read_csv('/etc/passwd')",
        "copy (select 1) to '{folder}/out.csv'",
        "attach '{folder}/out.db' as other",
        "set enable_external_access = true",
        "install httpfs",
    ],
)
def test_queries_read_and_write_no_files(stack: LaptopStack, tmp_path: Path, sql: str) -> None:
    sql = sql.format(folder=tmp_path)
    with pytest.raises(LaptopError):
        stack.athena(sql)
    athena = stack.client("athena")  # what the front does not translate meets the engine's own switch
    sql = TRANSLATED + sql
    workgroup = stack.outputs["AthenaWorkGroupName"]
    run = athena.start_query_execution(QueryString=sql, WorkGroup=workgroup)["QueryExecutionId"]

    def status() -> str:
        found = athena.get_query_execution(QueryExecutionId=run)["QueryExecution"]["Status"]
        return f"{found['State']} {found.get('StateChangeReason', '')}"

    eventually(lambda: not status().startswith(("QUEUED", "RUNNING")))
    assert status().startswith("FAILED")
    assert "disabled by configuration" in status() or "while database is running" in status()
    assert list(tmp_path.iterdir()) == []
