"""`./lake login` from the first question to the stored secret: the Spotify stub, a browser's part, moto's secret."""

import base64
import html
import io
import json
import logging
import re
import socket
import struct
import threading
import time
import urllib.error
import urllib.request
from dataclasses import replace
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import ClassVar
from urllib.parse import parse_qs, quote, urlsplit

import boto3
import pytest
import requests
from moto import mock_aws
from rich.console import Console

from cli.commands import login
from cli.consent import CallbackServer, Consent, redirect_uri
from cli.stack import Lake, OpsError
from cli.terminal import Terminal
from local import spotify_stub
from local.spotify_stub.faults import Fault
from local.spotify_stub.server import serve
from local.spotify_stub.service import access_token
from spotify_lake.errors import CredentialsMissing, SpotifyUnavailable
from spotify_lake.spotify.auth import sign_in
from spotify_lake.spotify.credentials import Credentials, read_credentials
from tests.support import operated

NOW = datetime(2026, 8, 31, 9, 30, 15, 500, tzinfo=UTC)
SCOPES = "playlist-read-collaborative playlist-read-private"
SIGNED_IN = {
    "client_id": spotify_stub.CLIENT_ID,
    "client_secret": spotify_stub.CLIENT_SECRET,
    "refresh_token": spotify_stub.REFRESH_TOKEN,
    "scopes": SCOPES,
    "authorized_at": "2026-08-31T09:30:15Z",
}
TOP, MORNING = spotify_stub.PLAYLISTS["Top 100"], spotify_stub.PLAYLISTS["Morning Ten"]


@pytest.fixture(scope="module")
def stubs():
    with serve(contract="new", now=NOW) as new, serve(contract="legacy", now=NOW) as legacy:
        yield {"new": new, "legacy": legacy}


@pytest.fixture
def stub(stubs, request):
    server = stubs[getattr(request, "param", "new")]
    server.faults.replace([])
    server.clear_requests()
    return server


@pytest.fixture
def secrets():
    with mock_aws():
        yield boto3.client("secretsmanager")


@pytest.fixture
def lake(stub, secrets):
    """A lake as `find` returns it, whose Spotify is the stub."""
    return Lake(
        on_laptop=False,
        stack="spotify-lake",
        account="123456789012",
        region="us-east-1",
        outputs={"SpotifySecretArn": secrets.create_secret(Name="spotify-lake/spotify")["ARN"]},
        parameters={
            "PlaylistIds": "owned",
            "SpotifyApiUrl": stub.url,
            "SpotifyAccountsUrl": stub.url,
            "ScheduleExpression": "cron(0 6 * * ? *)",
            "ScheduleTimezone": "UTC",
            "ScheduleState": "ENABLED",
        },
        client=lambda service: {"secretsmanager": secrets}[service],
    )


class Browser:
    """Goes where it is sent and stays open; `change` says how the user answers.

    It writes no log, unlike requests, so that what the login itself logs can be told.
    """

    _opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))

    def __init__(self, change=lambda link: link):
        self.change = change
        self.addresses = []
        self.pages = []
        self.has_read = threading.Event()
        self.closing = threading.Event()

    def __call__(self, link):
        try:
            answer = self._opener.open(self.change(link), timeout=10)
        except urllib.error.HTTPError as refusal:
            answer = refusal
        with answer:
            self.addresses.append(answer.url)
            self.pages.append(answer.read().decode())
        self.has_read.set()
        self.closing.wait(10)

    @property
    def page(self):
        assert self.has_read.wait(10)
        return self.pages[-1]


class ClosedBrowser(Browser):
    """Goes nowhere."""

    def __call__(self, link):
        pass


class Person:
    """Runs the login and answers its questions, in order; what was shown is in `screen`."""

    def __init__(self, lake):
        self.lake = lake
        self.asked = []
        self.console = Console(file=io.StringIO(), width=1000)

    def logs_in(
        self,
        answers=(),
        secret=spotify_stub.CLIENT_SECRET,
        browser=None,
        no_browser=False,
        **options,
    ):
        answers = iter(answers or [spotify_stub.CLIENT_ID])

        def read(prompt):
            self.asked.append(prompt)
            return next(answers)

        def read_hidden(prompt):
            self.asked.append(prompt)
            return secret

        self.browser = Browser() if browser is None else browser
        try:
            login.run(
                self.lake,
                Terminal(self.console, read=read, read_hidden=read_hidden),
                **{"port": 0} | options,
                open_browser=None if no_browser else self.browser,
                now=lambda: NOW,
            )
        finally:
            self.browser.closing.set()

    @property
    def screen(self):
        return self.console.file.getvalue()

    @property
    def stored(self):
        """What the secret holds; None if it has no value."""
        try:
            value = self.lake.client("secretsmanager").get_secret_value(
                SecretId=self.lake.output("SpotifySecretArn")
            )
        except self.lake.client("secretsmanager").exceptions.ResourceNotFoundException:
            return None
        return json.loads(value["SecretString"])


@pytest.fixture
def person(lake):
    return Person(lake)


def error(status, message):
    return {"error": {"status": status, "message": message}}


def test_a_login_from_the_first_question_to_the_stored_secret(person, secrets, stub):
    person.logs_in()

    assert person.stored == SIGNED_IN
    credentials = read_credentials(secrets, person.lake.output("SpotifySecretArn"))
    assert credentials.authorized_at == NOW.replace(microsecond=0)
    assert person.asked == ["Client id: ", "Client secret (not shown): "]
    assert re.search(r"^  http://127\.0\.0\.1:\d+/callback$", person.screen, re.MULTILINE)
    way = "/items, with the fields of apps registered since February 2026"
    for line in (
        "Signing the lake spotify-lake (AWS account 123456789012, us-east-1) in to Spotify",
        "✓ Spotify knows the app",
        "✓ Spotify permits playlist-read-private, playlist-read-collaborative",
        f"✓ Signed in as {spotify_stub.OWNER_ID}: 7 playlists of your own, 2 followed",
        f"✓ Your playlist “Morning Ten” can be read: 10 entries, by way of {way}",
        "✓ Stored in the lake's secret",
        "The next run is on Tuesday, September 1 at 06:00 (UTC). To take a snapshot now:",
    ):
        assert line in person.screen.splitlines()
    assert "This sign-in lasts until February 28, 2027:" in person.screen
    assert "Spotify has answered" in person.browser.page
    # The check costs three requests to sign in, and five to read.
    assert len(stub.requests()) == 9


def test_it_asks_for_what_the_parameters_need_and_says_what_for(person):
    person.lake.parameters.update(
        PlaylistIds="owned,liked", ListeningSchedule="rate(30 minutes)", Library="on"
    )
    person.logs_in()
    assert set(person.stored["scopes"].split()) == set(spotify_stub.SCOPES)
    for line in (
        "your private playlists (playlist-read-private)",
        "your Liked Songs and the albums, shows, episodes and audiobooks that you saved (user-library-read)",
        "the artists that you follow (user-follow-read)",
        "what you have played lately (user-read-recently-played)",
    ):
        assert f"  {line}" in person.screen.splitlines()


@pytest.mark.parametrize(
    "parameter, value, scope",
    [
        ("PlaylistIds", "owned,liked", "user-library-read"),
        ("ListeningSchedule", "rate(30 minutes)", "user-read-recently-played"),
        ("Library", "on", "user-library-read and user-follow-read"),
    ],
)
def test_a_consent_without_what_a_parameter_needs_stores_nothing(person, parameter, value, scope):
    person.lake.parameters[parameter] = value
    browser = Browser(lambda link: f"{link}&stub_grant={quote(SCOPES)}")
    with pytest.raises(OpsError, match=f"without the permission {scope}"):
        person.logs_in(browser=browser)
    assert person.stored is None


def test_no_secret_or_token_is_shown_or_logged_at_any_level(person, caplog, capfd):
    browser = Browser()
    with caplog.at_level(logging.DEBUG):
        person.logs_in(browser=browser)
        person.logs_in(answers=[""], secret="", browser=browser)

    codes = [parse_qs(urlsplit(address).query)["code"][0] for address in browser.addresses]
    assert len(codes) == 2
    basic = base64.b64encode(f"{spotify_stub.CLIENT_ID}:{spotify_stub.CLIENT_SECRET}".encode()).decode()
    seen = person.screen + "".join(person.asked) + caplog.text + "".join(capfd.readouterr())
    assert "secretsmanager" in caplog.text.lower()  # that is, something was logged at all
    for value in (spotify_stub.CLIENT_SECRET, spotify_stub.REFRESH_TOKEN, basic, "Bearer BQ", *codes):
        assert value not in seen


@pytest.mark.parametrize("stub", ["legacy"], indirect=True)
def test_an_older_app_is_recognized(person):
    person.lake.parameters["ScheduleState"] = "DISABLED"
    person.logs_in()

    assert person.stored == SIGNED_IN
    assert "by way of /items, with the fields of apps registered before February 2026" in person.screen
    assert "The lake does not run on a schedule" in person.screen


def test_a_second_login_keeps_what_is_stored(person):
    person.logs_in()
    person.logs_in(answers=[""], secret="")

    assert person.stored == SIGNED_IN
    assert person.asked[2:] == [
        f"Client id [{spotify_stub.CLIENT_ID}]: ",
        "Client secret (not shown) [Enter keeps the stored one]: ",
    ]


def test_nothing_is_asked_when_the_app_is_given(person):
    app = {
        "client_id": spotify_stub.CLIENT_ID,
        "client_secret": spotify_stub.CLIENT_SECRET,
    }
    person.logs_in(**app)

    assert person.stored == SIGNED_IN
    assert person.asked == []


def test_the_user_says_no(person):
    with pytest.raises(OpsError, match=r"not permitted to read playlists.*The secret was not changed\."):
        person.logs_in(browser=Browser(lambda link: f"{link}&stub_grant="))

    assert person.stored is None
    assert "Not signed in" in person.browser.page


@pytest.mark.parametrize(
    "query, said",
    [
        ("", "not the address Spotify leads back to"),
        ("?code=AQ-of-another", "not the address Spotify leads back to"),
        ("?code=AQ-of-another&state=of-another", "belongs to another sign-in"),
        ("?error=access_denied&state=", "not the address Spotify leads back to"),
        ("?error=access_denied&state=of-another", "belongs to another sign-in"),
    ],
)
def test_anybody_may_ask_for_the_callback_and_the_login_goes_on(person, query, said):
    strays = []

    def after_a_stray(link):
        callback = parse_qs(urlsplit(link).query)["redirect_uri"][0]
        strays.append(requests.get(f"{callback}{query}", timeout=10))
        return link

    person.logs_in(browser=Browser(after_a_stray))

    assert [stray.status_code for stray in strays] == [400]
    assert said in html.unescape(strays[0].text)
    assert person.stored == SIGNED_IN
    assert "Spotify has answered" in person.browser.page


def connection_to_the_callback(link):
    callback = urlsplit(parse_qs(urlsplit(link).query)["redirect_uri"][0])
    return socket.create_connection((callback.hostname, callback.port), timeout=10)


def test_a_request_line_that_is_no_address_changes_nothing(person, capfd):
    def after_a_stray(link):
        with connection_to_the_callback(link) as connection:
            connection.sendall(b"GET http://[x/callback HTTP/1.0\r\n\r\n")
            assert b" 404 " in connection.makefile("rb").read()
        return link

    person.logs_in(browser=Browser(after_a_stray))

    assert person.stored == SIGNED_IN
    assert "Traceback" not in capfd.readouterr().err


def test_a_browser_that_goes_before_its_answer_changes_nothing(person, capfd):
    reset_when_closed = struct.pack("ii", 1, 0)

    def after_a_stray(link):
        for _ in range(20):
            with connection_to_the_callback(link) as connection:
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, reset_when_closed)
                connection.sendall(b"GET /elsewhere HTTP/1.0\r\n\r\n")
        return link

    person.logs_in(browser=Browser(after_a_stray))

    assert person.stored == SIGNED_IN
    assert "Traceback" not in capfd.readouterr().err


def test_a_pasted_answer_to_another_question_is_asked_for_again(person):
    class Elsewhere:
        def __iter__(self):
            yield spotify_stub.CLIENT_ID
            yield "http://[is-not-an-address/callback"
            yield f"{redirect_uri(8899)}?code=AQ-of-another&state=of-another"
            link = re.search(r"^  (http\S+/authorize\S+)$", person.screen, re.MULTILINE)[1]
            yield requests.get(link, allow_redirects=False, timeout=5).headers["Location"]

    person.logs_in(answers=Elsewhere(), no_browser=True, port=8899)

    assert "belongs to another sign-in" in person.screen
    assert person.stored == SIGNED_IN


class Elsewhere(BaseHTTPRequestHandler):
    """Another host, to which a redirect leads; keeps what it is sent."""

    heard: ClassVar[list[bytes]] = []

    def do_POST(self):
        self.heard.append(self.rfile.read(int(self.headers["Content-Length"])))
        self.send_response(200)
        self.end_headers()

    def log_message(self, *_):
        pass


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_no_redirect_carries_a_code_or_a_token_elsewhere(stub, status):
    with HTTPServer(("127.0.0.1", 0), Elsewhere) as other:
        threading.Thread(target=other.serve_forever, args=(0.01,), daemon=True).start()
        away = f"http://localhost:{other.server_address[1]}/api/token"
        stub.faults.replace(
            [Fault("POST /api/token", times=None, status=status, headers={"Location": away}, body="")]
        )
        app = Credentials(client_id="app", client_secret="of-the-app", refresh_token="of-the-user")
        with pytest.raises(SpotifyUnavailable, match="a redirect to localhost is not followed"):
            sign_in(app, stub.url)
        with pytest.raises(SpotifyUnavailable, match="a redirect to localhost is not followed"):
            Consent(app, stub.url, redirect_uri(8899), [SCOPES]).redeem("AQ-code")
        other.shutdown()
    assert Elsewhere.heard == []


def test_a_permission_is_missing(person):
    with pytest.raises(OpsError, match="without the permission playlist-read-collaborative"):
        person.logs_in(browser=Browser(lambda link: f"{link}&stub_grant=playlist-read-private"))

    assert person.stored is None


def test_the_own_playlists_cannot_be_read(person, stub):
    bare = {"id": MORNING, "name": "Morning Ten", "snapshot_id": "AAAA"}
    stub.faults.replace(
        [
            Fault("GET /v1/playlists/*/*", times=None, status=403, body=error(403, "Forbidden")),
            Fault("GET /v1/playlists/*", times=None, body=bare),
        ]
    )
    with pytest.raises(OpsError, match=r"does not let the app read your own playlist “Morning Ten”.*403"):
        person.logs_in()

    assert person.stored is None


def test_only_the_embedded_entries_can_be_read(person, stub):
    stub.faults.replace(
        [Fault("GET /v1/playlists/*/*", times=None, status=403, body=error(403, "Forbidden"))]
    )
    person.logs_in()

    assert person.stored == SIGNED_IN
    assert "Playlists of more than 100 entries will fail" in person.screen


@pytest.mark.parametrize(
    "message, advice",
    [
        ("Active premium subscription required for the owner of the app", "renew the subscription"),
        ("Check settings on the dashboard, the user may not be registered", "under User Management"),
    ],
)
def test_spotify_refuses_the_app_or_the_user(person, stub, message, advice):
    stub.faults.replace([Fault("GET /v1/me", times=None, status=403, body=error(403, message))])

    with pytest.raises(OpsError, match=f"{message}.*{advice}"):
        person.logs_in()
    assert person.stored is None


def test_the_sign_in_is_kept_when_the_check_has_to_wait(person, stub):
    body = {"error": {"status": 429, "message": "API rate limit exceeded", "reason": "QUOTA_EXCEEDED"}}
    stub.faults.replace(
        [Fault("GET /v1/me", times=None, status=429, headers={"Retry-After": "86400"}, body=body)]
    )
    person.logs_in()

    assert person.stored == SIGNED_IN
    assert "! The app's access could not be checked: The app's Spotify quota is used up" in person.screen


def test_a_refresh_token_that_changes_at_once_is_the_one_stored(person, stub):
    token = access_token(for_user=True, expires_at=time.time() + 60)
    rotated = {"access_token": token, "token_type": "Bearer", "expires_in": 3600, "refresh_token": "AQ-next"}
    stub.faults.replace(
        [
            Fault("POST /api/token", skip=2, body=rotated),
            Fault("GET /v1/me", body={"id": "me"}),
            Fault("GET /v1/me/playlists", body={"items": [], "total": 0}),
        ]
    )
    person.logs_in()

    assert person.stored == SIGNED_IN | {"refresh_token": "AQ-next"}
    assert "You own no playlist" in person.screen


def test_a_code_that_spotify_no_longer_knows(person, stub):
    refusal = {"error": "invalid_grant", "error_description": "Invalid authorization code"}
    stub.faults.replace([Fault("POST /api/token", skip=1, status=400, body=refusal)])

    with pytest.raises(
        OpsError, match=r"did not accept the code it had sent \(400, Invalid authorization code"
    ):
        person.logs_in()
    assert person.stored is None


@pytest.mark.parametrize(
    "fault, problem",
    [
        ({"reset": True}, "the connection failed"),
        ({"status": 503}, "answered with 503"),
        ({"truncate": True}, "without a refresh token"),
        ({"body": {"access_token": "BQ-x"}}, "without a refresh token"),
    ],
)
def test_the_code_cannot_be_exchanged_just_now(person, stub, fault, problem):
    stub.faults.replace([Fault("POST /api/token", skip=1, **fault)])

    with pytest.raises(OpsError, match=problem):
        person.logs_in()
    assert person.stored is None


def test_a_wrong_client_secret_shows_before_the_browser_opens(person):
    with pytest.raises(OpsError, match=r"invalid_client.*Compare the client id and secret"):
        person.logs_in(secret="0123456789abcdef")

    assert person.stored is None
    assert person.browser.addresses == []


def test_a_failed_login_leaves_the_stored_sign_in(person):
    person.logs_in()
    with pytest.raises(OpsError):
        person.logs_in(browser=Browser(lambda link: f"{link}&stub_grant="))

    assert person.stored == SIGNED_IN


def test_a_taken_port_is_said_before_anything_is_asked(person):
    with CallbackServer(0) as other:
        port = other.server_address[1]
        with pytest.raises(OpsError, match=f"Port {port} of this machine is taken.*--port {port + 1}"):
            person.logs_in(port=port)

    assert person.asked == []


def test_without_a_browser_the_address_is_pasted(person):
    pasted = []

    class Elsewhere:
        """Follows the printed link on another machine, where nothing listens on the callback's port."""

        def __iter__(self):
            yield spotify_stub.CLIENT_ID
            yield "https://open.spotify.com/"
            link = re.search(r"^  (http\S+/authorize\S+)$", person.screen, re.MULTILINE)[1]
            pasted.append(requests.get(link, allow_redirects=False, timeout=5).headers["Location"])
            yield f"  {pasted[0]}\t"

    person.logs_in(answers=Elsewhere(), no_browser=True, port=8899)

    assert pasted[0].startswith(f"{redirect_uri(8899)}?code=")
    assert "That is not the address Spotify leads back to" in person.screen
    assert person.stored == SIGNED_IN
    assert person.browser.addresses == []


def test_the_callback_answers_only_its_own_path():
    pages = {}
    with CallbackServer(0) as server:

        def visit():
            for path in ("/favicon.ico", "/callback?code=x"):
                pages[path] = requests.get(server.redirect_uri.replace("/callback", path), timeout=60)

        visitor = threading.Thread(target=visit)
        visitor.start()
        assert server.wait(lambda address: address, 60) == "/callback?code=x"
    visitor.join()
    assert pages["/favicon.ico"].status_code == 404


def test_nobody_answers():
    with CallbackServer(0) as server, pytest.raises(OpsError, match="not answered within"):
        server.wait(lambda address: address, 0.1)


def test_what_spotify_says_is_escaped_on_the_page():
    def refuse(_):
        raise OpsError("<script>alert(1)</script>")

    pages = []
    with CallbackServer(0) as server:
        visitor = threading.Thread(target=lambda: pages.append(requests.get(server.redirect_uri, timeout=60)))
        visitor.start()
        with pytest.raises(OpsError):
            server.wait(refuse, 60)
    visitor.join()
    assert "<script>" not in pages[0].text


# The app alone


@pytest.mark.parametrize("stub", ["legacy"], indirect=True)
def test_an_older_app_alone(person, secrets):
    person.lake.parameters["PlaylistIds"] = f"{TOP},{MORNING}"
    person.logs_in(app_only=True)

    app = {"client_id": spotify_stub.CLIENT_ID, "client_secret": spotify_stub.CLIENT_SECRET}
    assert person.stored == app
    assert "✓ The app alone can read “Top 100”: 100 entries" in person.screen
    assert "lasts until" not in person.screen


def test_a_new_app_alone_can_read_nothing(person):
    person.lake.parameters["PlaylistIds"] = TOP

    with pytest.raises(OpsError, match=r"403.*run `./lake login` without --app-only"):
        person.logs_in(app_only=True)
    assert person.stored is None


def test_an_app_alone_owns_no_playlists(person):
    with pytest.raises(OpsError, match=r"PlaylistIds=owned.*a user has to sign in"):
        person.logs_in(app_only=True)
    assert person.asked == []


def test_playlists_of_others_are_named(person):
    person.lake.parameters["PlaylistIds"] = f"{TOP},{spotify_stub.FOLLOWED_PLAYLIST_ID}"
    person.logs_in()

    assert (
        f"PlaylistIds names 1 playlist that you do not own: {spotify_stub.FOLLOWED_PLAYLIST_ID}"
        in person.screen
    )


# The command


@pytest.fixture
def command(lake, monkeypatch):
    """`./lake login` with the app in the environment and a browser that answers."""
    monkeypatch.setattr(login, "find", lambda **_: lake)
    monkeypatch.setenv("SPOTIFY_CLIENT_SECRET", spotify_stub.CLIENT_SECRET)
    monkeypatch.setattr(login, "has_browser", lambda environ: True)

    def run(*arguments, browser=None):
        browser = browser or Browser()
        browser.closing.set()
        monkeypatch.setattr(login.webbrowser, "open", browser)
        with CallbackServer(0) as free:
            port = free.server_address[1]
        return operated.lake("login", "--client-id", spotify_stub.CLIENT_ID, "--port", str(port), *arguments)

    return run


def test_the_command_ends_well(command, person, capsys):
    assert command() == 0

    assert person.stored["refresh_token"] == spotify_stub.REFRESH_TOKEN
    assert "Stored in the lake's secret" in capsys.readouterr().out


def test_the_command_ends_with_a_sentence(command, person, capsys):
    assert command(browser=Browser(lambda link: f"{link}&stub_grant=")) == 1

    assert capsys.readouterr().err.startswith("✗ On Spotify's page the app was not permitted")
    assert person.stored is None


def test_the_command_is_interrupted(command, person, capsys, monkeypatch):
    def interrupt(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(CallbackServer, "wait", interrupt)
    assert command(browser=ClosedBrowser()) == 130
    assert "Stopped" in capsys.readouterr().err
    assert person.stored is None


def test_aws_refuses_to_store(command, lake, secrets, capsys):
    def delete(link):
        secrets.delete_secret(SecretId=lake.output("SpotifySecretArn"), ForceDeleteWithoutRecovery=True)
        return link

    assert command(browser=Browser(delete)) == 1
    assert "AWS refused PutSecretValue" in capsys.readouterr().err
    with pytest.raises(CredentialsMissing):
        read_credentials(secrets, lake.output("SpotifySecretArn"))


@pytest.mark.parametrize("value", [None, json.dumps(SIGNED_IN | {"refresh_token": "old"})])
def test_a_secret_that_is_marked_for_deletion_is_restored_first(person, secrets, value):
    secret_id = person.lake.output("SpotifySecretArn")
    if value:
        secrets.put_secret_value(SecretId=secret_id, SecretString=value)
    secrets.delete_secret(SecretId=secret_id, RecoveryWindowInDays=7)
    person.logs_in()

    assert person.stored == SIGNED_IN
    assert "✓ The lake's secret was marked for deletion, and is restored" in person.screen


@pytest.mark.parametrize(
    "on_laptop, how",
    [
        (
            False,
            "CloudFormation makes it anew: see The secret was deleted in docs/runbook.md. Then run `./lake login`.",
        ),
        (True, "Run `./lake up`, which makes it anew and signs in."),
    ],
)
def test_nobody_is_asked_for_a_secret_that_was_deleted_for_good(person, secrets, stub, on_laptop, how):
    secret_id = person.lake.output("SpotifySecretArn")
    secrets.delete_secret(SecretId=secret_id, ForceDeleteWithoutRecovery=True)
    person.lake = replace(person.lake, on_laptop=on_laptop)
    with pytest.raises(OpsError) as refused:
        person.logs_in()

    assert (
        str(refused.value) == f"The lake's secret {secret_id} was deleted, so no sign-in can be stored. {how}"
    )
    assert (person.asked, stub.requests()) == ([], [])
