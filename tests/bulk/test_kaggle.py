"""Kaggle's "Spotify Dataset 2023" becomes tables; what its joins leave over is kept."""

from __future__ import annotations

import datetime as dt
from typing import Any

from spotify_lake.warehouse import CATALOG
from tests.bulk_lake import Lake, assert_declared, balance


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


def test_the_artist_file_alone_then_the_rest_then_all_again(lake: Lake) -> None:
    alone = lake.load("kaggle2023", {"spotify_artist_data_2023.csv": ARTISTS})
    balance(alone)
    assert alone["tables"]["catalog_unmatched"] == 3
    rest = {name: content for name, content in FILES.items() if "artist" not in name}
    assert lake.load("kaggle2023", rest)["tables"]["track_catalog"] == 2
    before = lake.content()
    again = lake.load("kaggle2023", FILES)
    balance(again)
    assert again["rows_out"] == 0
    assert lake.content() == before
