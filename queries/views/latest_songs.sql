-- The songs in the newest snapshot of each playlist.
-- A song in two playlists has two rows. Reads the last 35 days, as latest_playlists does.
--
-- One row: song of a playlist
-- Columns:
-- - snapshot_date date: UTC date of scheduled_at; the partition of the table.
-- - playlist_id string: Spotify id of the playlist.
-- - playlist string: Title of the playlist. Null when Spotify does not send it.
-- - scheduled_at timestamp: Time the snapshot was scheduled for (UTC).
-- - song_id string: Spotify id of the song.
-- - name string: Title. Null when Spotify does not send it.
-- - album_id string: Joins to albums. Null when the song has no album.
-- - artist_ids array<string>: Spotify ids of the artists in the order of credit; each joins to artists.
-- - artist_names array<string>: Names, parallel to artist_ids.
-- - duration_ms int: Length in milliseconds. Null when Spotify does not send it.
-- - is_explicit boolean: Marked as having explicit lyrics. Null when Spotify does not send it.
-- - isrc string: International recording code: the same recording keeps it when Spotify changes the song's id. Null when Spotify does not send it.
-- - popularity int: Spotify's popularity, 0 to 100. Null when the app gets Spotify's 2026 development-mode contract.
-- - disc_number int: Disc of the album. Null when Spotify does not send it.
-- - track_number int: Track on the disc. Null when Spotify does not send it.
-- - url string: Link to the song. Null when Spotify does not send it.
SELECT
    t.snapshot_date,
    t.playlist_id,
    p.name AS playlist,
    t.scheduled_at,
    t.song_id,
    t.name,
    t.album_id,
    t.artist_ids,
    t.artist_names,
    t.duration_ms,
    t.is_explicit,
    t.isrc,
    t.popularity,
    t.disc_number,
    t.track_number,
    t.url
FROM songs AS t
JOIN latest_playlists AS p
    ON p.playlist_id = t.playlist_id AND p.snapshot_date = t.snapshot_date AND p.scheduled_at = t.scheduled_at
WHERE t.snapshot_date >= current_date - INTERVAL '35' DAY
