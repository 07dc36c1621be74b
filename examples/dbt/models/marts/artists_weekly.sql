-- Artists by week: how many of their songs were in how many playlists.
select
    date_trunc('week', s.snapshot_date) as week,
    artists.artist_id,
    count(distinct s.song_id) as songs,
    count(distinct s.playlist_id) as playlists
from {{ source('lake', 'songs') }} as s
inner join {{ ref('stg_playlists') }} as p
    on p.playlist_id = s.playlist_id and p.scheduled_at = s.scheduled_at and p.snapshot_date = s.snapshot_date
cross join unnest(s.artist_ids) as artists (artist_id)
group by date_trunc('week', s.snapshot_date), artists.artist_id
