"""Two archives with a made-up person's plays, as Spotify's privacy page offers them: for the demo.

One has the extended streaming history, the other the account data of the last year, so the same plays are in both.
"""

from __future__ import annotations

import datetime as dt
import io
import json
import zipfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Final

from local import private
from local.made_up_listening import Listener, account_files, extended_files, history

YEARS: Final = 3
PLAYS_A_DAY: Final = 25
ACCOUNT_DAYS: Final = 365  # that account data has
EXTENDED: Final = "my_spotify_data_extended.zip"
ACCOUNT: Final = "my_spotify_data_account.zip"
# Beside the plays, as in every such archive.
READ_ME: Final = "ReadMeFirst_ExtendedStreamingHistory.pdf"
PAYMENTS: Final = "Payments.json"
_MADE: Final = (1980, 1, 1, 0, 0, 0)  # of each file: equal content gives equal archives


def write(folder: Path, last_day: dt.date) -> list[Path]:
    """Write the two archives.

    Parameters
    ----------
    folder
        Where.
    last_day
        The last day with plays. The first is the 1st of January three years earlier, so a history that ends a day later
        has a day more and is otherwise the same, but for a few plays offline.

    Returns
    -------
    list of Path
        The archives.
    """
    rows = list(history(listener(last_day)))
    extended = {READ_ME: b"%PDF-1.4\n%%EOF\n"} | _as_json(extended_files(rows))
    since = last_day - dt.timedelta(days=ACCOUNT_DAYS)
    account = {PAYMENTS: b"{}"} | _as_json(account_files(rows, since).items())
    archives = {
        EXTENDED: _zip("Spotify Extended Streaming History", extended),
        ACCOUNT: _zip("Spotify Account Data", account),
    }
    for name, data in archives.items():
        private.write(folder / name, data)
    return [folder / name for name in archives]


def listener(last_day: dt.date) -> Listener:
    """Return whose history it is."""
    first = dt.date(last_day.year - YEARS, 1, 1)
    return Listener(PLAYS_A_DAY * ((last_day - first).days + 1), first, last_day)


def _as_json(files: Iterable[tuple[str, list[dict[str, Any]]]]) -> dict[str, bytes]:
    return {name: json.dumps(rows, indent=2, ensure_ascii=False).encode() for name, rows in files}


def _zip(folder: str, files: Mapping[str, bytes]) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        for name, data in files.items():
            archive.writestr(zipfile.ZipInfo(f"{folder}/{name}", _MADE), data, zipfile.ZIP_DEFLATED)
    return packed.getvalue()
