-- Which years are the songs from?
-- Groups the distinct songs in the newest snapshots of all playlists by the release year of their album.
--
-- Columns:
-- - release_year: Year; null for songs without a release date.
-- - songs: Distinct songs.
-- - share: Share of all songs, from 0 to 1.
-- - playlists: Playlists with a song of that year.
WITH dated AS (
    SELECT s.song_id, s.playlist_id, max(a.release_year) OVER (PARTITION BY s.song_id) AS release_year
    FROM latest_songs AS s
    LEFT JOIN latest_albums AS a
        ON a.playlist_id = s.playlist_id AND a.album_id = s.album_id
),
years AS (
    SELECT release_year, count(DISTINCT song_id) AS songs, count(DISTINCT playlist_id) AS playlists
    FROM dated
    GROUP BY release_year
)
SELECT
    release_year,
    songs,
    CAST(songs AS double) / sum(songs) OVER () AS share,
    playlists
FROM years
ORDER BY release_year DESC NULLS LAST
