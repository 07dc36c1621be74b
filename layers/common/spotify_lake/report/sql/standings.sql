-- Where did the songs stand?
-- One row per playlist and entry: what is in the list as it was last seen, what left it in its last 31 days, and
-- what was longest among its first ten. Positions are given for each day since $recent and for the last snapshot of
-- every week before that, as parallel lists of days (counted from $first) and positions. `added_at` is in seconds
-- since 1970.
WITH days AS (
    SELECT playlist_id, snapshot_date, max(scheduled_at) AS scheduled_at
    FROM playlists
    WHERE snapshot_date BETWEEN DATE '$first' AND DATE '$last'
    GROUP BY playlist_id, snapshot_date
),
sampled AS (
    SELECT
        playlist_id,
        snapshot_date,
        scheduled_at,
        max(snapshot_date) OVER (PARTITION BY playlist_id) AS last_date,
        snapshot_date >= DATE '$recent'
        OR snapshot_date = max(snapshot_date) OVER (
            PARTITION BY playlist_id, date_trunc('week', snapshot_date)
        ) AS is_sample
    FROM days
),
standings AS (
    SELECT
        d.playlist_id,
        d.snapshot_date,
        d.last_date,
        d.is_sample,
        coalesce(e.song_id, e.uri) AS entry,
        min(e.position) AS place,
        max(e.kind) AS kind,
        max(e.name) AS name,
        max(e.added_at) AS added_at
    FROM playlist_entries AS e
    JOIN sampled AS d
        ON d.playlist_id = e.playlist_id
        AND d.snapshot_date = e.snapshot_date
        AND d.scheduled_at = e.scheduled_at
    WHERE e.snapshot_date BETWEEN DATE '$first' AND DATE '$last'
        AND coalesce(e.song_id, e.uri) IS NOT NULL
    GROUP BY d.playlist_id, d.snapshot_date, d.last_date, d.is_sample, coalesce(e.song_id, e.uri)
),
histories AS (
    SELECT
        playlist_id,
        entry,
        max(kind) AS kind,
        max(name) AS name,
        max(added_at) AS added_at,
        count(*) AS days_in_list,
        min(place) AS best,
        min(snapshot_date) AS first_seen,
        max(snapshot_date) AS last_seen,
        max(last_date) AS last_date,
        max(CASE WHEN snapshot_date = last_date THEN place END) AS position,
        sum(greatest(0, 11 - place)) AS score,
        sum(CASE WHEN snapshot_date >= DATE '$recent' THEN greatest(0, 11 - place) ELSE 0 END) AS recent_score,
        array_agg(date_diff('day', DATE '$first', snapshot_date) ORDER BY snapshot_date)
            FILTER (WHERE is_sample) AS days,
        array_agg(place ORDER BY snapshot_date) FILTER (WHERE is_sample) AS places
    FROM standings
    GROUP BY playlist_id, entry
),
ranked AS (
    SELECT
        *,
        row_number() OVER (PARTITION BY playlist_id ORDER BY score DESC, entry) AS score_rank,
        row_number() OVER (PARTITION BY playlist_id ORDER BY recent_score DESC, entry) AS recent_rank,
        row_number() OVER (
            PARTITION BY playlist_id, position IS NULL ORDER BY last_seen DESC, score DESC, entry
        ) AS gone_rank
    FROM histories
),
chosen AS (
    SELECT
        *,
        (score > 0 AND score_rank <= $leaders) OR (recent_score > 0 AND recent_rank <= $leaders) AS is_leader,
        position IS NULL AND last_seen >= last_date - INTERVAL '31' DAY AND gone_rank <= $gone AS has_just_left
    FROM ranked
)
SELECT
    playlist_id,
    entry,
    kind,
    name,
    date_diff('second', CAST('1970-01-01 00:00:00 UTC' AS timestamp with time zone), added_at) AS added_at,
    days_in_list,
    best,
    first_seen,
    last_seen,
    position,
    is_leader,
    CASE
        WHEN is_leader OR has_just_left OR position <= $listed THEN CAST(days AS JSON)
    END AS days,
    CASE
        WHEN is_leader OR has_just_left OR position <= $listed THEN CAST(places AS JSON)
    END AS places
FROM chosen
WHERE position IS NOT NULL OR is_leader OR has_just_left
ORDER BY playlist_id, position, entry
