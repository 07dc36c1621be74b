-- Which times do plays cover, and in which may some be missing?
-- Days are in the time zone $zone. Times are in seconds since 1970.
--   `what` = 'range': the one row with the first and the last play, and the time of the first play of the API. Null where
--   there is none.
--   `what` = 'gap': one row per gap between two polls, as in the view play_gaps. `first` is the newest play that was known
--   before, `last` the oldest one of the poll.
WITH files AS (
    SELECT
        source,
        form,
        fetched_at,
        row_count,
        date_diff('second', CAST('1970-01-01 00:00:00 UTC' AS timestamp with time zone), first_played_at) AS first,
        date_diff('second', CAST('1970-01-01 00:00:00 UTC' AS timestamp with time zone), last_played_at) AS last,
        CAST(CAST(last_played_at AS timestamp with time zone) AT TIME ZONE '$zone' AS date) AS last_day,
        CAST(CAST(first_played_at AS timestamp with time zone) AT TIME ZONE '$zone' AS date) AS first_day
    FROM play_files
),
polls AS (
    SELECT
        row_count,
        first AS known_from,
        first_day AS day_from,
        max(last) OVER (ORDER BY fetched_at ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS known_until,
        max(last_day) OVER (ORDER BY fetched_at ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS day_until
    FROM files
    WHERE source = 'api'
),
gaps AS (
    SELECT p.known_until, p.known_from, p.day_until, p.day_from
    FROM polls AS p
    LEFT JOIN files AS f
        ON f.form = 'audio' AND f.first <= p.known_from AND f.last >= p.known_until
    WHERE p.row_count >= 50 AND p.known_from > p.known_until
    GROUP BY p.known_until, p.known_from, p.day_until, p.day_from
    HAVING NOT (
        coalesce(bool_or(f.first <= p.known_until), false)
        AND coalesce(bool_or(f.last >= p.known_from), false)
    )
)
SELECT
    'range' AS what,
    min(first) AS first,
    max(last) AS last,
    min(CASE WHEN source = 'api' THEN first END) AS first_polled,
    min(first_day) AS first_day,
    max(last_day) AS last_day
FROM files
UNION ALL
SELECT 'gap', known_until, known_from, NULL, day_until, day_from
FROM gaps
