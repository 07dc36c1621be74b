-- Which songs have been in the playlists longest?
-- Ranks the songs in the newest complete snapshot of each playlist by the time since they entered without a break. A
-- complete snapshot without the song is a break; a missing day is not. Looks back 240 days; the view song_history has
-- every song since the first snapshot.
--
-- Parameters:
-- - INTERVAL '240' DAY: How far to look back.
-- - LIMIT 20: How many songs.
-- Columns:
-- - song: Title of the song.
-- - artists: Names of the artists, separated by commas.
-- - playlist: Title of the playlist.
-- - since: Day of the first snapshot of the stay (UTC).
-- - days: Days from then to the playlist's newest snapshot, both included.
-- - is_longer: Whether the playlist's first snapshot of this period has the song; it may then have been there before.
-- - snapshots: Consecutive snapshots with the song.
WITH snapshots AS (
    SELECT
        playlist_id,
        snapshot_date,
        scheduled_at,
        row_number() OVER (PARTITION BY playlist_id ORDER BY scheduled_at) AS number,
        count(*) OVER (PARTITION BY playlist_id) AS newest_number
    FROM playlists
    WHERE snapshot_date >= current_date - INTERVAL '240' DAY AND coalesce(is_complete, true)
),
standings AS (
    SELECT DISTINCT s.playlist_id, e.song_id, s.snapshot_date, s.number, s.newest_number
    FROM playlist_entries AS e
    JOIN snapshots AS s
        ON s.playlist_id = e.playlist_id AND s.snapshot_date = e.snapshot_date AND s.scheduled_at = e.scheduled_at
    WHERE e.song_id IS NOT NULL AND e.snapshot_date >= current_date - INTERVAL '240' DAY
),
numbered AS (
    SELECT
        playlist_id,
        song_id,
        snapshot_date,
        number,
        newest_number,
        -- Snapshots in a row share the difference between their number and their rank.
        number - row_number() OVER (PARTITION BY playlist_id, song_id ORDER BY number) AS stay
    FROM standings
),
stays AS (
    SELECT
        playlist_id,
        song_id,
        min(snapshot_date) AS since,
        date_diff('day', min(snapshot_date), max(snapshot_date)) + 1 AS days,
        min(number) = 1 AS is_longer,
        count(*) AS snapshots
    FROM numbered
    GROUP BY playlist_id, song_id, stay
    HAVING max(number) = max(newest_number)
)
SELECT
    s.name AS song,
    array_join(s.artist_names, ', ') AS artists,
    s.playlist,
    t.since,
    t.days,
    t.is_longer,
    t.snapshots
FROM stays AS t
JOIN latest_songs AS s
    ON s.playlist_id = t.playlist_id AND s.song_id = t.song_id
ORDER BY t.days DESC, t.snapshots DESC, song, s.playlist, t.song_id
LIMIT 20
