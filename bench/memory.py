"""How much memory extracting and transforming the longest playlist takes."""

from __future__ import annotations

import tempfile
from typing import Final

from bench import servers
from bench.finding import Measured, at_most
from bench.isolated import ROOT, lambda_python
from bench.payloads import raw_object

ENTRIES: Final = 11_000  # of the legacy contract: 46 MB of JSON
_TRANSFORM: Final = """
import os
from pathlib import Path

import app
from spotify_lake.transform import parquet as lake
from spotify_lake.raw import envelope
from spotify_lake.normalize.rows import normalize

data = Path(os.environ["FILE"]).read_bytes()
tables = normalize(envelope.decode(data))
lake.write(tables, "bench", lake.Session())
assert tables.entry_count == int(os.environ["ENTRIES"])
"""
_EXTRACT: Final = """
import datetime as dt
import os

import app
from spotify_lake.raw import envelope
from spotify_lake.spotify.credentials import Credentials
from spotify_lake.spotify.client import SpotifyClient

AT = dt.datetime(2026, 11, 20, 6, tzinfo=dt.UTC)
url = os.environ["SPOTIFY"]
credentials = Credentials(client_id="bench", client_secret="bench", refresh_token="bench")
client = SpotifyClient(credentials, api_url=url, accounts_url=url, time_left=lambda: 900.0)

reading = client.read("bench", "version")
writer = envelope.SnapshotWriter(
    playlist_id="bench", snapshot_id="version", scheduled_at=AT, fetched_at=AT, contract=reading.contract
)
for page in reading.pages:
    writer.add_page(page)
head = reading.confirm()
assert reading.entries == int(os.environ["ENTRIES"])
body = writer.finish(head.playlist)
app.client("s3").put_object(Bucket="bench", Key="raw", Body=body)
"""


def measure(*, quick: bool) -> Measured:
    """Extract and transform the playlist, each in its own process, and report the peak memory."""
    entries = ENTRIES // 10 if quick else ENTRIES
    data = raw_object(entries, "legacy")
    with tempfile.NamedTemporaryFile() as file, servers.s3(data) as s3, lambda_python() as python:
        file.write(data)
        file.flush()
        aws = {
            "AWS_ACCESS_KEY_ID": "bench",
            "AWS_SECRET_ACCESS_KEY": "bench",
            "AWS_DEFAULT_REGION": "us-east-1",
        }
        settings = aws | {"AWS_ENDPOINT_URL": s3, "ENTRIES": str(entries)}
        transform = python.run(_TRANSFORM, [ROOT / "functions/transform"], **settings, FILE=file.name)
        with servers.spotify(entries) as spotify:
            extract = python.run(_EXTRACT, [ROOT / "functions/extract"], **settings, SPOTIFY=spotify)
    of = f"Peak memory, {entries:,} entries of the legacy contract"
    return Measured(
        [
            at_most(f"{of}: transform", transform.peak_mb, 400, "MB"),
            at_most(f"{of}: extract", extract.peak_mb, 150, "MB"),
        ],
        {"transform_peak_mb": transform.peak_mb, "extract_peak_mb": extract.peak_mb},
    )
