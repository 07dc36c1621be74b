"""Reports what became of an import's plays, from play_files, play_rejects and the view listening."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

from botocore.exceptions import BotoCoreError, ClientError
from msgspec import Struct

from cli import athena, catalog, objects
from cli.aws import sentence
from cli.import_report import counted
from spotify_lake import keys
from spotify_lake.athena import Question
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
BAR: Final = 30  # characters for the year with the most plays

# "among" are the raw objects that the import wrote.
_KNOWN: Final = """
SELECT count(other.play_id) AS known, coalesce(sum(mine.plays), 0) - count(*) AS repeated
FROM (
    SELECT play_id, count(*) AS plays FROM plays WHERE source_object IN ({among}) GROUP BY play_id
) AS mine
LEFT JOIN (
    SELECT DISTINCT play_id FROM plays WHERE source_object NOT IN ({among})
) AS other ON other.play_id = mine.play_id
"""
_YEARS: Final = f"""
SELECT
    year(heard_at) AS listened_year,
    count(*) AS plays,
    CAST(round(coalesce(sum(listened_ms), 0) / 3600000.0) AS bigint) AS hours,
    count(DISTINCT CASE WHEN kind IN ('song', 'video') THEN coalesce(lower(artist_name || ' / ' || name), uri) END)
        AS songs
FROM {VIEW}
WHERE is_counted
GROUP BY GROUPING SETS ((year(heard_at)), ())
ORDER BY 1
"""  # noqa: S608  # nosec B608 (a constant)
_ROWS: Final = f"""
SELECT
    (SELECT count(*) FROM plays) AS stored,
    coalesce(sum(CASE WHEN is_counted THEN 1 ELSE 0 END), 0) AS counted,
    count(replaced_by) AS replaced
FROM {VIEW}
"""  # noqa: S608  # nosec B608 (a constant)


class _Known(Struct):
    """How many plays were known, and how many rows repeat others of the import."""

    known: int
    repeated: int


class _Year(Struct):
    """What was heard in a year, or in all years if listened_year is None."""

    listened_year: int | None
    plays: int
    hours: int
    songs: int


class _Rows(Struct):
    """Rows in plays, and what they are in the view."""

    stored: int
    counted: int
    replaced: int


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
    """Return what would become of the files' rows."""
    fate, reason = Fate(), PLAY_REJECTS.column_names.index("reason")
    for each in tables:
        file = dict(zip(PLAY_FILES.column_names, each.files[0], strict=True))
        fate.add(file, (str(row[reason]) for row in each.rejects))
    return fate


def gather(lake: Lake, files: Sequence[ImportedFile]) -> Fate:
    """Read what became of the files' rows; files that are not in the tables yet are left out."""
    s3, bucket = lake.client("s3"), lake.output("LakeBucketName")
    fate = Fate()

    def rows_of(digest: str) -> tuple[list[dict[str, Any]], list[str]]:
        body = store.get(s3, bucket, keys.plays_key(PLAY_FILES.prefix, digest))
        if body is None:
            return [], []
        rows = objects.read_rows(body, PLAY_FILES.column_names)
        if not any(row["reject_count"] for row in rows):
            return rows, []
        body = store.get(s3, bucket, keys.plays_key(PLAY_REJECTS.prefix, digest)) or b""
        return rows, [row["reason"] for row in objects.read_rows(body, ["reason"])]

    with ThreadPoolExecutor(READERS) as readers:
        for rows, rejects in readers.map(rows_of, [file.digest for file in files]):
            for row in rows:
                fate.add(row, rejects)
    return fate


def show(terminal: Terminal, fate: Fate, *, is_new: bool, is_dry: bool = False) -> str:
    """Show what became of the files' rows; return a sentence about what is wrong, empty if nothing is."""
    if not fate.files:
        return ""
    span = f" from {min(fate.times):%Y-%m-%d} to {max(fate.times):%Y-%m-%d}" if fate.times else ""
    plays = f"{counted(fate.plays, 'play')}{span}"
    if is_dry:
        terminal.done(f"{plays} would be imported.")
    elif is_new:
        terminal.done(f"{plays} {'is' if fate.plays == 1 else 'are'} in the tables.")
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
    """Show which plays the lake knew before, and everything it has now; without the view, show nothing."""
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
    [found] = asked.ask(Question("plays that were known", _KNOWN.format(among=among), _Known))
    terminal.detail(f"known     {found.known:,} of them were in the lake already, in other files")
    if found.repeated:
        terminal.detail(f"twice     {found.repeated:,} are in two of the files: each counts once")


def _show_all(asked: Athena, terminal: Terminal) -> None:
    """Show the whole listening history by year."""
    years = asked.ask(Question("plays by year", _YEARS, _Year))
    total = next((year for year in years if year.listened_year is None), None)
    if total is None:
        return
    plays, hours, songs = (
        counted(number, noun)
        for number, noun in ((total.plays, "play"), (total.hours, "hour"), (total.songs, "song"))
    )
    terminal.done(f"Everything you listened to: {plays}, {hours}, {songs}.")
    most = max(year.plays for year in years if year is not total)
    for year in years:
        if year is not total:
            bar = "█" * max(1, round(BAR * year.plays / most))
            figures = f"{year.plays:>8,} plays  {year.hours:>6,} h  {year.songs:>7,} songs"
            terminal.detail(f"{year.listened_year}  {figures}  {bar}")
    [found] = asked.ask(Question("rows of plays", _ROWS, _Rows))
    terminal.detail(
        f"{found.stored:,} rows in plays = {found.counted:,} counted + {found.replaced:,} replaced by a better source"
        f" + {found.stored - found.counted - found.replaced:,} in several files"
    )
