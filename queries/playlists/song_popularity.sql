-- Which songs are the most popular?
-- Ranks the songs of the last 30 days by their positions. The score of a day is 1 for the first position of a list and
-- falls evenly to 1/n for the last of n. It is averaged over the days that have a snapshot and added up over the
-- playlists. Spotify's own popularity is shown beside it if the app receives it.
--
-- Parameters:
-- - INTERVAL '30' DAY: How far to look back.
-- - LIMIT 20: How many songs.
-- Columns:
-- - song: Title of the song.
-- - artists: Names of the artists, separated by commas.
-- - score: Average position-weighted score of a day.
-- - days: Days on which the song was in a playlist.
-- - playlists: Playlists that had the song.
-- - best_position: Best position; 1 is the top.
-- - spotify_popularity: Newest value of Spotify's popularity, from 0 to 100; null for apps in the 2026 development mode.
WITH observed AS (
    SELECT playlist_id, count(*) AS days_observed
    FROM daily_playlists
    WHERE snapshot_date >= current_date - INTERVAL '30' DAY
    GROUP BY playlist_id
),
standings AS (
    SELECT e.song_id, e.playlist_id, e.snapshot_date, e.position, e.score / o.days_observed AS score
    FROM daily_entries AS e
    JOIN observed AS o
        ON o.playlist_id = e.playlist_id
    WHERE e.kind = 'song' AND e.snapshot_date >= current_date - INTERVAL '30' DAY
),
details AS (
    SELECT
        song_id,
        max_by(name, scheduled_at) AS song,
        array_join(max_by(artist_names, scheduled_at), ', ') AS artists,
        max_by(popularity, scheduled_at) FILTER (WHERE popularity IS NOT NULL) AS spotify_popularity
    FROM songs
    WHERE snapshot_date >= current_date - INTERVAL '30' DAY
    GROUP BY song_id
)
SELECT
    d.song,
    d.artists,
    sum(t.score) AS score,
    count(DISTINCT t.snapshot_date) AS days,
    count(DISTINCT t.playlist_id) AS playlists,
    min(t.position) AS best_position,
    d.spotify_popularity
FROM standings AS t
JOIN details AS d
    ON d.song_id = t.song_id
GROUP BY t.song_id, d.song, d.artists, d.spotify_popularity
ORDER BY score DESC, days DESC, d.song, t.song_id
LIMIT 20
