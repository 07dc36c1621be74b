"""The front of the laptop's emulator, and the check of Host and Origin that it shares with the stub."""

import json
import stat

import pytest

from local import loopback, private
from local.front.gate import Gate
from local.process import BackgroundProcess
from local.state import State

TOKEN = "the-token"
HERE = "127.0.0.1:4566"


@pytest.mark.parametrize(
    "host",
    [
        *("127.0.0.1:4566", "localhost:4566", "LOCALHOST", "[::1]:4566", "[::1]", "127.0.0.1"),
        *("bucket.localhost:4566", "bucket.s3.localhost:4566"),
    ],
)
def test_programs_on_this_machine_are_answered(host):
    assert loopback.refusal({"host": host}) is None


@pytest.mark.parametrize(
    "host",
    [
        *(
            "attacker.example",
            "attacker.example:4566",
            "127.0.0.1.attacker.example",
            "localhost.attacker.example",
        ),
        *(
            "127.0.0.2:4566",
            "0.0.0.0:4566",
            "192.168.0.7:4566",
            "127.0.0.1,attacker.example",
            "localhost.",
            "",
        ),
        *("attackerlocalhost", ".localhost", "a..localhost", "127.0.0.1:x", "127.0.0.1:", "::1", "[::1]x"),
    ],
)
def test_another_host_is_refused(host):
    assert "answers to 127.0.0.1 and localhost only" in (loopback.refusal({"host": host}) or "")


def test_a_request_without_a_host_is_refused():
    assert loopback.refusal({})


@pytest.mark.parametrize(
    "origin",
    [
        *("http://attacker.example", "https://127.0.0.1:4566", "http://127.0.0.1:3000", "http://127.0.0.1"),
        *("http://localhost:4566", "null", "", "file://"),
    ],
)
def test_a_page_of_another_origin_is_refused(origin):
    assert "no web page of another origin" in (loopback.refusal({"host": HERE, "origin": origin}) or "")


def test_a_page_of_the_same_origin_is_answered():
    headers = {"host": HERE, "origin": f"http://{HERE}", "sec-fetch-site": "same-origin"}
    assert loopback.refusal(headers) is None


@pytest.mark.parametrize("site, refused", [("cross-site", True), ("same-site", True), ("none", False)])
def test_what_another_site_embeds_or_links_to_is_refused(site, refused):
    assert (loopback.refusal({"host": HERE, "sec-fetch-site": site}) is not None) is refused


# --- the gate ---


class App:
    """An application behind the gate: it notes what reaches it."""

    def __init__(self):
        self.reached = []

    async def __call__(self, scope, receive, send):
        body, more = b"", True
        while more:
            message = await receive()
            body, more = body + message.get("body", b""), message.get("more_body", False)
        self.reached.append((scope["path"], body))
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"reached"})


async def signed(request, body):
    """The signatures of this test: a header that repeats the body."""
    return None if request.headers.get("x-signature", "").encode() == await body() else "Not signed."


def ask(path="/", method="GET", headers=(), parts=(b"",), kind="http", authenticate=signed):
    """Send a request through the gate; return the status, the answer and what reached the application."""
    app, sent = App(), []
    chunks = [
        {"type": "http.request", "body": part, "more_body": number < len(parts)}
        for number, part in enumerate(parts, start=1)
    ]

    async def receive():
        return chunks.pop(0) if kind == "http" else {"type": "websocket.connect"}

    async def send(message):
        sent.append(message)

    scope = {
        "type": kind,
        "method": method,
        "path": path,
        "query_string": b"a=1",
        "headers": [(b"host", HERE.encode()), *headers],
    }
    with pytest.raises(StopIteration):  # nothing waits, so there is no need of an event loop
        Gate(app, TOKEN, authenticate)(scope, receive, send).send(None)
    if kind != "http":
        return sent[0], b"", app.reached
    return sent[0]["status"], sent[1]["body"], app.reached


def test_a_signed_request_reaches_the_emulator_with_its_whole_body():
    parts = (b"one ", b"two ", b"three")
    answer = ask(method="POST", headers=[(b"X-Signature", b"one two three")], parts=parts)
    assert answer == (200, b"reached", [("/", b"one two three")])


def test_a_body_that_nobody_needs_is_not_read_first():
    async def anybody(_request, _body):
        return None

    assert ask(parts=(b"one ", b"two"), authenticate=anybody) == (200, b"reached", [("/", b"one two")])


def test_an_unsigned_request_is_refused():
    status, body, reached = ask(headers=[(b"x-signature", b"forged")])
    assert (status, reached) == (403, [])
    assert b"<Message>Not signed.</Message>" in body


@pytest.mark.parametrize(
    "header",
    [
        (b"Origin", b"http://attacker.example"),
        (b"Sec-Fetch-Site", b"cross-site"),
        (b"sec-fetch-site", b"same-site"),
        (b"Host", b"attacker.example:4566"),
    ],
)
def test_a_signed_request_of_a_web_page_is_refused(header):
    assert ask()[0] == 200
    status, _, reached = ask(headers=[header])
    assert (status, reached) == (403, [])


@pytest.mark.parametrize("path", ["/_ministack/health", "/_ministack/ready"])
def test_the_health_needs_the_token(path):
    assert ask(path, headers=[(b"authorization", b"Bearer the-token")]) == (200, b"reached", [(path, b"")])
    for wrong in ([], [(b"authorization", b"Bearer another")], [(b"authorization", b"the-token")]):
        status, body, reached = ask(path, headers=wrong)
        assert (status, reached) == (403, [])
        assert b"is closed on the laptop stack" in body


@pytest.mark.parametrize(
    "method, path",
    [
        ("POST", "/_ministack/reset"),
        ("POST", "/_ministack/config"),
        ("POST", "/_ministack/health"),
        ("GET", "/_ministack/lambda-code/x"),
        ("GET", "/_ministack"),
        ("GET", "/_localstack/health"),
        ("GET", "/_aws/ses"),
    ],
)
def test_what_else_the_emulator_offers_about_itself_is_closed(method, path):
    status, _, reached = ask(path, method, headers=[(b"authorization", b"Bearer the-token")])
    assert (status, reached) == (403, [])


def test_websockets_are_closed():
    closed, _, reached = ask(kind="websocket")
    assert (closed["type"], reached) == ("websocket.close", [])


@pytest.mark.parametrize(
    "scope, sent, is_json",
    [
        ("lambda", "", True),
        ("glue", "application/x-amz-json-1.1", True),
        ("s3", "", False),
        ("iam", "application/x-www-form-urlencoded; charset=utf-8", False),
    ],
)
def test_a_refusal_speaks_the_protocol_of_the_service(scope, sent, is_json):
    headers = [
        (b"authorization", f"AWS4-HMAC-SHA256 Credential=x/20261101/us-east-1/{scope}/aws4_request".encode()),
        (b"content-type", sent.encode()),
        (b"x-signature", b"forged"),
    ]
    _, body, _ = ask(headers=headers)
    if is_json:
        assert json.loads(body) == {"__type": "AccessDenied", "message": "Not signed."}
    else:
        assert body.startswith(b"<ErrorResponse><Error><Code>AccessDenied</Code>")


# --- files ---


def mode(path):
    return stat.S_IMODE(path.stat().st_mode)


def test_what_the_stack_stores_is_for_its_owner_alone(tmp_path, monkeypatch):
    monkeypatch.setattr("os.umask", lambda _mask: pytest.fail("the umask of the command is the person's own"))
    folder = tmp_path / "local"
    folder.mkdir(mode=0o755)
    State(secret_key="s").save(folder / "state.json")
    process = BackgroundProcess("toucher", folder / "deep" / "er")
    process.start(
        ["/bin/sh", "-c", "mkdir made; echo x > made/file; echo said"], {"PATH": "/bin:/usr/bin"}, tmp_path
    )
    process._child.wait(10)
    (tmp_path / "made").rename(folder / "made")
    assert {path.name: oct(mode(path)) for path in [folder, *folder.rglob("*")]} == {
        **dict.fromkeys(("local", "deep", "er", "made"), "0o700"),
        **dict.fromkeys(("state.json", "toucher.lock", "toucher.log", "toucher.pid", "file"), "0o600"),
    }


def test_a_file_that_others_could_read_is_closed(tmp_path):
    path = tmp_path / "index.html"
    path.write_text("old")
    path.chmod(0o644)
    private.write(path, b"new")
    assert (path.read_bytes(), mode(path), mode(tmp_path)) == (b"new", 0o600, 0o700)
