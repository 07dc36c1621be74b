"""The two bulk data sets as Kaggle has them, made up: the songs are real, their charts and numbers are not.

Both are the same for the same seed, of any size, and as untidy as the real ones: line breaks inside titles, cells that
slipped, words for numbers, rows twice, artists and albums that do not match.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

import duckdb

from local.spotify_stub.catalog import SONGS_FILE

REGIONS: Final = (
    "Global", "Argentina", "Australia", "Austria", "Belgium", "Bolivia", "Brazil", "Bulgaria", "Canada", "Chile",
    "Colombia", "Costa Rica", "Czech Republic", "Denmark", "Dominican Republic", "Ecuador", "Egypt", "El Salvador",
    "Estonia", "Finland", "France", "Germany", "Greece", "Guatemala", "Honduras", "Hong Kong", "Hungary", "Iceland",
    "India", "Indonesia", "Ireland", "Israel", "Italy", "Japan", "Latvia", "Lithuania", "Luxembourg", "Malaysia",
    "Mexico", "Morocco", "Netherlands", "New Zealand", "Nicaragua", "Norway", "Panama", "Paraguay", "Peru",
    "Philippines", "Poland", "Portugal", "Romania", "Russia", "Saudi Arabia", "Singapore", "Slovakia", "South Africa",
    "South Korea", "Spain", "Sweden", "Switzerland", "Taiwan", "Thailand", "Turkey", "Ukraine",
    "United Arab Emirates", "United Kingdom", "United States", "Uruguay", "Vietnam", "Andorra",
)  # fmt: skip
RANKS: Final = {"top200": 200, "viral50": 50}
ROWS_A_DAY: Final = len(REGIONS) * sum(RANKS.values())
FIRST_DAY: Final = "2017-01-01"
VERSIONS: Final = (
    "", " - Remix", " - Live", " - Acoustic", " (Deluxe)", ", Pt. II", ' - From "The Movie"', " - Radio Edit",
)  # fmt: skip
SONG_COPIES: Final = 160  # of the stub's songs, which makes about as many tracks as the real set has

# How many of 100,000 rows stand twice, have a line break in the title, a comma without quotes, a word for a number.
COPIES, NEWLINES, SHIFTED, WORDS = 100, 5, 5, 5

_CHARTS: Final = """
with tracks as materialized (
    select
        row_number() over (order by copy, song_id) - 1 as id,
        name || $versions[1 + copy % len($versions)] as title,
        replace(artists, ';', ', ') || case when copy < len($versions) then '' else ' ' || copy // len($versions) end
            as artist,
        'https://open.spotify.com/track/' || case copy when 0 then song_id else substr(md5(song_id || copy), 1, 22) end
            as url
    from read_csv($songs, all_varchar = true), range($song_copies) as c (copy)
),
entries as materialized (
    select day, region, chart, rank, 
        (hash(region, chart, rank, (day + rank % 30) // 21, $seed) >> 1)::bigint as drawn
    from range($days) as d (day), (select unnest($regions) as region),
        (select unnest($charts) as chart, unnest($ranks) as ranks), range(1, ranks + 1) as r (rank)
),
drawn as (
    select *, hash(drawn, day, rank) % 100000 as luck,
        (pow(drawn % 1000003 / 1000003.0, 3) * (select count(*) from tracks))::bigint as id
    from entries
),
cells as (
    select
        luck, day, rank, chart, region, drawn, url,
        case when contains(title, ',') or contains(title, '"') then '"' || replace(title, '"', '""') || '"'
            else title end as title,
        '"' || replace(title, '"', '""') || chr(10) || 'Live"' as broken_title,
        case when contains(artist, ',') then '"' || artist || '"' else artist end as artist
    from drawn join tracks using (id)
)
select
    case when luck < $newlines then broken_title when luck < $shifted then 'One, two, ' || title else title end
    || ',' || case when luck between $shifted and $words - 1 then 'n/a' else rank::varchar end
    || ',' || (date '2017-01-01' + day::int)::varchar || ',' || artist || ',' || url || ',' || region || ',' || chart
    || ',' || (['MOVE_UP', 'MOVE_DOWN', 'SAME_POSITION', 'NEW_ENTRY'])[1 + drawn % 4]
    || ',' || case when chart = 'viral50' then ''
        else (5000000 // (rank + 3) + drawn % 1000)::varchar || case when drawn % 50 = 0 then '.0' else '' end end
    as "title,rank,date,artist,url,region,chart,trend,streams"
from cells, range(case when luck between $words and $copies - 1 then 2 else 1 end)
"""


def write_charts(path: Path, rows: int, seed: int = 1) -> int:
    """Write a file in the layout of Kaggle's "Spotify Charts".

    Parameters
    ----------
    path
        The file to write.
    rows
        How many rows about: whole days of every region and chart are written.
    seed
        Another seed makes other charts.

    Returns
    -------
    int
        Records in the file, untidy ones and copies included.
    """
    limits = {"newlines": NEWLINES, "shifted": NEWLINES + SHIFTED, "words": NEWLINES + SHIFTED + WORDS}
    values = limits | {
        "songs": str(SONGS_FILE),
        "versions": list(VERSIONS),
        "song_copies": SONG_COPIES,
        "regions": list(REGIONS),
        "charts": list(RANKS),
        "ranks": list(RANKS.values()),
        "days": max(1, round(rows / ROWS_A_DAY)),
        "seed": seed,
        "copies": limits["words"] + COPIES,
    }
    # COPY would quote the whole line, which carries its own quotes.
    options = "format csv, header, quote '', escape '', delimiter '\x01'"
    with duckdb.connect() as connection:
        (written,) = connection.execute(f"copy ({_CHARTS}) to '{path}' ({options})", values).fetchall()[0]
    return int(written)
