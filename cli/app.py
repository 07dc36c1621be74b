"""The commands for a deployed lake: ``login``, ``status``, ``redrive``, ``replay``, ``import`` and others."""

from __future__ import annotations

import argparse
import os
import sys
import webbrowser
from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime
from functools import partial
from pathlib import Path

from botocore.exceptions import BotoCoreError, ClientError
from rich.console import Console
from rich.text import Text

from cli import bulk, export, login, redrive, redshift, replay, report, status, views
from cli import stack as lakes
from cli.dead_letters import QUEUES
from cli.imports import command as importing
from cli.terminal import Terminal
from local.bulk import run_job
from local.errors import LaptopError
from spotify_lake.bulk.arrival import DATA_SETS
from spotify_lake.errors import LakeError
from spotify_lake.settings import OWNED, parse_playlist_ids

REPORT_PATH = Path(__file__).resolve().parent.parent / ".local" / "report" / "index.html"
INTERRUPTED = 130  # what shells report for Ctrl-C


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit status."""
    arguments = _parser().parse_args(argv)
    try:
        # What goes into a file or to another program keeps its lines.
        arguments.command(arguments, Terminal(Console(soft_wrap=not sys.stdout.isatty())))
    except (LakeError, LaptopError) as error:
        return _fail(str(error))
    except (BotoCoreError, ClientError) as error:
        return _fail(lakes.sentence(error))
    except KeyboardInterrupt:
        Console(stderr=True).print("\nStopped.")
        return INTERRUPTED
    return 0


def _fail(sentence: str) -> int:
    Console(stderr=True).print(Text.assemble(("✗ ", "bold red"), sentence))
    return 1


type Action = Callable[[argparse.Namespace, Terminal], None]


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m cli", description="Commands for a deployed Spotify Lake."
    )
    commands = parser.add_subparsers(required=True, metavar="command")
    where = argparse.ArgumentParser(add_help=False)
    where.add_argument(
        "--target", choices=lakes.TARGETS, default="aws", help="where the lake is (default: %(default)s)"
    )
    where.add_argument(
        "--stack", default=lakes.DEFAULT_STACK, help="its CloudFormation stack (default: %(default)s)"
    )

    def add(name: str, action: Action, about: str, more: str = "") -> argparse.ArgumentParser:
        added = commands.add_parser(name, parents=[where], help=about, description=f"{about} {more}".strip())
        added.set_defaults(command=action)
        return added

    command = add(
        "login",
        _login,
        "Sign the lake in to Spotify: ask for consent in the browser, check it, store it in the lake's secret.",
        "The client secret is asked for, or taken from SPOTIFY_CLIENT_SECRET.",
    )
    command.add_argument("--client-id", help="of your Spotify app (default: SPOTIFY_CLIENT_ID, or ask)")
    command.add_argument(
        "--no-browser", action="store_true", help="print the link and paste the address it leads to"
    )
    command.add_argument(
        "--app-only",
        action="store_true",
        help="store client id and secret alone, for apps from before February 2026 that read public playlists",
    )
    command.add_argument(
        "--port",
        type=_port,
        default=login.DEFAULT_PORT,
        help="of this machine, for the redirect (default: %(default)s)",
    )

    command = add("report", _report, "Have the report written now, and fetch the page to this machine.")
    command.add_argument("--no-browser", action="store_true", help="do not open the page")

    add("status", _status, "Show how the lake is: freshness, queues, dead letters, sign-in, crawler, alarms.")

    command = add(
        "redrive", _redrive, "Show what is in the dead-letter queues, and move it back to where it failed."
    )
    command.add_argument(
        "--queue", choices=[queue.name for queue in QUEUES], help="only this one (default: all)"
    )
    command.add_argument("--yes", action="store_true", help="move without asking")

    command = add("replay", _replay, "Rebuild the tables of some days from the raw snapshots.")
    command.add_argument(
        "--from", dest="first", type=_date, required=True, help="first day, such as 2026-11-01"
    )
    command.add_argument("--to", dest="last", type=_date, help="last day (default: today)")
    command.add_argument("--playlist", help="ids, URIs or links, separated by commas (default: all)")

    command = add(
        "import",
        _import,
        "Put dumps of playlists into the lake: what the Web API sent in any year, and what was made of it.",
        "Says of each file what was understood; exits with 1 if one could not be used.",
    )
    command.add_argument(
        "files",
        nargs="+",
        help="paths, patterns, folders or s3:// prefixes: JSON, JSON lines, gzip, zip",
    )
    command.add_argument(
        "--playlist", metavar="ID", help="the list that files belong to which do not say it themselves"
    )
    command.add_argument(
        "--at",
        metavar="TIME",
        help="when files were made which do not say it themselves: 2020-05-17T06:00:00Z",
    )
    command.add_argument("--dry-run", action="store_true", help="only tell what would be done")

    command = add(
        "bulk",
        _bulk,
        "Put files of a bulk data set into staging, follow the run of the Glue job, and tell what it made of them.",
    )
    command.add_argument("data_set", choices=DATA_SETS, help="which data set the files are of")
    command.add_argument("files", nargs="+", help="paths, patterns or folders: CSV, also with gzip")
    command.add_argument("--batch", help="folder below the data set's (default: named for the time)")

    add("views", _views, "Make the views of queries/views in Athena, or replace them.")

    add("redshift", _redshift, "Make the charts' star schema in Redshift, and load it from the warehouse.")

    command = add(
        "export", _export, "Write views, tables and the answers of queries as CSV and Parquet files."
    )
    command.add_argument(
        "names", nargs="*", metavar="name", help="a view, table or question (default: every view)"
    )
    command.add_argument(
        "--out",
        type=Path,
        default=export.DEFAULT_FOLDER,
        metavar="FOLDER",
        help="where to write (default: %(default)s)",
    )
    return parser


def _date(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is no date such as 2026-11-01") from None


def _port(text: str) -> int:
    port = int(text)
    if not 1024 <= port <= 65535:
        raise argparse.ArgumentTypeError("a port is a number from 1024 to 65535")
    return port


def _lake(arguments: argparse.Namespace) -> lakes.Lake:
    return lakes.find(arguments.target, arguments.stack)


def _login(arguments: argparse.Namespace, terminal: Terminal) -> None:
    options = login.Options(
        client_id=arguments.client_id,
        app_only=arguments.app_only,
        port=arguments.port,
    )
    here = not arguments.no_browser and login.has_browser(os.environ)
    login.run(_lake(arguments), terminal, options, os.environ, webbrowser.open if here else None)


def _import(arguments: argparse.Namespace, terminal: Terminal) -> None:
    options = importing.Options(
        files=arguments.files,
        playlist_id=arguments.playlist and importing.parse_playlist(arguments.playlist),
        taken_at=arguments.at and importing.parse_time(arguments.at),
        dry_run=arguments.dry_run,
    )
    lake = None
    try:
        lake = _lake(arguments)
    except (LakeError, BotoCoreError) as error:
        if not options.dry_run:
            raise
        why = str(error) if isinstance(error, LakeError) else lakes.sentence(error)
        terminal.warn(f"{why} This only tells what the files hold, so it goes on without a lake.\n")
    importing.run(lake, terminal, options)


def _bulk(arguments: argparse.Namespace, terminal: Terminal) -> None:
    options = bulk.Options(arguments.data_set, arguments.files, arguments.batch)
    lake, run_here = _lake(arguments), None
    if lake.target == "laptop":
        run_here = partial(run_job, lakes.laptop())
    bulk.run(lake, terminal, options, datetime.now(UTC), run_here)


def _status(arguments: argparse.Namespace, terminal: Terminal) -> None:
    terminal.show(status.render(status.gather(_lake(arguments), datetime.now(UTC))))


def _redrive(arguments: argparse.Namespace, terminal: Terminal) -> None:
    chosen = [arguments.queue] if arguments.queue else [queue.name for queue in QUEUES]
    redrive.run(_lake(arguments), terminal, redrive.Options(queues=chosen, sure=arguments.yes))


def _replay(arguments: argparse.Namespace, terminal: Terminal) -> None:
    last = arguments.last or datetime.now(UTC).date()
    if last < arguments.first:
        raise lakes.OpsError(f"The last day, {last}, is before the first, {arguments.first}.")
    playlists = parse_playlist_ids(arguments.playlist) if arguments.playlist else OWNED
    replay.run(
        _lake(arguments),
        terminal,
        replay.Options(arguments.first, last, playlists=None if playlists == OWNED else playlists),
    )


def _report(arguments: argparse.Namespace, terminal: Terminal) -> None:
    here = not arguments.no_browser and login.has_browser(os.environ)
    report.run(_lake(arguments), terminal, REPORT_PATH, webbrowser.open if here else None)


def _views(arguments: argparse.Namespace, terminal: Terminal) -> None:
    views.run(_lake(arguments), terminal)


def _redshift(arguments: argparse.Namespace, terminal: Terminal) -> None:
    redshift.run(_lake(arguments), terminal)


def _export(arguments: argparse.Namespace, terminal: Terminal) -> None:
    export.run(_lake(arguments), terminal, arguments.names, arguments.out)
