"""Who signed a request: the keys of this start, and those that the emulator has issued since.

The emulator knows how to check signatures, but takes the account's owner, an account id or no key at all for granted.
Here its own functions check every request.
"""

from __future__ import annotations

import hmac
import os
import time
from collections.abc import Awaitable, Callable
from urllib.parse import SplitResult

from botocore.auth import HmacV1Auth
from botocore.compat import HTTPHeaders
from botocore.credentials import Credentials
from ministack.core import sigv4
from ministack.core.iam_evaluator import ResolvedCredential, is_root_access_key, resolve_credential

from local.front.gate import Request

NOT_SIGNED = "This request is not signed by AWS's method, or names more than one access key."
UNKNOWN_KEY = (
    "The access key is not one of this laptop stack; each start makes a new one. "
    "`./lake up` prints the variables that AWS tools need now."
)
EXPIRED = "This link has expired."
WRONG_SIGNATURE = "The signature does not fit the request and its access key."

_KEY_PARAMETERS = frozenset({"x-amz-credential", "awsaccesskeyid"})


async def refusal(request: Request, body: Callable[[], Awaitable[bytes]]) -> str | None:
    """Return the sentence that refuses a request, or None if it was signed with a key of this start.

    Parameters
    ----------
    request
        The request.
    body
        Reads its body.
    """
    in_header = request.headers.get("authorization", "").count("Credential=")
    in_query = [name for name in request.query if name.lower() in _KEY_PARAMETERS]
    # The emulator and this check must not see different keys in one request.
    if in_header + sum(len(request.query[name]) for name in in_query) != 1:
        return NOT_SIGNED
    if in_query == ["AWSAccessKeyId"]:
        return _old_link_refusal(request)
    if in_query:
        return await _link_refusal(request, body)
    signature = sigv4.parse_header_signature(request.headers)
    if isinstance(signature, tuple):
        return str(signature[1])
    if skewed := sigv4.request_time_failure(signature):
        return str(skewed[1])
    token = request.headers.get("x-amz-security-token", "")
    return await _signature_refusal(request, body, signature, token, presigned=False)


async def _link_refusal(request: Request, body: Callable[[], Awaitable[bytes]]) -> str | None:
    """Check a request that is signed in its query, as a presigned link is."""
    signature = sigv4.parse_query_signature(request.query)
    if isinstance(signature, tuple):
        return str(signature[1])
    try:
        expired = sigv4.presigned_request_is_expired(
            signature.amz_date, request.query.get("X-Amz-Expires", [""])[0]
        )
    except ValueError:
        expired = True
    if expired:
        return EXPIRED
    token = request.query.get("X-Amz-Security-Token", [""])[0]
    return await _signature_refusal(request, body, signature, token, presigned=True)


async def _signature_refusal(
    request: Request,
    body: Callable[[], Awaitable[bytes]],
    signature: sigv4.HeaderSignature,
    token: str,
    *,
    presigned: bool,
) -> str | None:
    secret = _secret(signature.access_key_id, token)
    if secret is None:
        return UNKNOWN_KEY
    payload = request.headers.get("x-amz-content-sha256", "")
    body_is_signed = not payload or payload.startswith("STREAMING-AWS4-HMAC-SHA256-PAYLOAD")
    failure = sigv4.header_signature_failure(
        signature,
        secret,
        request.method,
        request.path,
        request.query,
        request.headers,
        await body() if body_is_signed else b"",
        presigned=presigned,
    )
    return WRONG_SIGNATURE if failure else None


def _secret(access_key: str, token: str) -> str | None:
    """Return the secret of an access key, if this start made it or the emulator issued it."""
    if is_root_access_key(access_key) and access_key != os.environ["AWS_ACCESS_KEY_ID"]:
        return None
    found = resolve_credential(access_key, os.environ["MINISTACK_ACCOUNT_ID"], token)
    return found.secret_access_key if isinstance(found, ResolvedCredential) else None


class _OldLink(HmacV1Auth):
    """Signature version 2 of a presigned link, which boto3 still makes for S3 unless told otherwise."""

    def __init__(self, access_key: str, secret: str, expires: str) -> None:
        super().__init__(Credentials(access_key, secret))
        self._expires = expires

    def _get_date(self) -> str:  # what is signed in place of the date
        return self._expires


def _old_link_refusal(request: Request) -> str | None:
    [access_key] = request.query["AWSAccessKeyId"]
    expires = request.query.get("Expires", [""])[0]
    if not expires.isdecimal() or int(expires) < time.time():
        return EXPIRED
    secret = _secret(access_key, request.query.get("x-amz-security-token", [""])[0])
    if secret is None:
        return UNKNOWN_KEY
    # boto3 moves the headers that it signs into the link.
    moved = {name: values[0] for name, values in request.query.items() if name.islower()}
    headers = HTTPHeaders.from_dict(
        {name: value for name, value in (moved | dict(request.headers)).items() if name != "date"}
    )
    host = request.headers["host"].rpartition(":")[0]
    bucket = f"/{host.split('.')[0]}" if host.endswith(".localhost") else ""
    signed = _OldLink(access_key, secret, expires).get_signature(
        request.method,
        SplitResult("http", "", request.path, request.query_string, ""),
        headers,  # type: ignore[arg-type] # botocore needs its own class, whatever its stubs say
        auth_path=f"{bucket}{request.path}",
    )
    given = request.query.get("Signature", [""])[0]
    return None if hmac.compare_digest(signed.encode(), given.encode()) else WRONG_SIGNATURE
