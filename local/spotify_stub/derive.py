"""Derive ``songs.csv`` from the public TidyTuesday data set ``spotify_songs.csv`` (2020-01-21, CC0).

``python -m local.spotify_stub.derive spotify_songs.csv`` rewrites ``songs.csv``, which the stub reads. The source may
be gzipped.
"""

import argparse
import csv
import gzip
import re
import sys
import unicodedata
from collections.abc import Iterable, Iterator
from pathlib import Path

from local.spotify_stub.catalog import ARTIST_SEPARATOR, COLUMNS, SONGS_FILE

Row = dict[str, str]

GUESTS = re.compile(
    r"[(\[]\s*(?:(with)|[^()\[\]]*?\b(?:feat\.|ft\.|feat|ft|featuring))\s+([^)\]]+)[)\]]", re.IGNORECASE
)
COARSE = re.compile(r"\*\*|n[i*]gg|f[a*]g+ot|fuck|bitch|\bshit|pussy|\bhoes?\b", re.IGNORECASE)
POPULAR = 78
COLLABORATION_POPULAR = 69
YEAR_ONLY_POPULAR = 66
RELEASED_ONCE_MORE = 12


def name_key(name: str) -> str:
    """Return a key that ignores differences in spelling: ``J. Balvin`` and ``J Balvin`` both give ``jbalvin``."""
    return re.sub(r"\W", "", unicodedata.normalize("NFKD", name)).casefold() or name


def split_names(text: str, known: dict[str, str]) -> list[str]:
    """Split a list of guests into artist names.

    Commas and ampersands separate artists, unless the whole is the name of an artist in the data
    (``Zion & Lennox``).

    Parameters
    ----------
    text
        The text after "feat." or "with" in a title, for example ``"Selena Gomez, Ozuna & Cardi B"``.
    known
        Names of artists by their `name_key`; names found there are returned in that spelling.

    Returns
    -------
    list of str
        At least one name, in the order in which the title has them.
    """
    pieces = re.split(r"(\s*,\s+(?:feat\.\s+)?|\s+&\s+|\s+and\s+|\s+feat\.\s+)", text.strip())
    names = []
    start = 0
    while start < len(pieces):
        end = next(
            (
                stop
                for stop in range(len(pieces), start, -2)
                if name_key("".join(pieces[start:stop])) in known
            ),
            start + 1,
        )
        name = "".join(pieces[start:end])
        person, _, band = name.partition(" of ")
        if name_key(band) in known and name_key(name) not in known:
            name = person
        names.append(known.get(name_key(name), name))
        start = end + 1
    return names


def artists_of(title: str, artist: str, known: dict[str, str]) -> list[str]:
    """Return the artists of a song: the main artist, then the guests named in the title."""
    artists = [artist]
    for word, text in GUESTS.findall(title):
        guests = split_names(text, known)
        if word and name_key(guests[0]) not in known:
            continue  # "(with a little help)" is not about an artist
        artists += [guest for guest in guests if guest not in artists]
    return artists


def read(path: Path) -> list[Row]:
    """Read the source: one row per track id, without incomplete rows, the most popular songs first."""
    opener = gzip.open if path.suffix == ".gz" else open
    with opener(path, "rt", encoding="utf-8", newline="") as file:
        rows = {row["track_id"]: row for row in csv.DictReader(file) if complete(row)}
    return sorted(rows.values(), key=lambda row: (-int(row["track_popularity"]), row["track_id"]))


def complete(row: Row) -> bool:
    """Return whether a row has all names, and none of them is offensive or breaks the file format."""
    texts = (row["track_name"], row["track_artist"], row["track_album_name"])
    return all(text not in ("", "NA") and not COARSE.search(text) for text in texts) and not any(
        ARTIST_SEPARATOR in text for text in texts[:2]
    )


def choose(rows: Iterable[Row], known: dict[str, str]) -> Iterator[Row]:
    """Choose the songs of the catalog.

    These are popular songs, collaborations, songs with only a month or year of release, and a few songs that were
    released twice (same title and artist, different ids).
    """
    versions: dict[tuple[str, str], int] = {}
    released_again = 0
    for row in rows:
        popularity = int(row["track_popularity"])
        recording = (name_key(row["track_name"]), name_key(row["track_artist"]))
        seen = versions.get(recording, 0)
        if seen:
            if seen > 1 or released_again == RELEASED_ONCE_MORE:
                continue
            released_again += 1
        artists = artists_of(row["track_name"], row["track_artist"], known)
        date = row["track_album_release_date"]
        if (
            popularity >= POPULAR
            or (len(artists) > 1 and popularity >= COLLABORATION_POPULAR)
            or (len(date) == len("1981") and popularity >= YEAR_ONLY_POPULAR)
            or (len(date) == len("1981-12") and popularity > 0)
        ):
            versions[recording] = seen + 1
            yield {
                "song_id": row["track_id"],
                "name": row["track_name"],
                "artists": ARTIST_SEPARATOR.join(artists),
                "album_id": row["track_album_id"],
                "album": row["track_album_name"],
                "release_date": date,
                "duration_ms": row["duration_ms"],
                "popularity": row["track_popularity"],
                "genre": row["playlist_genre"],
            }


def main(argv: list[str] | None = None) -> int:
    """Write ``songs.csv`` from the file named on the command line."""
    parser = argparse.ArgumentParser(prog="python -m local.spotify_stub.derive", description=__doc__)
    parser.add_argument(
        "source", type=Path, help="spotify_songs.csv of TidyTuesday 2020-01-21, plain or gzipped"
    )
    parser.add_argument(
        "--to", type=Path, default=SONGS_FILE, help="where to write (default: the stub's songs.csv)"
    )
    options = parser.parse_args(argv)
    rows = read(options.source)
    known = {name_key(row["track_artist"]): row["track_artist"] for row in reversed(rows)}
    songs = sorted(choose(rows, known), key=lambda song: song["song_id"])
    with options.to.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, COLUMNS, lineterminator="\n")
        writer.writeheader()
        writer.writerows(songs)
    sys.stdout.write(f"{len(songs)} songs written to {options.to}\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
