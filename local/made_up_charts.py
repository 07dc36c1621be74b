"""Generates daily charts with a known structure: songs fade, weekends differ, everything grows slowly, and noise.

`python -m local.made_up_charts charts.csv` writes a file for `./lake bulk charts charts.csv`. With it anyone can
repeat the scores in docs/models.md. Nothing in it is real.
"""

from __future__ import annotations

import csv
import datetime as dt
import math
import random
import sys
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

HEADER: Final = ("title", "rank", "date", "artist", "url", "region", "chart", "trend", "streams")
LAST_DAY: Final = dt.date(2021, 12, 31)
WEEKDAYS: Final = (0.0, 0.0, 0.02, 0.05, 0.15, 0.1, -0.1)  # Monday to Sunday, in logarithms of streams
GROWTH: Final = 0.003  # a day
FADES: Final = (0.01, 0.02, 0.04)  # a day, until a song is a few weeks old
FADING_DAYS: Final = 40
NOISE: Final = 0.02


@dataclass(frozen=True)
class Entry:
    """A song in the chart of a region on a day."""

    region: str
    day: dt.date
    rank: int
    song: int
    streams: int


def entries(
    days: int = 105,
    songs: int = 30,
    regions: tuple[str, ...] = ("Global", "Germany", "Mexico"),
    seed: int = 17,
    *,
    structured: bool = True,
) -> Iterator[Entry]:
    """Yield the entries of the last `days` days up to LAST_DAY.

    Parameters
    ----------
    days, songs, regions
        How many days, how many ranks a chart has, and the regions' names.
    seed
        A different seed gives different charts.
    structured
        Without it, streams are a random walk, which no method can forecast better than by today's value.
    """
    draw = random.Random(seed)  # nosec B311 (no secret: it must repeat)
    first = LAST_DAY - dt.timedelta(days=days - 1)
    for region in regions:
        charts: dict[int, list[tuple[int, int]]] = defaultdict(list)
        for song in range(songs + days // 2):
            start = -draw.randrange(60) if song < songs else draw.randrange(days)
            level, fade = 12 + 2 * draw.random(), draw.choice(FADES)
            for day in range(max(0, start), days):
                age, weekday = day - start, (first + dt.timedelta(days=day)).weekday()
                if structured:
                    faded = fade * age * min(1.0, FADING_DAYS / max(age, 1))
                    now = level - faded + GROWTH * day + WEEKDAYS[weekday] + draw.gauss(0, NOISE)
                else:
                    now = level = level + draw.gauss(0, 2 * NOISE)
                charts[day].append((round(math.exp(now)), song))
        for day, found in sorted(charts.items()):
            for rank, (streams, song) in enumerate(sorted(found, reverse=True)[:songs], 1):
                yield Entry(region, first + dt.timedelta(days=day), rank, song, streams)


def write(path: Path) -> int:
    """Write a file in the layout of Kaggle's "Spotify Charts"; return the number of rows."""
    count = 0
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(HEADER)
        for one in entries():
            link = f"https://open.spotify.com/track/{one.song:022d}"
            name, artist = f"Made-up song {one.song}", f"Made-up artist {one.song % 12}"
            writer.writerow(
                (name, one.rank, one.day, artist, link, one.region, "top200", "SAME_POSITION", one.streams)
            )
            count += 1
    return count


if __name__ == "__main__":
    write(Path(sys.argv[1]))
