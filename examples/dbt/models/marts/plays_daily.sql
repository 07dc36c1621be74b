-- Plays by UTC day. The view `listening` has each play once, although exports and polls overlap.
select
    cast(date_trunc('day', heard_at) as date) as day,
    count(*) as plays,
    count(distinct song_id) as songs,
    sum(listened_ms) / 3600000.0 as hours
from {{ source('lake', 'listening') }}
where is_counted
group by cast(date_trunc('day', heard_at) as date)
