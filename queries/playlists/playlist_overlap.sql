-- Which playlists share songs?
-- Shows each pair of playlists whose newest snapshots have at least one song in common.
--
-- Columns:
-- - playlist: Title of one playlist.
-- - other_playlist: Title of the other playlist.
-- - shared_songs: Distinct songs in both.
-- - songs: Distinct songs of playlist.
-- - other_songs: Distinct songs of other_playlist.
-- - overlap: Shared songs as a share of the distinct songs of both together, from 0 to 1.
WITH contents AS (
    SELECT playlist_id, playlist, song_id, count(*) OVER (PARTITION BY playlist_id) AS songs
    FROM latest_songs
)
SELECT
    max(a.playlist) AS playlist,
    max(b.playlist) AS other_playlist,
    count(*) AS shared_songs,
    max(a.songs) AS songs,
    max(b.songs) AS other_songs,
    CAST(count(*) AS double) / (max(a.songs) + max(b.songs) - count(*)) AS overlap
FROM contents AS a
JOIN contents AS b
    ON b.song_id = a.song_id AND b.playlist_id > a.playlist_id
GROUP BY a.playlist_id, b.playlist_id
ORDER BY shared_songs DESC, overlap DESC, playlist, other_playlist
