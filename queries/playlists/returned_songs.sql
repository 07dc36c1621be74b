-- Which entries left a playlist and came back?
-- Looks at the complete snapshots of the last 60 days. An entry was away if at least one of them lacks it; a missing day
-- is not an absence. An entry is found by its song's id, else its URI, else its name and artists.
--
-- Parameters:
-- - INTERVAL '60' DAY: How far to look back.
-- - LIMIT 50: How many returns, the newest first.
-- Columns:
-- - returned_on: Day of the snapshot with the return (UTC).
-- - playlist: Title of the playlist.
-- - song: Title of the song, episode or file.
-- - last_seen: Day of the last snapshot before the absence (UTC).
-- - days_away: Days from last_seen to returned_on.
-- - snapshots_away: Snapshots in between, all without the entry.
-- - position_before: First position in the last snapshot before the absence.
-- - position: First position on its return.
WITH snapshots AS (
    SELECT
        playlist_id,
        name AS playlist,
        snapshot_date,
        scheduled_at,
        row_number() OVER (PARTITION BY playlist_id ORDER BY scheduled_at) AS number
    FROM playlists
    WHERE snapshot_date >= current_date - INTERVAL '60' DAY AND coalesce(is_complete, true)
),
standings AS (
    SELECT
        s.playlist_id,
        s.playlist,
        s.snapshot_date,
        s.number,
        coalesce(e.song_id, e.uri, e.name || ' by ' || coalesce(array_join(e.credits, ', '), '')) AS entry,
        max(e.name) AS name,
        min(e.position) AS position
    FROM playlist_entries AS e
    JOIN snapshots AS s
        ON s.playlist_id = e.playlist_id AND s.snapshot_date = e.snapshot_date AND s.scheduled_at = e.scheduled_at
    WHERE e.snapshot_date >= current_date - INTERVAL '60' DAY
    GROUP BY
        s.playlist_id,
        s.playlist,
        s.snapshot_date,
        s.number,
        coalesce(e.song_id, e.uri, e.name || ' by ' || coalesce(array_join(e.credits, ', '), ''))
),
followed AS (
    SELECT
        playlist_id,
        playlist,
        snapshot_date,
        number,
        entry,
        name,
        position,
        lag(number) OVER (PARTITION BY playlist_id, entry ORDER BY number) AS number_before,
        lag(snapshot_date) OVER (PARTITION BY playlist_id, entry ORDER BY number) AS date_before,
        lag(position) OVER (PARTITION BY playlist_id, entry ORDER BY number) AS position_before
    FROM standings
    WHERE entry IS NOT NULL
)
SELECT
    snapshot_date AS returned_on,
    playlist,
    name AS song,
    date_before AS last_seen,
    date_diff('day', date_before, snapshot_date) AS days_away,
    number - number_before - 1 AS snapshots_away,
    position_before,
    position
FROM followed
WHERE number - number_before > 1
ORDER BY returned_on DESC, playlist, position, entry, number DESC
LIMIT 50
