-- The entry at each position in the newest snapshot of each playlist.
-- A song can be at several positions. Reads the last 35 days, as latest_playlists does.
--
-- One row: position of a playlist
-- Columns:
-- - snapshot_date date: UTC date of scheduled_at; the partition of the table.
-- - playlist_id string: Spotify id of the playlist.
-- - playlist string: Title of the playlist. Null when Spotify does not send it.
-- - scheduled_at timestamp: Time the snapshot was scheduled for (UTC).
-- - position int: Position in the list; the first is 1.
-- - kind string: `song`, `episode` (podcast), `chapter` (audiobook), `local` (a file of the owner's), `unavailable` (taken down) or `other` (any type that Spotify may add).
-- - song_id string: Spotify id of the song; joins to songs when kind is `song`. Null when kind is neither `song` nor `unavailable`, or Spotify sends no data of an unavailable entry.
-- - uri string: Spotify URI of the entry; it follows from kind and id if only those are known. Null when Spotify sends no data of an unavailable entry, or a dump of a local file lacks it.
-- - name string: Title of the song, episode, chapter or file. Null when kind is `unavailable`, or the title cannot be read.
-- - added_at timestamp: When it was added to the list (UTC). Null when the entry is very old or Spotify made the playlist.
-- - added_by_id string: Spotify id of the user who added it. Null when Spotify does not send it.
-- - credits array<string>: Names of the artists of a local file; title of the podcast of an episode, or of the audiobook of a chapter. Null when kind is `song` or `unavailable`: the table songs has the artists.
SELECT
    t.snapshot_date,
    t.playlist_id,
    p.name AS playlist,
    t.scheduled_at,
    t.position,
    t.kind,
    t.song_id,
    t.uri,
    t.name,
    t.added_at,
    t.added_by_id,
    t.credits
FROM playlist_entries AS t
JOIN latest_playlists AS p
    ON p.playlist_id = t.playlist_id AND p.snapshot_date = t.snapshot_date AND p.scheduled_at = t.scheduled_at
WHERE t.snapshot_date >= current_date - INTERVAL '35' DAY
