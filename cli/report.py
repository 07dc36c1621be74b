"""``make report``: have the report written now, fetch the page, and show it."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Final

from cli.stack import Lake, OpsError
from cli.terminal import Terminal

LINK_SECONDS: Final = 3600


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
    answer = lake.client("lambda").invoke(FunctionName=lake.output("ReportFunctionName"), Payload=b"{}")
    written = json.loads(answer["Payload"].read() or b"null")
    if "FunctionError" in answer:
        message = written.get("errorMessage", "the function gives no reason")
        raise OpsError(f"The report was not written: {message}")
    s3, source = lake.client("s3"), {"Bucket": written["bucket"], "Key": written["keys"][-1]}
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(s3.get_object(**source)["Body"].read())
    terminal.done(
        f"{written['playlists']} playlists, newest snapshot {written['date']}."
        if written["date"]
        else "The lake has no snapshots yet, and the page says so."
    )
    terminal.say("The page, as a file that needs nothing else:")
    terminal.exact(str(path))
    if lake.target == "aws":
        terminal.say("The same in the lake bucket, for whoever has this link, for an hour at most:")
        terminal.exact(s3.generate_presigned_url("get_object", Params=source, ExpiresIn=LINK_SECONDS))
    if open_browser is not None:
        open_browser(path.as_uri())
