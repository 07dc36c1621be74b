-- Who added what is in the playlists?
-- The entries of each playlist as it was last seen, by the user who added them; of interest where several may.
--
-- Columns:
-- - playlist: Title of the playlist.
-- - added_by: Spotify id of the user; null where Spotify does not say.
-- - entries: Entries the user added.
-- - share: Their share of the playlist, 0 to 1.
-- - first_added_at: When the first of them was added (UTC).
-- - last_added_at: When the last of them was added (UTC).
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
