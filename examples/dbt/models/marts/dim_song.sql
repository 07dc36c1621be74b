-- Songs as a slowly changing dimension of type 2. It is computed from the daily snapshots, so it reaches back to the
-- first of them and is the same whenever it is built; a snapshot of dbt's would begin with its first run.
with compared as (
    select
        *,
        lag(snapshot_date) over (partition by song_id order by snapshot_date) as previous_date,
        lag(name) over (partition by song_id order by snapshot_date) as previous_name,
        lag(album_id) over (partition by song_id order by snapshot_date) as previous_album_id,
        lag(artist_names) over (partition by song_id order by snapshot_date) as previous_artist_names,
        lag(duration_ms) over (partition by song_id order by snapshot_date) as previous_duration_ms,
        lag(is_explicit) over (partition by song_id order by snapshot_date) as previous_is_explicit
    from {{ ref('stg_songs') }}
)

select
    song_id,
    name,
    album_id,
    artist_names,
    duration_ms,
    is_explicit,
    snapshot_date as valid_from,
    lead(snapshot_date) over (partition by song_id order by snapshot_date) as valid_to,
    lead(snapshot_date) over (partition by song_id order by snapshot_date) is null as is_current
from compared
where previous_date is null
    or name is distinct from previous_name
    or album_id is distinct from previous_album_id
    or artist_names is distinct from previous_artist_names
    or duration_ms is distinct from previous_duration_ms
    or is_explicit is distinct from previous_is_explicit
