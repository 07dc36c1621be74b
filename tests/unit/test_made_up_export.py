"""The demo's archives have the form of Spotify's, overlap, and are the same every time."""

import datetime as dt
import json
import zipfile
from pathlib import Path

import pytest

from local import made_up_export as export
from local.made_up_listening import history

LAST = dt.date(2024, 2, 29)


@pytest.fixture(scope="module")
def archives(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    return export.write(tmp_path_factory.mktemp("export"), LAST)


def content(path: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(path) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def test_they_are_named_and_laid_out_as_spotifys(archives: list[Path]) -> None:
    assert [sorted(content(path)) for path in archives] == [
        [
            "Spotify Extended Streaming History/ReadMeFirst_ExtendedStreamingHistory.pdf",
            "Spotify Extended Streaming History/Streaming_History_Audio_2021-2023_0.json",
            "Spotify Extended Streaming History/Streaming_History_Audio_2023-2024_1.json",
            "Spotify Extended Streaming History/Streaming_History_Video_2021-2024.json",
        ],
        [
            "Spotify Account Data/Payments.json",
            "Spotify Account Data/StreamingHistory_music_0.json",
            "Spotify Account Data/StreamingHistory_podcast_0.json",
        ],
    ]


def test_three_years_are_in_them_and_the_last_one_twice(archives: list[Path]) -> None:
    extended, account = (
        [row for name, data in content(path).items() if "History_" in name and name.endswith(".json")
         for row in json.loads(data)]
        for path in archives
    )  # fmt: skip
    assert len(extended) == 25 * 1155  # days from 2021-01-01 to 2024-02-29
    assert (min(row["ts"] for row in extended)[:7], max(row["ts"] for row in extended)[:10]) == (
        "2021-01",
        "2024-02-29",
    )
    assert any(row["incognito_mode"] for row in extended)
    minutes = {(row["ts"][:16].replace("T", " "), row["ms_played"]) for row in extended}
    assert 25 * 300 < len(account) < 25 * 370
    assert {(row["endTime"], row["msPlayed"]) for row in account} <= minutes


def test_they_are_the_same_every_time(archives: list[Path], tmp_path: Path) -> None:
    assert [path.read_bytes() for path in export.write(tmp_path, LAST)] == [
        path.read_bytes() for path in archives
    ]


def test_a_day_later_they_have_a_day_more() -> None:
    def rows(last: dt.date) -> set[str]:
        return {json.dumps(row) for _, row in history(export.listener(last))}

    before, after = rows(dt.date(2024, 2, 28)), rows(LAST)
    assert len(before - after) <= 2  # plays offline that are reported in the day more
    assert 20 <= len(after - before) <= 27
