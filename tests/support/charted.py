"""A small warehouse for the tests of queries and report: what the charts were, and the same as rows of its tables.

As in tests/support/lakes.py, expected answers are computed from the charts, never from the tables.
"""

import datetime as dt
import io
import random
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from local.spotify_stub.catalog import catalog
from spotify_lake import keys
from spotify_lake.schema.warehouse import WAREHOUSE
from tests.support.lakes import ARROW_TYPES

REGIONS = {
    "Global": "global",
    "Argentina": "ar",
    "Brazil": "br",
    "Chile": "cl",
    "Atlantis": None,
    "Denmark": "dk",
    "Estonia": "ee",
}
CHARTS = {
    "top200": ("Top 200", "daily"),
    "viral50": ("Viral 50", "daily"),
    "top200_weekly": ("Top 200", "weekly"),
    "viral50_weekly": ("Viral 50", "weekly"),
}
SIZES = {"top200": 6, "viral50": 4, "top200_weekly": 5}


@dataclass(frozen=True, order=True)
class Track:
    key: int
    id: str | None
    title: str | None
    artists: tuple[str, ...]

    @property
    def by(self) -> str | None:
        return ", ".join(self.artists) or None


@dataclass(frozen=True)
class Standing:
    """A line of a chart."""

    day: dt.date
    region: str
    chart: str
    rank: int
    track: Track
    streams: int | None


def track(number: int, title: str | None, *artists: str) -> Track:
    """A track whose key, as those of the jobs, says nothing of its order and may be below zero."""
    key = (number * 7919 + 4) % 101 - 50
    return Track(key, f"{number:022}" if title else None, title, artists)


TRACKS = [
    track(0, "Avenida", "Luz"),
    track(1, "Avenida", "Luz"),  # another release of the same name
    track(2, "Bruma", "Luz", "Mar"),
    track(3, "Cielo", "Mar"),
    track(4, "Dulce", "Nube"),
    track(5, "Eco", "Nube", "Luz", "Oro"),
    track(6, "Fuego", "Oro"),
    track(7, None),  # files that say nothing but the link
    track(8, "Gira", "Pez, el"),
    track(9, "Hoy", "Río"),
    track(10, "Isla", "Sol"),
    track(11, "Jade", "Río", "Sol"),
    track(12, "Kilo", "Uva"),
]


# Charts of Denmark and Estonia, in which much is equal: what comes first is settled by what comes next in the order.
TIED = {
    name: track(number, title, artist)
    for number, (name, title, artist) in enumerate(
        [
            *[("L", "Lago", "Zoe"), ("M", "Lago", "Zoe 2"), ("N", "Noche", "Yago"), ("O", "Alba", "Otto")],
            *[("P", "Perla", "Abel"), ("Q", "Queso", "Quim"), ("R", "Risa", "Rosa"), ("T", "Sal", "Tina")],
            *[("S", "Sal", "Sara"), ("U", "Uno", "Zz"), ("V", "Vela", "Zz"), ("W", "Xilo", "Xan")],
            *[("Y", "Yema", "Yuri"), ("Z", "Zumo", "Zeta")],
        ],
        start=20,
    )
}
TIED_CHARTS = {
    ("Estonia", "top200"): ("MQN", "MRS", "MQTY"),
    ("Estonia", "viral50"): ("S", "T", "L"),
    ("Denmark", "top200"): ("LMNUW", "MLOV", "ONPZY"),
    ("Denmark", "viral50"): ("Q", "Q", "Q"),
}


def _tied() -> Iterator[Standing]:
    for (region, chart), days in TIED_CHARTS.items():
        for number, listed in enumerate(days):
            day = dt.date(2017, 2, 20 + number)
            for rank, name in enumerate(listed, start=1):
                streams = None if chart == "viral50" else 200 if name == "P" else 100
                yield Standing(day, region, chart, rank, TIED[name], streams)


def _days(first: dt.date, last: dt.date, without: Iterable[dt.date] = ()) -> list[dt.date]:
    every = [first + dt.timedelta(days=number) for number in range((last - first).days + 1)]
    return [day for day in every if day not in set(without)]


def _daily(chance: random.Random, chart: str, region: str, days: list[dt.date]) -> Iterator[Standing]:
    """Songs enter, move, leave and return; on some days one stands twice."""
    size = SIZES[chart]
    listed = chance.sample(TRACKS, size)
    for day in days:
        for place in chance.sample(range(size), chance.choice([0, 0, 1, 2])):
            listed[place] = chance.choice([one for one in TRACKS if one not in listed])
        if chance.random() < 0.5:
            one, other = chance.sample(range(size), 2)
            listed[one], listed[other] = listed[other], listed[one]
        shown = [*listed[:-1], listed[0]] if chance.random() < 0.1 else listed
        for rank, standing in enumerate(shown, start=1):
            streams = None if chart.startswith("viral") else 10_000 // rank + chance.randrange(500)
            yield Standing(day, region, chart, rank, standing, streams)


def standings() -> list[Standing]:
    """Return all charts.

    The daily ones have gaps and begin at different times, the Viral 50 of Brazil before its Top 200; some days are of
    2016. Weekly ones are of the same weeks. Chile has weekly charts only.
    """
    chance = random.Random(23)
    gaps = [dt.date(2017, 1, 9), dt.date(2017, 2, 3), dt.date(2017, 2, 4)]
    last = dt.date(2017, 3, 3)
    found: list[Standing] = []
    for region, top200, viral50 in (
        ("Global", dt.date(2016, 12, 28), dt.date(2016, 12, 30)),
        ("Argentina", dt.date(2017, 1, 1), dt.date(2017, 1, 20)),
        ("Brazil", dt.date(2017, 2, 10), dt.date(2017, 1, 2)),
        ("Atlantis", dt.date(2017, 1, 15), dt.date(2017, 1, 15)),
    ):
        found += _daily(chance, "top200", region, _days(top200, last, gaps))
        found += _daily(chance, "viral50", region, _days(viral50, last, gaps[:2]))
    weeks = [dt.date(2017, 1, 5) + dt.timedelta(days=7 * number) for number in range(9) if number != 4]
    for region in ("Global", "Brazil", "Chile"):
        found += _daily(chance, "top200_weekly", region, weeks)
    found += _daily(chance, "top200", "Argentina", [dt.date(2018, 1, 1), dt.date(2018, 1, 2)])
    return [*found, *_tied()]


WAVE_REGIONS = (
    *(
        "Global",
        "Argentina",
        "Australia",
        "Brazil",
        "Canada",
        "Chile",
        "Finland",
        "France",
        "Germany",
        "Italy",
        "Japan",
    ),
    *("Mexico", "Poland", "Spain", "Sweden", "Turkey", "United Kingdom", "United States"),
)


def waves(
    *,
    days: int = 90,
    size: int = 40,
    tracks: int = 160,
    regions: Iterable[str] = WAVE_REGIONS,
    last: dt.date = dt.date(2021, 12, 31),
) -> Iterator[Standing]:
    """Charts of real songs in which each rises, spreads from region to region, and falls; most are viral first."""
    pool = [
        Track(number, song.id, song.name, tuple(dict.fromkeys(artist.name for artist in song.artists)))
        for number, song in enumerate(catalog().recordings[:tracks])
    ]
    chance = random.Random(3)
    begins = {one: chance.randrange(-120, days) for one in pool}
    lengths = {one: chance.randrange(30, 160) for one in pool}
    for region in regions:
        delays = {one: 0 if region == "Global" else chance.randrange(0, 30) for one in pool}
        taste = {one: chance.uniform(0.2, 1) for one in pool}
        for number in range(days):
            day = last - dt.timedelta(days=days - 1 - number)
            heats, rises = {}, {}
            for one in pool:
                age = (number - begins[one] - delays[one]) / lengths[one]
                if 0 <= age <= 1:
                    heats[one] = taste[one] * (min(1, age * 4) if age < 0.25 else (1 - age) / 0.75)
                if -0.08 <= age <= 0.1 and one.key % 3:
                    rises[one] = taste[one]
            for chart, scores, most in (("top200", heats, size), ("viral50", rises, size // 3)):
                ranked = sorted(scores, key=lambda one: (-scores[one], one.key))[:most]
                for rank, one in enumerate(ranked, start=1):
                    streams = int(4_000_000 * scores[one] / rank**0.4) if chart == "top200" else None
                    yield Standing(day, region, chart, rank, one, streams)


def region_key(name: str) -> int:
    return -int.from_bytes(name.encode()[:7])


def chart_key(name: str) -> int:
    return 9_000_000_000_000_000_000 + list(CHARTS).index(name)


def artist_key(name: str) -> int:
    return -int.from_bytes(name.lower().encode()[:7])


def date_key(day: dt.date) -> int:
    return day.year * 10000 + day.month * 100 + day.day


def tables(found: Iterable[Standing]) -> dict[str, list[dict[str, Any]]]:
    """Return the rows that the warehouse has of charts, by table."""
    found = list(found)
    trends = ("MOVE_UP", "MOVE_DOWN", "SAME_POSITION", "NEW_ENTRY", None)
    facts = [
        {
            "date_key": date_key(one.day),
            "region_key": region_key(one.region),
            "chart_key": chart_key(one.chart),
            "rank": one.rank,
            "track_key": one.track.key,
            "streams": one.streams,
            "trend": trends[(one.day.day + one.rank) % 5],
            "year": one.day.year,
            "chart": one.chart,
        }
        for one in found
    ]
    tracks = sorted({one.track for one in found}, key=lambda one: one.key)
    names = {name for one in tracks for name in one.artists}
    return {
        "fact_chart_entry": facts,
        "dim_track": [
            {"track_key": one.key, "track_id": one.id, "title": one.title, "artist": one.by} for one in tracks
        ],
        "dim_artist": [{"artist_key": artist_key(name), "name": name} for name in names],
        "bridge_track_artist": [
            {"track_key": one.key, "artist_key": artist_key(name), "position": position}
            for one in tracks
            for position, name in enumerate(one.artists, start=1)
        ],
        "dim_region": [
            {"region_key": region_key(name), "name": name, "region_code": REGIONS.get(name)}
            for name in dict.fromkeys([*REGIONS, *(one.region for one in found)])
        ],
        "dim_chart": [
            {"chart_key": chart_key(name), "chart": name, "title": title, "period": period}
            for name, (title, period) in CHARTS.items()
        ],
        "dim_date": [
            {"date_key": date_key(day), "date": day, "year": day.year} for day in {one.day for one in found}
        ],
    }


CATALOG = [
    # track, album, artist, decade, genres, explicit, seconds, danceability or no features
    ("t1", "a1", "x", "1960", ["soul", "pop"], True, 120, 0.5),
    ("t1", "a2", "x", "1960", ["soul", "pop"], True, 120, 0.5),
    ("t1", "a3", "x", "1970", ["soul", "pop"], True, 120, 0.5),
    ("t2", "a1", "x", "1960", ["soul", "pop"], False, 180, None),
    ("t2", "a1", "y", "1960", ["funk"], False, 180, None),
    ("t3", "a4", "y", "1960", ["funk"], None, None, 0.75),
    ("t4", "a4", "z", "1960", [], True, 200, 0.25),
    ("t5", "a5", "z", "2010", [], False, 300, None),
    ("t6", "a6", "w", "2010", ["pop", "indie", "folk", "jazz", "rap", "house"], False, 240, 0.9),
    ("t6", "a6", "v", "2010", ["rap", "house"], False, 240, 0.9),
    ("t7", "a7", "w", "1940", ["pop"], True, 100, 0.1),
    ("t8", "a8", "w", "unknown", ["pop"], True, 100, 0.1),
]


def catalog_rows() -> list[dict[str, Any]]:
    """Return rows of track_catalog, in which other features follow from danceability."""
    rows = []
    for name, album, artist, decade, genres, explicit, seconds, danceability in CATALOG:
        row = {"track_id": name, "album_id": album, "artist_id": artist, "release_decade": decade}
        row |= {"genres": genres, "is_explicit": explicit, "duration_ms": seconds and seconds * 1000}
        for number, feature in enumerate(FEATURES):
            row[feature] = None if danceability is None else danceability + number
        rows.append(row)
    return rows


FEATURES = ("danceability", "energy", "valence", "acousticness", "loudness", "tempo")


def warehouse() -> dict[str, list[dict[str, Any]]]:
    """Return the rows of all tables that queries read."""
    return tables(standings()) | {"track_catalog": catalog_rows()} | modelled()


FORECAST_SONGS = 4


def modelled() -> dict[str, list[dict[str, Any]]]:
    """Return what the models' jobs found, in round numbers."""
    tracks = sorted({one.track for one in standings()}, key=lambda one: one.key)[:FORECAST_SONGS]
    forecasts = [
        {
            "made_key": made,
            "date_key": made + horizon,
            "horizon": horizon,
            "region_key": region_key(region),
            "track_key": track.key,
            "method": "random forest",
            "streams": streams,
            "streams_low": streams - 10 * horizon,
            "streams_high": streams + 10 * horizon,
            "rank": rank,
            "rank_best": rank,
            "rank_worst": rank + 1,
            "chart": "top200",
        }
        for made in (20180101, 20180108)
        for region in ("Global", "Argentina")
        for horizon in range(1, 8)
        for rank, track in enumerate(tracks, 1)
        for streams in [made % 100 * 1000 - 100 * rank]
    ]
    genres = [
        {
            "month": month,
            "genre": genre,
            "streams": 1000,
            "share": artists / 100,
            "growth": None,
            "change": change,
            "p_value": 0.01,
            "is_rising": change > 0,
            "artists": artists,
            "coverage": 0.75,
        }
        for month in (201712, 201801)
        for genre, change, artists in (
            ("pop", 0.02, 40),
            ("folk", -0.01, 9),
            ("polka", 0.5, 2),
            ("rap", 0.02, 7),
        )
    ]
    songs = [
        {
            "data": "songs.csv",
            "song_id": f"s{number}",
            "track_name": f"Song {number}" if number % 2 else None,
            "artist": "Artist",
            "popularity": 10 * number,
            "predicted": 40.5,
            "predicted_low": 20.0,
            "predicted_high": 60.0,
            "fold": number % 5,
        }
        for number in range(11)
    ]
    scores = [
        {
            "model": model,
            "data": data,
            "split": "apart",
            "horizon": horizon,
            "metric": metric,
            "value": 0.5,
            "baseline": baseline,
            "baseline_value": 0.75 if baseline else None,
            "job": job,
        }
        for job, model, data in (
            ("popularity", "random forest", "songs.csv"),
            ("forecast", "drift", "top200"),
        )
        for horizon in (None, 7)
        for metric, baseline in (("mae", "median"), ("importance of energy", "unchanged"), ("coverage", None))
    ]
    return {
        "chart_forecasts": forecasts,
        "genre_trends": genres,
        "popularity_predictions": songs,
        "model_scores": scores,
    }


def objects(rows_of: Mapping[str, list[dict[str, Any]]]) -> Iterator[tuple[str, bytes]]:
    """Return key and Parquet of what the jobs would write of the rows of some tables."""
    for declared in WAREHOUSE:
        table, partition_names = declared.table, [partition.column.name for partition in declared.partitions]
        schema = pa.schema([(column.name, ARROW_TYPES[column.type]) for column in table.columns])
        parts: dict[tuple[str, ...], list[dict[str, Any]]] = defaultdict(list)
        for row in rows_of.get(table.name, []):
            parts[tuple(f"{key}={row[key]}" for key in partition_names)].append(row)
        for part, rows in parts.items():
            buffer = io.BytesIO()
            pq.write_table(pa.Table.from_pylist(rows, schema=schema), buffer, compression="zstd")
            yield keys.WAREHOUSE + "/".join((table.name, *part, "part.parquet")), buffer.getvalue()
