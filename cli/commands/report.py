"""Write the report now, fetch the page and open it.

The page is one file that needs no other. For a lake on AWS the command also prints a link to its copy in the bucket.
"""

from __future__ import annotations

import json
import os
import webbrowser
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Final

import typer

from cli.browser import has_browser
from cli.options import Laptop, Stack
from cli.stack import DEFAULT_STACK, ROOT, Lake, OpsError, find, write_private
from cli.terminal import Terminal

EXAMPLES: Final = ("./lake report", "./lake report --no-browser")
PAGE: Final = ROOT / ".local" / "report" / "index.html"
LINK_SECONDS: Final = 3600


def command(
    *,
    no_browser: Annotated[bool, typer.Option("--no-browser", help="Do not open the page.")] = False,
    laptop: Laptop = False,
    stack: Stack = DEFAULT_STACK,
) -> None:
    """Run the command; see the module."""
    opens = not no_browser and has_browser(os.environ)
    run(find(laptop=laptop, stack=stack), Terminal(), PAGE, webbrowser.open if opens else None)


def run(lake: Lake, terminal: Terminal, path: Path, open_browser: Callable[[str], object] | None) -> None:
    """Invoke the report function and save its page.

    Parameters
    ----------
    lake
        Whose report.
    terminal
        Who reads where it is.
    path
        Where the page goes on this machine.
    open_browser
        Shows an address; None where there is no browser.

    Raises
    ------
    OpsError
        The function fails; the sentence says why.
    """
    terminal.say(f"Writing the report of {lake.place} …")
    try:
        answer = lake.client("lambda").invoke(FunctionName=lake.output("ReportFunctionName"), Payload=b"{}")
    except KeyboardInterrupt as error:
        error.add_note(f"The page {path} was not changed; the one in the lake may be new.")
        raise
    written = json.loads(answer["Payload"].read() or b"null")
    if "FunctionError" in answer:
        message = written.get("errorMessage", "the function gives no reason")
        raise OpsError(f"The report was not written: {message}")
    s3, source = lake.client("s3"), {"Bucket": written["bucket"], "Key": written["keys"][-1]}
    write_private(path, s3.get_object(**source)["Body"].read())
    terminal.done(
        f"{written['playlists']} playlists, newest snapshot {written['date']}."
        if written["date"]
        else "The lake has no snapshots yet, and the page says so."
    )
    terminal.say("The page, as one file:")
    terminal.exact(str(path))
    if not lake.on_laptop:
        terminal.say("The copy in the lake bucket, for anybody with this link, for up to an hour:")
        terminal.exact(s3.generate_presigned_url("get_object", Params=source, ExpiresIn=LINK_SECONDS))
    if open_browser is not None:
        open_browser(path.as_uri())
