-- What did you listen to in each year?
-- Top songs, artists and albums are those heard longest. Songs are told apart by title and artist in any case.
--
-- Parameters:
-- - AT TIME ZONE 'UTC': Time zone of the years; ScheduleTimezone unless you change it.
-- Columns:
-- - year: The year.
-- - hours: Hours listened, podcasts and audiobooks included.
-- - hours_of_songs: Hours of songs among them.
-- - plays: Plays of at least 30 seconds of songs whose title is known.
-- - songs: Distinct songs.
-- - artists: Distinct artists.
-- - new_artists: Artists that no earlier year has.
-- - days: Days with a play.
-- - busiest_day: The day with most hours.
-- - top_song: Title of the song heard longest.
-- - top_song_artist: Its artist.
-- - top_artist: The artist heard longest.
-- - top_album: The album heard longest.
WITH heard AS (
    SELECT
        year(CAST(heard_at AT TIME ZONE 'UTC' AS date)) AS year_of_play,
        CAST(heard_at AT TIME ZONE 'UTC' AS date) AS day,
        kind IN ('song', 'video') AS is_song,
        name,
        artist_name,
        album_name,
        coalesce(listened_ms, 0) AS milliseconds,
        coalesce(listened_ms, 30000) >= 30000 AS is_long
    FROM listening
    WHERE is_counted
),
days AS (
    SELECT year_of_play, max_by(day, milliseconds) AS busiest_day, count(*) AS days, sum(milliseconds) AS milliseconds
    FROM (
        SELECT year_of_play, day, sum(milliseconds) AS milliseconds
        FROM heard
        GROUP BY year_of_play, day
    )
    GROUP BY year_of_play
),
songs_of_year AS (
    SELECT
        year_of_play,
        lower(artist_name) AS artist_key,
        max(name) AS song,
        max(artist_name) AS artist,
        sum(milliseconds) AS milliseconds,
        count_if(is_long) AS plays
    FROM heard
    WHERE is_song AND artist_name IS NOT NULL AND name IS NOT NULL
    GROUP BY year_of_play, lower(artist_name), lower(name)
),
artists_of_year AS (
    SELECT
        year_of_play,
        max(artist) AS artist,
        sum(milliseconds) AS milliseconds,
        min(year_of_play) OVER (PARTITION BY artist_key) AS first_year
    FROM songs_of_year
    GROUP BY year_of_play, artist_key
),
albums_of_year AS (
    SELECT year_of_play, max(album_name) AS album, sum(milliseconds) AS milliseconds
    FROM heard
    WHERE is_song AND artist_name IS NOT NULL AND album_name IS NOT NULL
    GROUP BY year_of_play, lower(artist_name), lower(album_name)
),
by_song AS (
    SELECT
        year_of_play,
        sum(milliseconds) AS milliseconds,
        sum(plays) AS plays,
        count(*) AS songs,
        max_by(song, milliseconds) AS top_song,
        max_by(artist, milliseconds) AS top_song_artist
    FROM songs_of_year
    GROUP BY year_of_play
),
by_artist AS (
    SELECT
        year_of_play,
        count(*) AS artists,
        count_if(first_year = year_of_play) AS new_artists,
        max_by(artist, milliseconds) AS top_artist
    FROM artists_of_year
    GROUP BY year_of_play
),
by_album AS (
    SELECT year_of_play, max_by(album, milliseconds) AS top_album
    FROM albums_of_year
    GROUP BY year_of_play
)
SELECT
    d.year_of_play AS "year",
    CAST(d.milliseconds AS double) / 3600000 AS hours,
    CAST(coalesce(s.milliseconds, 0) AS double) / 3600000 AS hours_of_songs,
    coalesce(s.plays, 0) AS plays,
    coalesce(s.songs, 0) AS songs,
    coalesce(a.artists, 0) AS artists,
    coalesce(a.new_artists, 0) AS new_artists,
    d.days,
    d.busiest_day,
    s.top_song,
    s.top_song_artist,
    a.top_artist,
    b.top_album
FROM days AS d
LEFT JOIN by_song AS s
    ON s.year_of_play = d.year_of_play
LEFT JOIN by_artist AS a
    ON a.year_of_play = d.year_of_play
LEFT JOIN by_album AS b
    ON b.year_of_play = d.year_of_play
ORDER BY d.year_of_play
