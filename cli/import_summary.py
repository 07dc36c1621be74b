"""Says what became of the plays of an import: from play_files, play_rejects and the view listening."""

from __future__ import annotations

import io
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

import pyarrow.parquet as pq
from botocore.exceptions import BotoCoreError, ClientError

from cli import athena, catalog
from cli.aws import sentence
from cli.import_report import counted
from spotify_lake import keys
from spotify_lake.errors import LakeError
from spotify_lake.raw import store
from spotify_lake.schema.listening import PLAY_FILES, PLAY_REJECTS

if TYPE_CHECKING:
    from cli.import_plays import ImportedFile
    from cli.stack import Lake
    from cli.terminal import Terminal
    from spotify_lake.athena import Athena
    from spotify_lake.normalize.plays import PlayTables

VIEW: Final = "listening"
READERS: Final = 8
BAR: Final = 30  # characters of the year with most plays
TIMEOUT_S: Final = 300.0


@dataclass
class Fate:
    """What became of the rows of some files.

    Attributes
    ----------
    files
        Their number.
    rows, plays
        Rows of the files, and those in plays.
    rejects
        Rows in play_rejects by reason.
    times
        The first and the last moments of the files' plays, UTC.
    """

    files: int = 0
    rows: int = 0
    plays: int = 0
    rejects: Counter[str] = field(default_factory=Counter)
    times: list[datetime] = field(default_factory=list)

    def add(self, file: Mapping[str, Any], rejects: Iterable[str]) -> None:
        """Add a row of play_files and the reasons of the file's rejects."""
        self.files += 1
        self.rows += file["row_count"]
        self.plays += file["play_count"]
        self.rejects.update(rejects)
        self.times += filter(None, (file["first_played_at"], file["last_played_at"]))


def dry(tables: Sequence[PlayTables]) -> Fate:
    """Return what would become of files."""
    fate, reason = Fate(), PLAY_REJECTS.column_names.index("reason")
    for each in tables:
        file = dict(zip(PLAY_FILES.column_names, each.files[0], strict=True))
        fate.add(file, (str(row[reason]) for row in each.rejects))
    return fate


def gather(lake: Lake, files: Sequence[ImportedFile]) -> Fate:
    """Read what became of files that are in the tables; the others are left out."""
    s3, bucket = lake.client("s3"), lake.output("LakeBucketName")
    fate = Fate()

    def rows_of(digest: str) -> tuple[list[dict[str, Any]], list[str]]:
        body = store.get(s3, bucket, keys.plays_key(PLAY_FILES.prefix, digest))
        if body is None:
            return [], []
        rows: list[dict[str, Any]] = pq.read_table(io.BytesIO(body)).to_pylist()
        if not any(row["reject_count"] for row in rows):
            return rows, []
        body = store.get(s3, bucket, keys.plays_key(PLAY_REJECTS.prefix, digest)) or b""
        rejects = pq.read_table(io.BytesIO(body), columns=["reason"])
        return rows, rejects.column("reason").to_pylist()

    with ThreadPoolExecutor(READERS) as readers:
        for rows, rejects in readers.map(rows_of, [file.digest for file in files]):
            for row in rows:
                fate.add(row, rejects)
    return fate


def show(terminal: Terminal, fate: Fate, *, is_new: bool, is_dry: bool = False) -> str:
    """Show what became of the rows of files; return what is wrong, in a sentence."""
    if not fate.files:
        return ""
    span = f" from {min(fate.times):%Y-%m-%d} to {max(fate.times):%Y-%m-%d}" if fate.times else ""
    plays = f"{counted(fate.plays, 'play')}{span}"
    if is_dry:
        terminal.done(f"{plays} would be imported.")
    elif is_new:
        terminal.done(f"{plays} are in the tables.")
    else:
        terminal.done(f"Nothing new: the lake has all of these files, with {plays}.")
    terminal.detail(f"rows      {fate.rows:,} = {fate.plays:,} in plays + {fate.rejects.total():,} rejected")
    for reason, number in sorted(fate.rejects.items()):
        terminal.detail(f"rejected  {number:,} {reason}")
    lost = fate.rows - fate.plays - fate.rejects.total()
    if lost:
        return f"{counted(lost, 'row')} of the files are neither in plays nor in play_rejects."
    if not fate.rejects:
        return ""
    rejected = counted(fate.rejects.total(), "row")
    return f"{rejected} could not become a play: the table play_rejects has each with its reason."


def show_listening(lake: Lake, terminal: Terminal, files: Sequence[ImportedFile]) -> None:
    """Show what the lake knew of the files' plays before, and all it has now; without the view, show nothing."""
    try:
        if VIEW not in catalog.relations(lake):
            return
        asked = athena.connect(lake)
        new = [keys.raw_export_key(file.digest) for file in files if file.is_new]
        if new:
            _show_known(asked, terminal, new)
        _show_all(asked, terminal)
    except (LakeError, BotoCoreError, ClientError) as error:
        why = str(error) if isinstance(error, LakeError) else sentence(error)
        terminal.warn(f"The view {VIEW} could not be read, so years and hours are not shown. {why}")


def _show_known(asked: Athena, terminal: Terminal, new: Sequence[str]) -> None:
    among = ", ".join(f"'{key}'" for key in new)
    [(rows, plays, known)] = asked.run(
        f"""
        SELECT coalesce(sum(mine.number), 0), count(*), count(other.play_id)
        FROM (
            SELECT play_id, count(*) AS number FROM plays WHERE source_object IN ({among}) GROUP BY play_id
        ) AS mine
        LEFT JOIN (
            SELECT DISTINCT play_id FROM plays WHERE source_object NOT IN ({among})
        ) AS other ON other.play_id = mine.play_id
        """,  # noqa: S608  # nosec B608 (keys that this program made)
        TIMEOUT_S,
    ).rows
    terminal.detail(f"known     {known:,} of them were in the lake already, in other files")
    twice = _number(rows) - _number(plays)
    if twice:
        terminal.detail(f"twice     {twice:,} are in two of the files: each counts once")


def _show_all(asked: Athena, terminal: Terminal) -> None:
    """Show the whole listening history by year."""
    [(rows, plays, replaced)] = asked.run(
        f"""
        SELECT (SELECT count(*) FROM plays), count(*), count(replaced_by)
        FROM {VIEW}
        """,  # noqa: S608  # nosec B608 (a constant)
        TIMEOUT_S,
    ).rows
    years = asked.run(
        f"""
        SELECT
            year(heard_at) AS listened_year,
            count(*) AS plays,
            coalesce(sum(listened_ms), 0) / 3600000 AS hours,
            count(DISTINCT CASE WHEN kind IN ('song', 'video') THEN lower(artist_name || ' / ' || name) END) AS songs
        FROM {VIEW}
        WHERE is_counted
        GROUP BY GROUPING SETS ((year(heard_at)), ())
        ORDER BY 1
        """,  # noqa: S608  # nosec B608 (a constant)
        TIMEOUT_S,
    ).rows
    total = next((row for row in years if row[0] is None), None)
    if total is None:
        return
    terminal.done(f"Everything you listened to: {_figures(total)}.")
    counts = [row for row in years if row[0] is not None]
    most = max(_number(row[1]) for row in counts)
    for row in counts:
        bar = "█" * max(1, round(BAR * _number(row[1]) / most))
        terminal.detail(f"{row[0]}  {row[1]:>8,} plays  {row[2]:>6,} h  {row[3]:>7,} songs  {bar}")
    duplicates = _number(rows) - _number(plays)
    terminal.detail(
        f"{rows:,} rows in plays = {total[1]:,} counted + {replaced:,} replaced by a better source"
        f" + {duplicates:,} in several files"
    )


def _figures(row: Sequence[Any]) -> str:
    _, plays, hours, songs = row
    return f"{counted(plays, 'play')}, {counted(hours, 'hour')}, {counted(songs, 'song')}"


def _number(value: object) -> int:
    return value if isinstance(value, int) else 0
