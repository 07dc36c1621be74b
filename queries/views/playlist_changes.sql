-- Entries that entered, left or moved between a snapshot of a playlist and the one before.
-- The one before is the previous complete snapshot {reach}; parts of a list are not compared. A missing day is not a
-- change; days_between shows the gap. A playlist's first snapshot {of} has no changes. An entry is found by its song's
-- id, else its URI, else its name and artists; if it is in a list several times, its first position counts. Unavailable
-- entries of which nothing is known are left out. {days}
--
-- One row: entry that changed in a snapshot
-- Variants:
-- - playlist_changes: reach = in the lake; of = in the lake; first_day = DATE '1970-01-01'; days = Reads every day of playlists, and the days of entries that conditions on snapshot_date and previous_date leave.
-- - recent_changes: reach = of the last 35 days; of = of these days; first_day = current_date - INTERVAL '35' DAY; days = Reads these days only, however old the lake is.
-- Columns:
-- - snapshot_date date: Day of the snapshot (UTC).
-- - playlist_id string: Spotify id of the playlist.
-- - playlist string: Title in the snapshot. Null when Spotify does not send it.
-- - scheduled_at timestamp: Time of the snapshot (UTC).
-- - previous_date date: Day of the snapshot before (UTC).
-- - previous_at timestamp: Time of the snapshot before (UTC).
-- - days_between bigint: Days from the snapshot before to this one; 1 in a daily lake without gaps, 0 within a day.
-- - change string: `entered`, `left` or `moved`.
-- - uri string: Spotify URI of the entry. Null when only its name is known.
-- - song_id string: Spotify id of the song. Null when it is an episode, a chapter or a local file.
-- - name string: Title. Null when it was never available.
-- - position int: First position now. Null when the entry left.
-- - previous_position int: First position before. Null when the entry entered.
-- - climbed int: Positions climbed; negative if the entry fell. Null when it entered or left.
WITH snapshots AS (
    SELECT
        playlist_id,
        name AS playlist,
        snapshot_date,
        scheduled_at,
        lag(snapshot_date) OVER (PARTITION BY playlist_id ORDER BY scheduled_at) AS previous_date,
        lag(scheduled_at) OVER (PARTITION BY playlist_id ORDER BY scheduled_at) AS previous_at
    FROM playlists
    WHERE snapshot_date >= {first_day} AND coalesce(is_complete, true)
),
stands AS (
    SELECT
        s.snapshot_date,
        s.playlist_id,
        s.playlist,
        s.scheduled_at,
        s.previous_date,
        s.previous_at,
        coalesce(e.song_id, e.uri, e.name || ' by ' || coalesce(array_join(e.credits, ', '), '')) AS entry,
        e.uri,
        e.song_id,
        e.name,
        e.position AS position,
        CAST(NULL AS integer) AS previous_position
    FROM playlist_entries AS e
    JOIN snapshots AS s
        ON s.playlist_id = e.playlist_id AND s.snapshot_date = e.snapshot_date AND s.scheduled_at = e.scheduled_at
    WHERE e.snapshot_date >= {first_day} AND s.previous_at IS NOT NULL
    UNION ALL
    SELECT
        s.snapshot_date,
        s.playlist_id,
        s.playlist,
        s.scheduled_at,
        s.previous_date,
        s.previous_at,
        coalesce(e.song_id, e.uri, e.name || ' by ' || coalesce(array_join(e.credits, ', '), '')) AS entry,
        e.uri,
        e.song_id,
        e.name,
        CAST(NULL AS integer) AS position,
        e.position AS previous_position
    FROM playlist_entries AS e
    JOIN snapshots AS s
        ON s.playlist_id = e.playlist_id AND s.previous_date = e.snapshot_date AND s.previous_at = e.scheduled_at
    WHERE e.snapshot_date >= {first_day}
),
compared AS (
    SELECT
        snapshot_date,
        playlist_id,
        playlist,
        scheduled_at,
        previous_date,
        previous_at,
        max(uri) AS uri,
        max(song_id) AS song_id,
        max(name) AS name,
        min(position) AS position,
        min(previous_position) AS previous_position
    FROM stands
    WHERE entry IS NOT NULL
    GROUP BY snapshot_date, playlist_id, playlist, scheduled_at, previous_date, previous_at, entry
)
SELECT
    snapshot_date,
    playlist_id,
    playlist,
    scheduled_at,
    previous_date,
    previous_at,
    date_diff('day', previous_date, snapshot_date) AS days_between,
    CASE
        WHEN previous_position IS NULL THEN 'entered'
        WHEN position IS NULL THEN 'left'
        ELSE 'moved'
    END AS change,
    uri,
    song_id,
    name,
    position,
    previous_position,
    previous_position - position AS climbed
FROM compared
WHERE position IS DISTINCT FROM previous_position
