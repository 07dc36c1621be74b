"""The popularity job: artists are kept apart, scores are set beside the median, and bad input is explained."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pytest
from pyspark.sql.functions import lit, pmod, xxhash64

from spotify_bulk import genre_trends, popularity
from spotify_bulk.errors import NotEnough
from spotify_lake.schema.warehouse import MODELS
from tests.support.bulk_lake import Lake, assert_declared, balance
from tests.support.made_warehouse import write_table

if TYPE_CHECKING:
    from collections.abc import Callable

    from pyspark.sql import Column

PLAIN = "track_id,track_name,artist_name,popularity"
HEADER = f"{PLAIN},release_date,genre,danceability,energy"
DECLARED = {one.table.name: one for one in MODELS}


def songs(count: int = 600, artists: int = 60, seed: int = 3) -> list[str]:
    """Return lines of a file in which energy says much about the popularity, and the artist more."""
    draw = random.Random(seed)
    fame = [draw.uniform(-25, 25) for _ in range(artists)]
    lines = []
    for number in range(count):
        energy, dance = draw.random(), draw.random()
        score = round(min(100, max(0, 30 + 40 * energy + fame[number % artists] + draw.gauss(0, 5))))
        year = 2019 if number % artists >= artists * 3 // 4 else 2000 + draw.randrange(16)  # new artists
        genre = draw.choice(("pop", "rock"))
        artist = f"Artist {number % artists}"
        lines.append(
            f"id{number},Song {number},{artist},{score},{year}-05-01,{genre},{dance:.3f},{energy:.3f}"
        )
    return lines


def file(lines: list[str], header: str = HEADER) -> dict[str, bytes | str]:
    return {"songs.csv": "\n".join([header, *lines, ""])}


@pytest.fixture(scope="module")
def made(spark: Any, tmp_path_factory: pytest.TempPathFactory) -> tuple[Lake, dict[str, Any]]:
    lake = Lake(spark, tmp_path_factory.mktemp("popularity") / "lake")
    lines = songs()
    again = lines[7].replace("id7,", "id9999,")  # the same song under another id
    bad = [
        "x1,Song,,50,2001,pop,0.5,0.5",
        "x2,Song,Artist 1,,2001,pop,0.5,0.5",
        "x3,Song,Artist 1,many,2001,pop,1,1",
    ]
    with pytest.MonkeyPatch.context() as patch:  # smaller trees are enough here, and take half the time
        patch.setattr(popularity, "TREES", 5)
        patch.setattr(popularity, "DEPTH", 5)
        return lake, lake.load("popularity", file([*lines, again, *bad]))


def test_every_row_is_used_or_left_out_for_a_reason(made: Any) -> None:
    lake, summary = made
    balance(summary)
    assert summary["rows_in"] == 604
    assert (summary["rows_out"], summary["duplicates"]) == (600, 1)
    assert summary["rejects_by_reason"] == {"no artist": 1, "no popularity": 1, "popularity": 1}
    for table in ("popularity_predictions", "model_scores"):
        assert_declared(lake, DECLARED[table])


def test_scores_are_set_beside_the_median_and_the_feature_that_matters_is_found(made: Any) -> None:
    lake, summary = made
    columns = ("model", "split", "metric", "value", "baseline_value")
    rows = {row[:3]: row[3:] for row in lake.rows("model_scores", *columns)}
    mae, median = rows["random forest, all features", "artists apart", "mae"]
    assert mae < median
    assert rows["random forest, all features", "artists apart", "margin_low"][0] > 0
    assert 0.7 < rows["random forest", "artists apart", "coverage"][0] < 0.9
    importance = {
        name: value for (_, _, name), (value, _) in rows.items() if name.startswith("importance of ")
    }
    assert max(importance, key=lambda name: importance[name]) == "importance of energy"
    assert any(split.startswith("later years") for _, split, _ in rows)
    card = (lake.root / "warehouse" / "_runs" / "popularity" / "card.md").read_text()
    assert "artist_popularity" in card
    assert all(finding in card for finding in summary["findings"])


def test_all_songs_of_an_artist_are_predicted_by_a_model_that_has_seen_none(made: Any) -> None:
    lake, _ = made
    folds: dict[str, set[int]] = {}
    for artist, fold in lake.rows("popularity_predictions", "artist", "fold"):
        folds.setdefault(artist, set()).add(fold)
    assert len(folds) == 60
    assert {len(found) for found in folds.values()} == {1}
    assert len(set.union(*folds.values())) == popularity.FOLDS


def test_an_artist_on_both_sides_stops_the_job(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    def by_song(_artist: Column) -> Column:
        return pmod(xxhash64("song_id"), lit(popularity.FOLDS)).cast("int")

    monkeypatch.setattr(popularity, "fold_of", by_song)
    with pytest.raises(AssertionError, match="is in the training set and in the test set of fold 0"):
        lake.load("popularity", file(songs()))
    assert not (lake.root / "warehouse" / "popularity_predictions").exists()


def test_nothing_that_is_counted_from_plays_or_names_an_artist_is_a_feature() -> None:
    used = {*popularity.AUDIO, *popularity.OTHERS}
    assert not used & {name for names in popularity.LEFT_OUT for name in names.split(", ")}
    assert not [name for name in used if "popularity" in name or "artist" in name or "followers" in name]


@pytest.mark.parametrize(
    "given, why",
    [
        (file(songs(100)), "has 100 songs of 60 artists .* at least 500 songs of 50 artists"),
        (file(songs(600, artists=9)), "of 9 artists"),
        (
            file([f"a{n},S {n},A {n % 60},{n % 90}" for n in range(600)], PLAIN),
            "no features",
        ),
        (file([f"a{n},S {n},A {n % 60}" for n in range(600)], "track_id,name,artist_name"), "popularity"),
        (
            file([f"a{n},S {n},A {n % 60},0" for n in range(600)], PLAIN),
            "no popularity",
        ),
        ({}, "load the catalog with ./lake bulk kaggle2023"),
    ],
    ids=["songs", "artists", "features", "column", "constant", "none"],
)
def test_songs_that_cannot_be_used_are_explained_and_nothing_is_published(
    lake: Lake, given: dict[str, bytes | str], why: str
) -> None:
    with pytest.raises(NotEnough, match=why):
        lake.load("popularity", given)
    assert not (lake.root / "warehouse").exists()


def test_a_rise_that_one_artist_carries_may_be_chance() -> None:
    many, one = [0.001] * 12, [0.012, *([1e-6, -1e-6] * 6)]
    assert genre_trends.sign_flip_test(many) < 0.01
    assert genre_trends.sign_flip_test(one) > 0.2
    assert genre_trends.discoveries({"many": 0.001, "one": 0.49, "other": 0.04}) == {"many"}


@pytest.mark.parametrize(
    "popularity_of, why",
    [(lambda _: None, "The songs of Kaggle 2023 have no popularity"), (lambda n: n % 90, "no features")],
    ids=["popularity", "features"],
)
def test_a_catalog_that_lacks_files_of_the_set_is_explained_and_nothing_is_published(
    lake: Lake, popularity_of: Callable[[int], int | None], why: str
) -> None:
    types = {"track_id": pa.string(), "track_name": pa.string(), "artist_name": pa.string()}
    types |= {"track_popularity": pa.int32(), "genres": pa.list_(pa.string()), "release_date": pa.date32()}
    types |= dict.fromkeys(popularity.AUDIO, pa.float64()) | {"is_explicit": pa.bool_()}
    rows = [
        {"track_id": f"t{n}", "track_name": f"Song {n}", "artist_name": f"Artist {n % 60}"}
        | {"track_popularity": popularity_of(n)}
        for n in range(600)
    ]
    write_table(lake.root / "warehouse", "track_catalog/release_decade=2010/part", rows, pa.schema(types))
    with pytest.raises(NotEnough, match=why):
        lake.load("popularity", {})
    assert [path.name for path in (lake.root / "warehouse").iterdir()] == ["track_catalog"]
