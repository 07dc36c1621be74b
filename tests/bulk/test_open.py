"""The example for Spark, on exported files."""

import csv
import io
import runpy
from pathlib import Path
from typing import Any

import duckdb
import pytest

from tests.support import exported
from tests.support.template import ROOT

EXAMPLES = ROOT / "examples"
EXPECTED = """
    SELECT artist, CAST(count(DISTINCT song_id) AS VARCHAR),
        strftime(max(scheduled_at) AT TIME ZONE 'Europe/Berlin', '%Y-%m-%d %H:%M')
    FROM (SELECT *, unnest(artist_names) AS artist FROM read_parquet($songs))
    WHERE snapshot_date = DATE '2026-11-20'
    GROUP BY artist ORDER BY count(DISTINCT song_id) DESC, artist LIMIT 10
"""


def test_spark_reads_exported_files(
    spark: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = exported.write(exported.made_up(playlists=2, days=9), tmp_path / "export")
    monkeypatch.setenv("LAKE_EXPORT", str(folder))
    monkeypatch.syspath_prepend(EXAMPLES)
    runpy.run_path(str(EXAMPLES / "with_spark.py"))
    rows = [tuple(row) for row in csv.reader(io.StringIO(capsys.readouterr().out))]
    assert rows[0] == ("artist", "songs", "seen")
    assert rows[1:] == duckdb.execute(EXPECTED, {"songs": str(folder / "songs.parquet")}).fetchall()
    assert len(rows) == 11
