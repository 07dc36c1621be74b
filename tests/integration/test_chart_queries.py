"""The queries and the view of the bulk data sets on a small warehouse, against answers computed from its charts.

The charts have missing days, regions that begin at different times, songs that return, stand twice or have no title,
streams that are not known, and weekly charts of the same weeks: see tests/support/charted.py.
"""

import datetime as dt
import itertools
import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import duckdb
import pytest

from local.bulk import questions
from local.sql_dialect import to_duckdb
from queries import queries, used_by, views
from spotify_lake import keys
from spotify_lake.schema.warehouse import WAREHOUSE
from tests.support import charted, lakes
from tests.support.charted import Standing, Track

TABLES = [declared.table.name for declared in WAREHOUSE]
QUERIES = {name: query for name, query in queries().items() if used_by(query.sql, TABLES)}
STANDINGS = charted.standings()
LIMITS = r"(LIMIT|_number <=) \d+"
ALL = 100_000

type Row = tuple[Any, ...]
ANSWERS: dict[str, Callable[..., list[Row]]] = {}


def answers(name: str) -> Callable[[Callable[..., list[Row]]], Callable[..., list[Row]]]:
    """The decorated function computes what a query answers, with its parameters."""

    def register(compute: Callable[..., list[Row]]) -> Callable[..., list[Row]]:
        ANSWERS[name] = compute
        return compute

    return register


def entries(chart: str, region: str | None = None, years: range = range(2017, 2041)) -> list[Standing]:
    return [
        one
        for one in STANDINGS
        if one.chart == chart and one.day.year in years and (region is None or one.region == region)
    ]


def grouped(pairs: Iterable[tuple[Any, Any]]) -> dict[Any, list[Any]]:
    groups: dict[Any, list[Any]] = defaultdict(list)
    for key, value in pairs:
        groups[key].append(value)
    return groups


def text(value: str | None) -> tuple[bool, str]:
    """How a text sorts: null comes last."""
    return value is None, value or ""


def first_of(days: Iterable[dt.date]) -> dt.date | None:
    return min(days, default=None)


@answers("chart_artists")
def _(chart: str = "top200", region: str = "Global", limit: int = 20, **years: Any) -> list[Row]:
    every = entries(chart, region, **years)
    total = sum(one.streams or 0 for one in every)
    rows = []
    for artist, each in grouped((name, one) for one in every for name in one.track.artists).items():
        streams = sum(one.streams for one in each)
        days = {one.day for one in each}
        songs = {one.track for one in each}
        rows.append((artist, streams, streams / total, len(songs), len(days), min(one.rank for one in each)))
    return sorted(rows, key=lambda row: (-row[1], -row[4], row[0]))[:limit]


@answers("chart_artists_by_region")
def _(chart: str = "top200", limit: int = 3, **years: Any) -> list[Row]:
    rows = []
    for region in sorted(charted.REGIONS):
        every = entries(chart, region, **years)
        total = sum(one.streams or 0 for one in every)
        ranked = []
        for artist, each in grouped((name, one) for one in every for name in one.track.artists).items():
            streams = sum(one.streams for one in each)
            ranked.append((artist, streams, streams / total, len({one.track for one in each})))
        ranked.sort(key=lambda row: (-row[1], -row[3], row[0]))
        rows += [(region, number, *row) for number, row in enumerate(ranked[:limit], start=1)]
    return rows


@answers("chart_peaks")
def _(chart: str = "top200", region: str = "Global", limit: int = 50, **years: Any) -> list[Row]:
    rows = []
    for track, each in grouped((one.track, one) for one in entries(chart, region, **years)).items():
        days = {one.day for one in each}
        peak = min(one.rank for one in each)
        at_peak = {one.day for one in each if one.rank == peak}
        reached = min(at_peak)
        waited = (reached - min(days)).days
        rows.append((track, (track.title, track.by, peak, reached, len(at_peak), waited, len(days))))
    # No other song can have had that rank on that day.
    rows.sort(key=lambda row: (row[1][2], -row[1][4], row[1][3]))
    return [row for _, row in rows][:limit]


@answers("chart_stays")
def _(chart: str = "top200", region: str = "Global", limit: int = 50, **years: Any) -> list[Row]:
    every = entries(chart, region, **years)
    charts = sorted({one.day for one in every})
    rows = []
    for track, days in grouped((one.track, one.day) for one in every).items():
        stays: list[list[dt.date]] = []
        for day in charts:
            if day not in days:
                stays.append([])
            else:
                stays = stays or [[]]
                stays[-1].append(day)
        stays = [stay for stay in stays if stay]
        longest = max(stays, key=len)
        weeks = {day.isocalendar()[:2] for day in days}
        row = (track.title, track.by, len(set(days)), len(weeks), min(days), max(days))
        rows.append((track, (*row, charts[0] in days, len(stays), len(longest), longest[0])))
    rows.sort(key=lambda row: (-row[1][2], -row[1][8], row[1][4], text(row[1][0]), row[0].key))
    return [row for _, row in rows][:limit]


@answers("chart_spread")
def _(chart: str = "top200", limit: int = 50, **years: Any) -> list[Row]:
    every = [one for one in entries(chart, **years) if one.region != "Global"]
    begins = {region: min(days) for region, days in grouped((one.region, one.day) for one in every).items()}
    rows = []
    for track, each in grouped((one.track, one) for one in every).items():
        came = {
            region: min((one.day, one.rank) for one in of_region)
            for region, of_region in grouped((one.region, one) for one in each).items()
        }
        order = sorted((day, rank, region) for region, (day, rank) in came.items())
        first = order[0][0]
        half = order[(len(order) + 1) // 2 - 1][0]
        row = (track.title, track.by, len(order), first, sum(day == first for day, *_ in order), order[0][2])
        older = any(day == begins[region] for day, _, region in order)
        peak = min(one.rank for one in each)
        rows.append((track, (*row, (half - first).days, (order[-1][0] - first).days, older, peak)))
    rows.sort(key=lambda row: (-row[1][2], row[1][6], row[1][9], text(row[1][0]), row[0].key))
    return [row for _, row in rows][:limit]


@answers("viral_before_top200")
def _(limit: int = 50, **years: Any) -> list[Row]:
    rows: list[tuple[Track, Row]] = []
    for region in charted.REGIONS:
        top, viral = entries("top200", region, **years), entries("viral50", region, **years)
        for track in {one.track for one in top} & {one.track for one in viral}:
            entered = min(one.day for one in top if one.track == track)
            before = [one for one in viral if one.track == track and one.day < entered]
            if not before or min(one.day for one in top) > (since := min(one.day for one in before)):
                continue
            peak = min(one.rank for one in top if one.track == track)
            row = (region, track.title, track.by, since, entered, (entered - since).days)
            rows.append((track, (*row, min(one.rank for one in before), peak)))
    rows.sort(key=lambda row: (row[1][7], -row[1][5], row[1][0], row[1][4], text(row[1][1]), row[0].key))
    return [row for _, row in rows][:limit]


@answers("viral_share")
def _(**years: Any) -> list[Row]:
    rows = []
    for region in charted.REGIONS:
        top, viral = entries("top200", region, **years), entries("viral50", region, **years)
        if not top or not viral:
            continue
        watched = max(min(one.day for one in top), min(one.day for one in viral))
        entered, ahead = 0, []
        for track in {one.track for one in top}:
            day = min(one.day for one in top if one.track == track)
            if day > watched:
                entered += 1
                since = first_of(one.day for one in viral if one.track == track)
                ahead += [(day - since).days] if since and since < day else []
        if entered:
            average = sum(ahead) / len(ahead) if ahead else None
            rows.append((region, entered, len(ahead), len(ahead) / entered, average))
    return sorted(rows, key=lambda row: (-row[3], -row[1], row[0]))


@answers("genres_by_decade")
def _(limit: int = 5) -> list[Row]:
    rows: list[Row] = []
    for decade in ("1960", "1970", "2010"):
        tagged = [
            (genre, track, artist)
            for track, _, artist, when, genres, *_ in charted.CATALOG
            if when == decade
            for genre in genres
        ]
        total = len({track for _, track, _ in tagged})
        found = []
        for genre, each in grouped((genre, rest) for genre, *rest in tagged).items():
            tracks, artists = {track for track, _ in each}, {artist for _, artist in each}
            found.append((genre, len(tracks), len(tracks) / total, len(artists)))
        found.sort(key=lambda row: (-row[1], -row[3], row[0]))
        rows += [(decade, number, *row) for number, row in enumerate(found[:limit], start=1)]
    return rows


@answers("sound_by_decade")
def _() -> list[Row]:
    def mean(values: Iterable[float | None]) -> float | None:
        known = [value for value in values if value is not None]
        return sum(known) / len(known) if known else None

    rows = []
    for decade in ("1960", "1970", "2010"):
        found = {
            name: (explicit, seconds, danceability)
            for name, _, _, when, _, explicit, seconds, danceability in charted.CATALOG
            if when == decade
        }
        explicit, seconds, danceability = zip(*found.values(), strict=True)
        base = mean(danceability)
        features = [None if base is None else base + number for number in range(len(charted.FEATURES))]
        length = mean(seconds)
        described = sum(value is not None for value in danceability)
        row = (decade, len(found), described, *features, None if length is None else length / 60)
        rows.append((*row, mean(None if value is None else float(value) for value in explicit)))
    return rows


@answers("chart_forecast")
def _(chart: str = "top200", region: str = "Global", limit: int = 50) -> list[Row]:
    if chart != "top200" or region not in ("Global", "Argentina"):
        return []
    tracks = sorted({one.track for one in STANDINGS}, key=lambda one: one.key)[: charted.FORECAST_SONGS]
    rows = [
        (track.title, track.by, 20180115, rank, 8000 - 100 * rank) for rank, track in enumerate(tracks, 1)
    ]
    return [(*row, row[4] - 70, row[4] + 70, "random forest") for row in rows][:limit]


@answers("genres_rising")
def _(limit: int = 30) -> list[Row]:
    return [
        ("pop", 0.4, 0.02, True, 0.01, 40, 0.75),
        ("rap", 0.07, 0.02, True, 0.01, 7, 0.75),
        ("folk", 0.09, -0.01, False, 0.01, 9, 0.75),
    ][:limit]


@answers("model_quality")
def _() -> list[Row]:
    return [
        ("songs.csv", "random forest", "apart", "mae", 0.5, "median", 0.75),
        ("top200", "drift", "apart", "mae", 0.5, "median", 0.75),
    ]


@answers("popularity_surprises")
def _(limit: int = 50) -> list[Row]:
    return [
        (None, "Artist", 100, 40.5, 59.5),
        ("Song 9", "Artist", 90, 40.5, 49.5),
        (None, "Artist", 80, 40.5, 39.5),
        ("Song 7", "Artist", 70, 40.5, 29.5),
    ][:limit]


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> Iterator[duckdb.DuckDBPyConnection]:
    """The warehouse as files in folders: the engine plans conditions on partition columns in a way of its own."""
    folder = tmp_path_factory.mktemp("warehouse")
    with duckdb.connect() as connection:
        written = {}
        for key, data in charted.objects(charted.warehouse()):
            path = folder / key
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)
            table = key.split("/")[1]
            written[table] = f"{folder}/{keys.WAREHOUSE}{table}/**/*.parquet"
        for table, files in written.items():
            view = f"CREATE VIEW {table} AS SELECT * FROM"  # our own names
            connection.execute(f"{view} read_parquet('{files}', hive_partitioning = true)")
        yield connection


def ask(lake: duckdb.DuckDBPyConnection, sql: str) -> list[Row]:
    return lake.execute(to_duckdb(sql, lakes.SCHEMA, views())).fetchall()


def rounded(rows: Iterable[Row]) -> list[Row]:
    return [tuple(round(value, 9) if isinstance(value, float) else value for value in row) for row in rows]


def test_every_query_of_the_warehouse_has_its_answer() -> None:
    assert ANSWERS.keys() == QUERIES.keys()


@pytest.mark.parametrize("name", QUERIES)
def test_a_query_answers_its_question(lake: duckdb.DuckDBPyConnection, name: str) -> None:
    rows = rounded(ask(lake, QUERIES[name].sql))
    assert rows == rounded(ANSWERS[name]())
    assert rows, "nothing was compared"


@pytest.mark.parametrize("name", [name for name, query in QUERIES.items() if re.search(LIMITS, query.sql)])
def test_limits_cut_what_comes_last(lake: duckdb.DuckDBPyConnection, name: str) -> None:
    for limit in (2, ALL):
        rows = rounded(ask(lake, re.sub(LIMITS, rf"\1 {limit}", QUERIES[name].sql)))
        assert rows == rounded(ANSWERS[name](limit=limit))


CHANGES = [
    ("year >= 2017", "year = 2018", {"years": range(2018, 2019)}),
    ("year >= 2017", "year >= 2016", {"years": range(2016, 2041)}),
    ("'top200'", "'top200_weekly'", {"chart": "top200_weekly"}),
    ("'top200'", "'viral50'", {"chart": "viral50"}),
    ("'Global'", "'Argentina'", {"region": "Argentina"}),
    ("'Global'", "'Atlantis'", {"region": "Atlantis"}),
    ("'Global'", "'Denmark'", {"region": "Denmark"}),
]


@pytest.mark.parametrize(
    "name, old, new, changed",
    [
        (name, *change)
        for (name, query), change in itertools.product(QUERIES.items(), CHANGES)
        if change[0] in query.parameters and not (name.startswith("chart_artists") and "viral50" in change[1])
    ],
)
def test_a_parameter_may_be_changed(
    lake: duckdb.DuckDBPyConnection, name: str, old: str, new: str, changed: dict[str, Any]
) -> None:
    rows = rounded(ask(lake, QUERIES[name].sql.replace(old, new)))
    assert rows == rounded(ANSWERS[name](**changed))


def test_the_demo_counts_regions_without_global_and_asks_for_the_genres_of_every_decade(
    lake: duckdb.DuckDBPyConnection,
) -> None:
    asked = {question: ask(lake, sql) for question, sql in questions().items()}
    songs = []
    for track, each in grouped(
        (one.track, one) for one in entries("top200", years=range(2017, 2018))
    ).items():
        elsewhere = [one for one in each if one.region != "Global"]
        if elsewhere:
            regions, peak = len({one.region for one in elsewhere}), min(one.rank for one in elsewhere)
            songs.append((track.title, track.by, regions, peak))
    songs.sort(key=lambda row: (-row[2], row[3], text(row[0])))
    found = asked["Which songs charted in the most regions?"]
    assert [row[2:] for row in found] == [row[2:] for row in songs[:5]]
    assert set(found) <= set(songs)
    genres = asked["Which genres fill the catalog of each decade?"]
    assert rounded(genres) == rounded(ANSWERS["genres_by_decade"](limit=2))
    assert len({decade for decade, *_ in genres}) > 1


def test_the_view_has_every_entry_with_names(lake: duckdb.DuckDBPyConnection) -> None:
    facts = charted.tables(STANDINGS)["fact_chart_entry"]
    wanted = [
        (
            *(one.day.year, one.chart, one.day, one.region, charted.REGIONS[one.region], one.rank),
            *(one.track.title, one.track.by, one.streams, fact["trend"], one.track.id),
        )
        for one, fact in zip(STANDINGS, facts, strict=True)
    ]
    assert sorted(ask(lake, "SELECT * FROM chart_entries"), key=str) == sorted(wanted, key=str)
