-- The entry at each position of each playlist, day by day.
-- If a day has several snapshots, the last complete one counts. A condition on snapshot_date limits the data read.
--
-- One row: position of a playlist on a day
-- Columns:
-- - snapshot_date date: The day (UTC).
-- - playlist_id string: Spotify id of the playlist.
-- - playlist string: Title in that snapshot. Null when Spotify does not send it.
-- - scheduled_at timestamp: Time of the snapshot (UTC).
-- - position int: Position in the list; the first is 1.
-- - score double: Weight of the position: 1 for the first, falling evenly to 1/n for the last of n.
-- - kind string: `song`, `episode` (podcast), `chapter` (audiobook), `local` (a file of the owner's), `unavailable` (taken down) or `other` (any type that Spotify may add).
-- - song_id string: Spotify id of the song. Null when kind is neither `song` nor `unavailable`, or Spotify sends nothing of an unavailable entry.
-- - uri string: Spotify URI of whatever stands there. Null when Spotify sends nothing of an unavailable entry.
-- - name string: Title of the song, episode or file. Null when kind is `unavailable`.
SELECT
    e.snapshot_date,
    e.playlist_id,
    p.playlist,
    e.scheduled_at,
    e.position,
    CAST(p.entry_count + 1 - e.position AS double) / p.entry_count AS score,
    e.kind,
    e.song_id,
    e.uri,
    e.name
FROM playlist_entries AS e
JOIN daily_playlists AS p
    ON p.playlist_id = e.playlist_id AND p.snapshot_date = e.snapshot_date AND p.scheduled_at = e.scheduled_at
