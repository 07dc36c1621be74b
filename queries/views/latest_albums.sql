-- The albums with songs in the newest snapshot of each playlist.
-- An album with songs in two playlists has two rows. Reads the last 35 days, as latest_playlists does.
--
-- One row: album of a playlist
-- Columns:
-- - snapshot_date date: UTC date of scheduled_at; the partition of the table.
-- - playlist_id string: Spotify id of the playlist.
-- - playlist string: Title of the playlist. Null when Spotify does not send it.
-- - scheduled_at timestamp: Time the snapshot was scheduled for (UTC).
-- - album_id string: Spotify id of the album.
-- - name string: Title. Null when Spotify does not send it.
-- - album_type string: `album`, `single` or `compilation`. Null when Spotify does not send it.
-- - artist_ids array<string>: Spotify ids of the album's artists; each joins to artists. Null when the payload is older than album artists (2014).
-- - release_date date: Release date; the first day of the month or year where only that is known. Null when Spotify sends none or an invalid one.
-- - release_date_precision string: `day`, `month` or `year`: how much of release_date is known. Null when release_date is null.
-- - release_year int: Year of release_date. Null when release_date is null.
-- - total_tracks int: Tracks on the album. Null when Spotify does not send it.
-- - label string: Record label. Null when the lake has no details of it (see DetailCallsPerRun) or the app gets Spotify's 2026 development-mode contract.
-- - popularity int: Spotify's popularity, 0 to 100, as of when the lake got the album's details. Null when the lake has no details of it (see DetailCallsPerRun) or the app gets Spotify's 2026 development-mode contract.
-- - image_url string: Cover image, the largest. Null when no cover.
-- - url string: Link to the album. Null when Spotify does not send it.
SELECT
    t.snapshot_date,
    t.playlist_id,
    p.name AS playlist,
    t.scheduled_at,
    t.album_id,
    t.name,
    t.album_type,
    t.artist_ids,
    t.release_date,
    t.release_date_precision,
    t.release_year,
    t.total_tracks,
    t.label,
    t.popularity,
    t.image_url,
    t.url
FROM albums AS t
JOIN latest_playlists AS p
    ON p.playlist_id = t.playlist_id AND p.snapshot_date = t.snapshot_date AND p.scheduled_at = t.scheduled_at
WHERE t.snapshot_date >= current_date - INTERVAL '35' DAY
