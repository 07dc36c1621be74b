-- How did the playlists change {period} by {period}?
-- Covers this {period} and the {before} before. Averages cover the days that have a snapshot; a {period} without
-- snapshots has no row.
--
-- Variants:
-- - series_by_week: period = week; before = eight weeks; first_day = Monday; lookback = INTERVAL '56' DAY; step = INTERVAL '7' DAY
-- - series_by_month: period = month; before = two months; first_day = First day; lookback = INTERVAL '2' MONTH; step = INTERVAL '1' MONTH
-- Parameters:
-- - {lookback}: How far to look back.
-- Columns:
-- - {period}: {first_day} of the {period}.
-- - playlist: Title in the last snapshot of the {period}.
-- - days_observed: Days with a snapshot.
-- - entries_per_day: Entries on an average day.
-- - songs: Distinct songs in the {period}.
-- - new_songs: Songs that were not in the playlist in the {period} before; null if that {period} has no snapshot.
WITH days AS (
    SELECT date_trunc('{period}', snapshot_date) AS {period}, snapshot_date, playlist_id, playlist, entry_count
    FROM daily_playlists
    WHERE snapshot_date >= date_trunc('{period}', current_date) - {lookback}
),
observed AS (
    SELECT
        {period},
        playlist_id,
        max_by(playlist, snapshot_date) AS playlist,
        count(*) AS days_observed,
        avg(CAST(entry_count AS double)) AS entries_per_day,
        lag({period}) OVER (PARTITION BY playlist_id ORDER BY {period}) AS {period}_before
    FROM days
    GROUP BY {period}, playlist_id
),
songs_of_{period} AS (
    SELECT
        {period},
        playlist_id,
        song_id,
        lag({period}) OVER (PARTITION BY playlist_id, song_id ORDER BY {period}) AS seen_before
    FROM (
        SELECT DISTINCT date_trunc('{period}', snapshot_date) AS {period}, playlist_id, song_id
        FROM daily_entries
        WHERE kind = 'song' AND snapshot_date >= date_trunc('{period}', current_date) - {lookback}
    )
),
counted AS (
    SELECT
        {period},
        playlist_id,
        count(*) AS songs,
        count_if(seen_before IS NULL OR seen_before + {step} < {period}) AS new_songs
    FROM songs_of_{period}
    GROUP BY {period}, playlist_id
)
SELECT
    CAST(o.{period} AS date) AS {period},
    o.playlist,
    o.days_observed,
    o.entries_per_day,
    coalesce(c.songs, 0) AS songs,
    CASE WHEN o.{period}_before + {step} = o.{period} THEN coalesce(c.new_songs, 0) END AS new_songs
FROM observed AS o
LEFT JOIN counted AS c
    ON c.playlist_id = o.playlist_id AND c.{period} = o.{period}
ORDER BY o.playlist, o.playlist_id, o.{period}
