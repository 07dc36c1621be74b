-- How many new artists and songs did you discover each month?
-- New is what no earlier play has, by artist and title in any case. The first months of a history have nothing before
-- them, so nearly all is new there. A month without plays of songs has no row.
--
-- Parameters:
-- - AT TIME ZONE 'UTC': Time zone of the months; ScheduleTimezone unless you change it.
-- Columns:
-- - month: First day of the month.
-- - artists: Artists heard.
-- - new_artists: Artists heard for the first time.
-- - songs: Songs heard.
-- - new_songs: Songs heard for the first time.
-- - share_of_new_songs: Share of plays that belong to songs which are new in this month, from 0 to 1.
WITH heard AS (
    SELECT
        date_trunc('month', CAST(heard_at AT TIME ZONE 'UTC' AS date)) AS month_of_play,
        lower(artist_name) AS artist,
        lower(artist_name) || ' / ' || lower(name) AS song
    FROM listening
    WHERE is_counted AND kind IN ('song', 'video') AND artist_name IS NOT NULL AND name IS NOT NULL
),
heard_songs AS (
    SELECT
        month_of_play,
        artist,
        song,
        plays,
        min(month_of_play) OVER (PARTITION BY artist) AS first_of_artist,
        min(month_of_play) OVER (PARTITION BY song) AS first_of_song
    FROM (
        SELECT month_of_play, artist, song, count(*) AS plays
        FROM heard
        GROUP BY month_of_play, artist, song
    )
)
SELECT
    month_of_play AS "month",
    count(DISTINCT artist) AS artists,
    count(DISTINCT CASE WHEN first_of_artist = month_of_play THEN artist END) AS new_artists,
    count(*) AS songs,
    count_if(first_of_song = month_of_play) AS new_songs,
    CAST(sum(CASE WHEN first_of_song = month_of_play THEN plays ELSE 0 END) AS double) / sum(plays)
        AS share_of_new_songs
FROM heard_songs
GROUP BY month_of_play
ORDER BY month_of_play
