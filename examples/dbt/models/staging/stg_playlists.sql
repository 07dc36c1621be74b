-- The last complete snapshot of each playlist and day.
select playlist_id, scheduled_at, snapshot_date, name, entry_count
from (
    select
        playlist_id,
        scheduled_at,
        snapshot_date,
        name,
        entry_count,
        row_number() over (partition by playlist_id, snapshot_date order by scheduled_at desc) as from_last
    from {{ source('lake', 'playlists') }}
    where coalesce(is_complete, true)
) as numbered
where from_last = 1
