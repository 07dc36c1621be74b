"""Kaggle's "Spotify Dataset 2023" becomes tables; what its joins leave over is kept."""

from __future__ import annotations

import csv
import datetime as dt
from typing import TYPE_CHECKING, Any

import boto3
from moto import mock_aws

from spotify_lake.schema.warehouse import CATALOG
from tests.support.bulk_lake import BucketLake, Lake, assert_declared, balance

if TYPE_CHECKING:
    from pathlib import Path

    import pytest


def made(letter: str) -> str:
    return letter * 22


ARTISTS = (
    "id,name,artist_popularity,artist_genres,followers,genre_0,genre_1,genre_2,genre_3,genre_4,genre_5,genre_6\n"
    f'{made("A")},"Tyler, The Creator",91.0,'
    "\"['rap', \"\"children's music\"\", 'it\\'s']\",1000.0,rap,children's music,it's,,,,\n"
    f"{made('B')},Nobody,,[],,,,,,,,\n"
    f"{made('C')},Without,12,,5,folk,indie,,,,,\n"
    "short,Bad id,1,[],1,,,,,,,\n"
    f"{made('D')},Bad number,many,[],1,,,,,,,\n"
    f"{made('B')},Nobody,,[],,,,,,,,\n"
)
ALBUMS = (
    "track_name,track_id,track_number,duration_ms,album_type,artists,total_tracks,album_name,release_date,label,"
    "album_popularity,album_id,artist_id,duration_sec,artist_0,artist_1\n"
    f'"One, ""two""\nlines",{made("t")},1.0,200000,album,Tyler,12,Igor,2021-03-17 00:00:00 UTC,"L, Inc.",80,'
    f'{made("x")},{made("A")},200.0,"Tyler, The Creator",Rex\n'
    f"Old,{made('u')},2,1000,single,Nobody,1,Older,1969,,3,{made('y')},{made('B')},1.0,Nobody,\n"
    f"Lost,{made('v')},2,1000,single,Nobody,1,Older,1969-05,,3,{made('y')},{made('Z')},1.0,Nobody,\n"
)
TRACKS = f"id,track_popularity,explicit\n{made('t')},77,True\n{made('u')},0,false\n{made('w')},1,\n"
FEATURES = f"danceability,energy,key,tempo,id\n0.5,1e-05,7,120.0,{made('t')}\n"
FILES = {
    "spotify_artist_data_2023.csv": ARTISTS,
    "spotify-albums_data_2023.csv": ALBUMS,
    "spotify_tracks_data_2023.csv": TRACKS,
    "spotify_features_data_2023.csv": FEATURES,
}


def test_the_four_files_and_what_does_not_match(lake: Lake) -> None:
    summary = lake.load("kaggle2023", FILES)
    balance(summary)
    assert summary["rejects_by_reason"] == {"id": 1, "artist_popularity": 1}
    assert summary["duplicates"] == 1
    artists: dict[Any, Any] = {
        row[0]: row[1:] for row in lake.rows("catalog_artists", "name", "popularity", "followers", "genres")
    }
    assert artists == {
        "Tyler, The Creator": (91, 1000, ["rap", "children's music", "it's"]),
        "Nobody": (None, None, []),
        "Without": (12, 5, ["folk", "indie"]),
    }
    catalog = lake.rows(
        "track_catalog",
        "track_name",
        "artists",
        "release_date",
        "release_decade",
        "is_explicit",
        "energy",
        "key",
    )
    assert catalog == [
        ("Old", ["Nobody"], dt.date(1969, 1, 1), 1960, False, None, None),
        ('One, "two"\nlines', ["Tyler, The Creator", "Rex"], dt.date(2021, 3, 17), 2020, True, 1e-05, 7),
    ]
    assert lake.rows("catalog_unmatched", "kind", "id", "lacks") == [
        ("album track", "/".join(map(made, "yvZ")), "artist, track"),
        ("artist", made("C"), "album"),
        ("track", made("w"), "album"),
    ]
    for declared in CATALOG:
        assert_declared(lake, declared)


def test_a_conflict_shows_the_row_as_it_is_in_the_file(lake: Lake) -> None:
    header = "id,track_popularity,explicit\n"
    row = f"{made('t')},70,True"
    summary = lake.load("kaggle2023", {"a.csv": f"{header}{made('u')},1,True\n{row}\n{made('t')},77,True\n"})
    assert summary["rejects_by_reason"] == {"conflict": 1}
    assert lake.rows("bulk_rejects", "line", "reason", "content") == [(3, "conflict", row)]


def test_what_is_odd_about_cells(lake: Lake) -> None:
    names = [
        "AC\\DC\\",
        '"""Weird Al"" Yankovic"',
        "👩‍🎤 فيروز \u200f",
        "nan",
        "",
        '"Two\r\n\r\nlines"',
        '7" Single',
    ]
    names += ['"a\nb"', "Guns N' Roses"]
    rows = [
        f"{made(letter)},{name},1.0,[],1e3,,,,,,," for letter, name in zip("ABCDEFGHI", names, strict=True)
    ]
    rows += [f"{made('J')},Popular,101,[],1,,,,,,,", f"{made('K')},Half,1.5,[],1,,,,,,,"]
    artists = "".join(f"{number},{row}\n" for number, row in enumerate(rows))

    def track(letter: str, released: str, number: str = "1", label: str = "L") -> str:
        end = f"album,X,3.0,Y,{released},{label},5,{made(letter)},{made('A')},1.0,,"
        return f"T,{made(letter)},{number},200000.0,{end}\n"

    dates = {
        "a": "0000",
        "b": "1969.0",
        "c": "0000-00-00 00:00:00 UTC",
        "d": "3/17/2021",
        "e": "",
        "f": "1999-05",
    }
    albums = ALBUMS.splitlines()[0] + "\n" + "".join(track(*pair) for pair in dates.items())
    albums += track("g", "soon") + track("h", "0012-01-01") + track("i", "2000", number="99999999999")
    albums += track("j", "2000", label='"""Q"" Records, Inc."')
    summary = lake.load(
        "kaggle2023",
        {
            "more/artists é.csv": f",{ARTISTS.splitlines()[0]}\n{artists}",
            "albums.csv": albums.replace("\n", "\r\n"),
            "europe.csv": f"danceability;loudness;key;id\n0,514;-6,5;-1;{made('a')}\ninf;1;1;{made('b')}\n",
        },
    )
    balance(summary)
    assert summary["rejects_by_reason"] == {
        "artist_popularity": 2, "release_date": 2, "track_number": 1, "danceability": 1,
    }  # fmt: skip
    read = next(csv.reader([",".join(names).replace("\r\n", "\n")]), [])
    found = lake.rows("catalog_artists", "artist_id", "name", "popularity", "followers", "genres")
    assert found == [
        (made(letter), name or None, 1, 1000, []) for letter, name in zip("ABCDEFGHI", read, strict=True)
    ]
    assert lake.rows("catalog_album_tracks", "track_id", "release_date", "label") == [
        (made("a"), None, "L"),
        (made("b"), dt.date(1969, 1, 1), "L"),
        (made("c"), None, "L"),
        (made("d"), dt.date(2021, 3, 17), "L"),
        (made("e"), None, "L"),
        (made("f"), dt.date(1999, 5, 1), "L"),
        (made("j"), dt.date(2000, 1, 1), '"Q" Records, Inc.'),
    ]
    assert lake.rows("catalog_features", "danceability", "loudness", "key") == [(0.514, -6.5, -1)]


def test_the_artist_file_alone_then_all_killed_and_again_between_buckets(
    spark: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    with mock_aws():
        boto3.client("s3").create_bucket(Bucket="lake")
        lake = BucketLake(spark, tmp_path / "lake")
        alone = lake.load("kaggle2023", {"artists.csv": ARTISTS.replace(",1000.0,", ",999.0,")})
        balance(alone)
        assert alone["tables"]["catalog_unmatched"] == 3
        lake.content()
        whole = lake.copy("whole")
        # Rejects and what was read are there, and nothing of what is made of it.
        lake.die(monkeypatch, 5, "kaggle2023", FILES)
        again = lake.load("kaggle2023", FILES)
        balance(again)
        assert (again["rows_out"], again["tables"]["track_catalog"]) == (0, 2)
        content = lake.content()
    assert whole.load("kaggle2023", FILES)["replaced"] == 1
    assert whole.content() == content
