-- How complete are the plays, and how well do their sources agree?
-- A play of account data or of the API that lies in the time of a better export should be replaced by a play of it. One
-- that is not may be missing there, or may be counted twice.
--
-- Columns:
-- - source: `extended`, `account` or `api`.
-- - objects: Files of exports, or polls.
-- - rejects: Rows that are no plays; the table play_rejects has the reasons.
-- - play_rows: Rows of the table plays.
-- - repeated: Rows among them that another row is taken for: the same play in several objects.
-- - counted: Plays that count.
-- - replaced: Plays that a play of a better source replaces.
-- - unmatched: Counted plays in the time of a better export.
-- - first_played_at: The first play (UTC); null without plays.
-- - last_played_at: The last play (UTC); null without plays.
WITH files AS (
    SELECT
        source,
        count(*) AS objects,
        sum(reject_count) AS rejects,
        min(first_played_at) AS first_played_at,
        max(last_played_at) AS last_played_at
    FROM play_files
    GROUP BY source
),
stored AS (
    SELECT source, count(*) AS play_rows
    FROM plays
    GROUP BY source
),
ranges AS (
    SELECT
        min(CASE WHEN form = 'audio' THEN first_played_at END) AS extended_from,
        max(CASE WHEN form = 'audio' THEN last_played_at END) AS extended_to,
        min(CASE WHEN form = 'music' THEN first_played_at END) AS account_from,
        max(CASE WHEN form = 'music' THEN last_played_at END) AS account_to
    FROM play_files
),
heard AS (
    SELECT
        l.source,
        count_if(l.is_counted) AS counted,
        count_if(NOT l.is_counted) AS replaced,
        count_if(
            l.is_counted
            AND (
                (l.source <> 'extended' AND l.played_at BETWEEN r.extended_from AND r.extended_to)
                OR (l.source = 'api' AND l.played_at BETWEEN r.account_from AND r.account_to)
            )
        ) AS unmatched
    FROM listening AS l
    CROSS JOIN ranges AS r
    GROUP BY l.source
)
SELECT
    f.source,
    f.objects,
    f.rejects,
    coalesce(s.play_rows, 0) AS play_rows,
    coalesce(s.play_rows - h.counted - h.replaced, 0) AS repeated,
    coalesce(h.counted, 0) AS counted,
    coalesce(h.replaced, 0) AS replaced,
    coalesce(h.unmatched, 0) AS unmatched,
    f.first_played_at,
    f.last_played_at
FROM files AS f
LEFT JOIN stored AS s
    ON s.source = f.source
LEFT JOIN heard AS h
    ON h.source = f.source
ORDER BY f.source DESC
