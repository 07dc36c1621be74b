-- Who added the entries of each playlist?
-- Groups the entries of each playlist's newest snapshot by the user who added them. This is useful for collaborative
-- playlists.
--
-- Columns:
-- - playlist: Title of the playlist.
-- - added_by: Spotify id of the user; null where Spotify does not say.
-- - entries: Entries that the user added.
-- - share: Share of the playlist's entries, from 0 to 1.
-- - first_added_at: When the user added the first of them (UTC).
-- - last_added_at: When the user added the last of them (UTC).
SELECT
    max(playlist) AS playlist,
    added_by_id AS added_by,
    count(*) AS entries,
    CAST(count(*) AS double) / sum(count(*)) OVER (PARTITION BY playlist_id) AS share,
    min(added_at) AS first_added_at,
    max(added_at) AS last_added_at
FROM latest_entries
GROUP BY playlist_id, added_by_id
ORDER BY playlist, playlist_id, entries DESC, added_by
