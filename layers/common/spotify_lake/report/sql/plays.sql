-- What was heard, how often and for how long?
-- The plays that count and their milliseconds are those of the view listening. That view reads every month four times;
-- this query reads them once, and twice more the months since $polled, in which plays of the API may be those of an
-- export. It sums plays up twice: first by song, month and age, by day, by hour of the week and by kind, and then each
-- of these into one row with parallel lists. Days, months and hours are in the time zone $zone. The age of a play is 0 if
-- it was heard since $recent_0, 1 since $recent_1, 2 since $recent_2, and else 3.
--   `what` = 'song': one row per title and artist, album and Spotify id. Items are months (year × 12 + month − 1); `first`
--   and `last` are days since 1970.
--   `what` = 'days': one row per month. Items are days since 1970.
--   `what` = 'hours': one row. Items are hours of the week, from 0 for the one after midnight on Monday.
--   `what` = 'kind': one row per kind. Items are zeros.
-- `plays` counts those of at least 30 seconds. `starts` are plays of the extended history, `skips` those of them that were
-- skipped. `estimated` is the part of `milliseconds` that is an estimate.
WITH $copies,
chosen AS (
    SELECT *, min(content) OVER (PARTITION BY played_month, play_id) AS first_content
    FROM copies
),
united AS (
    SELECT
        played_month,
        play_id,
        source,
        kind,
        uri,
        song_id,
        name,
        artist_name,
        album_name,
        show_name,
        played_at,
        ms_played,
        duration_ms,
        coalesce(is_skipped, false) OR coalesce(reason_end, '') = 'fwdbtn' AS was_skipped,
        CAST(CAST(heard_at AS timestamp with time zone) AT TIME ZONE '$zone' AS timestamp) AS local_time
    FROM chosen
    WHERE content IS NULL OR content = first_content
),
$matches,
counted AS (
    SELECT p.*, lead(p.ended) OVER (ORDER BY p.ended, p.play_id) - p.ended AS ms_to_next
    FROM account_matched AS p
    LEFT JOIN matched AS m
        ON m.lower_id = p.play_id
    WHERE m.lower_id IS NULL AND p.extended_id IS NULL
),
heard AS (
    SELECT
        kind,
        CASE WHEN kind IN ('song', 'video') THEN coalesce(names, uri) END AS song_key,
        name,
        artist_name,
        CASE WHEN kind IN ('song', 'video') THEN album_name END AS album,
        CASE WHEN kind IN ('song', 'video') THEN song_id END AS song_id,
        CASE
            WHEN source <> 'api' THEN ms_played
            WHEN ms_to_next < duration_ms THEN ms_to_next
            ELSE duration_ms
        END AS listened_ms,
        source,
        was_skipped,
        CAST(local_time AS date) AS day,
        year(local_time) * 12 + month(local_time) - 1 AS month_number,
        date_diff('day', DATE '1970-01-05', CAST(local_time AS date)) % 7 * 24 + hour(local_time) AS week_hour,
        CASE
            WHEN CAST(local_time AS date) >= DATE '$recent_0' THEN 0
            WHEN CAST(local_time AS date) >= DATE '$recent_1' THEN 1
            WHEN CAST(local_time AS date) >= DATE '$recent_2' THEN 2
            ELSE 3
        END AS age
    FROM counted
),
sums AS (
    SELECT
        song_key,
        album,
        song_id,
        day,
        week_hour,
        kind,
        max(name) AS name,
        max(artist_name) AS artist,
        min(date_diff('day', DATE '1970-01-01', day)) AS first,
        max(date_diff('day', DATE '1970-01-01', day)) AS last,
        max(month_number) AS month_number,
        max(age) AS age,
        CAST(count(CASE WHEN coalesce(listened_ms, 30000) >= 30000 THEN 1 END) AS bigint) AS plays,
        CAST(coalesce(sum(listened_ms), 0) AS bigint) AS milliseconds,
        CAST(coalesce(sum(CASE WHEN source = 'api' THEN listened_ms END), 0) AS bigint) AS estimated,
        CAST(count(CASE WHEN source = 'extended' THEN 1 END) AS bigint) AS starts,
        CAST(count(CASE WHEN source = 'extended' AND was_skipped THEN 1 END) AS bigint) AS skips,
        CASE
            WHEN GROUPING(song_key) = 0 THEN 'song'
            WHEN GROUPING(day) = 0 THEN 'days'
            WHEN GROUPING(week_hour) = 0 THEN 'hours'
            ELSE 'kind'
        END AS what
    FROM heard
    GROUP BY GROUPING SETS ((song_key, album, song_id, month_number, age), (day), (week_hour, age), (kind, age))
),
items AS (
    SELECT
        *,
        CASE
            WHEN what = 'song' THEN month_number
            WHEN what = 'days' THEN first
            WHEN what = 'hours' THEN week_hour
            ELSE 0
        END AS item,
        CASE WHEN what = 'days' THEN month_number END AS of_month
    FROM sums
    WHERE what <> 'song' OR song_key IS NOT NULL
)
SELECT
    what,
    kind,
    song_key AS song,
    max(name) AS name,
    max(artist) AS artist,
    album,
    song_id,
    min(first) AS first,
    max(last) AS last,
    CAST(array_agg(item ORDER BY item, age) AS JSON) AS items,
    CAST(array_agg(age ORDER BY item, age) AS JSON) AS ages,
    CAST(array_agg(plays ORDER BY item, age) AS JSON) AS plays,
    CAST(array_agg(milliseconds ORDER BY item, age) AS JSON) AS milliseconds,
    CAST(array_agg(estimated ORDER BY item, age) AS JSON) AS estimated,
    CAST(array_agg(starts ORDER BY item, age) AS JSON) AS starts,
    CAST(array_agg(skips ORDER BY item, age) AS JSON) AS skips
FROM items
GROUP BY what, kind, song_key, album, song_id, of_month
ORDER BY what, kind, song_key, album, song_id, of_month
