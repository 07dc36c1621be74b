-- Each song once a day, as the last snapshot of the day has it, whichever playlist that is of.
select song_id, snapshot_date, name, album_id, artist_names, duration_ms, is_explicit
from (
    select
        song_id,
        snapshot_date,
        name,
        album_id,
        artist_names,
        duration_ms,
        is_explicit,
        row_number() over (
            partition by song_id, snapshot_date order by scheduled_at desc, playlist_id
        ) as from_last
    from {{ source('lake', 'songs') }}
) as numbered
where from_last = 1
