-- The artists credited in the newest snapshot of each playlist.
-- An artist credited in two playlists has two rows. Reads the last 35 days, as latest_playlists does.
--
-- One row: artist of a playlist
-- Columns:
-- - snapshot_date date: UTC date of scheduled_at; the partition of the table.
-- - playlist_id string: Spotify id of the playlist.
-- - playlist string: Title of the playlist. Null when Spotify does not send it.
-- - scheduled_at timestamp: Time the snapshot was scheduled for (UTC).
-- - artist_id string: Spotify id of the artist.
-- - name string: Name. Null when Spotify does not send it.
-- - genres array<string>: Genres (deprecated by Spotify); often empty. Null when the lake has no details of it (see DetailCallsPerRun) or the app gets Spotify's 2026 development-mode contract.
-- - followers bigint: Users who follow the artist, as of when the lake got the artist's details. Null when the lake has no details of it (see DetailCallsPerRun) or the app gets Spotify's 2026 development-mode contract.
-- - popularity int: Spotify's popularity, 0 to 100, as of when the lake got the artist's details. Null when the lake has no details of it (see DetailCallsPerRun) or the app gets Spotify's 2026 development-mode contract.
-- - url string: Link to the artist. Null when Spotify does not send it.
SELECT
    t.snapshot_date,
    t.playlist_id,
    p.name AS playlist,
    t.scheduled_at,
    t.artist_id,
    t.name,
    t.genres,
    t.followers,
    t.popularity,
    t.url
FROM artists AS t
JOIN latest_playlists AS p
    ON p.playlist_id = t.playlist_id AND p.snapshot_date = t.snapshot_date AND p.scheduled_at = t.scheduled_at
WHERE t.snapshot_date >= current_date - INTERVAL '35' DAY
