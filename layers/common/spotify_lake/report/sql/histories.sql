-- Which snapshots are there, and what were the positions of the songs in them?
-- One query answers both, because a query costs as much as the days it reads: each table is read once, and GROUPING
-- SETS aggregates the same rows twice. Days are counted from 1970-01-01. If a day has several snapshots, the last
-- complete one counts, and an import only if no run recorded one.
--   `what` = 'snapshot': one row per playlist and snapshot, with the number of entries that entered with it and left
--   after it. The playlist's name, owner and so on come from its last snapshot.
--   `what` = 'standing': one row per playlist and entry: entries of the last snapshot, entries that left in the 31 days
--   before it, and songs with the most time in the top ten. `days` and `positions` are parallel lists, with every day
--   since $recent and the last snapshot of each week before that. `added_at` is in seconds since 1970.
WITH taken AS (
    SELECT
        *,
        first_value(scheduled_at) OVER (
            PARTITION BY playlist_id, snapshot_date ORDER BY coalesce(is_imported, false), scheduled_at DESC
        ) AS last_of_day
    FROM playlists
    WHERE snapshot_date BETWEEN DATE '$first' AND DATE '$last' AND coalesce(is_complete, true)
),
snapshots AS (
    SELECT
        *,
        row_number() OVER (PARTITION BY playlist_id ORDER BY snapshot_date) AS n,
        count(*) OVER (PARTITION BY playlist_id) AS of_n,
        max(snapshot_date) OVER (PARTITION BY playlist_id) AS last_date,
        snapshot_date >= DATE '$recent'
        OR snapshot_date = max(snapshot_date) OVER (
            PARTITION BY playlist_id, date_trunc('week', snapshot_date)
        ) AS is_sample
    FROM taken
    WHERE scheduled_at = last_of_day
),
entries AS (
    SELECT
        s.playlist_id,
        s.n,
        s.of_n,
        s.snapshot_date,
        s.last_date,
        s.is_sample,
        coalesce(e.song_id, e.uri, e.name) AS entry,
        min(e.position) AS place,
        max(e.kind) AS kind,
        max(e.name) AS name,
        max(e.added_at) AS added_at,
        max(s.entry_count) AS entry_count,
        max(CASE WHEN s.n = s.of_n THEN s.name END) AS playlist,
        max(CASE WHEN s.n = s.of_n THEN s.description END) AS description,
        max(CASE WHEN s.n = s.of_n THEN coalesce(s.owner_name, s.owner_id) END) AS owner,
        max(CASE WHEN s.n = s.of_n THEN s.image_url END) AS image_url,
        max(CASE WHEN s.n = s.of_n THEN s.followers END) AS followers
    FROM snapshots AS s
    LEFT JOIN playlist_entries AS e
        ON e.playlist_id = s.playlist_id
        AND e.snapshot_date = s.snapshot_date
        AND e.scheduled_at = s.scheduled_at
        AND e.snapshot_date BETWEEN DATE '$first' AND DATE '$last'
        AND coalesce(e.song_id, e.uri, e.name) IS NOT NULL
    GROUP BY
        s.playlist_id,
        s.n,
        s.of_n,
        s.snapshot_date,
        s.last_date,
        s.is_sample,
        coalesce(e.song_id, e.uri, e.name)
),
neighbors AS (
    SELECT
        *,
        lag(n, 1, 0) OVER (PARTITION BY playlist_id, entry ORDER BY n) AS n_before,
        lead(n, 1, of_n + 1) OVER (PARTITION BY playlist_id, entry ORDER BY n) AS n_after
    FROM entries
),
histories AS (
    SELECT
        playlist_id,
        n,
        entry,
        max(entry_count) AS entry_count,
        count(CASE WHEN n > 1 AND n_before < n - 1 THEN entry END) AS entered,
        count(CASE WHEN n < of_n AND n_after > n + 1 THEN entry END) AS leaving,
        max(playlist) AS playlist,
        max(description) AS description,
        max(owner) AS owner,
        max(image_url) AS image_url,
        max(followers) AS followers,
        max(kind) AS kind,
        max(name) AS name,
        max(added_at) AS added_at,
        count(*) AS days_in_list,
        min(place) AS best,
        min(snapshot_date) AS first_seen,
        max(snapshot_date) AS last_seen,
        max(last_date) AS last_date,
        max(CASE WHEN n = of_n THEN place END) AS position,
        sum(greatest(0, 11 - place)) AS score,
        sum(CASE WHEN snapshot_date >= DATE '$recent' THEN greatest(0, 11 - place) ELSE 0 END) AS recent_score,
        array_agg(date_diff('day', DATE '1970-01-01', snapshot_date) ORDER BY snapshot_date)
            FILTER (WHERE is_sample) AS days,
        array_agg(place ORDER BY snapshot_date) FILTER (WHERE is_sample) AS positions
    FROM neighbors
    GROUP BY GROUPING SETS ((playlist_id, n), (playlist_id, entry))
),
ranked AS (
    SELECT
        *,
        row_number() OVER (PARTITION BY playlist_id, n IS NULL ORDER BY score DESC, entry) AS score_rank,
        row_number() OVER (PARTITION BY playlist_id, n IS NULL ORDER BY recent_score DESC, entry) AS recent_rank,
        row_number() OVER (
            PARTITION BY playlist_id, n IS NULL, position IS NULL ORDER BY last_seen DESC, score DESC, entry
        ) AS gone_rank
    FROM histories
    WHERE n IS NOT NULL OR entry IS NOT NULL
),
chosen AS (
    SELECT
        *,
        entry IS NOT NULL
        AND (score > 0 AND score_rank <= $leaders OR recent_score > 0 AND recent_rank <= $leaders) AS is_leader,
        position IS NULL AND last_seen >= last_date - INTERVAL '31' DAY AND gone_rank <= $gone AS has_just_left
    FROM ranked
)
SELECT
    CASE WHEN entry IS NULL THEN 'snapshot' ELSE 'standing' END AS what,
    playlist_id,
    last_seen AS snapshot_date,
    entry_count,
    entered,
    leaving,
    playlist,
    description,
    owner,
    image_url,
    followers,
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
        WHEN entry IS NOT NULL AND (is_leader OR has_just_left OR position <= $listed) THEN CAST(days AS JSON)
    END AS days,
    CASE
        WHEN entry IS NOT NULL AND (is_leader OR has_just_left OR position <= $listed) THEN CAST(positions AS JSON)
    END AS positions
FROM chosen
WHERE entry IS NULL OR position IS NOT NULL OR is_leader OR has_just_left
ORDER BY playlist_id, n, position, entry
