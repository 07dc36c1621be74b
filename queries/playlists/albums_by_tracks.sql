-- Which albums have the most songs in the playlists?
-- Counts the distinct songs of each album in the newest snapshots of all playlists.
--
-- Parameters:
-- - LIMIT 10: How many albums.
-- Columns:
-- - album: Title of the album.
-- - tracks: Distinct songs of the album in the playlists.
-- - of_tracks: Tracks on the album.
-- - released: Release year.
-- - playlists: Playlists that have a song of it.
SELECT
    max(a.name) AS album,
    count(DISTINCT s.song_id) AS tracks,
    max(a.total_tracks) AS of_tracks,
    max(a.release_year) AS released,
    count(DISTINCT s.playlist_id) AS playlists
FROM latest_songs AS s
JOIN latest_albums AS a
    ON a.playlist_id = s.playlist_id AND a.album_id = s.album_id
GROUP BY a.album_id
ORDER BY tracks DESC, playlists DESC, album, a.album_id
LIMIT 10
