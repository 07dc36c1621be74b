"""The tables of the bulk data sets as data: what the Glue jobs write below ``datawarehouse/``.

Template, tests and data dictionary follow this module.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from spotify_lake.schema.types import Column, Table, Type


class ChartName(StrEnum):
    """The charts by their names in the files; `jobs/spotify_bulk/chart_kinds.py` has title and period of each."""

    TOP200 = "top200"
    VIRAL50 = "viral50"
    TOP50 = "top50"
    TOP200_WEEKLY = "top200_weekly"
    VIRAL50_WEEKLY = "viral50_weekly"


@dataclass(frozen=True)
class Partition:
    """A partition column and its values, as a range ``1,9`` or a list ``a,b,c``."""

    column: Column
    values: str

    @property
    def projection(self) -> dict[str, str]:
        """Settings of Athena's partition projection, without the prefix of the column."""
        if self.column.type is Type.INT:
            return {"type": "integer", "range": self.values}
        return {"type": "enum", "values": self.values}


@dataclass(frozen=True)
class WarehouseTable:
    """A table with its partition columns."""

    table: Table
    partitions: tuple[Partition, ...] = ()


def _key(name: str, what: str) -> Column:
    return Column(
        name, Type.BIGINT, f"Surrogate key of {what}: a hash, the same in every run.", "-4567890123456789012"
    )


_DATE_KEY: Final = Column(
    "date_key", Type.INT, "Date as yyyymmdd; for a weekly chart, its last day.", "20211231"
)
_NOT_GIVEN: Final = "the files do not contain it"
_TRACK_ID: Final = Column("track_id", Type.STRING, "Spotify id of the track.", "4uLU6hMCjMI75M1A2tKUQC")
_ALBUM_ID: Final = Column("album_id", Type.STRING, "Spotify id of the album.", "6nxDQi0FeEwccEPJeNySoS")
_ARTIST_ID: Final = Column("artist_id", Type.STRING, "Spotify id of the artist.", "3TVXtAsR1Inumwj472S9r4")
_ALBUM_NAME: Final = Column("album_name", Type.STRING, "Title of the album.", "Scorpion", _NOT_GIVEN)
_ALBUM_TYPE: Final = Column("album_type", Type.STRING, "album, single or compilation.", "album", _NOT_GIVEN)
_RELEASED: Final = Column(
    "release_date", Type.DATE, "Release date of the album; the first day of the month or year if only that is known.",
    "2018-06-29", _NOT_GIVEN,
)  # fmt: skip
_LABEL: Final = Column("label", Type.STRING, "Label of the album.", "Republic Records", _NOT_GIVEN)
_TOTAL: Final = Column("total_tracks", Type.INT, "Tracks of the album.", "25", _NOT_GIVEN)
_ALBUM_POPULARITY: Final = Column(
    "album_popularity", Type.INT, "Spotify's popularity of the album.", "83", _NOT_GIVEN
)
_ALBUM_TRACK: Final = (
    Column("track_name", Type.STRING, "Title of the track.", "God's Plan", _NOT_GIVEN),
    Column("artists", Type.STRINGS, "Names of all artists of the track.", "[Drake]", _NOT_GIVEN),
    Column("track_number", Type.INT, "Position on the album.", "5", _NOT_GIVEN),
    Column("duration_ms", Type.BIGINT, "Length in milliseconds.", "198973", _NOT_GIVEN),
    _ALBUM_NAME,
    _ALBUM_TYPE,
    _TOTAL,
    _RELEASED,
    _LABEL,
    _ALBUM_POPULARITY,
)
_ARTIST: Final = (
    Column("followers", Type.BIGINT, "Followers of the artist.", "82345678", _NOT_GIVEN),
    Column("genres", Type.STRINGS, "Genres of the artist, often none.", "[rap, hip hop]"),
)
_FEATURES: Final = (
    *(
        Column(name, Type.DOUBLE, f"Audio feature {name}.", example, _NOT_GIVEN)
        for name, example in (
            ("danceability", "0.754"), ("energy", "0.449"), ("loudness", "-9.211"), ("speechiness", "0.109"),
            ("acousticness", "0.0332"), ("instrumentalness", "0.0000829"), ("liveness", "0.552"), ("valence", "0.357"),
            ("tempo", "77.169"),
        )
    ),
    Column("key", Type.INT, "Key, 0 for C.", "7", _NOT_GIVEN),
    Column("mode", Type.INT, "1 for major, 0 for minor.", "1", _NOT_GIVEN),
    Column("time_signature", Type.INT, "Beats a bar.", "4", _NOT_GIVEN),
)  # fmt: skip
_DECADE: Final = Column(
    "release_decade", Type.STRING, "First year of the decade of the release, or `unknown`.", "2010"
)

CHARTS: Final = (
    WarehouseTable(
        Table(
            "fact_chart_entry",
            "date x region x chart x rank",
            "The position of each track in each chart.",
            ("date_key", "region_key", "chart_key", "rank"),
            (
                _DATE_KEY,
                _key("region_key", "the region"),
                _key("chart_key", "the chart"),
                Column("rank", Type.INT, "Position, 1 is the top.", "1"),
                _key("track_key", "the track"),
                Column(
                    "streams",
                    Type.BIGINT,
                    "Streams in the region that day or week.",
                    "253019",
                    "viral charts have none",
                ),
                Column(
                    "trend",
                    Type.STRING,
                    "MOVE_UP, MOVE_DOWN, SAME_POSITION or NEW_ENTRY.",
                    "MOVE_UP",
                    _NOT_GIVEN,
                ),
            ),
        ),
        (
            Partition(Column("year", Type.INT, "Year of the date.", "2021"), "2006,2040"),
            Partition(
                Column("chart", Type.STRING, "Chart, as in dim_chart.", "top200"),
                ",".join(ChartName),
            ),
        ),
    ),
    WarehouseTable(
        Table(
            "dim_track",
            "track",
            "Tracks that were in a chart, with their latest title and artists.",
            ("track_key",),
            (
                _key("track_key", "the track: of its id, or without one of title and artist"),
                Column(
                    "track_id", Type.STRING, "Spotify id of the track.", "4uLU6hMCjMI75M1A2tKUQC", _NOT_GIVEN
                ),
                Column("title", Type.STRING, "Title.", "Chantaje (feat. Maluma)", _NOT_GIVEN),
                Column(
                    "artist", Type.STRING, "Artists, as the chart names them.", "Shakira, Maluma", _NOT_GIVEN
                ),
                Column(
                    "url", Type.STRING, "Link to the track.", "https://open.spotify.com/track/4uLU…", "no id"
                ),
                Column("first_date_key", Type.INT, "First date in any chart.", "20170101"),
                Column("last_date_key", Type.INT, "Last date in any chart.", "20180305"),
            ),
        )
    ),
    WarehouseTable(
        Table(
            "dim_artist",
            "artist",
            "Artists of the tracks, by name: the charts have no artist ids.",
            ("artist_key",),
            (
                _key("artist_key", "the artist: of the name in lower case"),
                Column("name", Type.STRING, "Name.", "Shakira"),
            ),
        )
    ),
    WarehouseTable(
        Table(
            "bridge_track_artist",
            "track x artist",
            "The artists of each track.",
            ("track_key", "artist_key"),
            (
                _key("track_key", "the track"),
                _key("artist_key", "the artist"),
                Column("position", Type.INT, "Place among the track's artists, from 1.", "1"),
            ),
        )
    ),
    WarehouseTable(
        Table(
            "dim_region",
            "region",
            "Countries with charts, and Global.",
            ("region_key",),
            (
                _key("region_key", "the region"),
                Column("name", Type.STRING, "Name.", "Argentina"),
                Column(
                    "region_code",
                    Type.STRING,
                    "Code, as in links to charts.",
                    "ar",
                    "the region is not known",
                ),
            ),
        )
    ),
    WarehouseTable(
        Table(
            "dim_chart",
            "chart",
            "The charts.",
            ("chart_key",),
            (
                _key("chart_key", "the chart"),
                Column("chart", Type.STRING, "Name in the files.", "top200"),
                Column("title", Type.STRING, "Display name.", "Top 200"),
                Column("period", Type.STRING, "daily or weekly.", "daily"),
            ),
        )
    ),
    WarehouseTable(
        Table(
            "dim_date",
            "date",
            "Dates that have a chart.",
            ("date_key",),
            (
                _DATE_KEY,
                Column("date", Type.DATE, "The date.", "2021-12-31"),
                Column("year", Type.INT, "Year.", "2021"),
                Column("quarter", Type.INT, "Quarter, 1 to 4.", "4"),
                Column("month", Type.INT, "Month.", "12"),
                Column("week", Type.INT, "ISO week.", "52"),
                Column("day", Type.INT, "Day of the month.", "31"),
                Column("day_of_week", Type.INT, "1 for Monday to 7.", "5"),
            ),
        )
    ),
)
CATALOG: Final = (
    WarehouseTable(
        Table(
            "track_catalog",
            "track x album x artist",
            "Every track of the Kaggle 2023 set with its album, artist and features.",
            ("track_id", "album_id", "artist_id"),
            (
                _TRACK_ID,
                _ARTIST_ID,
                _ALBUM_ID,
                *_ALBUM_TRACK,
                Column("artist_name", Type.STRING, "Name of the artist.", "Drake", _NOT_GIVEN),
                Column(
                    "artist_popularity", Type.INT, "Spotify's popularity of the artist.", "95", _NOT_GIVEN
                ),
                *_ARTIST,
                Column("track_popularity", Type.INT, "Spotify's popularity of the track.", "87", _NOT_GIVEN),
                Column("is_explicit", Type.BOOLEAN, "Marked as explicit.", "true", _NOT_GIVEN),
                *_FEATURES,
            ),
        ),
        (Partition(_DECADE, ",".join(["unknown", *map(str, range(1900, 2050, 10))])),),
    ),
    WarehouseTable(
        Table(
            "catalog_artists",
            "artist",
            "Artists of the Kaggle 2023 set.",
            ("artist_id",),
            (
                _ARTIST_ID,
                Column("name", Type.STRING, "Name.", "Drake", _NOT_GIVEN),
                Column("popularity", Type.INT, "Spotify's popularity.", "95", _NOT_GIVEN),
                *_ARTIST,
            ),
        )
    ),
    WarehouseTable(
        Table(
            "catalog_albums",
            "album",
            "Albums of the Kaggle 2023 set.",
            ("album_id",),
            (_ALBUM_ID, _ALBUM_NAME, _ALBUM_TYPE, _RELEASED, _LABEL, _TOTAL, _ALBUM_POPULARITY, _DECADE),
        )
    ),
    WarehouseTable(
        Table(
            "catalog_album_tracks",
            "track x album x artist",
            "The albums file of the Kaggle 2023 set, whether the rest of the set matches or not.",
            ("track_id", "album_id", "artist_id"),
            (_TRACK_ID, _ALBUM_ID, _ARTIST_ID, *_ALBUM_TRACK),
        )
    ),
    WarehouseTable(
        Table(
            "catalog_tracks",
            "track",
            "The tracks file of the Kaggle 2023 set.",
            ("track_id",),
            (
                _TRACK_ID,
                Column("popularity", Type.INT, "Spotify's popularity.", "87", _NOT_GIVEN),
                Column("is_explicit", Type.BOOLEAN, "Marked as explicit.", "true", _NOT_GIVEN),
            ),
        )
    ),
    WarehouseTable(
        Table(
            "catalog_features",
            "track",
            "The audio features of the Kaggle 2023 set.",
            ("track_id",),
            (_TRACK_ID, *_FEATURES),
        )
    ),
    WarehouseTable(
        Table(
            "catalog_unmatched",
            "row without a partner",
            "Rows of the Kaggle 2023 set that its joins do not match.",
            ("kind", "id"),
            (
                Column("kind", Type.STRING, "album track, artist, track or features.", "album track"),
                Column(
                    "id",
                    Type.STRING,
                    "Id of the row; of an album track album, track and artist.",
                    "6nxD…/4uLU…/3TVX…",
                ),
                Column("lacks", Type.STRING, "What the set lacks: artist, track or album.", "artist"),
                Column("content", Type.STRING, "The row as JSON.", '{"track_id": …}'),
            ),
        )
    ),
)
REJECTS: Final = WarehouseTable(
    Table(
        "bulk_rejects",
        "row that could not be used",
        "Rows and files that the bulk jobs could not load.",
        ("source", "line"),
        (
            Column(
                "source", Type.STRING, "Address of the file.", "s3://the-lake/staging/charts/2021/charts.csv"
            ),
            Column(
                "line",
                Type.BIGINT,
                "Line of the file where the row begins.",
                "4711",
                "a conflict or a whole file",
            ),
            Column(
                "reason",
                Type.STRING,
                "columns, quotes, encoding, header, file, conflict, or the column with an invalid cell.",
                "rank",
            ),
            Column("detail", Type.STRING, "The cell, or an explanation.", "n/a", "the reason is enough"),
            Column(
                "content",
                Type.STRING,
                "The row as in the file.",
                "Chantaje,n/a,2017-01-01,…",
                "a whole file",
            ),
        ),
    ),
    (Partition(Column("job", Type.STRING, "Which job.", "charts"), "charts,kaggle2023"),),
)
MODELS: Final = (
    WarehouseTable(
        Table(
            "chart_forecasts",
            "date x region x song, by chart and day of the forecast",
            "Streams and ranks of the songs of a chart's last day for the next seven days, with 80 % intervals.",
            ("made_key", "date_key", "region_key", "track_key", "chart"),
            (
                Column(
                    "made_key", Type.INT, "Last day of the chart, on which the forecast is made.", "20211231"
                ),
                Column("date_key", Type.INT, "Day that is forecast, as yyyymmdd.", "20220103"),
                Column("horizon", Type.INT, "Days ahead, 1 to 7.", "3"),
                _key("region_key", "the region"),
                _key("track_key", "the track"),
                Column(
                    "method",
                    Type.STRING,
                    "random forest, or the simple method that it did not beat: naive, drift or seasonal naive.",
                    "random forest",
                ),
                Column("streams", Type.BIGINT, "Streams, if the song stays in the chart.", "1090195"),
                Column("streams_low", Type.BIGINT, "Lower end of the 80 % interval.", "1048076"),
                Column("streams_high", Type.BIGINT, "Upper end of the 80 % interval.", "1123284"),
                Column("rank", Type.INT, "Rank among the songs of the last day.", "4"),
                Column("rank_best", Type.INT, "Rank with `streams_high`, if the others do as forecast.", "3"),
                Column("rank_worst", Type.INT, "Rank with `streams_low`, if the others do as forecast.", "7"),
            ),
        ),
        (Partition(Column("chart", Type.STRING, "Chart, as in dim_chart.", "top200"), "top200,top50"),),
    ),
    WarehouseTable(
        Table(
            "popularity_predictions",
            "song",
            "Popularity of each song as predicted by a model that has not seen its artist.",
            ("song_id",),
            (
                Column("data", Type.STRING, "Where the songs come from.", "Kaggle 2023"),
                Column(
                    "song_id", Type.STRING, "Id of the track, or a hash of the row.", "4uLU6hMCjMI75M1A2tKUQC"
                ),
                Column("track_name", Type.STRING, "Title.", "Old Town Road", _NOT_GIVEN),
                Column("artist", Type.STRING, "First artist.", "Lil Nas X"),
                Column("popularity", Type.INT, "Spotify's popularity, 0 to 100.", "87"),
                Column("predicted", Type.DOUBLE, "Predicted popularity, to six digits.", "51.204117"),
                Column("predicted_low", Type.DOUBLE, "Lower end of the 80 % interval.", "22.114117"),
                Column("predicted_high", Type.DOUBLE, "Upper end of the 80 % interval.", "78.904117"),
                Column("fold", Type.INT, "Fold of the artist, 0 to 4.", "3"),
            ),
        )
    ),
    WarehouseTable(
        Table(
            "genre_trends",
            "genre x month",
            "Share of each genre in the streams of the daily Top 200, by month.",
            ("genre", "month"),
            (
                Column("month", Type.INT, "Month as yyyymm.", "202112"),
                Column("genre", Type.STRING, "Genre of the songs' first artists.", "latin pop"),
                Column(
                    "streams",
                    Type.BIGINT,
                    "Streams; an artist's count in equal parts for each genre.",
                    "91830021",
                ),
                Column("share", Type.DOUBLE, "Share of all streams of the month, from 0 to 1.", "0.041873"),
                Column(
                    "growth",
                    Type.DOUBLE,
                    "Growth of the share since the month before.",
                    "0.052311",
                    "no share then",
                ),
                Column(
                    "change",
                    Type.DOUBLE,
                    "Mean share of the later half of the months minus the earlier.",
                    "0.008112",
                ),
                Column(
                    "p_value",
                    Type.DOUBLE,
                    "Probability of such a rise by chance; see docs/models.md.",
                    "0.0012",
                ),
                Column("is_rising", Type.BOOLEAN, "Whether the rise is beyond chance.", "true"),
                Column("artists", Type.INT, "Artists of the genre in these months.", "112"),
                Column(
                    "coverage", Type.DOUBLE, "Share of the month's streams whose artist has genres.", "0.812"
                ),
            ),
        )
    ),
    WarehouseTable(
        Table(
            "model_scores",
            "model x data x split x horizon x metric",
            "How good the models are, beside doing nothing.",
            ("model", "data", "split", "horizon", "metric"),
            (
                Column("model", Type.STRING, "Model or simple method.", "random forest"),
                Column("data", Type.STRING, "What it was scored on.", "top200 to 2021-12-31"),
                Column("split", Type.STRING, "How training and test were kept apart.", "28 rolling origins"),
                Column("horizon", Type.INT, "Days ahead.", "3", "all together, or no forecast"),
                Column("metric", Type.STRING, "Name of the metric; see docs/models.md.", "mase"),
                Column("value", Type.DOUBLE, "Value of the metric, to six digits.", "0.398048"),
                Column("baseline", Type.STRING, "What it is compared with.", "seasonal naive", "nothing"),
                Column("baseline_value", Type.DOUBLE, "The same of the baseline.", "0.768379", "nothing"),
            ),
        ),
        (Partition(Column("job", Type.STRING, "Which job.", "forecast"), "forecast,popularity"),),
    ),
)
WAREHOUSE: Final = (*CHARTS, *CATALOG, REJECTS, *MODELS)
