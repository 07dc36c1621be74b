"""Generates the two bulk data sets in Kaggle's layout: the songs are real, their charts and numbers are invented.

The same seed gives the same data, in any size. They have the defects of the real files: line breaks inside titles,
shifted cells, words instead of numbers, duplicate rows, artists and albums that do not match.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

import duckdb

from local.spotify_stub.catalog import SONGS_FILE
from spotify_bulk import regions

# Kaggle's set has no charts of these.
_WITHOUT_CHARTS: Final = {
    "Belarus", "Cyprus", "Kazakhstan", "Malta", "Monaco", "Nigeria", "Pakistan", "Venezuela",
}  # fmt: skip
REGIONS: Final = tuple(name for name in regions.REGIONS.values() if name not in _WITHOUT_CHARTS)
RANKS: Final = {"top200": 200, "viral50": 50}
ROWS_A_DAY: Final = len(REGIONS) * sum(RANKS.values())
FIRST_DAY: Final = "2017-01-01"
VERSIONS: Final = (
    "", " - Remix", " - Live", " - Acoustic", " (Deluxe)", ", Pt. II", ' - From "The Movie"', " - Radio Edit",
)  # fmt: skip
SONG_COPIES: Final = 160  # of the stub's songs: about as many tracks as in the real data set

# Of 100,000 rows, how many are duplicated, have a line break in the title, an unquoted comma, a word for a number.
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
        case when contains(artist, ',') or contains(artist, '"') then '"' || replace(artist, '"', '""') || '"'
            else artist end as artist
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
        Approximate number of rows; only whole days of every region and chart are written.
    seed
        A different seed gives different charts.

    Returns
    -------
    int
        Number of records in the file, including defective ones and duplicates.
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


_CATALOG: Final = """
create temp table songs as
select
    substr(md5(song_id || copy), 1, 22) as track_id, substr(md5(album_id || copy), 1, 22) as album_id,
    name || $versions[1 + copy % len($versions)] as name, album, release_date, duration_ms, popularity, genre,
    string_split(artists, ';') as artists
from read_csv($songs, all_varchar = true), range($song_copies) as c (copy);
"""
_FILES: Final = {
    "spotify_artist_data_2023.csv": """
        with artists as (
            select name, any_value(genre) as genre, substr(md5(name), 1, 22) as id, hash(name) as luck
            from (select unnest(artists) as name, genre from songs) group by name
        )
        select
            id, name, (luck % 100)::varchar || case when luck % 3 = 0 then '.0' else '' end as artist_popularity,
            case when luck % 11 = 0 then '[]' else '[''' || genre || ''', "children''s music"]' end as artist_genres,
            (luck % 1000000)::varchar || '.0' as followers,
            case when luck % 11 > 0 then genre end as genre_0,
            case when luck % 11 > 0 then 'children''s music' end as genre_1,
            null as genre_2, null as genre_3, null as genre_4, null as genre_5, null as genre_6
        from artists where luck % 50 > 0
        union all
        select id, name, '55', '[]', '1', null, null, null, null, null, null, null from artists where luck % 200 = 1
        union all
        select 'not an id', 'Broken, the', 'x', '', '', null, null, null, null, null, null, null
        order by all""",
    "spotify-albums_data_2023.csv": """
        select
            case when hash(track_id) % 400 = 0 then name || chr(10) || 'Second line' else name end as track_name,
            track_id, (1 + hash(track_id) % 14)::varchar || '.0' as track_number, duration_ms, 'album' as album_type,
            artists[1] as artists, '14' as total_tracks, album as album_name,
            case when length(release_date) = 10 then release_date || ' 00:00:00 UTC' else release_date end
                as release_date,
            case when hash(album_id) % 9 > 0 then 'Label "' || album[1] || '", Inc.' end as label,
            popularity as album_popularity, album_id, substr(md5(artists[1]), 1, 22) as artist_id,
            (duration_ms::double / 1000)::varchar as duration_sec,
            artists[1] as artist_0, artists[2] as artist_1, artists[3] as artist_2, artists[4] as artist_3,
            null as artist_4, null as artist_5, null as artist_6, null as artist_7, null as artist_8,
            null as artist_9, null as artist_10, null as artist_11
        from songs, range(case when hash(track_id) % 300 = 7 then 2 else 1 end)
        order by track_id""",
    "spotify_tracks_data_2023.csv": """
        select track_id as id, popularity as track_popularity, (hash(track_id) % 5 = 0)::varchar as explicit
        from songs where hash(track_id) % 60 > 0 order by track_id""",
    "spotify_features_data_2023.csv": """
        select
            (hash(track_id, 1) % 1000 / 1000.0)::varchar as danceability,
            (hash(track_id, 2) % 1000 / 1000.0)::varchar as energy, (hash(track_id) % 12)::varchar as key,
            '-6.5' as loudness, '1' as mode, '0.05' as speechiness, '0.1' as acousticness,
            '1.2e-05' as instrumentalness, '0.1' as liveness, '0.5' as valence, '120.02' as tempo,
            '4' as time_signature, duration_ms, track_id as id
        from songs where hash(track_id) % 40 > 0 order by track_id""",
}


def write_catalog(folder: Path, song_copies: int = 4) -> dict[str, int]:
    """Write the four files of Kaggle's "Spotify Dataset 2023".

    Parameters
    ----------
    folder
        The folder to write to.
    song_copies
        How often to repeat the stub's songs, each time with different titles.

    Returns
    -------
    dict
        Number of records by file name.
    """
    values = {"songs": str(SONGS_FILE), "versions": list(VERSIONS), "song_copies": song_copies}
    counts = {}
    with duckdb.connect() as connection:
        connection.execute(_CATALOG, values)
        for name, query in _FILES.items():
            written = connection.execute(
                f"copy ({query}) to '{folder / name}' (format csv, header)"
            ).fetchall()
            counts[name] = int(written[0][0])
    return counts
