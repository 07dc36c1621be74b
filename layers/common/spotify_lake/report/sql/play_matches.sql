-- Times are milliseconds since 1970. The names are equal for the same song, and null where no title is known.
keyed AS (
    SELECT
        *,
        lower(coalesce(show_name, artist_name)) || ' / ' || lower(name) AS names,
        date_diff('millisecond', CAST('1970-01-01 00:00:00 UTC' AS timestamp with time zone), played_at) AS ended
    FROM united
),
-- Of one song, minute and ms_played, the first play of account data is the first of the extended history, and so on.
numbered AS (
    SELECT
        *,
        ended - ended % 60000 AS ended_minute,
        row_number() OVER (
            PARTITION BY names, ended - ended % 60000, ms_played, source
            ORDER BY CASE WHEN source = 'extended' THEN ended END, play_id
        ) AS number_of_source
    FROM keyed
),
account_matched AS (
    SELECT
        *,
        CASE
            WHEN source = 'account' AND names IS NOT NULL
                THEN max(CASE WHEN source = 'extended' THEN play_id END) OVER (
                    PARTITION BY names, ended_minute, ms_played, number_of_source
                )
        END AS extended_id
    FROM numbered
),
-- What is within 60 seconds of a poll's play is in its minute or in one beside it.
polled AS (
    SELECT p.play_id, p.uri, p.names, p.ended, m.near_minute
    FROM account_matched AS p
    CROSS JOIN UNNEST(ARRAY[p.ended_minute - 60000, p.ended_minute, p.ended_minute + 60000]) AS m (near_minute)
    WHERE p.source = 'api'$near
),
-- The plays of exports that count, by their end and by their start: the API may have sent either.
ends AS (
    SELECT e.play_id, e.uri, e.names, e.ended, e.ended - e.ms_played AS started, m.near_minute
    FROM account_matched AS e
    CROSS JOIN UNNEST(
        ARRAY[e.ended_minute, e.ended - e.ms_played - (e.ended - e.ms_played) % 60000]
    ) AS m (near_minute)
    WHERE e.source <> 'api' AND e.extended_id IS NULL$near
),
pairs AS (
    SELECT DISTINCT
        p.play_id AS lower_id,
        e.play_id AS higher_id,
        least(abs(e.ended - p.ended), abs(e.started - p.ended)) AS distance
    FROM polled AS p
    JOIN ends AS e
        ON e.near_minute = p.near_minute AND (e.uri = p.uri OR e.names = p.names)
),
-- A pair has its place in the order of matching: nearest first, ties by the two plays. A matched pair has the place 0.
pass_0 AS (
    SELECT lower_id, higher_id, row_number() OVER (ORDER BY distance, higher_id, lower_id) AS place
    FROM pairs
    WHERE distance <= 60000
),
-- Each pass matches the pairs that come first for both plays, and drops the pairs of which a play was matched before.
$passes,
matched AS (
    SELECT lower_id, higher_id
    FROM pass_$last_pass
    WHERE place = 0
)
