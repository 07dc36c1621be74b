"""Charts of several makers become one star schema, with every row accounted for."""

from __future__ import annotations

import csv
import gzip
import io
import json
import random
import re
from typing import TYPE_CHECKING, Any

import pytest
from pyspark.sql import Observation
from pyspark.sql.functions import lit, xxhash64

from spotify_bulk import chart_tables, charts, records
from spotify_bulk.errors import BadArguments, NothingToRead
from spotify_bulk.run import Arguments
from spotify_bulk.sources import inspect_files
from spotify_bulk.storage import Folder
from spotify_lake.schema.warehouse import CATALOG, CHARTS, REJECTS
from tests.support.bulk_lake import Lake, assert_declared, balance

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

HEADER = "title,rank,date,artist,url,region,chart,trend,streams\n"
ID = "6mICuAdrwEjh6Y6lroV2K{}"


def url(last: str) -> str:
    return f"https://open.spotify.com/track/{ID.format(last)}"


KAGGLE = (
    HEADER
    + f"Chantaje (feat. Maluma),1,2017-01-01,Shakira,{url('g')},Argentina,top200,SAME_POSITION,253019.0\n"
    + f'"Say ""Hi"", now",2,2017-01-01,"Tyler, The Creator, Maluma",{url("h")},Argentina,top200,MOVE_UP,"1,234"\n'
    + f'"Two\nlines\n\nlong",3,2017-01-01,CNCO,{url("i")},Argentina,top200,NEW_ENTRY,7\n'
    + f'7" Single,4,2017-01-01,CNCO,{url("j")},Argentina,top200,NEW_ENTRY,6\n'
    + f"Viral ñé,1,2017-02-01,SHAKIRA,{url('G')},United States,viral50,MOVE_DOWN,\n"
)
UNTIDY = {
    "columns": f"One, two,5,2017-01-01,CNCO,{url('k')},Argentina,top200,NEW_ENTRY,6",
    "rank": f"Zero,0,2017-01-01,CNCO,{url('k')},Argentina,top200,NEW_ENTRY,6",
    "date": f"When,5,2017-02-31,CNCO,{url('k')},Argentina,top200,NEW_ENTRY,6",
    "streams": f"Many,5,2017-01-01,CNCO,{url('k')},Argentina,top200,NEW_ENTRY,lots",
    "trend": f"Up,5,2017-01-01,CNCO,{url('k')},Argentina,top200,UPWARD,6",
    "chart": f"Which,5,2017-01-01,CNCO,{url('k')},Argentina,top 10,NEW_ENTRY,6",
    "region": f"Where,5,2017-01-01,CNCO,{url('k')},,top200,NEW_ENTRY,6",
    "title": ",5,2017-01-01,CNCO,,Argentina,top200,NEW_ENTRY,6",
    "quotes": f'Open",5,2017-01-01,CNCO,{url("k")},Argentina,top200,NEW_ENTRY,6',
}
OLD = (
    '\ufeff,,,"Note that these figures are generated using a formula, and so on.",\n'
    'Position,"Track Name",Artist,Streams,URL\n'
    f'1,"Chantaje (feat. Maluma)",Shakira,253019,{url("g")}\n'
    f"5,Extra,Sia,5,{url('e')}\n"
)
OLD_NAME = "regional-ar-daily-2017-01-01.csv"


def entries(lake: Lake) -> list[tuple[Any, ...]]:
    """Return date, region, chart, rank, title and streams of all entries."""
    regions = dict(lake.rows("dim_region", "region_key", "name"))
    tracks = dict(lake.rows("dim_track", "track_key", "title"))
    fact = lake.rows("fact_chart_entry", "date_key", "region_key", "chart", "rank", "track_key", "streams")
    return sorted(
        (day, regions[region], *rest, tracks[track], streams) for day, region, *rest, track, streams in fact
    )


def test_the_kaggle_file_with_all_that_is_untidy(lake: Lake) -> None:
    broken = f"Bad \udcff,5,2017-01-01,CNCO,{url('k')},Argentina,top200,NEW_ENTRY,6\n".encode(
        errors="surrogateescape"
    )
    content = KAGGLE.encode() + "\n".join(UNTIDY.values()).encode() + b"\n" + broken + HEADER.encode()
    summary = lake.load("charts", {"charts.csv": content})

    balance(summary)
    assert summary["rows_in"] == 5 + len(UNTIDY) + 1
    assert summary["rejects_by_reason"] == dict.fromkeys([*UNTIDY, "encoding"], 1)
    assert summary["files"][0]["header_lines"] == 2
    assert entries(lake) == [
        (20170101, "Argentina", "top200", 1, "Chantaje (feat. Maluma)", 253019),
        (20170101, "Argentina", "top200", 2, 'Say "Hi", now', 1234),
        (20170101, "Argentina", "top200", 3, "Two\nlines\n\nlong", 7),
        (20170101, "Argentina", "top200", 4, '7" Single', 6),
        (20170201, "United States", "viral50", 1, "Viral ñé", None),
    ]
    rejects = lake.rows("bulk_rejects", "line", "reason", "detail", "content")
    first = KAGGLE.count("\n") + 1
    assert [(line, reason, content) for line, reason, _, content in rejects][:-1] == [
        (first + number, reason, content) for number, (reason, content) in enumerate(UNTIDY.items())
    ]
    assert {reason: detail for _, reason, detail, _ in rejects}["streams"] == "lots"
    # Ids tell capitals apart, names of artists do not.
    assert len({track for (track,) in lake.rows("dim_track", "track_id")}) == 5
    assert {name for (name,) in lake.rows("dim_artist", "name")} == {
        "SHAKIRA",
        "Tyler, The Creator",
        "Maluma",
        "CNCO",
    }
    # The parquet files are what the template declares.
    for declared in (*CHARTS, REJECTS):
        assert_declared(lake, declared)


def test_again_and_overlapping_and_in_any_order_the_content_is_the_same(
    lake: Lake, new_lake: Callable[[str], Lake]
) -> None:
    files = {"charts.csv": KAGGLE + UNTIDY["rank"] + "\n"}
    # Another maker's file of a day that is there: one row the same, one new, one that says something else.
    other = {OLD_NAME: OLD + f"2,Other,Sia,9000,{url('o')}\n"}
    assert lake.load("charts", files)["rows_out"] == 5
    once = lake.content()
    again = lake.load("charts", files)
    balance(again)
    assert (again["rows_out"], again["duplicates"], again["rejects"]) == (0, 5, 1)
    assert lake.content() == once

    more = lake.load("charts", other)
    balance(more)
    assert (more["rows_out"], more["duplicates"], more["replaced"]) == (2, 1, 1)
    assert (20170101, "Argentina", "top200", 2, "Other", 9000) in entries(lake)

    reverse = new_lake("reverse")
    reverse.load("charts", other)
    less = reverse.load("charts", files)
    balance(less)
    assert less["rejects_by_reason"] == {"rank": 1, "conflict": 1}
    tables = [table for table in lake.content() if table != "bulk_rejects"]
    assert [lake.rows(table) for table in tables] == [reverse.rows(table) for table in tables]


@pytest.mark.long
def test_a_run_killed_while_it_publishes_is_made_good_by_the_next(
    new_lake: Callable[[str], Lake], monkeypatch: pytest.MonkeyPatch
) -> None:
    earlier, files = (
        {OLD_NAME: OLD + f"2,Other,Sia,9,{url('o')}\n"},
        {"charts.csv": KAGGLE + UNTIDY["rank"] + "\n"},
    )
    whole = new_lake("whole")
    whole.load("charts", earlier)
    # The rejects, six dimensions, two months: before anything, before the first and before the last month.
    killed = {published: whole.copy(f"killed-{published}") for published in (0, 7, 8)}
    assert whole.load("charts", files)["replaced"] == 1
    assert ("(the lake)", "conflict") in whole.rows("bulk_rejects", "source", "reason")
    for published, lake in killed.items():
        lake.die(monkeypatch, published, "charts", files)
        lake.load("charts", files)
        assert lake.content() == whole.content(), published


def test_exports_of_other_makers(lake: Lake) -> None:
    summary = lake.load(
        "charts",
        {
            "regional-us-weekly-2020-01-03--2020-01-10.csv": OLD,
            "nested/viral-gb-daily-2020-01-04.csv": f'Position,"Track Name",Artist,URL\n1,Kernkraft,Z,{url("z")}\n',
            # What a spreadsheet makes of it.
            "data.csv": (
                "Position;Track Name;Artist;Streams;URL;Date;Region\r\n"
                f"1;Señorita;Ñ;1.0;{url('s')};13/02/2020;es\r\n2;Más;Ñ;nan;{url('m')};01/02/2020;es\r\n"
            ).encode("windows-1252"),
            "wide.csv": (
                "rank,uri,artist_names,track_name,previous_rank,date,region,streams\n"
                f"3,spotify:track:{ID.format('w')},A,B,5,2020-02-01,gb,1\n"
            ).encode("utf-16"),
            "regional-global-daily-latest.csv": OLD,
            "regional-fr-weekly-2020-02-07.csv": (
                "rank,uri,artist_names,track_name,source,peak_rank,previous_rank,weeks_on_chart,streams\n"
                f'1,spotify:track:{ID.format("k")},"SZA, Tyler, The Creator",Kill,RCA,1,-1,1,9\n'
            ),
            "artist-fr-weekly-2020-02-07.csv": (
                "rank,uri,artist_name,peak_rank,previous_rank,weeks_on_chart\n"
                f"1,spotify:artist:{ID.format('A')},SZA,1,1,1\n"
            ),
            # fycharts, with the week in a cell; a row without names, as in "Worldwide Daily Song Ranking".
            "top_200_weekly.csv": (
                "Position,Track Name,Artist,Streams,date,region,spotify_id\n"
                f"1,Kill,\"['SZA', 'Tyler, The Creator']\",8,2020-02-07--2020-02-14,fr,{ID.format('k')}\n"
                f"1,,,7,2020-02-14--2020-02-21,fr,{ID.format('k')}\n"
            ),
            "kworb_fr_daily_20200203.csv": 'Pos,P+,Artist and Title,Streams\n1,=,Au/Ra - Medicine - Live,"1,234"\n',
            "notes.txt": "Nothing of this\nis a chart.\n",
            "old.csv": b"PK\x03\x04 zipped",
        },
    )
    balance(summary)
    assert entries(lake) == [
        (20200104, "United Kingdom", "viral50", 1, "Kernkraft", None),
        (20200110, "United States", "top200_weekly", 1, "Chantaje (feat. Maluma)", 253019),
        (20200110, "United States", "top200_weekly", 5, "Extra", 5),
        (20200201, "Spain", "top200", 2, "Más", None),
        (20200201, "United Kingdom", "top200", 3, "B", 1),
        (20200203, "France", "top200", 1, "Medicine - Live", 1234),
        (20200207, "France", "top200_weekly", 1, "Kill", 9),
        (20200213, "Spain", "top200", 1, "Señorita", 1),
        (20200214, "France", "top200_weekly", 1, "Kill", 8),
        (20200221, "France", "top200_weekly", 1, "Kill", 7),
    ]
    assert summary["rejects_by_reason"] == {"date": 2, "header": 1, "file": 1, "url": 1}
    assert {("MOVE_UP",), ("NEW_ENTRY",)} <= set(lake.rows("fact_chart_entry", "trend"))
    assert {("SZA",), ("Tyler, The Creator",), ("Au/Ra",)} <= set(lake.rows("dim_artist", "name"))


def test_what_systems_and_transfers_do_to_files(lake: Lake) -> None:
    def row(title: str, rank: int, day: str) -> str:
        return f"{title},{rank},{day},A,,Peru,top200,,5\n"

    many = "".join(row("Padding", rank, "2019-05-05") for rank in range(1, 9000))
    wide = (HEADER + row("Wide é", 1, "2019-01-01")).encode("utf-16")
    packed = gzip.compress((HEADER + many).encode())
    given = {
        # Names that mean something to Spark, and compression that the name does not tell.
        "[a] 100%? {b}: c#1\\2*.csv": HEADER + row("Name", 1, "2019-01-02"),
        "a%20b, é.csv": HEADER + row("Percent", 1, "2019-01-03"),
        "X.CSV.GZ": gzip.compress((HEADER + row("One", 1, "2019-01-04")).encode())
        + gzip.compress(row("Two", 2, "2019-01-04").encode()),
        "wide.csv": wide,
        "wide.csv.gz": gzip.compress(wide),
        "lone.csv": (HEADER + row("Mac", 1, "2019-01-05") + row("End", 2, "2019-01-05"))[:-1].replace(
            "\n", "\r"
        ),
        # Later than where a file is looked at: other encodings, zero bytes, cells of a megabyte.
        "late.csv": (HEADER + many + row("é", 9000, "2019-05-05")).encode()
        + row("ñ", 9001, "2019-05-05").encode("windows-1252")
        + row("N\0l", 9002, "2019-05-05").encode()
        + row('"' + "long\n" * 200_000 + '"', 9003, "2019-05-05").encode(),
        "old.csv": (HEADER + row("Señor", 1, "2019-01-06")).encode("windows-1252")
        + row("Même", 2, "2019-01-06").encode()
        + row("Und\x81f", 3, "2019-01-06").encode("latin-1"),
        # Put together from others; written by Spark.
        "cat.csv": f"\ufeff\n{HEADER}{row('First', 1, '2019-01-07')}\ufeff{HEADER}"
        + row('"Two\n\nlines"', 2, "2019-01-07"),
        "spark.csv": HEADER + row(r'"Say \"Hi\", now"', 1, "2019-01-08") + row(r'"AC\\"', 2, "2019-01-08"),
        # Not whole, or nothing.
        "cut.csv.gz": packed[:-100],
        "empty.csv": "",
        "header.csv": HEADER,
        "_READY": "",
    }
    summary = lake.load("charts", given)
    balance(summary)
    assert summary["rejects_by_reason"] == {"file": 2, "encoding": 3}
    assert summary["left_alone"] == ["_READY"]
    assert summary["duplicates"] == 1
    short = [
        (day, rank, title) for day, _, _, rank, title, _ in entries(lake) if rank < 3 and title != "Padding"
    ]
    assert short == [
        (20190101, 1, "Wide é"),
        (20190102, 1, "Name"),
        (20190103, 1, "Percent"),
        (20190104, 1, "One"),
        (20190104, 2, "Two"),
        (20190105, 1, "Mac"),
        (20190105, 2, "End"),
        (20190106, 1, "Señor"),
        (20190106, 2, "Même"),
        (20190107, 1, "First"),
        (20190107, 2, "Two\n\nlines"),
        (20190108, 1, 'Say "Hi", now'),
        (20190108, 2, "AC\\"),
    ]
    long = [(rank, title) for _, _, _, rank, title, _ in entries(lake) if rank >= 9000]
    assert long == [(9000, "é"), (9003, "long\n" * 200_000)]
    rejects = lake.rows("bulk_rejects", "source", "line", "reason")
    assert {source.rsplit("/", 1)[0] for source, *_ in rejects} == {summary["input"]}
    assert [(source.split("/")[-1], line, reason) for source, line, reason in rejects] == [
        ("cut.csv.gz", None, "file"),
        ("empty.csv", None, "file"),
        ("late.csv", 9002, "encoding"),
        ("late.csv", 9003, "encoding"),
        ("old.csv", 4, "encoding"),
    ]


def test_a_file_that_does_not_say_its_date_can_be_told(lake: Lake) -> None:
    summary = lake.load("charts", {"latest.csv": OLD}, date="2017-01-01", region="AR", chart="top200_weekly")
    assert (summary["rejects"], summary["unused_defaults"]) == (0, [])
    assert {row[:3] for row in entries(lake)} == {(20170101, "Argentina", "top200_weekly")}


def test_layouts_that_few_makers_use(lake: Lake) -> None:
    summary = lake.load(
        "charts",
        {
            "ymd.csv": "Position,Track Name,Artist,Streams,URL,Month,Day,Year,Region\n"
            f"1,One,A,5,{url('a')},03,29,2019,kr\n2,Two,A,4,{url('b')},3,9,2019,kr\n"
            f"3,Three,A,3,{url('c')},March,30,2019.0,kr\n4,Four,A,2,{url('d')},3,,2019,kr\n",
            "current.csv": "date,track,artist,current_pos,streams,country,track_uri\n"
            f'2023-12-28,One,A,2,5,"Korea, Republic of",{ID.format("a")}\n'
            f"2023-12-28,Two,A,3,5,KOR,{ID.format('b')}\n2023-12-28,Three,A,4,5,Viet Nam,{ID.format('c')}\n",
            "quoted.csv": '"Position,Track Name,Artist,Streams,URL,Date,Region"\n'
            f'"1,""One, """"or"""" two"",A,9,{url("e")},2017-01-01,Republic of Korea"\n'
            f'"2,Two,A,8,{url("b")},2017-01-01,Korea (Republic of)"\n',
            # Only the lines that had quotes were quoted once more.
            "partly.csv": "Position,Track Name,Artist,Streams,URL,Date,Region\n"
            f'"1,""One, two"",A,9,{url("f")},2017-01-02,kr"\n2,Two,A,8,{url("b")},2017-01-02,kr\n"junk"\n',
        },
    )
    balance(summary)
    assert entries(lake) == [
        (20170101, "South Korea", "top200", 1, 'One, "or" two', 9),
        (20170101, "South Korea", "top200", 2, "Two", 8),
        (20170102, "South Korea", "top200", 1, "One, two", 9),
        (20170102, "South Korea", "top200", 2, "Two", 8),
        (20190309, "South Korea", "top200", 2, "Two", 4),
        (20190329, "South Korea", "top200", 1, "One", 5),
        (20190330, "South Korea", "top200", 3, "Three", 3),
        (20231228, "South Korea", "top200", 2, "One", 5),
        (20231228, "South Korea", "top200", 3, "Two", 5),
        (20231228, "Vietnam", "top200", 4, "Three", 5),
    ]
    assert sorted(lake.rows("dim_region", "name", "region_code")) == [
        ("South Korea", "kr"),
        ("Vietnam", "vn"),
    ]
    rejects = lake.rows("bulk_rejects", "line", "reason", "detail", "content")
    assert rejects == [
        (4, "columns", None, '"junk"'),
        (5, "date", "2019-03", f"4,Four,A,2,{url('d')},3,,2019,kr"),
    ]


def test_a_conflict_shows_the_row_as_it_is_in_the_file_and_leaves_no_track(
    lake: Lake, new_lake: Callable[[str], Lake], small_blocks: None
) -> None:
    def row(rank: int, title: str, streams: int, track: str, day: str = "2012-01-03") -> str:
        return f"{rank},{title},Y,{streams},us,{day},{track}\n"

    header, sound, mangled = "position,title,artist,streams,region,date,id\n", "7-11 (Seven Eleven)", "11-Jul"
    padding = "".join(row(rank, "Padding", 5, ID.format("p")) for rank in range(10, 99))
    first = (
        header
        + padding
        + row(1, "More", 9, ID.format("m"))
        + row(1, '"Less\nlines"', 1, ID.format("l"))
        # The same song without an id, as two spreadsheets have it; and with one.
        + row(2, mangled, 70, "")
        + row(2, sound, 60, "")
        + row(3, sound, 50, ID.format("s"))
        + row(3, mangled, 50, ID.format("s"))
        + row(4, "Lost", 1, ID.format("k"))
        + row(4, "More", 2, ID.format("m"))
        + row(5, "Lost", 1, ID.format("k"), "2012-02-01")
    )
    second = header + row(1, "Most", 10, ID.format("n"))
    line = first[: first.index("1,More")].count("\n") + 1

    summary = lake.load("charts", {"first.csv": first})
    balance(summary)
    assert lake.rows("bulk_rejects", "line", "reason", "content") == [
        (line + 1, "conflict", row(1, '"Less\nlines"', 1, ID.format("l"))[:-1]),
        (line + 3, "conflict", row(2, mangled, 70, "")[:-1]),
        (line + 7, "conflict", row(4, "Lost", 1, ID.format("k"))[:-1]),
    ]
    more = lake.load("charts", {"second.csv": second})
    assert (more["rows_out"], more["replaced"]) == (1, 1)
    (content,) = (
        content
        for source, content in lake.rows("bulk_rejects", "source", "content")
        if source == "(the lake)"
    )
    assert json.loads(content) == {
        "date": "2012-01-03", "region": "United States", "chart": "top200", "rank": 1, "title": "More", "artist": "Y",
        "url": url("m"), "streams": 9,
    }  # fmt: skip
    tracks = lake.rows("dim_track", "title", "first_date_key", "last_date_key")
    assert tracks == [
        (sound, 20120103, 20120103),
        (sound, 20120103, 20120103),
        ("Lost", 20120201, 20120201),
        ("More", 20120103, 20120103),
        ("Most", 20120103, 20120103),
        ("Padding", 20120103, 20120103),
    ]
    for table, said in more["tables"].items():
        assert said == len(lake.rows(table)), table

    reverse = new_lake("reverse")
    reverse.load("charts", {"second.csv": second})
    again = reverse.load("charts", {"first.csv": first})
    assert again["rejects_by_reason"] == {"conflict": 4}
    for table in set(lake.content()) - {"bulk_rejects"}:
        assert lake.rows(table) == reverse.rows(table), table
    # Nothing new, and months that this run does not touch.
    nothing = lake.load("charts", {"second.csv": second})
    assert nothing["rows_out"] == 0
    assert nothing["tables"]["fact_chart_entry"] == len(lake.rows("fact_chart_entry")) == 94


def test_a_file_without_the_columns_is_one_reject_that_names_them(lake: Lake) -> None:
    summary = lake.load(
        "charts",
        {
            "x.csv": "\ndate;track;artist;streams\n2021-01-01;One;A;5\n2021-01-01;Two;A;4\n",
            "regional-us.csv": "rank,title,date,region,streams\n1,One,2021-01-01,us,9\n",
        },
        date="2021-01-01",
        region="us",
        chart="top200",
    )
    balance(summary)
    assert (summary["rows_in"], summary["rejects_by_reason"]) == (2, {"header": 1})
    assert summary["unused_defaults"] == ["date", "region", "chart"]
    problem = next(file["problem"] for file in summary["files"] if file["name"] == "x.csv")
    assert problem.startswith("Line 2 has no column for rank (also called position, ")
    assert problem.endswith("…). Its columns are: date, track, artist, streams.")
    assert lake.rows("bulk_rejects", "line", "reason", "detail", "content") == [
        (2, "header", problem, "date;track;artist;streams")
    ]


def test_random_records_come_out_as_the_csv_module_reads_them(lake: Lake, small_blocks: None) -> None:
    draw = random.Random(7)
    pieces = ['"', ",", "\n", ";", "é", "a", "b ", "\\", "'", "🎵"]
    files, wanted = {}, set()
    for number in range(4):
        text = io.StringIO()
        writer = csv.writer(
            text,
            quoting=draw.choice([csv.QUOTE_MINIMAL, csv.QUOTE_ALL]),
            lineterminator=draw.choice(["\n", "\r\n"]),
        )
        writer.writerow(HEADER.strip().split(","))
        for rank in range(1, 60):
            cells = [rank, f"2017-01-0{1 + number}", "A", "", "Peru", "top200", "", rank]
            title = "x" + "".join(draw.choices(pieces, k=draw.randrange(12))) + "y"
            if rank % 5 == 0:  # a quote that opens none, wherever the lines of other records are
                title = f'{rank}" Single'
                text.write(",".join(map(str, [title, *cells])) + "\n")
            else:
                writer.writerow([title, *cells])
            wanted.add((20170101 + number, rank, title))
        files[f"{number}.csv"] = text.getvalue()
    summary = lake.load("charts", files)
    balance(summary)
    assert summary["rejects"] == 0
    assert {(day, rank, title) for day, _, _, rank, title, _ in entries(lake)} == wanted


def test_two_regions_may_have_keys_that_begin_alike(spark: Any) -> None:
    rows = [(0, 20170101, region, rank, 7, 1, None) for region in (1, 2, -1) for rank in (1, 10_000)]
    names = (
        "file int, date_key int, region_key bigint, rank int, track_key bigint, streams bigint, trend string"
    )
    frame = spark.createDataFrame(rows, names).withColumn("chart_key", xxhash64(lit("viral50_weekly")))
    classified = chart_tables.classify_entries(frame.union(frame), tasks=2)
    entries_ = chart_tables.fact_chart_entry(classified.where("state <> 'duplicate'"))
    found = [tuple(row) for row in entries_.drop("track_key", "streams", "trend").collect()]
    (key,) = spark.range(1).select(xxhash64(lit("viral50_weekly"))).first()
    wanted = [
        (None, 20170101, region, key, rank, 2017, "viral50_weekly", 201701) for _, _, region, rank, *_ in rows
    ]
    assert sorted(found) == sorted(wanted)


def test_the_jvm_can_compile_what_looks_at_each_line(
    spark: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "charts.csv").write_text(KAGGLE)
    (((source, _),), _) = inspect_files(Folder(tmp_path), [charts.LAYOUT])
    file_values = {name: (type_, [None]) for name, type_ in charts.FILE_VALUES.items()}
    given = records.Batch([source], [str(tmp_path / "charts.csv")], charts.LAYOUT, file_values)
    spark.conf.set("spark.sql.codegen.wholeStage", "true")
    try:
        records._first_pass(spark, given, [0], charts.type_cells, Observation()).explain("codegen")
    finally:
        spark.conf.set("spark.sql.codegen.wholeStage", "false")
    sizes = [int(size) for size in re.findall(r"maxMethodCodeSize:(\d+)", capsys.readouterr().out)]
    assert max(sizes) > 3000
    # HotSpot's limit. A longer method is interpreted, which takes several times as long: see decision 29.
    assert max(sizes) <= 8000


def test_arguments_are_checked() -> None:
    good = ["--input", "s3://b/in", "--warehouse", "s3://b/out", "--work", "/tmp/work", "--JOB_NAME", "x"]
    assert Arguments.parse([*good, "--date", "2021-01-01"], ["date"]).defaults == {"date": "2021-01-01"}
    for wrong, said in (
        (good[2:], "--input is missing"),
        ([*good, "--input", "ftp://x"], "neither an s3:// address"),
        ([*good, "--work", "s3://b/out"], "not be the warehouse"),
        ([*good, "--date", "yesterday"], "not a date"),
        ([*good, "--input", "/tmp"], "part of the input"),
        ([*good, "--work", "/tmp/[x]"], "Spark treats as patterns"),
    ):
        with pytest.raises(BadArguments, match=said):
            Arguments.parse(wrong, ["date"])


def test_an_empty_input_is_said(lake: Lake) -> None:
    with pytest.raises(NothingToRead, match="There is no CSV file"):
        lake.load("charts", {"_READY": ""})


def test_a_chart_that_is_none_is_refused(lake: Lake) -> None:
    with pytest.raises(BadArguments, match="--chart: 'top10' is not one of top200, viral50"):
        lake.load("charts", {"x.csv": OLD}, chart="top10")
    with pytest.raises(BadArguments, match="--region: 'Atlantis' is neither"):
        lake.load("charts", {"x.csv": OLD}, region="Atlantis")


def test_the_catalog_is_declared() -> None:
    assert len({declared.table.name for declared in (*CHARTS, *CATALOG, REJECTS)}) == 15
