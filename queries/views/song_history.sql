-- The history of each song in each playlist, from the first snapshot to the newest.
-- A song counts as being in the list at any position, available or not. It left and came back if a snapshot in between
-- lacks it; a missing day is not an absence. Only complete snapshots count. The view reads every day, so a condition on
-- it saves nothing.
--
-- One row: song and playlist
-- Columns:
-- - playlist_id string: Spotify id of the playlist.
-- - playlist string: Newest title. Null when Spotify does not send it.
-- - song_id string: Spotify id of the song.
-- - name string: Title. Null when it was never available.
-- - artists string: Names of the artists, separated by commas. Null when it was never available.
-- - first_seen date: Day of the first snapshot with the song.
-- - last_seen date: Day of the last snapshot with the song.
-- - is_in_list boolean: Whether the playlist's newest snapshot has the song.
-- - days_in_list bigint: Days with a snapshot that has the song.
-- - stays bigint: How often the song entered: 1 if it never left and came back.
-- - longest_stay_days bigint: Days from the first to the last snapshot of its longest stay, both included.
-- - best_position int: Best position; 1 is the top.
-- - best_on date: First day at that position.
-- - last_position int: Position in the last snapshot with the song.
WITH snapshots AS (
    SELECT
        playlist_id,
        name AS playlist,
        snapshot_date,
        scheduled_at,
        row_number() OVER (PARTITION BY playlist_id ORDER BY scheduled_at) AS number,
        row_number() OVER (PARTITION BY playlist_id ORDER BY scheduled_at DESC) AS number_from_end
    FROM playlists
    WHERE coalesce(is_complete, true)
),
standings AS (
    SELECT
        s.playlist_id,
        e.song_id,
        s.snapshot_date,
        s.scheduled_at,
        s.number,
        min(s.number_from_end) AS number_from_end,
        min(e.position) AS position,
        max(e.name) AS name
    FROM playlist_entries AS e
    JOIN snapshots AS s
        ON s.playlist_id = e.playlist_id AND s.snapshot_date = e.snapshot_date AND s.scheduled_at = e.scheduled_at
    WHERE e.song_id IS NOT NULL
    GROUP BY s.playlist_id, e.song_id, s.snapshot_date, s.scheduled_at, s.number
),
numbered AS (
    SELECT
        playlist_id,
        song_id,
        snapshot_date,
        scheduled_at,
        number_from_end,
        position,
        name,
        -- Snapshots in a row share the difference between their number and their rank.
        number - row_number() OVER (PARTITION BY playlist_id, song_id ORDER BY scheduled_at) AS stay,
        min(position) OVER (PARTITION BY playlist_id, song_id) AS best_position
    FROM standings
),
stays AS (
    SELECT
        playlist_id,
        song_id,
        date_diff('day', min(snapshot_date), max(snapshot_date)) + 1 AS days
    FROM numbered
    GROUP BY playlist_id, song_id, stay
),
lengths AS (
    SELECT playlist_id, song_id, count(*) AS stays, max(days) AS longest_stay_days
    FROM stays
    GROUP BY playlist_id, song_id
),
lives AS (
    SELECT
        playlist_id,
        song_id,
        max_by(name, scheduled_at) FILTER (WHERE name IS NOT NULL) AS name,
        min(snapshot_date) AS first_seen,
        max(snapshot_date) AS last_seen,
        min(number_from_end) = 1 AS is_in_list,
        count(DISTINCT snapshot_date) AS days_in_list,
        min(best_position) AS best_position,
        min(CASE WHEN position = best_position THEN snapshot_date END) AS best_on,
        max_by(position, scheduled_at) AS last_position
    FROM numbered
    GROUP BY playlist_id, song_id
),
credits AS (
    SELECT playlist_id, song_id, array_join(max_by(artist_names, scheduled_at), ', ') AS artists
    FROM songs
    GROUP BY playlist_id, song_id
)
SELECT
    l.playlist_id,
    p.playlist,
    l.song_id,
    l.name,
    c.artists,
    l.first_seen,
    l.last_seen,
    l.is_in_list,
    l.days_in_list,
    n.stays,
    n.longest_stay_days,
    l.best_position,
    l.best_on,
    l.last_position
FROM lives AS l
JOIN lengths AS n
    ON n.playlist_id = l.playlist_id AND n.song_id = l.song_id
JOIN snapshots AS p
    ON p.playlist_id = l.playlist_id AND p.number_from_end = 1
LEFT JOIN credits AS c
    ON c.playlist_id = l.playlist_id AND c.song_id = l.song_id
