"""A warehouse with made-up charts and their catalog, written without the jobs that load files."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from local.made_up_charts import Entry

REGIONS = ("Global", "Germany", "Mexico")
ARTISTS = 12


def write_table(warehouse: Path, name: str, rows: Sequence[Mapping[str, Any]], schema: pa.Schema) -> None:
    """Write an object; its name is relative to the warehouse, without the suffix."""
    path = warehouse / f"{name}.parquet"
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.Table.from_pylist(list(rows), schema), path)


def write_entries(warehouse: Path, entries: Iterable[Entry], chart: str = "top200") -> int:
    """Write entries as the charts job does, in an object for each month; return their number."""
    months: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for one in entries:
        months[f"{one.day:%Y%m}"].append(
            {
                "date_key": int(f"{one.day:%Y%m%d}"),
                "region_key": REGIONS.index(one.region) + 1,
                "rank": one.rank,
                "track_key": one.song + 1,
                "streams": one.streams,
            }
        )
    integer = dict.fromkeys(("date_key", "rank"), pa.int32())
    schema = pa.schema(integer | dict.fromkeys(("region_key", "track_key", "streams"), pa.int64()))
    for month, rows in months.items():
        write_table(warehouse, f"fact_chart_entry/year={month[:4]}/chart={chart}/month-{month}", rows, schema)
    return sum(map(len, months.values()))


def write_catalog(warehouse: Path, songs: int) -> None:
    """Write regions, artists and their genres: of each song one artist, of which every second has genres."""
    key, text = pa.int64(), pa.string()
    regions = [{"region_key": number, "region_code": name.lower()} for number, name in enumerate(REGIONS, 1)]
    write_table(
        warehouse, "dim_region/dim_region", regions, pa.schema({"region_key": key, "region_code": text})
    )
    artists = [{"artist_key": number, "name": f"Artist {number}"} for number in range(ARTISTS)]
    write_table(warehouse, "dim_artist/dim_artist", artists, pa.schema({"artist_key": key, "name": text}))
    credited = [{"track_key": song + 1, "artist_key": song % ARTISTS, "position": 1} for song in range(songs)]
    schema = pa.schema({"track_key": key, "artist_key": key, "position": pa.int32()})
    write_table(warehouse, "bridge_track_artist/bridge_track_artist", credited, schema)
    known = [
        {"artist_id": f"{number}", "name": f"ARTIST {number}", "followers": 5, "genres": ["pop", "folk"]}
        for number in range(0, ARTISTS, 2)
    ]
    schema = pa.schema({"artist_id": text, "name": text, "followers": key, "genres": pa.list_(text)})
    write_table(warehouse, "catalog_artists/catalog_artists", known, schema)
