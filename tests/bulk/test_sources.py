"""What a file's beginning and name tell."""

import datetime as dt
import gzip
import io
import zipfile

import pytest

from bulk import charts, kaggle
from bulk.places import Found
from bulk.sources import Source, as_utf8, sniff

BANNER = ',,,"Note that these figures are generated using a formula, and so on.",\n'
OLD = 'Position,"Track Name",Artist,Streams,URL\n1,Hawái,Maluma,5696927,https://open.spotify.com/track/1yoMvmasuxZfqHEipJhRbp\n'


def look(content: bytes | str, name: str = "regional-global-daily-2020-09-01.csv") -> Source:
    body = content if isinstance(content, bytes) else content.encode()
    return sniff(Found(name, len(body)), body, [charts.LAYOUT])[0]


@pytest.mark.parametrize(
    "header, columns",
    [
        (
            "title,rank,date,artist,url,region,chart,trend,streams",
            "title rank date artist url region chart trend streams",
        ),
        ('Position,"Track Name",Artist,Streams,URL', "rank title artist streams url"),
        ('Position,"Track Name",Artist,URL', "rank title artist url"),
        ("Country,Position,Track Name,Artist,Streams,URL", "region rank title artist streams url"),
        (
            ",POSITION,TRACK NAME, Artist ,Streams,URL,Date,Region",
            "- rank title artist streams url date region",
        ),
        (
            "rank,uri,artist_names,track_name,source,peak_rank,previous_rank,weeks_on_chart,streams",
            "rank url artist title - - previous_rank - streams",
        ),
        ("spotify_id;name;artists;daily_rank;country;snapshot_date", "url title artist rank region date"),
    ],
)
def test_headers_of_several_makers(header: str, columns: str) -> None:
    source = look(header + "\n")
    assert [column or "-" for column in source.columns] == columns.split()


def test_a_banner_and_a_byte_order_mark_are_the_head() -> None:
    source = look(b"\xef\xbb\xbf" + (BANNER + OLD).encode())
    assert source.head == (BANNER.strip(), OLD.splitlines()[0])
    assert source.sample[0][1] == "Hawái"


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_delimiters(delimiter: str) -> None:
    source = look(f"rank{delimiter}title\r\n1{delimiter}x\r\n")
    assert (source.delimiter, source.columns) == (delimiter, ("rank", "title"))


def test_encodings() -> None:
    assert look(OLD).charset == "utf-8"
    assert look(OLD.encode("windows-1252")).charset == "windows-1252"
    # One broken byte among many good ones does not make another encoding of the file.
    assert look(OLD.encode() + "é".encode() * 3 + b"\xff").charset == "utf-8"
    wide = OLD.encode("utf-16")
    assert look(wide).charset == "utf-16"
    assert as_utf8(wide, "x.csv") == OLD.encode()
    assert as_utf8(gzip.compress(wide), "x.csv.gz") == OLD.encode()


def test_gzip_is_looked_into() -> None:
    assert look(gzip.compress(OLD.encode()), "charts.csv.gz").columns[0] == "rank"
    assert "gzip" in str(look(b"no gzip", "charts.csv.gz").problem)


def test_what_is_no_text_is_told_apart() -> None:
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr("charts.csv", OLD)
    assert "unpack it first" in str(look(archive.getvalue()).problem)
    assert look(b"a\0b").problem is not None
    assert look("no header here\n1,2,3\n").columns == ()


@pytest.mark.parametrize(
    "name, known",
    [
        ("regional-global-daily-2017-01-01.csv", ("2017-01-01", "Global", "top200")),
        ("regional-us-weekly-2020-01-03--2020-01-10.csv", ("2020-01-10", "United States", "top200_weekly")),
        ("viral-de-daily-2019-05-06.csv", ("2019-05-06", "Germany", "viral50")),
        ("viral-gb-weekly-latest.csv", (None, "United Kingdom", "viral50_weekly")),
        ("regional-global-daily-latest.csv", (None, "Global", "top200")),
        ("charts/us/2017-03-04.csv", ("2017-03-04", "United States", "top200")),
        ("songs in 2017.csv", (None, None, "top200")),
        ("regional-xx-daily-2017-02-31.csv", (None, None, "top200")),
        ("charts.csv", (None, None, "top200")),
    ],
)
def test_what_names_tell(name: str, known: tuple[str | None, ...]) -> None:
    found = charts.known_of(look(OLD, name))
    date = dt.date.fromisoformat(known[0]) if known[0] else None
    assert (found["date"], found["region"], found["chart"]) == (date, *known[1:])


def test_a_chart_without_streams_is_viral_and_one_with_daily_rank_a_top_50() -> None:
    assert charts.known_of(look("Position,Track Name,Artist,URL\n", "x.csv"))["chart"] == "viral50"
    top = charts.known_of(look("spotify_id,name,daily_rank,country\n", "x.csv"))
    assert (top["chart"], top["region"]) == ("top50", "Global")


@pytest.mark.parametrize(
    "dates, day_first",
    [(["3/4/2017", "13/4/2017"], True), (["4/13/2017"], False), (["3/4/2017"], None), ([], None)],
)
def test_whether_the_day_comes_first(dates: list[str], day_first: bool | None) -> None:
    content = "rank,title,date\n" + "".join(f"1,x,{date}\n" for date in dates)
    assert charts.known_of(look(content))["day_first"] is day_first


@pytest.mark.parametrize(
    "header, table",
    [
        ("id,name,artist_popularity,artist_genres,followers,genre_0", "catalog_artists"),
        ("track_name,track_id,album_id,artist_id,artists", "catalog_album_tracks"),
        ("id,track_popularity,explicit", "catalog_tracks"),
        ("danceability,energy,key,id", "catalog_features"),
    ],
)
def test_kinds_of_the_catalog_are_told_by_their_headers(header: str, table: str) -> None:
    body = f"{header}\n".encode()
    _, layout = sniff(Found("x.csv", len(body)), body, [kind.layout for kind in kaggle.KINDS])
    assert [kind.table for kind in kaggle.KINDS if kind.layout is layout] == [table]
