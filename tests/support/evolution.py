"""Copies of the package spotify_lake in which the tables have changed, as docs/schema-evolution.md describes it."""

import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parents[2]
PACKAGE: Final = Path("layers", "common", "spotify_lake")
GENERATED: Final = ("docs", "examples", "stacks", "queries", "tools", "template.yaml")

type Edits = Mapping[str, Mapping[str, str]]  # file to pieces of it, each with what it becomes

_URL = 'Column("url", Type.STRING, "Link to the song.", "https://open.spotify.com/track/11dF…", _NOT_SENT),'
_SONG_URL = "        _link(song.external_urls),\n"
_ALBUM_ROWS = "            ALBUMS.name: tuple(albums.values()),\n"
_IMPORTED = "    ALBUMS,\n    ARTISTS,\n"
_ALBUM_URL = (
    'Column("url", Type.STRING, "Link to the album.", "https://open.spotify.com/album/0tGP…", _NOT_SENT),'
)
_NO_FOLDER = f"        {_ALBUM_URL}\n    ),\n"
_URI = 'Column("uri", Type.STRING, "Spotify URI of the song.", "spotify:track:11dF…", _NOT_SENT),'

COLUMN_ADDED: Final[Edits] = {
    "schema/playlists.py": {
        _URL: f"{_URL}\n        {_URI}",
    },
    "normalize/rows.py": {_SONG_URL: f"{_SONG_URL}        song.uri,\n"},
}
TWO_VERSIONS: Final[Edits] = {
    "schema/playlists.py": {
        "from typing import Final\n": "from dataclasses import replace\nfrom typing import Final\n",
        "ARTISTS: Final = Table(": """\
ALBUMS_V2: Final = replace(
    ALBUMS,
    name="albums_v2",
    folder="v2/albums",
    columns=tuple(replace(c, type=Type.STRING) if c.name == "release_year" else c for c in ALBUMS.columns),
)

ARTISTS: Final = Table(""",
        "SONGS, ALBUMS, ARTISTS, REJECTS": "SONGS, ALBUMS, ALBUMS_V2, ARTISTS, REJECTS",
    },
    "normalize/rows.py": {
        _IMPORTED: "    ALBUMS,\n    ALBUMS_V2,\n    ARTISTS,\n",
        _ALBUM_ROWS: f"{_ALBUM_ROWS}            ALBUMS_V2.name: [_album_v2(row) for row in albums.values()],\n",
        "def _artist_values(": """\
def _album_v2(row: Row) -> Row:
    at = ALBUMS_V2.column_names.index("release_year")
    return (*row[:at], None if row[at] is None else str(row[at]), *row[at + 1 :])


def _artist_values(""",
    },
}
SWITCHED: Final[Edits] = {
    "schema/playlists.py": {
        'Column("release_year", Type.INT,': 'Column("release_year", Type.STRING,',
        _NO_FOLDER: f'{_NO_FOLDER}    folder="v2/albums",\n',
    },
    "normalize/rows.py": {
        "        release_date and release_date.year,\n": "        release_date and str(release_date.year),\n"
    },
}


def evolved(folder: Path, *changes: Edits) -> Path:
    """Copy what holds and what follows the schema to a folder, change the package there, and generate again.

    Raises
    ------
    AssertionError
        A piece that should change is not there once, or the generator fails.
    """
    for name in (*GENERATED, PACKAGE):
        source, target = ROOT / name, folder / name
        if source.is_dir():
            shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(source, target)
    for edits in changes:
        for name, pieces in edits.items():
            path = folder / PACKAGE / name
            text = path.read_text()
            for old, new in pieces.items():
                assert text.count(old) == 1, f"{name} has {text.count(old)} times: {old}"
                text = text.replace(old, new)
            path.write_text(text)
    assert generate(folder) == 0
    return folder


def generate(folder: Path, *arguments: str) -> int:
    """Run `make schema` in such a copy; return its exit code."""
    environment = os.environ | {"PYTHONPATH": os.pathsep.join((str(folder / PACKAGE.parent), str(folder)))}
    command = [sys.executable, "-m", "tools.schema", *arguments]
    return subprocess.run(command, cwd=folder, env=environment, check=False, capture_output=True).returncode
