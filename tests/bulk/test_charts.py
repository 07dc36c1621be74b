"""Charts of several makers become one star schema, with every row accounted for."""

from __future__ import annotations

import csv
import io
import random
import re
from typing import TYPE_CHECKING, Any

import pytest
from pyspark.sql import Observation
from pyspark.sql.functions import lit, xxhash64

from bulk import charts, records
from bulk.errors import BadArguments, NothingToRead
from bulk.places import Folder
from bulk.run import Arguments
from bulk.sources import look_at
from spotify_lake.warehouse import CATALOG, CHARTS, REJECTS
from tests.bulk_lake import Lake, assert_declared, balance

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
@pytest.mark.parametrize("published", [0, 4, 7])
def test_a_run_killed_while_it_publishes_is_made_good_by_the_next(
    lake: Lake, new_lake: Callable[[str], Lake], monkeypatch: pytest.MonkeyPatch, published: int
) -> None:
    files = {"charts.csv": KAGGLE, OLD_NAME: OLD}
    take, taken = Folder.take, []

    def killed(self: Folder, *arguments: Any) -> None:
        if len(taken) >= published:
            raise KeyboardInterrupt
        taken.append(arguments)
        take(self, *arguments)

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(Folder, "take", killed)
        lake.load("charts", files)
    lake.load("charts", files)
    whole = new_lake("whole")
    whole.load("charts", files)
    assert lake.content() == whole.content()


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
        (20200213, "Spain", "top200", 1, "Señorita", 1),
    ]
    assert summary["rejects_by_reason"] == {"date": 2, "header": 2, "file": 1}
    assert ("MOVE_UP",) in lake.rows("fact_chart_entry", "trend")


def test_a_file_that_does_not_say_its_date_can_be_told(lake: Lake) -> None:
    summary = lake.load("charts", {"latest.csv": OLD}, date="2017-01-01", region="AR")
    assert summary["rejects"] == 0
    assert {row[:3] for row in entries(lake)} == {(20170101, "Argentina", "top200")}


def test_random_records_come_out_as_the_csv_module_reads_them(lake: Lake) -> None:
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
            title = "x" + "".join(draw.choices(pieces, k=draw.randrange(12))) + "y"
            wanted.add((20170101 + number, rank, title))
            writer.writerow([title, rank, f"2017-01-0{1 + number}", "A", "", "Peru", "top200", "", rank])
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
    judged = charts.fact_chart_entry(charts.entries(frame.union(frame), tasks=2))
    found = [
        tuple(row) for row in judged.where("state = 'kept'").drop("track_key", "streams", "trend").collect()
    ]
    (key,) = spark.range(1).select(xxhash64(lit("viral50_weekly"))).first()
    wanted = [
        ("kept", 20170101, region, key, rank, 2017, "viral50_weekly", 201701)
        for _, _, region, rank, *_ in rows
    ]
    assert sorted(found) == sorted(wanted)


def test_the_jvm_can_compile_what_looks_at_each_line(
    spark: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "charts.csv").write_text(KAGGLE)
    ((source, _),) = look_at(Folder(tmp_path), [charts.LAYOUT])
    facts = {name: (kind, [None]) for name, kind in charts.FACTS.items()}
    given = records.Input([source], [str(tmp_path / "charts.csv")], list(charts.LAYOUT.columns), facts)
    spark.conf.set("spark.sql.codegen.wholeStage", "true")
    try:
        records._first_look(spark, given, [0], charts.typed, Observation()).explain("codegen")
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
        ([*good, "--work", "s3://b/out"], "place of its own"),
        ([*good, "--date", "yesterday"], "no date"),
    ):
        with pytest.raises(BadArguments, match=said):
            Arguments.parse(wrong, ["date"])


def test_an_empty_input_is_said(lake: Lake) -> None:
    with pytest.raises(NothingToRead, match="There is no CSV file"):
        lake.load("charts", {})


def test_the_catalog_is_declared() -> None:
    assert len({declared.table.name for declared in (*CHARTS, *CATALOG, REJECTS)}) == 15
