"""The charts on the page, against what plain Python finds in the charts of tests/support/charted.py."""

import datetime as dt
from collections import defaultdict
from dataclasses import replace

import pytest
import sqlglot
from sqlglot import exp

from spotify_lake.report import charts
from spotify_lake.report.charts import EPOCH, FOLDER, Found, find
from spotify_lake.report.run import ask_charts
from spotify_lake.schema.warehouse import CHARTS, WAREHOUSE
from tests.support import charted
from tests.support.lake_in_memory import FakeAthenaClient, Lake

ALL_DAYS = 730
STANDINGS = charted.standings()
TABLES = {declared.table.name for declared in WAREHOUSE}


def key(year, chart, name="month-202112.parquet"):
    return f"{FOLDER}year={year}/chart={chart}/{name}"


def shown(standings, days=ALL_DAYS):
    lake = Lake()
    lake.add_charts(standings)
    return lake.charts(days)


def epoch_day(date):
    return (date - EPOCH).days


def grouped(pairs):
    groups = defaultdict(list)
    for name, value in pairs:
        groups[name].append(value)
    return groups


def entries(chart="top200"):
    return [one for one in STANDINGS if one.chart == chart]


def name_of(track):
    return track.title, track.by


@pytest.fixture(scope="module")
def lake():
    lake = Lake()
    lake.add_charts(STANDINGS)
    return lake


@pytest.fixture(scope="module")
def content(lake):
    return lake.charts(ALL_DAYS)


# --- Which chart ---


@pytest.mark.parametrize(
    "keys, found",
    [
        ([], None),
        ([f"{FOLDER}_temporary/part-0.parquet", key(2021, "top1000")], None),
        ([key(2021, "top200"), key(2021, "viral50")], Found("top200", "viral50", 2021)),
        ([key(2021, "top200"), key(2020, "viral50")], Found("top200", "viral50", 2021)),
        ([key(2021, "top200_weekly"), key(2021, "top200")], Found("top200", None, 2021)),
        (
            [key(2021, "top200"), key(2021, "viral50"), key(2024, "top200_weekly")],
            Found("top200_weekly", None, 2024),
        ),
        ([key(2019, "viral50_weekly")], Found("viral50_weekly", None, 2019)),
    ],
)
def test_the_chart_that_ends_last_is_shown(keys, found):
    assert find(keys) == found


def unlisted():
    """Keys that nobody may list."""
    raise AssertionError("they were listed")
    yield


def test_a_lake_without_charts_is_asked_nothing():
    class Silent(FakeAthenaClient):
        def start_query_execution(self, **_):
            raise AssertionError("it was asked")

    lake = Lake()
    athena = lake.athena()
    athena._client = Silent(lake.connection)
    assert ask_charts(athena, [], unlisted(), 90) is None


def test_objects_without_rows_are_no_charts(lake):
    assert ask_charts(lake.athena(), [key(2031, "top200")], unlisted(), 90) is None


# --- What is shown ---


def test_regions_say_what_they_cover(content):
    assert (content.title, content.period) == ("Top 200", "daily")
    of_region = grouped((one.region, one) for one in entries())
    assert content.regions[0].name == "Global"
    assert [region.name for region in content.regions[1:]] == sorted(of_region.keys() - {"Global"})
    for region in content.regions:
        days = {one.day for one in of_region[region.name]}
        assert (region.first, region.last) == (epoch_day(min(days)), epoch_day(max(days)))
        assert region.charts == len(days)
        assert region.streams == sum(one.streams for one in of_region[region.name])
    assert content.first == epoch_day(dt.date(2016, 12, 28))
    assert content.last == epoch_day(dt.date(2018, 1, 2))


def test_artists_are_those_with_most_streams_of_the_region(content):
    for region in content.regions:
        rows = []
        credited = grouped(
            (artist, one) for one in entries() if one.region == region.name for artist in one.track.artists
        )
        for artist, each in credited.items():
            days, songs = {one.day for one in each}, {one.track for one in each}
            row = (artist, sum(one.streams for one in each), len(days), len(songs))
            rows.append((*row, min(one.rank for one in each)))
        rows.sort(key=lambda row: (-row[1], -row[2], row[4], row[0]))
        found = [(row.name, row.streams, row.charts, row.songs, row.peak) for row in region.artists]
        assert found == rows[: charts.ARTISTS]


@pytest.mark.parametrize("peaks, longest", [(charts.PEAKS, charts.LONGEST), (2, 1), (1, 3)])
def test_songs_are_the_highest_and_the_longest(lake, monkeypatch, peaks, longest):
    monkeypatch.setattr(charts, "PEAKS", peaks)
    monkeypatch.setattr(charts, "LONGEST", longest)
    content = lake.charts(ALL_DAYS)
    for region in content.regions:
        every = [one for one in entries() if one.region == region.name]
        last = max(one.day for one in every)
        rows = []
        for track, each in grouped((one.track, one) for one in every).items():
            peak = min(one.rank for one in each)
            at_peak = [one.day for one in each if one.rank == peak]
            charted_on = {one.day for one in each}
            now = min((one.rank for one in each if one.day == last), default=None)
            row = (*name_of(track), peak, epoch_day(min(at_peak)), len(at_peak), len(charted_on))
            rows.append((*row, sum(one.streams for one in each), now))
        by_peak = sorted(rows, key=lambda row: (row[2], -row[4], row[3]))
        by_length = sorted(rows, key=lambda row: (-row[5], row[2], -row[4], row[3]))
        wanted = [row for row in by_peak if row in by_peak[:peaks] or row in by_length[:longest]]
        found = []
        for row in region.songs:
            song = content.songs[row.song]
            values = (row.peak, row.reached, row.at_peak, row.charts, row.streams, row.now)
            found.append((song.title, song.artists, *values))
        assert found == wanted


def test_songs_spread_that_were_in_no_first_chart(content):
    every = [one for one in entries() if one.region != "Global"]
    begins = {region: min(days) for region, days in grouped((one.region, one.day) for one in every).items()}
    wanted = []
    for track, each in grouped((one.track, one) for one in every).items():
        came = {
            region: (min(one.day for one in of_region), min(one.rank for one in of_region))
            for region, of_region in grouped((one.region, one) for one in each).items()
        }
        if any(came[region][0] == begins[region] for region in came):
            continue
        order = sorted((day, peak, region) for region, (day, peak) in came.items())
        first = order[0][0]
        reached = [(day - first).days for day, *_ in order]
        row = (*name_of(track), epoch_day(first), order[0][2], min(peak for _, peak, _ in order), reached)
        wanted.append((track, row))
    wanted.sort(
        key=lambda pair: (-len(pair[1][5]), pair[1][4], pair[1][2] + pair[1][5][-1], pair[1][0], pair[0].key)
    )
    found = []
    for row in content.spread:
        song = content.songs[row.song]
        found.append((song.title, song.artists, row.first, row.region, row.peak, row.reached))
    assert found == [row for _, row in wanted]
    assert found


@pytest.mark.parametrize("most", [charts.AHEAD, 3])
def test_viral_before_the_chart(lake, monkeypatch, most):
    monkeypatch.setattr(charts, "AHEAD", most)
    content = lake.charts(ALL_DAYS)
    ahead, shares = [], {}
    for region in charted.REGIONS:
        top = [one for one in entries() if one.region == region]
        viral = [one for one in entries("viral50") if one.region == region]
        if not top:
            continue
        since = {chart[0].chart: min(one.day for one in chart) for chart in (top, viral)}
        new = before = 0
        for track in {one.track for one in top}:
            entered = min(one.day for one in top if one.track == track)
            went = min((one.day for one in viral if one.track == track), default=None)
            is_before = went is not None and went < entered
            if is_before and since["top200"] <= went:
                peak = min(one.rank for one in top if one.track == track)
                ahead.append((region, *name_of(track), epoch_day(went), epoch_day(entered), peak))
            if entered > max(since.values()):
                new += 1
                before += is_before
        if new:
            shares[region] = (new, before)
    assert {row.region: (row.entered, row.before) for row in content.viral} == shares
    found = []
    for row in content.ahead:
        song = content.songs[row.song]
        found.append((row.region, song.title, song.artists, row.viral, row.entered, row.peak))
    assert set(found) <= set(ahead)
    order = sorted((row[5], row[4]) for row in ahead)
    assert [(row[5], row[4]) for row in found] == order[:most]
    assert len(found) > 2


def test_only_the_last_days_are_asked_for(lake):
    content = lake.charts(2)
    assert [region.name for region in content.regions] == ["Argentina"]
    assert (content.first, content.last) == (epoch_day(dt.date(2018, 1, 1)), epoch_day(dt.date(2018, 1, 2)))
    assert content.regions[0].charts == 2


@pytest.mark.parametrize("days", [320, 365])
def test_what_is_older_does_not_count(lake, days):
    first = dt.date(2018, 1, 2) - dt.timedelta(days=days - 1)
    recent = [one for one in STANDINGS if one.day >= first]
    assert 100 < len(recent) < len(STANDINGS)
    assert lake.charts(days) == shown(recent)


def test_the_viral_chart_may_end_later(content):
    later = charted.Standing(dt.date(2018, 3, 1), "Global", "viral50", 1, charted.TRACKS[0], None)
    assert shown([*STANDINGS, later]).last == content.last


def test_weekly_charts_are_not_added_to_daily_ones():
    weekly = [one for one in STANDINGS if one.chart == "top200_weekly"]
    later = [replace(one, day=one.day + dt.timedelta(days=1092)) for one in weekly]
    content = shown([*STANDINGS, *later])
    assert content.period == "weekly"
    of_region = grouped((one.region, one) for one in later)
    assert {region.name: (region.charts, region.streams) for region in content.regions} == {
        name: (len({one.day for one in each}), sum(one.streams for one in each))
        for name, each in of_region.items()
    }
    assert (content.ahead, content.viral) == ([], [])


def test_a_chart_without_streams_is_by_how_often_artists_were_in_it():
    viral = [one for one in STANDINGS if one.chart == "viral50"]
    content = shown(viral)
    [world] = [region for region in content.regions if region.name == "Global"]
    assert world.streams is None
    counts = [artist.charts for artist in world.artists]
    assert counts == sorted(counts, reverse=True)
    assert {artist.streams for artist in world.artists} == {None}


def test_a_song_without_title_or_id_is_no_link(content):
    nameless = [song for song in content.songs if song.title is None]
    assert nameless
    assert {song.id for song in nameless} == {None}
    named = [song for song in content.songs if song.title]
    assert all(len(song.id) == 22 for song in named)


# --- The queries ---


@pytest.fixture(scope="module")
def questions():
    found = Found("top200", "viral50", 2018)
    asked = charts.questions(found, dt.date(2018, 1, 2), ALL_DAYS)
    return [charts.end(found), asked.regions, asked.artists, asked.songs, asked.spread, asked.viral]


@pytest.mark.parametrize("number", range(6))
def test_read_as_athenas_sql_a_query_gives_the_same(lake, questions, number):
    sql = questions[number].sql
    [translated] = sqlglot.transpile(sql, read="athena", write="duckdb")
    native, other = (lake.connection.execute(text).fetchall() for text in (sql, translated))
    assert native
    assert native == other


@pytest.mark.parametrize("number", range(6))
def test_a_query_names_years_and_chart(questions, number):
    """Without them Athena would look into every year and chart."""
    tree = sqlglot.parse_one(questions[number].sql, read="athena")
    facts = [table for table in tree.find_all(exp.Table) if table.name == CHARTS[0].table.name]
    assert len(facts) == 1, "it is read once"
    where = facts[0].find_ancestor(exp.Select).args["where"]
    columns = {column.name for column in where.find_all(exp.Column)}
    assert {"year", "chart"} | ({"date_key"} if number else set()) <= columns
