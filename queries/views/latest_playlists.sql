-- The newest complete snapshot of each playlist. Of one day, recorded snapshots come before imports.
-- Reads the last 35 days; a playlist without a complete snapshot in this time is not in the view.
--
-- One row: playlist
-- Columns:
-- - snapshot_date date: UTC date of scheduled_at; the partition of the table.
-- - playlist_id string: Spotify id of the playlist.
-- - scheduled_at timestamp: Time the snapshot was scheduled for (UTC).
-- - fetched_at timestamp: Time Spotify sent the list, or reported it unchanged (UTC).
-- - name string: Title of the playlist. Null when Spotify does not send it.
-- - description string: Description by its owner; Spotify sends it with HTML entities, and here they are characters again. Null when there is none.
-- - owner_id string: Spotify id of the owner. Null when Spotify does not send it.
-- - owner_name string: Display name of the owner. Null when the owner has none.
-- - snapshot_id string: Spotify's version of the playlist; it changes with the entries, and with title, cover or privacy. Liked Songs have none: for them, a digest of their number and the first page. Null when an imported dump lacks it.
-- - is_public boolean: Shown on the owner's profile. Null when Spotify does not send it.
-- - is_collaborative boolean: Others may add to it. Null when Spotify does not send it.
-- - followers bigint: Users who saved the playlist. Null when the app gets Spotify's 2026 development-mode contract.
-- - entry_count int: Entries in the snapshot, rejected ones included.
-- - image_url string: Cover image, the largest. Null when no cover.
-- - url string: Link to the playlist. Null when Spotify does not send it.
-- - contract string: How the entries were read: `items` (the 2026 endpoint), `tracks` (the old one, and Liked Songs) or `embedded` (the page inside the playlist object).
-- - is_complete boolean: Whether the snapshot holds the whole list. Parts of lists, from imports, keep their positions; views, queries, change events and the report leave them out. Null when a dump does not say how long the list is; it counts as complete.
-- - is_imported boolean: Imported from a file; otherwise the lake recorded what Spotify sent. The `scheduled_at` of an import lies a millisecond past a whole second, so it never equals that of a recorded snapshot.
SELECT
    snapshot_date,
    playlist_id,
    scheduled_at,
    fetched_at,
    name,
    description,
    owner_id,
    owner_name,
    snapshot_id,
    is_public,
    is_collaborative,
    followers,
    entry_count,
    image_url,
    url,
    contract,
    is_complete,
    is_imported
FROM (
    SELECT
        snapshot_date,
        playlist_id,
        scheduled_at,
        fetched_at,
        name,
        description,
        owner_id,
        owner_name,
        snapshot_id,
        is_public,
        is_collaborative,
        followers,
        entry_count,
        image_url,
        url,
        contract,
        is_complete,
        is_imported,
        first_value(scheduled_at) OVER (
                PARTITION BY playlist_id ORDER BY snapshot_date DESC, coalesce(is_imported, false), scheduled_at DESC
            ) AS newest
    FROM playlists
    WHERE snapshot_date >= current_date - INTERVAL '35' DAY AND coalesce(is_complete, true)
)
WHERE scheduled_at = newest
