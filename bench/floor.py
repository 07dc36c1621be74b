"""The least that has to be done to turn a raw object into the same Parquet files: decode, columns, files.

Nothing is checked, no kind of entry is told from another, and nothing but the first of each song, album and artist is
looked for.
"""

from __future__ import annotations

import gzip
import io
from collections.abc import Iterable, Sequence
from typing import Any

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq

from spotify_lake.lake import arrow_schema
from spotify_lake.raw import _Envelope
from spotify_lake.schema import TABLES
