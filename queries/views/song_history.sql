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
        first_value(name) OVER (PARTITION BY playlist_id ORDER BY scheduled_at DESC) AS playlist,
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
        s.playlist,
        e.song_id,
        s.snapshot_date,
        s.scheduled_at,
        s.number,
        s.number_from_end,
        min(e.position) AS position,
        max(e.name) AS name
    FROM playlist_entries AS e
    JOIN snapshots AS s
        ON s.playlist_id = e.playlist_id AND s.snapshot_date = e.snapshot_date AND s.scheduled_at = e.scheduled_at
    WHERE e.song_id IS NOT NULL
    GROUP BY
        s.playlist_id, s.playlist, e.song_id, s.snapshot_date, s.scheduled_at, s.number, s.number_from_end
),
numbered AS (
    SELECT
        playlist_id,
        playlist,
        song_id,
        snapshot_date,
        scheduled_at,
        number_from_end,
        position,
        name,
        -- Snapshots in a row share the difference between their number and their rank.
        number - row_number() OVER (PARTITION BY playlist_id, song_id ORDER BY scheduled_at) AS stay,
        row_number() OVER (PARTITION BY playlist_id, song_id, snapshot_date ORDER BY scheduled_at) AS number_of_day
    FROM standings
),
-- Each step reads the one before once, because Athena plans, and pays for, each reference anew.
stays AS (
    SELECT
        playlist_id,
        playlist,
        song_id,
        max_by(name, scheduled_at) FILTER (WHERE name IS NOT NULL) AS name,
        max(scheduled_at) FILTER (WHERE name IS NOT NULL) AS named_at,
        min(snapshot_date) AS first_seen,
        max(snapshot_date) AS last_seen,
        max(scheduled_at) AS last_at,
        min(number_from_end) AS number_from_end,
        count_if(number_of_day = 1) AS days,
        min(position) AS best_position,
        min_by(snapshot_date, ROW(position, scheduled_at)) AS best_on,
        max_by(position, scheduled_at) AS last_position
    FROM numbered
    GROUP BY playlist_id, playlist, song_id, stay
),
lives AS (
    SELECT
        playlist_id,
        playlist,
        song_id,
        max_by(name, named_at) FILTER (WHERE name IS NOT NULL) AS name,
        min(first_seen) AS first_seen,
        max(last_seen) AS last_seen,
        min(number_from_end) = 1 AS is_in_list,
        sum(days) AS days_in_list,
        count(*) AS stays,
        max(date_diff('day', first_seen, last_seen)) + 1 AS longest_stay_days,
        min(best_position) AS best_position,
        min_by(best_on, ROW(best_position, best_on)) AS best_on,
        max_by(last_position, last_at) AS last_position
    FROM stays
    GROUP BY playlist_id, playlist, song_id
),
credits AS (
    SELECT playlist_id, song_id, array_join(max_by(artist_names, scheduled_at), ', ') AS artists
    FROM songs
    GROUP BY playlist_id, song_id
)
SELECT
    l.playlist_id,
    l.playlist,
    l.song_id,
    l.name,
    c.artists,
    l.first_seen,
    l.last_seen,
    l.is_in_list,
    l.days_in_list,
    l.stays,
    l.longest_stay_days,
    l.best_position,
    l.best_on,
    l.last_position
FROM lives AS l
LEFT JOIN credits AS c
    ON c.playlist_id = l.playlist_id AND c.song_id = l.song_id
