"""The commands for a deployed lake: ``python -m ops login``, ``import``, ``views``, ``export``."""

from __future__ import annotations

import argparse
import os
import sys
import webbrowser
from collections.abc import Sequence
from pathlib import Path

from botocore.exceptions import BotoCoreError, ClientError
from rich.console import Console
from rich.text import Text

from local.errors import LaptopError
from ops import export, importing, login, views
from ops import lake as lakes
from ops.terminal import Terminal
from spotify_lake.errors import LakeError

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


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m ops", description="Commands for a deployed Spotify Lake."
    )
    commands = parser.add_subparsers(required=True, metavar="command")
    where = argparse.ArgumentParser(add_help=False)
    where.add_argument(
        "--target", choices=lakes.TARGETS, default="aws", help="where the lake is (default: %(default)s)"
    )
    where.add_argument(
        "--stack", default=lakes.DEFAULT_STACK, help="its CloudFormation stack (default: %(default)s)"
    )

    about = "Sign the lake in to Spotify: ask for consent in the browser, check it, store it in the lake's secret."
    command = commands.add_parser(
        "login",
        parents=[where],
        help=about,
        description=f"{about} The client secret is asked for, or taken from SPOTIFY_CLIENT_SECRET.",
    )
    command.set_defaults(command=_login)
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

    about = (
        "Put dumps of playlists into the lake: what the Web API sent in any year, and what was made of it."
    )
    command = commands.add_parser(
        "import",
        parents=[where],
        help=about,
        description=f"{about} Says of each file what was understood; exits with 1 if one could not be used.",
    )
    command.set_defaults(command=_import)
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

    about = "Make the views of queries/views in Athena, or replace them."
    command = commands.add_parser("views", parents=[where], help=about, description=about)
    command.set_defaults(command=_views)

    about = "Write views, tables and the answers of queries as CSV and Parquet files."
    command = commands.add_parser("export", parents=[where], help=about, description=about)
    command.set_defaults(command=_export)
    command.add_argument(
        "names", nargs="*", metavar="name", help="a view, table or file of queries/ (default: every view)"
    )
    command.add_argument(
        "--out",
        type=Path,
        default=export.DEFAULT_FOLDER,
        metavar="FOLDER",
        help="where to write (default: %(default)s)",
    )
    return parser


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


def _views(arguments: argparse.Namespace, terminal: Terminal) -> None:
    views.run(_lake(arguments), terminal)


def _export(arguments: argparse.Namespace, terminal: Terminal) -> None:
    export.run(_lake(arguments), terminal, arguments.names, arguments.out)
