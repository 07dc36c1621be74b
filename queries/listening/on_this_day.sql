-- What did you listen to on this day in other years?
-- Takes the day and month of today, and the five songs heard longest on that day of each earlier year.
--
-- Parameters:
-- - current_date: The day.
-- - AT TIME ZONE 'UTC': Time zone of the days; ScheduleTimezone unless you change it.
-- - song_number <= 5: How many songs of a year.
-- Columns:
-- - day: The day.
-- - song: Title of the song; null when only its URI is known.
-- - artist: Name of the artist.
-- - plays: Plays, short ones included.
-- - minutes: Minutes listened.
WITH heard AS (
    SELECT
        CAST(heard_at AT TIME ZONE 'UTC' AS date) AS day,
        coalesce(lower(artist_name) || ' / ' || lower(name), uri) AS song_key,
        name,
        artist_name,
        listened_ms
    FROM listening
    WHERE is_counted AND kind IN ('song', 'video')
),
songs_of_day AS (
    SELECT
        day,
        song_key,
        max(name) AS song,
        max(artist_name) AS artist,
        count(*) AS plays,
        coalesce(sum(listened_ms), 0) AS milliseconds
    FROM heard
    WHERE month(day) = month(current_date) AND day_of_month(day) = day_of_month(current_date) AND day < current_date
    GROUP BY day, song_key
),
numbered AS (
    SELECT
        day,
        song_key,
        song,
        artist,
        plays,
        milliseconds,
        row_number() OVER (PARTITION BY day ORDER BY milliseconds DESC, plays DESC, song_key) AS song_number
    FROM songs_of_day
)
SELECT day, song, artist, plays, CAST(milliseconds AS double) / 60000 AS minutes
FROM numbered
WHERE song_number <= 5
ORDER BY day DESC, song_number
