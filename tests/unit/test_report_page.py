"""The page as text: what is in it, what cannot get into it, and colors that can be told apart."""

import base64
import datetime as dt
import hashlib
import html
import json
import re
from html.parser import HTMLParser
from itertools import batched
from pathlib import Path

import pytest

from spotify_lake.athena import Athena
from spotify_lake.keys import REPORT_INDEX as INDEX
from spotify_lake.report import page
from spotify_lake.report.content import Content
from spotify_lake.report.run import newest_date, run
from tests.support import charted, listened, plays
from tests.support.lake_in_memory import FakeAthenaClient, Lake, snapshot

NOW = dt.datetime(2026, 11, 21, 10, tzinfo=dt.UTC)
ASSETS = Path(page.__file__).parent / "assets"
HOSTILE = [
    "<script>alert(1)</script>",
    "</script><img src=x onerror=alert(1)>",
    "<!--<script>",
    "line\u2028and\u2029paragraph",
    "\"quoted\" & 'single'",
    "$title ${data}",
    "\u202eright to left",
    "]]>",
]


class Parsed(HTMLParser):
    def __init__(self, text):
        super().__init__()
        self.tags, self.texts, self.open = [], {}, None
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        self.open = len(self.tags)

    def handle_endtag(self, tag):
        self.open = None

    def handle_data(self, data):
        self.texts.setdefault(self.open, []).append(data)

    def within(self, wanted):
        return ["".join(self.texts.get(n, [])) for n, (tag, _) in enumerate(self.tags, 1) if tag == wanted]


def written(names, **changes):
    lake = Lake()
    lake.add(snapshot(dt.date(2026, 9, 7), names, **changes))
    return page.render(lake.report(), NOW).decode()


def test_names_stay_names():
    parsed = Parsed(written(HOSTILE, name=HOSTILE[0], description=html.escape(HOSTILE[1])))
    plain = Parsed(written(["A"]))
    assert [tag for tag, _ in parsed.tags] == [tag for tag, _ in plain.tags], "no name has become a tag"
    data = json.loads(parsed.within("script")[0])
    name = data["columns"]["Song"].index("name")
    assert [song[name] for song in data["content"]["songs"]] == HOSTILE
    assert data["content"]["playlists"][0]["name"] == HOSTILE[0]


def test_data_cannot_end_its_element():
    text = written(HOSTILE)
    data = re.search(r'id="data">(.*?)</script>', text, re.DOTALL)[1]
    assert not set(data) & set("<>&\u2028\u2029")


def test_nothing_is_loaded_from_anywhere():
    parsed = Parsed(written(["A"]))
    for tag, attributes in parsed.tags:
        assert "src" not in attributes
        assert tag not in {"iframe", "object", "embed", "base", "img"}
        if tag == "link":
            assert attributes["href"] == "data:,"
    for style in parsed.within("style"):
        assert "@import" not in style
        assert "url(" not in style
    for script in parsed.within("script"):
        assert "sourceMappingURL" not in script


def test_the_policy_permits_these_scripts_and_nothing_else():
    parsed = Parsed(written(["A"]))
    policy = next(a["content"] for _, a in parsed.tags if a.get("http-equiv") == "Content-Security-Policy")
    directives = {
        name: values for name, *values in (part.split() for part in policy.split(";") if part.strip())
    }

    def source(text):
        return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"

    _, chart, code = parsed.within("script")
    assert directives == {
        "default-src": ["'none'"],
        "base-uri": ["'none'"],
        "form-action": ["'none'"],
        "img-src": ["data:"],
        "style-src": [source(parsed.within("style")[0])],
        "script-src": [source(chart), source(code)],
    }


def test_the_same_content_is_the_same_page():
    assert written(["A", "B"]) == written(["A", "B"])


def test_an_empty_lake_has_a_page():
    text = page.render(Content(), NOW).decode()
    assert "<title>Spotify Lake</title>" in text


def test_code_puts_no_text_on_the_page_as_markup():
    *_, code = Parsed(written(["A"])).within("script")
    assert not re.search(
        r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\b|new Function", code
    )


def test_every_file_of_the_script_is_on_the_page_once():
    *_, code = Parsed(written(["A"])).within("script")
    files = [path.read_text() for path in (ASSETS / "js").glob("*.js")]
    assert len(files) > 10
    assert [code.count(text) for text in files] == [1] * len(files)


def test_columns_name_the_values_of_rows():
    data = json.loads(Parsed(written(["A"])).within("script")[0])
    [song] = data["content"]["songs"]
    named = dict(zip(data["columns"]["Song"], song, strict=True))
    assert (named["name"], named["kind"], named["seconds"]) == ("A", "song", 208)


def test_long_lists_are_packed():
    lake = Lake()
    days = [dt.date(2026, 9, 7), *(dt.date(2026, 9, day) for day in range(10, 20))]
    lake.add(*(snapshot(day, ["A", "B"]) for day in days))
    [playlist] = json.loads(Parsed(page.render(lake.report(), NOW).decode()).within("script")[0])["content"][
        "playlists"
    ]
    assert playlist["days"] == playlist["samples"] == [0, 3, [1, 9]]
    assert (playlist["counts"], playlist["entered"], playlist["left"]) == ([[2, 11]], [[0, 11]], [[0, 11]])


def test_third_party_files_are_the_recorded_ones():
    vendor = ASSETS / "vendor"
    rows = re.findall(
        r"^\| `([^`]+)` .*`([0-9a-f]{64})` \|$", (vendor / "README.md").read_text(), re.MULTILINE
    )
    assert {name: hashlib.sha256((vendor / name).read_bytes()).hexdigest() for name, _ in rows} == dict(rows)
    scripts = {path.name for path in vendor.glob("*.js")}
    assert scripts == {name for name, _ in rows}
    for path in vendor.iterdir():
        assert path.stat().st_size < 1024**2


class Bucket:
    """As much of S3 as the report uses; two folders make a page of a listing."""

    def __init__(self, *days, charts=(), has_plays=False):
        self.objects = {}
        self.days, self.charts, self.has_plays = days, charts, has_plays

    def list_objects_v2(self, *, Bucket, Prefix, MaxKeys):
        assert (Bucket, Prefix, MaxKeys) == ("the-lake", "curated/play_files/", 1)
        return {"Contents": [{"Key": Prefix}]} if self.has_plays else {"KeyCount": 0}

    def put_object(self, *, Bucket, Key, Body, **headers):
        self.objects[Bucket, Key] = (Body, headers)

    def get_paginator(self, operation):
        assert operation == "list_objects_v2"
        return self

    def paginate(self, *, Bucket, Prefix, Delimiter=None):
        if Delimiter is None:
            keys = [key for key in self.charts if key.startswith(Prefix)]
            yield {}  # as S3 answers where there is nothing
            yield {"Contents": [{"Key": key} for key in keys]}
            return
        assert (Bucket, Prefix, Delimiter) == ("the-lake", "curated/playlists/snapshot_date=", "/")
        yield {"KeyCount": 0}
        for some in batched(self.days, 2, strict=False):
            yield {"CommonPrefixes": [{"Prefix": f"{Prefix}{day}/"} for day in some]}


@pytest.mark.parametrize(
    "days, newest",
    [
        ([], None),
        (["2026-11-19", "2026-11-20", "2026-11-21"], "2026-11-21"),
        (["2026-11-20", "2026-11-22", "2031-01-01"], "2026-11-20"),
        (["2026-11-22"], None),
    ],
)
def test_the_newest_day_is_one_that_athena_sees(days, newest):
    found = newest_date(Bucket(*days), "the-lake", NOW.date())
    assert found == (newest and dt.date.fromisoformat(newest))


def test_the_page_is_stored_under_its_name_and_its_day():
    lake, s3 = Lake(), Bucket("2026-09-07")
    lake.add(snapshot(dt.date(2026, 9, 7), ["A"]))
    result = run(lake.athena(), s3, "the-lake", 730, "UTC", NOW)
    assert list(s3.objects) == [("the-lake", "report/2026-09-07.html"), ("the-lake", INDEX)]
    (dated, headers), (index, _) = s3.objects.values()
    assert dated == index
    assert headers == {"ContentType": "text/html; charset=utf-8", "CacheControl": "no-cache"}
    assert (result.keys, result.date, result.playlists, result.chart_regions) == (
        ["report/2026-09-07.html", INDEX],
        dt.date(2026, 9, 7),
        1,
        0,
    )
    assert result.size_bytes == len(index)


def test_a_page_without_data_replaces_no_day():
    s3 = Bucket()
    result = run(Lake().athena(), s3, "the-lake", 730, "UTC", NOW)
    assert list(s3.objects) == [("the-lake", INDEX)]
    assert result.date is None


def test_charts_are_shown_beside_playlists_or_alone():
    day = dt.date(2026, 9, 7)
    for days in ([day], []):
        lake = Lake()
        lake.add(*(snapshot(day, ["A"]) for day in days))
        lake.add_charts(charted.standings())
        s3 = Bucket(*days, charts={*lake.chart_keys, *lake.forecast_keys})
        result = run(lake.athena(), s3, "the-lake", 730, "UTC", NOW)
        page_of_run, _ = s3.objects["the-lake", INDEX]
        content = json.loads(Parsed(page_of_run.decode()).within("script")[0])["content"]
        assert result.chart_regions == len(content["charts"]["regions"]) > 2
        assert len(content["playlists"]) == len(days)


def test_without_plays_no_query_asks_for_them():
    asked = {}
    for has_plays in (False, True):
        lake = Lake()
        lake.add(snapshot(dt.date(2026, 9, 7), ["A"]))
        lake.add_plays(listened.as_rows([plays.tables([plays.extended()])]))
        client = FakeAthenaClient(lake.connection)
        s3 = Bucket("2026-09-07", has_plays=has_plays)
        run(Athena(client, "lake", "lake"), s3, "the-lake", 730, "UTC", NOW)
        asked[has_plays] = [sql for sql in client.queries if "play" in sql.replace("playlist", "")]
        page_of_run, _ = s3.objects["the-lake", INDEX]
        content = json.loads(Parsed(page_of_run.decode()).within("script")[0])["content"]
        assert (content["listening"] is not None) == has_plays
    assert [len(queries) for queries in asked.values()] == [0, 2]


# --- Colors: https://www.w3.org/TR/WCAG22/#contrast-minimum ---


def luminance(color):
    channels = [int(color[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    red, green, blue = (c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one, other):
    dark, light = sorted((luminance(one), luminance(other)))
    return (light + 0.05) / (dark + 0.05)


def themes():
    blocks = re.findall(r":root[^{]*\{([^}]*--bg[^}]*)\}", (ASSETS / "report.css").read_text())
    return [dict(re.findall(r"--([a-z0-9-]+):\s*(#[0-9a-f]{6})", block)) for block in blocks]


def test_dark_by_system_and_by_choice_are_the_same():
    light, by_system, by_choice = themes()
    assert by_system == by_choice
    assert light.keys() == by_choice.keys()


@pytest.mark.parametrize("number", [0, 2], ids=["light", "dark"])
def test_text_and_lines_stand_out(number):
    colors = themes()[number]
    for text in ("ink", "muted", "accent", "in", "out"):
        for ground in ("bg", "surface", "raised"):
            assert contrast(colors[text], colors[ground]) >= 4.5, (text, ground)
    assert contrast(colors["accent"], colors["accent-soft"]) >= 4.5
    assert contrast(colors["ink"], colors["note"]) >= 4.5
    for line in (f"c{n}" for n in range(10)):
        assert contrast(colors[line], colors["surface"]) >= 3, line
