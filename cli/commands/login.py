"""Sign the lake in to Spotify, in your browser.

The command asks for your consent, checks it and stores it in the lake's secret. The client secret is asked for, or
taken from the variable SPOTIFY_CLIENT_SECRET.
"""

from __future__ import annotations

import contextlib
import os
import threading
import time
import webbrowser
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, Annotated, Final

import msgspec
import typer

from cli.browser import has_browser
from cli.consent import CallbackServer, Consent, NotTheAnswer, redirect_uri
from cli.options import Laptop, Stack
from cli.schedule import next_run
from cli.scopes import scopes_of
from cli.stack import DEFAULT_STACK, Lake, OpsError, find
from cli.terminal import Terminal
from spotify_lake.errors import CredentialsMissing, LakeError, PlaylistError
from spotify_lake.settings import LIKED, OWNED, parse_playlist_ids
from spotify_lake.spotify.auth import sign_in
from spotify_lake.spotify.client import SpotifyClient
from spotify_lake.spotify.credentials import VALID_MONTHS, Credentials, read_credentials, sign_in_ends

if TYPE_CHECKING:
    from mypy_boto3_secretsmanager import SecretsManagerClient

    from spotify_lake.spotify.client import ListedPlaylist

EXAMPLES: Final = ("./lake login", "./lake login --no-browser", "./lake login --app-only")
DASHBOARD: Final = "https://developer.spotify.com/dashboard"
DEFAULT_PORT: Final = 8765
CONSENT_TIMEOUT_S: Final = 600.0
CHECK_TIMEOUT_S: Final = 180.0


def command(
    *,
    client_id: Annotated[
        str | None,
        typer.Option(envvar="SPOTIFY_CLIENT_ID", metavar="ID", help="Of your Spotify app (default: ask)."),
    ] = None,
    no_browser: Annotated[
        bool, typer.Option("--no-browser", help="Print the link, and ask for the address it leads to.")
    ] = False,
    app_only: Annotated[
        bool,
        typer.Option(
            "--app-only",
            help="Store only client id and secret, for apps from before February 2026 that read public playlists.",
        ),
    ] = False,
    port: Annotated[
        int, typer.Option(min=1024, max=65535, help="Of this machine, for the redirect.")
    ] = DEFAULT_PORT,
    laptop: Laptop = False,
    stack: Stack = DEFAULT_STACK,
) -> None:
    """Run the command; see the module."""
    opens = not no_browser and has_browser(os.environ)
    run(
        find(laptop=laptop, stack=stack),
        Terminal(),
        client_id=client_id,
        client_secret=os.environ.get("SPOTIFY_CLIENT_SECRET"),
        app_only=app_only,
        port=port,
        open_browser=webbrowser.open if opens else None,
    )


def run(
    lake: Lake,
    terminal: Terminal,
    *,
    client_id: str | None = None,
    client_secret: str | None = None,
    app_only: bool = False,
    port: int = DEFAULT_PORT,
    open_browser: Callable[[str], object] | None = None,
    now: Callable[[], datetime] = lambda: datetime.now(UTC),
) -> None:
    """Sign a lake in to Spotify.

    Parameters
    ----------
    lake
        Whose secret is filled.
    terminal
        The person to talk with.
    client_id, client_secret
        Of the app; None asks for them.
    app_only
        Store the app's credentials only, without a user's consent.
    port
        Of this machine, for the redirect; 0 picks a free one.
    open_browser
        Opens an address. None if the browser is on another machine: then the address it is led to is asked for.
    now
        Returns the time, UTC.

    Raises
    ------
    LakeError
        Nothing was stored; the sentence says why.
    """
    secret_id = lake.output("SpotifySecretArn")
    secrets: SecretsManagerClient = lake.client("secretsmanager")
    terminal.heading(f"Signing the lake {lake.place} in to Spotify")
    _ensure_secret(lake, terminal, secrets, secret_id)
    stored = _stored(secrets, secret_id)
    ask_for_app = partial(_ask_for_app, lake, terminal, client_id, client_secret, stored)
    try:
        if app_only:
            credentials = _app_credentials(lake, terminal, ask_for_app)
        else:
            credentials = _user_credentials(lake, terminal, ask_for_app, port, open_browser, now)
    except LakeError as error:
        raise OpsError(f"{error} The secret was not changed.") from error
    secrets.put_secret_value(SecretId=secret_id, SecretString=secret_value(credentials))
    terminal.done("Stored in the lake's secret")
    if credentials.authorized_at:
        end = sign_in_ends(credentials.authorized_at)
        terminal.say(
            f"\nThis sign-in lasts until {end:%B} {end.day}, {end.year}: Spotify ends it {VALID_MONTHS} months after"
            f" your consent, however often it is used. Run `{lake.command('login')}` again before that day."
        )
    terminal.say(f"\n{_schedule(lake, now())} To take a snapshot now:")
    terminal.exact(
        "./lake demo"
        if lake.on_laptop
        else f"sam remote invoke ExtractFunction --stack-name {lake.stack} --region {lake.region}"
        " --parameter InvocationType=Event"
    )


def secret_value(credentials: Credentials) -> str:
    """Write credentials as the JSON that the secret holds, without what is not there."""
    return msgspec.json.encode(
        {name: value for name, value in msgspec.structs.asdict(credentials).items() if value}
    ).decode()


def _schedule(lake: Lake, now: datetime) -> str:
    expression, timezone = lake.parameter("ScheduleExpression"), lake.parameter("ScheduleTimezone")
    if lake.parameter("ScheduleState") == "DISABLED":
        return "The lake does not run on a schedule (ScheduleState=DISABLED)."
    due = next_run(expression, timezone, now)
    if due is None:
        return f"The lake runs on its schedule, {expression} ({timezone})."
    return f"The next run is on {due:%A, %B} {due.day} at {due:%H:%M} ({timezone})."


def _ensure_secret(lake: Lake, terminal: Terminal, secrets: SecretsManagerClient, secret_id: str) -> None:
    """See that there is a secret to store the sign-in in, before a person is asked for anything.

    Raises
    ------
    OpsError
        It was deleted for good; the sentence says how to make it anew.
    """
    missing = secrets.exceptions.ResourceNotFoundException
    try:
        secrets.get_secret_value(SecretId=secret_id)
    except secrets.exceptions.InvalidRequestException:
        secrets.restore_secret(SecretId=secret_id)
        terminal.done("The lake's secret was marked for deletion, and is restored")
    except missing:  # without a value, or gone
        try:
            secrets.describe_secret(SecretId=secret_id)
        except missing:
            how = (
                "Run `./lake up`, which makes it anew and signs in"
                if lake.on_laptop
                else "CloudFormation makes it anew: see The secret was deleted in docs/runbook.md. Then run"
                f" `{lake.command('login')}`"
            )
            raise OpsError(
                f"The lake's secret {secret_id} was deleted, so no sign-in can be stored. {how}."
            ) from None


def _stored(secrets: SecretsManagerClient, secret_id: str) -> Credentials | None:
    try:
        return read_credentials(secrets, secret_id)
    except CredentialsMissing:
        return None


def _user_credentials(
    lake: Lake,
    terminal: Terminal,
    ask_for_app: Callable[[], Credentials],
    port: int,
    open_browser: Callable[[str], object] | None,
    now: Callable[[], datetime],
) -> Credentials:
    """Get a user's consent and prove that the lake can read with it."""
    accounts_url, scopes = lake.parameter("SpotifyAccountsUrl"), scopes_of(lake)
    with CallbackServer(port) if open_browser else contextlib.nullcontext() as server:
        uri = server.redirect_uri if server else redirect_uri(port)
        terminal.say(
            f"\nIn Spotify's dashboard ({DASHBOARD}) create an app that uses the Web API, or open the settings of one"
            " of yours (its owner needs Spotify Premium), and enter exactly this redirect URI:"
        )
        terminal.exact(uri)
        app = ask_for_app()
        terminal.say("\nWith its parameters, this lake asks you to permit reading:")
        for scope, purpose in scopes.items():
            terminal.say(f"  {purpose} ({scope})")
        consent = Consent(app, accounts_url, uri, scopes)
        if server and open_browser:
            code = _code_from_browser(server, consent, terminal, open_browser)
        else:
            code = _code_from_person(consent, terminal)
    grant = consent.redeem(code)
    authorized_at = now().replace(microsecond=0)
    missing = [scope for scope in scopes if scope not in grant.scopes]
    if missing:
        raise OpsError(
            f"You are signed in, but without the permission {' and '.join(missing)}, which the lake needs. Run"
            f" `{lake.command('login')}` again and agree to everything on Spotify's page."
        )
    terminal.done(f"Spotify permits {', '.join(scopes)}")
    credentials = msgspec.structs.replace(
        app,
        refresh_token=grant.refresh_token,
        scopes=" ".join(sorted(grant.scopes)),
        authorized_at=authorized_at,
    )
    spotify = _client(lake, credentials)
    try:
        _check_as_user(lake, spotify, terminal)
    except LakeError as error:
        if not error.retryable:
            raise
        terminal.warn(f"The app's access could not be checked: {error} The sign-in itself works.")
    if spotify.rotated_refresh_token:
        credentials = msgspec.structs.replace(credentials, refresh_token=spotify.rotated_refresh_token)
    return credentials


def _app_credentials(lake: Lake, terminal: Terminal, ask_for_app: Callable[[], Credentials]) -> Credentials:
    """Get an app's credentials and prove that they alone can read a playlist of the lake."""
    playlists = parse_playlist_ids(lake.parameter("PlaylistIds"))
    named = [one for one in playlists if one not in (OWNED, LIKED)]
    if OWNED in playlists or not named:
        raise OpsError(
            f"This lake collects what a user owns or likes (PlaylistIds={','.join(playlists)}), so a user has to sign"
            f" in. Run `{lake.command('login')}` without --app-only, or name public playlists in PlaylistIds and deploy"
            " again."
        )
    terminal.say(
        f"\nClient id and secret are in Spotify's dashboard ({DASHBOARD}), in the settings of your app."
    )
    app = ask_for_app()
    try:
        name, entries, contract = _read(_client(lake, app), named[0])
    except PlaylistError as error:
        raise OpsError(
            f"{error} Apps registered since February 2026 cannot read without a user: run"
            f" `{lake.command('login')}` without --app-only."
        ) from error
    terminal.done(
        f"The app alone can read “{name}”: {_count(entries, 'entry', 'entries')}, by way of {contract}"
    )
    return app


def _ask_for_app(
    lake: Lake,
    terminal: Terminal,
    client_id: str | None,
    client_secret: str | None,
    stored: Credentials | None,
) -> Credentials:
    """Ask for client id and secret, unless they are given, and see whether Spotify knows them."""
    client_id = client_id or terminal.ask("Client id", stored.client_id if stored else None)
    old_secret = stored.client_secret if stored and stored.client_id == client_id else None
    client_secret = client_secret or terminal.ask_hidden("Client secret (not shown)", old_secret)
    try:
        app = Credentials(client_id=client_id.strip(), client_secret=client_secret.strip())
    except ValueError as error:
        raise OpsError(
            f"That cannot be: {error}. Copy client id and secret from Spotify's dashboard."
        ) from None
    sign_in(app, lake.parameter("SpotifyAccountsUrl"))
    terminal.done("Spotify knows the app")
    return app


def _code_from_browser(
    server: CallbackServer, consent: Consent, terminal: Terminal, open_browser: Callable[[str], object]
) -> str:
    terminal.say(
        "\nYour browser shows Spotify's page: sign in and agree. If it does not, open this link on this machine:"
    )
    terminal.exact(consent.link)
    terminal.say(
        "Waiting for your answer. If Spotify complains about the redirect URI, compare it with the one above, save the"
        " app's settings, and open the link again. Ctrl-C stops."
    )
    # In a thread: some browsers return only when they are closed.
    threading.Thread(target=open_browser, args=(consent.link,), name="browser", daemon=True).start()
    return server.wait(consent.read, CONSENT_TIMEOUT_S)


def _code_from_person(consent: Consent, terminal: Terminal) -> str:
    terminal.say("\nOpen this link in a browser on any machine, sign in and agree:")
    terminal.exact(consent.link)
    terminal.say(
        "The browser then reports that it cannot reach 127.0.0.1. That is expected: copy the address of that page and"
        " paste it here."
    )
    while True:
        try:
            return consent.read(terminal.ask("Address"))
        except NotTheAnswer as error:
            terminal.warn(str(error))


def _client(lake: Lake, credentials: Credentials) -> SpotifyClient:
    deadline = time.monotonic() + CHECK_TIMEOUT_S
    return SpotifyClient(
        credentials,
        api_url=lake.parameter("SpotifyApiUrl"),
        accounts_url=lake.parameter("SpotifyAccountsUrl"),
        time_left=lambda: deadline - time.monotonic(),
    )


def _check_as_user(lake: Lake, spotify: SpotifyClient, terminal: Terminal) -> None:
    """Read what a run would read, and say what was found."""
    user_id = spotify.me()
    listed = spotify.my_playlists()
    own = [playlist for playlist in listed if playlist.owner_id == user_id]
    terminal.done(
        f"Signed in as {user_id}: {_count(len(own), 'playlist')} of your own, {len(listed) - len(own)} followed"
    )
    _warn_of_others(lake, own, terminal)
    if not own:
        terminal.warn(
            "You own no playlist, so nothing could be read to try. Make one, and fill it with songs to track."
        )
        return
    sample = min(own, key=_reading_order)
    try:
        _, entries, way = _read(spotify, sample.id)
    except PlaylistError as error:
        raise OpsError(
            f"You are signed in, but Spotify does not let the app read your own playlist “{sample.name}”. {error} Some"
            " newly registered apps are refused like this: see that the app has the Web API in its settings, or"
            f" register another one, then run `{lake.command('login')}` again."
        ) from error
    terminal.done(
        f"Your playlist “{sample.name}” can be read: {_count(entries, 'entry', 'entries')}, by way of {way}"
    )


def _warn_of_others(lake: Lake, own: list[ListedPlaylist], terminal: Terminal) -> None:
    wanted = parse_playlist_ids(lake.parameter("PlaylistIds"))
    others = sorted(set(wanted) - {OWNED, LIKED} - {playlist.id for playlist in own})
    if others:
        terminal.warn(
            f"PlaylistIds names {_count(len(others), 'playlist')} that you do not own: {', '.join(others)}. Apps"
            " registered since February 2026 read them only if you collaborate on them."
        )


def _reading_order(playlist: ListedPlaylist) -> tuple[bool, float]:
    """Small playlists first, since they cost few requests; empty ones prove nothing, so they come last."""
    return not playlist.total, playlist.total or 0


def _read(spotify: SpotifyClient, playlist_id: str) -> tuple[str, int, str]:
    """Read a playlist; return its name, the number of its entries, and the way they were read, in words."""
    reading = spotify.read(playlist_id)
    while (head := reading.confirm()) is None:
        pass  # the list changed meanwhile: confirm reads it again
    playlist = head.playlist
    if reading.contract == "embedded":
        way = "the playlist object, because this app gets no pages. Playlists of more than 100 entries will fail"
    elif "tracks" in playlist:
        way = f"/{reading.contract}, with the fields of apps registered before February 2026"
    else:
        way = f"/{reading.contract}, with the fields of apps registered since February 2026"
    return str(playlist.get("name") or playlist_id), reading.entries, way


def _count(number: int, one: str, several: str | None = None) -> str:
    return f"{number} {one if number == 1 else several or one + 's'}"
