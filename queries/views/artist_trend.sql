-- How present each artist was in each playlist, {period} by {period}.
-- Covers this {period} and the {before} before. Counts the last snapshot of each day and divides by the number of days
-- that have one, so a missing day does not look like a decline. A song with two artists counts for both. To compare
-- artists, sum appearances_per_day or score_per_day over the playlists. A {period} in which a playlist has no snapshot
-- has no rows for it, because its content is unknown.
--
-- One row: artist, playlist and {period}
-- Variants:
-- - artist_trend_weekly: period = week; before = 52; first_day = Monday; lookback = INTERVAL '364' DAY
-- - artist_trend_monthly: period = month; before = 24; first_day = First day; lookback = INTERVAL '24' MONTH
-- Columns:
-- - {period} date: {first_day} of the {period}.
-- - playlist_id string: Spotify id of the playlist.
-- - playlist string: Title in the last snapshot of the {period}. Null when Spotify does not send it.
-- - artist_id string: Spotify id of the artist.
-- - artist string: Name of the artist.
-- - days_observed bigint: Days of the {period} with a snapshot of the playlist.
-- - days bigint: Days among these on which the artist was in it.
-- - songs bigint: Distinct songs of the artist in it.
-- - appearances bigint: Entries of the artist, summed over the days.
-- - appearances_per_day double: Entries of the artist on an average observed day.
-- - score_per_day double: Position-weighted score on an average observed day: 1 for the first position, falling evenly to 1/n for the last of n.
-- - best_position int: Best position; 1 is the top.
WITH observed AS (
    SELECT
        playlist_id,
        date_trunc('{period}', snapshot_date) AS {period},
        max_by(playlist, snapshot_date) AS playlist,
        count(*) AS days_observed
    FROM daily_playlists
    WHERE snapshot_date >= date_trunc('{period}', current_date) - {lookback}
    GROUP BY playlist_id, date_trunc('{period}', snapshot_date)
),
credits AS (
    SELECT
        e.playlist_id,
        date_trunc('{period}', e.snapshot_date) AS {period},
        e.snapshot_date,
        e.position,
        e.score,
        e.song_id,
        s.artist_ids,
        s.artist_names
    FROM daily_entries AS e
    JOIN songs AS s
        ON s.playlist_id = e.playlist_id AND s.snapshot_date = e.snapshot_date AND s.scheduled_at = e.scheduled_at
        AND s.song_id = e.song_id
    WHERE e.kind = 'song'
        AND e.snapshot_date >= date_trunc('{period}', current_date) - {lookback}
        AND s.snapshot_date >= date_trunc('{period}', current_date) - {lookback}
),
counted AS (
    SELECT
        c.{period},
        c.playlist_id,
        a.artist_id,
        max_by(a.artist, c.snapshot_date) AS artist,
        count(DISTINCT c.snapshot_date) AS days,
        count(DISTINCT c.song_id) AS songs,
        count(*) AS appearances,
        sum(c.score) AS score,
        min(c.position) AS best_position
    FROM credits AS c
    CROSS JOIN UNNEST(c.artist_ids, c.artist_names) AS a (artist_id, artist)
    WHERE a.artist_id IS NOT NULL
    GROUP BY c.{period}, c.playlist_id, a.artist_id
)
SELECT
    CAST(c.{period} AS date) AS {period},
    c.playlist_id,
    o.playlist,
    c.artist_id,
    c.artist,
    o.days_observed,
    c.days,
    c.songs,
    c.appearances,
    CAST(c.appearances AS double) / o.days_observed AS appearances_per_day,
    c.score / o.days_observed AS score_per_day,
    c.best_position
FROM counted AS c
JOIN observed AS o
    ON o.playlist_id = c.playlist_id AND o.{period} = c.{period}
