"""Reading the secret, and getting an access token."""

import io
import json
import logging
from datetime import UTC, date, datetime

import pytest
import requests
from botocore.exceptions import ClientError

from spotify_lake.errors import (
    CredentialsMissing,
    LakeError,
    RateLimited,
    SignInExpired,
    SpotifyRefused,
    SpotifyUnavailable,
)
from spotify_lake.observability import metrics
from spotify_lake.spotify.auth import sign_in
from spotify_lake.spotify.credentials import (
    Credentials,
    publish_days_left,
    read_credentials,
    sign_in_ends,
    store_refresh_token,
)
from tests.support.fakes import (
    ACCESS_TOKEN,
    ACCOUNTS_URL,
    APP_CREDENTIALS,
    CLIENT_SECRET,
    CREDENTIALS,
    REFRESH_TOKEN,
    FakeClock,
    FakeSecrets,
    FakeWeb,
    spotify_client,
)

GOOD = '{"client_id": "c", "client_secret": "s3cret", "refresh_token": "r", "scopes": "a b", "more": [1]}'


def refuse(web: FakeWeb, status: int, body: object = b"", **more) -> LakeError:
    web.fault("^/api/token", status, body, **more)
    with pytest.raises(LakeError) as caught:
        sign_in(CREDENTIALS, ACCOUNTS_URL, session=web.session())
    return caught.value


class TestReadCredentials:
    def test_reads_every_field_and_ignores_others(self):
        credentials = read_credentials(
            FakeSecrets(GOOD[:-1] + ', "authorized_at": "2026-11-20T06:00:00Z"}'), "s"
        )
        assert (credentials.client_id, credentials.client_secret) == ("c", "s3cret")
        assert (credentials.refresh_token, credentials.scopes) == ("r", "a b")
        assert credentials.authorized_at.isoformat() == "2026-11-20T06:00:00+00:00"

    @pytest.mark.parametrize("tail", ["", ', "refresh_token": null'])
    def test_refresh_token_is_optional(self, tail):
        text = f'{{"client_id": "c", "client_secret": "s"{tail}}}'
        assert read_credentials(FakeSecrets(text), "s").refresh_token is None

    @pytest.mark.parametrize(
        "text,problem",
        [
            (None, "binary"),
            ("", "value is empty"),
            (" \n", "value is empty"),
            ("s3cret", "not JSON"),
            ('{"client_id": "s3cret"', "not JSON"),
            ('["s3cret"]', "Expected `object`"),
            ('{"client_id": "c"}', "missing required field `client_secret`"),
            ('{"client_id": "c", "client_secret": 5}', r"Expected `str`.*client_secret"),
            ('{"client_id": "c", "client_secret": ""}', "client_secret is empty"),
            ('{"client_id": "c", "client_secret": "s3cret\\n"}', "client_secret contains blanks"),
            ('{"client_id": "c", "client_secret": "s3crét"}', "client_secret contains blanks"),
            ('{"client_id": "c", "client_secret": "s3cret", "refresh_token": " "}', "refresh_token is empty"),
            ('{"client_id": "c", "client_secret": "s3cret", "authorized_at": "s3cret"}', "authorized_at"),
        ],
    )
    def test_unusable_value_is_named_but_not_shown(self, text, problem):
        with pytest.raises(CredentialsMissing, match=problem) as caught:
            read_credentials(FakeSecrets(text), "the-secret")
        assert "the-secret" in str(caught.value)
        assert "./lake login" in str(caught.value)
        assert "s3cr" not in str(caught.value)

    @pytest.mark.parametrize("code", ["ResourceNotFoundException", "InvalidRequestException"])
    def test_secret_without_value(self, code):
        with pytest.raises(CredentialsMissing, match=r"\./lake login"):
            read_credentials(FakeSecrets(error=code), "s")

    def test_missing_permission_stays_what_it_is(self):
        with pytest.raises(ClientError, match="AccessDenied"):
            read_credentials(FakeSecrets(error="AccessDeniedException"), "s")

    def test_repr_shows_no_secret(self):
        shown = repr(CREDENTIALS) + str(CREDENTIALS) + repr([CREDENTIALS])
        assert CLIENT_SECRET not in shown
        assert REFRESH_TOKEN not in shown


class TestSignIn:
    def test_user(self):
        web = FakeWeb()
        token = sign_in(CREDENTIALS, ACCOUNTS_URL, session=web.session(), timeout_s=7)
        assert token.value == ACCESS_TOKEN
        assert token.rotated_refresh_token is None
        assert ACCESS_TOKEN not in repr(token)
        [sent] = web.sent
        assert (sent.method, sent.path) == ("POST", "/api/token")
        assert sent.form == {"grant_type": "refresh_token", "refresh_token": REFRESH_TOKEN}
        assert sent.headers["Authorization"].startswith("Basic ")
        assert web.timeouts == [7]

    def test_app_alone(self):
        web = FakeWeb()
        assert (
            sign_in(APP_CREDENTIALS, ACCOUNTS_URL, session=web.session(), timeout_s=7).value == ACCESS_TOKEN
        )
        assert web.sent[0].form == {"grant_type": "client_credentials"}
        assert web.timeouts == [7]

    @pytest.mark.parametrize(
        "sent,rotated", [("new", "new"), (REFRESH_TOKEN, None), ("", None), (None, None)]
    )
    def test_rotated_refresh_token_is_handed_out(self, sent, rotated):
        web = FakeWeb()
        web.token["refresh_token"] = sent
        assert sign_in(CREDENTIALS, ACCOUNTS_URL, session=web.session()).rotated_refresh_token == rotated

    def test_never_asks_a_person(self, monkeypatch):
        monkeypatch.setattr("builtins.input", lambda *_: pytest.fail("asked a person"))
        monkeypatch.setattr("webbrowser.open", lambda *_: pytest.fail("opened a browser"))
        web = FakeWeb()
        for body in ({"error": "invalid_scope"}, {"error": "invalid_grant"}, {"access_token": "x"}):
            refuse(web, 200 if "access_token" in body else 400, body)

    def test_invalid_grant_is_final(self):
        error = refuse(
            FakeWeb(), 400, {"error": "invalid_grant", "error_description": "Refresh token revoked"}
        )
        assert isinstance(error, SignInExpired)
        assert "Refresh token revoked" in str(error)
        assert "./lake login" in str(error)

    @pytest.mark.parametrize(
        "status,body",
        [
            (400, {"error": "invalid_client", "error_description": "Invalid client secret"}),
            (401, {"error": "invalid_client"}),
            (403, ["odd"]),
            (400, b"<html>"),
            (400, b""),
        ],
    )
    def test_unknown_app(self, status, body):
        error = refuse(FakeWeb(), status, body)
        assert type(error) is SpotifyRefused
        assert "client id and secret" in str(error)

    @pytest.mark.parametrize("status", [500, 502, 503])
    @pytest.mark.parametrize(
        "body", [b"", b"<html>", {"error": "server_error"}, {"error": {"message": "x"}}, ["x"]]
    )
    def test_fault_of_the_token_endpoint(self, status, body):
        assert isinstance(refuse(FakeWeb(), status, body), SpotifyUnavailable)

    @pytest.mark.parametrize("header,seconds", [("7", 7), (None, 8), ("soon", 8), ("0", 8)])
    def test_rate_limit_of_the_token_endpoint(self, header, seconds):
        error = refuse(FakeWeb(), 429, b"slow down", headers={"Retry-After": header} if header else {})
        assert isinstance(error, RateLimited)
        assert error.retry_after_s == seconds

    @pytest.mark.parametrize(
        "fault",
        [
            requests.ConnectionError("x"),
            requests.ReadTimeout("x"),
            requests.exceptions.ChunkedEncodingError(),
        ],
    )
    def test_connection_fault(self, fault):
        assert isinstance(refuse(FakeWeb(), error=fault, status=0), SpotifyUnavailable)

    @pytest.mark.parametrize(
        "body",
        [
            b"",
            b'{"access_to',
            b"[]",
            b"null",
            {},
            {"access_token": "x"},
            {"access_token": "", "expires_in": 3600},
            {"access_token": 5, "expires_in": 3600},
            {"access_token": "line\nbreak", "expires_in": 3600},
        ],
    )
    @pytest.mark.parametrize("credentials", [CREDENTIALS, APP_CREDENTIALS])
    def test_answer_that_is_no_token(self, body, credentials):
        web = FakeWeb()
        web.fault("^/api/token", 200, body)
        with pytest.raises(SpotifyUnavailable):
            sign_in(credentials, ACCOUNTS_URL, session=web.session())


@pytest.fixture
def counted():
    """The metrics of the test, by name."""
    metrics.clear_metrics()
    yield lambda: {name: sum(metric["Value"]) for name, metric in metrics.metric_set.items()}
    metrics.clear_metrics()


STORED = {"client_id": "c", "refresh_token": "old", "authorized_at": "2026-11-20T06:00:00Z", "x": [1]}


class TestStoreRefreshToken:
    def test_only_the_token_changes(self, counted):
        secrets = FakeSecrets(json.dumps(STORED))
        store_refresh_token(secrets, "s", "old", "new")
        assert json.loads(secrets.value) == STORED | {"refresh_token": "new"}
        assert counted() == {}

    def test_a_newer_sign_in_stays(self):
        secrets = FakeSecrets(json.dumps(STORED))
        store_refresh_token(secrets, "s", "older", "new")
        assert json.loads(secrets.value) == STORED

    def test_a_failure_is_told_and_counted(self, counted, caplog):
        secrets = FakeSecrets(json.dumps(STORED))
        secrets.put_error = "AccessDeniedException"
        store_refresh_token(secrets, "the-secret", "old", "new-token")
        assert counted() == {"RefreshTokenNotStored": 1}
        [line] = caplog.records
        assert line.levelname == "ERROR"
        assert "the-secret" in line.getMessage()
        assert "./lake login" in line.getMessage()
        assert "new-token" not in caplog.text


class TestDaysLeft:
    @pytest.mark.parametrize(
        "authorized, ends",
        [
            ((2026, 11, 20), date(2027, 5, 20)),
            ((2026, 6, 30), date(2026, 12, 30)),
            ((2026, 7, 1), date(2027, 1, 1)),
            ((2026, 8, 31), date(2027, 2, 28)),
            ((2027, 8, 31), date(2028, 2, 29)),
        ],
    )
    def test_a_sign_in_ends_after_six_months(self, authorized, ends):
        assert sign_in_ends(datetime(*authorized, 23, 59, tzinfo=UTC)) == ends

    def publish(self, today: datetime, **changes) -> None:
        secret = {"client_id": "c", "client_secret": "s", "refresh_token": "r"}
        authorized_at = datetime(2026, 6, 30, 6, tzinfo=UTC)
        publish_days_left(Credentials(**secret | {"authorized_at": authorized_at} | changes), today)

    @pytest.mark.parametrize(
        "today, days, warns",
        [((2026, 6, 30), 183, 0), ((2026, 12, 8), 22, 0), ((2026, 12, 9), 21, 1), ((2027, 1, 9), 0, 1)],
    )
    def test_published_with_a_warning_near_the_end(self, today, days, warns, counted, caplog):
        self.publish(datetime(*today, tzinfo=UTC))
        assert counted() == {"SignInDaysLeft": days}
        assert ["2026-12-30" in line.getMessage() for line in caplog.records] == [True] * warns

    @pytest.mark.parametrize("changes", [{"refresh_token": None}, {"authorized_at": None}])
    def test_unknown_without_a_consent(self, changes, counted):
        self.publish(datetime(2026, 12, 29, tzinfo=UTC), **changes)
        assert counted() == {}


@pytest.fixture
def everything_logged():
    """All that is logged while every logger is set to DEBUG, in whatever way."""
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    names = ["", "spotipy", "spotipy.client", "spotipy.oauth2", "requests", "urllib3", "botocore"]
    levels = {name: logging.getLogger(name).level for name in names}
    logging.getLogger().addHandler(handler)
    for name in names:
        logging.getLogger(name).setLevel(logging.DEBUG)
    yield stream
    logging.getLogger().removeHandler(handler)
    for name, level in levels.items():
        logging.getLogger(name).setLevel(level)


@pytest.mark.parametrize("credentials", [CREDENTIALS, APP_CREDENTIALS])
def test_no_secret_in_any_log_at_any_level(everything_logged, credentials):
    web = FakeWeb()
    web.token["refresh_token"] = "the-rotated-token"
    web.fault("^/v1/me", 401, b"", times=1)
    client = spotify_client(web, FakeClock(), credentials)
    client.me()
    web.fault("^/v1/me", 403, {"error": {"message": "No"}}, times=1)
    with pytest.raises(SpotifyRefused):
        client.me()
    logging.getLogger("elsewhere").debug("shows that DEBUG is on")
    logged = everything_logged.getvalue()
    assert "shows that DEBUG is on" in logged
    basic = web.sent[0].headers["Authorization"].removeprefix("Basic ")
    for secret in (CLIENT_SECRET, REFRESH_TOKEN, ACCESS_TOKEN, "the-rotated-token", basic):
        assert secret not in logged
    assert "HTTP Error" not in logged  # spotipy's own error lines, for conditions that are handled


def test_credentials_refuse_what_no_header_can_carry():
    with pytest.raises(ValueError, match="client_id is empty"):
        Credentials(client_id="", client_secret="x")
