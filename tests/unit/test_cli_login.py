"""The parts of `./lake login` that need no network: what is asked, said, read and stored."""

import getpass
import io
import json
import webbrowser
from datetime import UTC, datetime
from urllib.parse import parse_qs, urlsplit

import pytest
from rich.console import Console

from cli.browser import has_browser
from cli.commands import login
from cli.consent import AnswerOfAnother, Consent, ConsentRefused, NoAnswer, redirect_uri
from cli.stack import OpsError
from cli.terminal import Terminal
from spotify_lake.spotify.credentials import Credentials
from tests.support.operated import lake

URI = "http://127.0.0.1:8765/callback"
SCOPES = ("playlist-read-private", "user-library-read")
APP = Credentials(client_id="the-client", client_secret="the-client-secret")


def terminal(*answers, hidden=None):
    """A terminal at which these answers are typed, and the prompts that were shown."""
    prompts, typed = [], iter(answers)

    def read(prompt):
        prompts.append(prompt)
        try:
            return next(typed)
        except StopIteration:
            raise EOFError from None

    return Terminal(Console(file=io.StringIO()), read=read, read_hidden=hidden or read), prompts


# Questions


def test_a_question_is_asked_until_it_is_answered():
    person, prompts = terminal("", "  ", " an id ")

    assert person.ask("Client id") == "an id"
    assert prompts == ["Client id: "] * 3


def test_enter_takes_the_default_and_a_secret_one_is_not_shown():
    person, prompts = terminal("", "", "new")

    assert person.ask("Client id", "old") == "old"
    assert person.ask_hidden("Client secret", "the-client-secret") == "the-client-secret"
    assert person.ask_hidden("Client secret", "the-client-secret") == "new"
    assert prompts == [
        "Client id [old]: ",
        *["Client secret [Enter keeps the stored one]: "] * 2,
    ]


def test_nobody_is_there_to_answer():
    with pytest.raises(OpsError, match="Nobody is at the terminal to answer “Client id”"):
        terminal()[0].ask("Client id")


def test_a_secret_is_not_asked_where_it_would_be_shown(monkeypatch):
    monkeypatch.setattr("builtins.input", lambda _: "typed in the open")

    def without_tty(prompt):
        return getpass.fallback_getpass(prompt, io.StringIO())

    with pytest.raises(OpsError, match="cannot hide what you type"):
        terminal(hidden=without_tty)[0].ask_hidden("Client secret")


def test_what_is_to_be_copied_is_never_broken_or_styled():
    console = Console(file=io.StringIO(), width=40)
    link = f"https://accounts.spotify.com/authorize?[bold]={'x' * 100}"
    Terminal(console).exact(link)

    assert console.file.getvalue() == f"\n  {link}\n\n"


# The consent


@pytest.fixture
def consent():
    return Consent(APP, "https://accounts.test", URI, SCOPES)


def state(consent):
    return parse_qs(urlsplit(consent.link).query)["state"][0]


def test_the_link(consent):
    link = urlsplit(consent.link)
    query = parse_qs(link.query)

    assert (link.scheme, link.netloc, link.path) == ("https", "accounts.test", "/authorize")
    assert query["redirect_uri"] == [URI]
    assert query["response_type"] == ["code"]
    assert set(query["scope"][0].split()) == set(SCOPES)
    assert "the-client-secret" not in consent.link
    assert len(state(consent)) >= 24
    assert state(consent) != state(Consent(APP, "https://accounts.test", URI, SCOPES))


@pytest.mark.parametrize("address", ["{uri}?code=AQ-x&state={state}", " {uri}?state={state}&code=AQ-x#_=_\n"])
def test_the_code_is_in_the_address(consent, address):
    assert consent.read(address.format(uri=URI, state=state(consent))) == "AQ-x"


@pytest.mark.parametrize(
    "address", ["", "AQ-x", URI, f"{URI}?code=AQ-x", "https://open.spotify.com/?state=x"]
)
def test_an_address_without_an_answer(consent, address):
    with pytest.raises(NoAnswer, match=r"it begins with http://127\.0\.0\.1:8765/callback\?code="):
        consent.read(address)


@pytest.mark.parametrize("answer", ["code=AQ-x", "error=access_denied"])
def test_an_answer_to_another_question(consent, answer):
    with pytest.raises(AnswerOfAnother, match="its state is not the one sent"):
        consent.read(f"{URI}?{answer}&state=caf%C3%A9")


@pytest.mark.parametrize(
    "error, said",
    [("access_denied", "was not permitted"), ("server_error", r"did not sign you in \(server_error\)")],
)
def test_consent_is_refused(consent, error, said):
    with pytest.raises(ConsentRefused, match=said):
        consent.read(f"{URI}?error={error}&state={state(consent)}")


def test_the_redirect_uri_is_one_that_spotify_takes():
    assert redirect_uri(login.DEFAULT_PORT) == URI


# What is stored


def test_the_secret_holds_what_the_functions_read():
    credentials = Credentials(
        client_id="the-client",
        client_secret="the-client-secret",
        refresh_token="AQ-x",
        scopes="a b",
        authorized_at=datetime(2026, 11, 20, 6, tzinfo=UTC),
    )
    assert json.loads(login.secret_value(credentials)) == {
        "client_id": "the-client",
        "client_secret": "the-client-secret",
        "refresh_token": "AQ-x",
        "scopes": "a b",
        "authorized_at": "2026-11-20T06:00:00Z",
    }
    assert set(json.loads(login.secret_value(APP))) == {"client_id", "client_secret"}


# The browser


@pytest.mark.parametrize(
    "environ, platform, expected",
    [
        ({}, "linux", False),
        ({"DISPLAY": ":0"}, "linux", True),
        ({"WAYLAND_DISPLAY": "wayland-0"}, "linux", True),
        ({"BROWSER": "open-on-host"}, "linux", True),
        ({}, "darwin", True),
    ],
)
def test_whether_there_is_a_browser(monkeypatch, environ, platform, expected):
    monkeypatch.setattr(webbrowser, "get", object)
    assert has_browser(environ, platform) is expected


def test_a_desktop_without_a_browser(monkeypatch):
    def none():
        raise webbrowser.Error("could not locate runnable browser")

    monkeypatch.setattr(webbrowser, "get", none)
    assert has_browser({"DISPLAY": ":0"}, "linux") is False


# The command


@pytest.fixture
def calls(monkeypatch):
    """What the command asks `find` and `run` for."""
    found = []
    monkeypatch.delenv("SPOTIFY_CLIENT_ID", raising=False)
    monkeypatch.setattr(login, "find", lambda **given: found.append(given))
    monkeypatch.setattr(login, "run", lambda _lake, _terminal, **given: found.append(given))
    return found


@pytest.mark.parametrize(
    "arguments, where, how",
    [
        (
            [],
            {"laptop": False, "stack": "spotify-lake"},
            {"client_id": None, "port": 8765, "app_only": False},
        ),
        (
            ["--laptop", "--stack", "mine", "--client-id", "x", "--port", "9000", "--app-only"],
            {"laptop": True, "stack": "mine"},
            {"client_id": "x", "port": 9000, "app_only": True},
        ),
    ],
)
def test_the_options_reach_the_login(calls, arguments, where, how):
    assert lake("login", *arguments) == 0
    assert calls[0] == where
    assert how.items() <= calls[1].items()


def test_the_app_comes_from_the_environment(calls, monkeypatch):
    monkeypatch.setenv("SPOTIFY_CLIENT_ID", "the-client")
    monkeypatch.setenv("SPOTIFY_CLIENT_SECRET", "the-client-secret")
    assert lake("login") == 0
    assert (calls[1]["client_id"], calls[1]["client_secret"]) == ("the-client", "the-client-secret")


@pytest.mark.parametrize("flag, given", [(["--no-browser"], None), ([], webbrowser.open)])
def test_the_browser_is_elsewhere(calls, monkeypatch, flag, given):
    monkeypatch.setattr(login, "has_browser", lambda _: True)

    assert lake("login", *flag) == 0
    assert calls[1]["open_browser"] == given


@pytest.mark.parametrize("port", ["0", "80", "70000", "x"])
def test_a_port_that_is_none(port, capsys):
    assert lake("login", "--port", port) == 2
    assert "--port" in capsys.readouterr().err


def test_aws_that_says_no_ends_the_command_with_a_sentence(monkeypatch, capsys, tmp_path):
    monkeypatch.delenv("AWS_DEFAULT_REGION")
    monkeypatch.setattr("cli.stack.ROOT", tmp_path)  # no lake runs there
    monkeypatch.setattr("cli.answers.FILE", tmp_path / "deploy.toml")

    assert lake("login") == 1
    assert "✗ No AWS region is chosen." in capsys.readouterr().err
