"""The forecast job: it beats doing nothing where there is something to find, says so where not, and sees no future."""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import pytest

from local.made_up_charts import LAST_DAY, Entry, entries
from spotify_bulk import forecast, forecast_charts
from spotify_bulk.errors import NotEnough
from spotify_lake.schema.warehouse import MODELS
from tests.support.bulk_lake import Lake, assert_declared, balance
from tests.support.made_warehouse import write_catalog, write_entries

if TYPE_CHECKING:
    from pathlib import Path

TWO = ("Global", "Germany")
SONGS = 22
DAYS = forecast_charts.NEED_DAYS + 2
DECLARED = {one.table.name: one for one in MODELS}


def charted(**changes: Any) -> Iterator[Entry]:
    return entries(**{"days": DAYS, "songs": SONGS, "regions": TWO} | changes)


@pytest.fixture(scope="module")
def made(spark: Any, tmp_path_factory: pytest.TempPathFactory) -> tuple[Lake, dict[str, Any], int]:
    lake = Lake(spark, tmp_path_factory.mktemp("forecast") / "lake")
    count = write_entries(lake.root / "warehouse", charted())
    write_catalog(lake.root / "warehouse", SONGS + DAYS)
    return lake, lake.load("forecast", {}), count


def scores(lake: Lake, data: str, metric: str) -> dict[Any, Any]:
    rows = lake.rows("model_scores", "data", "metric", "model", "horizon", "value", "baseline_value")
    return {(row[2], row[3]): row[4:] for row in rows if row[0].startswith(data) and row[1] == metric}


def test_the_forest_beats_the_best_simple_method_on_charts_with_a_structure(made: Any) -> None:
    lake, summary, count = made
    balance(summary)
    assert (summary["rows_in"], summary["rows_out"]) == (count, count)
    assert "the forest's forecast is published" in summary["findings"][0]
    splits = {split for model, split in lake.rows("model_scores", "model", "split") if model == "naive"}
    assert splits == {"28 rolling origins"}
    assert scores(lake, "top200", "margin_low")["random forest", None][0] > 0
    errors = scores(lake, "top200", "mase")
    for horizon in range(1, 8):
        forest, best = errors["random forest", horizon]
        assert forest < best
        assert best == errors["seasonal naive", horizon][0], "the weekdays differ more than the days"
    assert 0.7 < scores(lake, "top200", "coverage")["random forest", None][0] < 0.9


def test_a_forecast_has_each_song_of_the_last_day_seven_times(made: Any) -> None:
    lake, *_ = made
    for table in ("chart_forecasts", "model_scores", "genre_trends"):
        assert_declared(lake, DECLARED[table])
    rows = lake.rows("chart_forecasts")
    assert len(rows) == len({row[:5] for row in rows}) == len(TWO) * SONGS * 7
    columns = DECLARED["chart_forecasts"].table.column_names
    for row in rows:
        one = dict(zip(columns, row, strict=False))
        assert one["made_key"] == 20211231
        assert f"{one['date_key']}" == f"{LAST_DAY + dt.timedelta(days=one['horizon']):%Y%m%d}"
        assert one["streams_low"] <= one["streams"] <= one["streams_high"]
        assert one["rank_best"] <= one["rank"] <= one["rank_worst"] <= SONGS


def test_genres_have_shares_and_their_coverage_is_shown(made: Any) -> None:
    lake, summary, _ = made
    rows = lake.rows("genre_trends", "month", "genre", "share", "coverage")
    assert {row[1] for row in rows} == {"pop", "folk"}
    for month in {row[0] for row in rows}:
        pop, folk = (row for row in rows if row[0] == month)
        assert pop[2] == folk[2] == pytest.approx(pop[3] / 2, abs=1e-6)
        assert 0.2 < pop[3] < 0.8
    assert "of the streams belong to artists of the catalog" in summary["findings"][-1]


def test_the_same_charts_give_the_same_rows_and_a_random_walk_gets_the_simple_forecast(
    made: Any, spark: Any, tmp_path: Path
) -> None:
    first, *_ = made
    again = Lake(spark, tmp_path / "again")
    write_entries(again.root / "warehouse", sorted(charted(), key=lambda one: (one.song, one.day)))
    walk = charted(structured=False, seed=5)
    write_entries(again.root / "warehouse", walk, chart="top50")
    summary = again.load("forecast", {})
    of_both = again.rows("chart_forecasts")
    assert [row for row in of_both if row[-1] == "top200"] == first.rows("chart_forecasts")
    found = [row for row in again.rows("model_scores") if row[1].startswith("top200 to")]
    assert found == [row for row in first.rows("model_scores") if row[1].startswith("top200 to")]
    assert {row[5] for row in of_both if row[-1] == "top50"} == {"naive"}
    assert "top50, forecast on 2021-12-31: the naive forecast is published" in summary["findings"][1]


def test_a_series_has_nothing_on_days_outside_the_chart(spark: Any) -> None:
    rows = [(1, 1, day, 7, 99) for day in (12, 13, 16)] + [(1, 2, 10, 3, 9), (1, 2, 17, 4, 0)]
    rows.append((1, 1, 13, 5, 50))  # twice on a day: the best rank and the most streams count
    frame = spark.createDataFrame(rows, "region_key long, track_key long, day int, rank int, streams long")
    first, second = forecast.series(frame, 10, 8).orderBy("track_key").collect()
    many, few = round(math.log(100), 6), round(math.log(10), 6)
    assert first.levels == [None, None, many, many, None, None, many, None]
    assert first.ranks == [None, None, 7, 5, None, None, 7, None]
    assert second.levels == [few, *[None] * 6, 0.0]
    assert second.ranks == [3, *[None] * 6, 4]


def test_a_forecast_uses_nothing_that_is_known_only_after_its_origin(spark: Any) -> None:
    """The second region has the same charts as the first up to a day, and others after it."""
    after, days = 20, 30
    rows = [(1, song, day, song, 1000 * song + 37 * day * day % 91) for song in (1, 2) for day in range(days)]
    rows += [(2, *row[1:4], row[4] * 9 if row[2] > after else row[4]) for row in rows]
    frame = spark.createDataFrame(rows, "region_key long, track_key long, day int, rank int, streams long")
    songs = forecast.series(frame, 0, days)
    made = forecast.forecasts_to_make(songs, 14, days - 8)
    found = forecast.with_features(made, forecast.moves(songs), 0).drop("actual", "actual_rank").collect()
    known = {(row.region_key, row.track_key, row.origin, row.horizon): tuple(row)[4:] for row in found}
    pairs: dict[int, list[bool]] = {key[2]: [] for key in known}
    for region, song, origin, horizon in known:
        if region == 1:
            same = known[1, song, origin, horizon] == known[2, song, origin, horizon]
            pairs[origin].append(same)
    assert {origin: all(same) for origin, same in pairs.items()} == {
        origin: origin <= after for origin in range(14, days - 7)
    }


def test_a_lag_into_the_future_is_refused() -> None:
    with pytest.raises(ValueError, match="1 days after its origin"):
        forecast.known("levels", -1)


def without_a_day(gone: dt.date) -> list[Entry]:
    return [one for one in charted() if one.day != gone]


@pytest.mark.parametrize(
    "given, why",
    [
        (lambda: charted(days=40), "0 of its 2 regions has that: 2 with too few days"),
        (lambda: charted(songs=5), "2 with too few songs"),
        (lambda: without_a_day(dt.date(2021, 12, 20)), "No region has 2021-12-20"),
        (lambda: charted(regions=("Global",)), "at least 2 regions"),
        (lambda: (Entry(one.region, one.day, one.rank, one.song, 0) for one in charted()), "all are zero"),
        (lambda: (Entry(one.region, one.day, one.rank, one.song, 9) for one in charted()), "never change"),
        (list, "There is no daily chart with streams"),
    ],
    ids=["days", "songs", "gap", "region", "zero", "constant", "none"],
)
def test_charts_that_cannot_be_forecast_are_explained_and_nothing_is_published(
    lake: Lake, given: Any, why: str
) -> None:
    write_entries(lake.root / "warehouse", given())
    with pytest.raises(NotEnough, match=why):
        lake.load("forecast", {})
    assert not (lake.root / "warehouse" / "chart_forecasts").exists()
    assert not (lake.root / "warehouse" / "model_scores").exists()
