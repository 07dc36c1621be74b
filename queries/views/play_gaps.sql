-- Times in which plays may be missing between two polls.
-- Spotify keeps the last 50 plays. If a poll gets 50 and the oldest of them is newer than every play known before, there
-- were more. A gap is closed once audio files of the extended history hold both its ends.
--
-- One row: poll after a gap
-- Columns:
-- - fetched_at timestamp: Time of the poll (UTC).
-- - fetched_before timestamp: Time of the poll before it (UTC).
-- - known_until timestamp: Newest play of all polls before: the gap begins here (UTC).
-- - known_from timestamp: Oldest play of the poll: the gap ends here (UTC).
-- - hours double: Hours in between.
WITH polls AS (
    SELECT
        fetched_at,
        row_count,
        first_played_at AS known_from,
        lag(fetched_at) OVER (ORDER BY fetched_at) AS fetched_before,
        max(last_played_at) OVER (ORDER BY fetched_at ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS known_until
    FROM play_files
    WHERE source = 'api'
)
SELECT
    p.fetched_at,
    p.fetched_before,
    p.known_until,
    p.known_from,
    CAST(date_diff('second', p.known_until, p.known_from) AS double) / 3600 AS hours
FROM polls AS p
LEFT JOIN play_files AS f
    ON f.form = 'audio' AND f.first_played_at <= p.known_from AND f.last_played_at >= p.known_until
WHERE p.row_count >= 50 AND p.known_from > p.known_until
GROUP BY p.fetched_at, p.fetched_before, p.known_until, p.known_from
HAVING NOT (
    coalesce(bool_or(f.first_played_at <= p.known_until), false)
    AND coalesce(bool_or(f.last_played_at >= p.known_from), false)
)
