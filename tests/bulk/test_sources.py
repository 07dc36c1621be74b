"""What a file's beginning and name tell."""

import datetime as dt
import gzip
import io
import zipfile
from pathlib import Path

import pytest

from spotify_bulk import charts, kaggle
from spotify_bulk.errors import NothingToRead
from spotify_bulk.sources import HEAD_BYTES, CsvFile, as_utf8, detect, inspect_files
from spotify_bulk.storage import Folder, StoredFile

BANNER = ',,,"Note that these figures are generated using a formula, and so on.",\n'
OLD = 'Position,"Track Name",Artist,Streams,URL\n1,Hawái,Maluma,5696927,https://open.spotify.com/track/1yoMvmasuxZfqHEipJhRbp\n'


def look(content: bytes | str, name: str = "regional-global-daily-2020-09-01.csv") -> CsvFile:
    body = content if isinstance(content, bytes) else content.encode()
    return detect(StoredFile(name, len(body)), body, [charts.LAYOUT])[0]


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
        (
            "date,track,artist,current_pos,prev_pos,country,track_uri",
            "date title artist rank previous_rank region url",
        ),
        ("Chart Position,Song,Day,Month,Year", "rank title day month year"),
        ("Date,Day,Month,Year,Current Rank,Song", "date - - - rank title"),
        ("week,rank,title,year", "date rank title -"),
    ],
)
def test_headers_of_several_makers(header: str, columns: str) -> None:
    source = look(header + "\n")
    assert [column or "-" for column in source.columns] == columns.split()


def test_a_banner_and_a_byte_order_mark_are_the_head() -> None:
    source = look(b"\xef\xbb\xbf" + (BANNER + "\n" + OLD).encode())
    assert source.head == (BANNER.strip(), OLD.splitlines()[0])


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
    for body in (wide, gzip.compress(wide)):
        assert as_utf8(io.BytesIO(body), look(body)) == OLD.encode()


def test_gzip_is_told_by_its_content() -> None:
    for name in ("charts.csv.gz", "charts.csv"):
        source = look(gzip.compress(OLD.encode()), name)
        assert (source.columns[0], source.gzipped) == ("rank", True)
    assert look(OLD, "charts.csv.gz").gzipped is False
    assert "twice" in str(look(gzip.compress(gzip.compress(OLD.encode())), "charts.csv.gz").problem)


def test_files_that_are_no_data_are_left_alone(tmp_path: Path) -> None:
    packed = gzip.compress(("rank,title\n" + "".join(f"{n},{n**9}\n" for n in range(9999))).encode())
    files = {"charts.CSV": OLD.encode(), "more/whole.csv.gz": packed, "empty.csv": b"", "blank.csv": b"\n \n"}
    files |= {
        "cut.csv.gz": packed[:-99],
        "wrong.csv.gz": packed[:-8] + b"\0" * 8,
        "empty.csv.gz": gzip.compress(b""),
    }
    beside = (".DS_Store", "._charts.csv", "_READY", "__MACOSX/more/charts.csv", "archive.zip")
    files |= dict.fromkeys(beside, b"\0\5\x16\7")
    for name, body in files.items():
        Folder(tmp_path).write(name, body)
    inspected, left_alone = inspect_files(Folder(tmp_path), [charts.LAYOUT])
    said = {source.name: str(source.problem) for source, _ in inspected}
    assert left_alone == list(beside)
    assert {name for name, problem in said.items() if problem == "None"} == {
        "charts.CSV",
        "more/whole.csv.gz",
    }
    assert {name for name, problem in said.items() if "upload it again" in problem} == {
        "cut.csv.gz",
        "wrong.csv.gz",
    }
    assert {name for name, problem in said.items() if "empty" in problem} == {
        "blank.csv",
        "empty.csv",
        "empty.csv.gz",
    }


def test_a_place_without_data_says_what_lies_there(tmp_path: Path) -> None:
    Folder(tmp_path).write("archive.zip", b"PK")
    with pytest.raises(NothingToRead, match=r"There is no CSV file.*archive\.zip\. Unpack"):
        inspect_files(Folder(tmp_path), [charts.LAYOUT])


@pytest.mark.parametrize(
    "line, reason", [("x" * 200_000, None), ('"' + "1,x,2017-01-13\n" * 20_000, "header")]
)
def test_what_is_longer_than_the_csv_module_reads_is_no_failure(line: str, reason: str | None) -> None:
    body = f"rank,title,date\n{line}\n".encode()[:HEAD_BYTES]
    assert look(body).columns == ("rank", "title", "date")
    late = look(f"{line[:150_000]}\n{OLD}")  # a header is looked for in the first lines
    assert (late.reason if late.problem else None) == reason


@pytest.mark.parametrize(
    "row, backslashes",
    [
        (r'"Say \"Hi\", now",1', True),
        (r'x,"7\" Single"', True),
        (r'"Say ""Hi"", now",1', False),
        (r'"ends in \",1', False),
        (r'"\""quoted""",1', False),
        (r"AC\DC,1", False),
    ],
)
def test_whether_quotes_have_backslashes(row: str, backslashes: bool) -> None:
    assert look(f"title,rank\n{row}\n").backslashes is backslashes


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
        ("spotify_top_50_us_2023-10-18.csv", ("2023-10-18", "United States", "top50")),
        ("Viral 50 (weekly, gb).csv", (None, "United Kingdom", "viral50_weekly")),
        ("regional-global-weekly-2023-01-05.csv.gz", ("2023-01-05", "Global", "top200_weekly")),
    ],
)
def test_what_names_tell(name: str, known: tuple[str | None, ...]) -> None:
    found = charts.infer_file_values(look(OLD, name))
    date = dt.date.fromisoformat(known[0]) if known[0] else None
    assert (found["date"], found["region"], found["chart"] or found["likely_chart"]) == (date, *known[1:])
    assert (found["chart"] is None) == (
        name in ("charts/us/2017-03-04.csv", "songs in 2017.csv", "charts.csv")
    )


def test_a_chart_without_streams_is_viral_and_one_with_daily_rank_a_top_50() -> None:
    assert (
        charts.infer_file_values(look("Position,Track Name,Artist,URL\n", "x.csv"))["likely_chart"]
        == "viral50"
    )
    top = charts.infer_file_values(look("spotify_id,name,daily_rank,country\n", "x.csv"))
    assert (top["likely_chart"], top["region"]) == ("top50", "Global")


@pytest.mark.parametrize(
    "dates, day_first",
    [(["3/4/2017", "13/4/2017"], True), (["4/13/2017"], False), (["3/4/2017"], None), ([], None)],
)
def test_whether_the_day_comes_first(dates: list[str], day_first: bool | None) -> None:
    content = "rank,title,date\n" + "".join(f"1,x,{date}\n" for date in dates)
    assert charts.infer_file_values(look(content))["day_first"] is day_first


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
    _, layout = detect(StoredFile("x.csv", len(body)), body, [kind.layout for kind in kaggle.KINDS])
    assert [kind.table for kind in kaggle.KINDS if kind.layout is layout] == [table]
