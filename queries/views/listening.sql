-- Every play once, by the best source that has it.
-- Plays with the same play_id are one play; the row that says most is taken. A play of a lower source (extended, then
-- account, then api) is replaced by one of a higher source when both are the same song: the same URI, or the same title
-- and artist in any case. A play of account data is replaced by one of the extended history in its minute with the same
-- ms_played, in order of time. A play of the API is replaced by a counted play of an export within 60 seconds of its end
-- or start. Matching is one to one: in each of six rounds, a play of the API and a play of an export are matched if each
-- is the nearest that the other has left. Ties go to the smaller play_id, first of the export, then of the API. A play of
-- the API that has no match after that counts; while a song is on repeat, nearest first can leave one over. The view reads
-- every month of plays four times; a condition on it saves nothing.
--
-- One row: play
-- Columns:
-- - play_id string: Identifies the play within its source.
-- - source string: `extended`, `account` or `api`, as in plays.
-- - kind string: `song`, `video`, `episode`, `chapter` or `other`, as in plays.
-- - is_counted boolean: Whether it counts: no play of a higher source replaces it.
-- - replaced_by string: The play_id of the play that replaces it. Null when it counts.
-- - played_at timestamp: When the play ended (UTC), as in plays.
-- - heard_at timestamp: When it was heard (UTC): for plays offline their own time where that is plausible.
-- - listened_ms bigint: Milliseconds listened: ms_played; for the API, the lesser of the song's length and the time to the next counted play. Null when a play of the API is replaced, or the length of the song is unknown.
-- - is_estimated boolean: Whether listened_ms is an estimate, as for every play of the API.
-- - ms_played bigint: Milliseconds played. Null when the source is `api`.
-- - uri string: Spotify URI of what was played. Null when the source is `account`, or what was played vanished.
-- - song_id string: Spotify id of the song; joins to songs. Null when it is no song, or has no URI.
-- - name string: Title of the song, episode or chapter. Null when the source lacks it.
-- - artist_name string: Artist of the song, or author of the audiobook. Null when it is an episode, or the source lacks it.
-- - album_name string: Title of the album. Null when the source lacks it.
-- - show_name string: Title of the podcast or audiobook. Null when it is a song.
-- - platform string: Device or system, as Spotify spells it. Null when the source is not `extended`.
-- - country string: Country of the connection (ISO 3166). Null when the source is not `extended`.
-- - reason_start string: Why it started. Null when the source is not `extended`.
-- - reason_end string: Why it ended. Null when the source is not `extended`.
-- - is_shuffled boolean: Shuffle was on. Null when the source is not `extended`.
-- - is_skipped boolean: It was skipped. Null when that was not recorded.
-- - is_offline boolean: Played without a connection. Null when the source is not `extended`.
-- - is_private boolean: Played in a private session. Null when the source is not `extended`.
-- - context_uri string: The playlist, album or artist it was played from. Null when the source is not `api`, or it was played from nowhere.
-- - source_object string: Key of the raw object that the row is from.
-- - played_month string: UTC month of played_at.
WITH copies AS (
    -- A play in several rows has a content there: the row that says most is the first in the order of this text.
    SELECT
        *,
        CASE
            WHEN count(*) OVER (PARTITION BY played_month, play_id) > 1
                THEN concat_ws(
                    '/',
                    lpad(CAST(1000 - fields_known AS varchar), 4, '0'),
                    coalesce(name, ''),
                    coalesce(artist_name, ''),
                    coalesce(album_name, ''),
                    coalesce(show_name, ''),
                    coalesce(platform, ''),
                    coalesce(country, ''),
                    coalesce(reason_start, ''),
                    coalesce(reason_end, ''),
                    coalesce(CAST(is_shuffled AS varchar), ''),
                    coalesce(CAST(is_skipped AS varchar), ''),
                    coalesce(CAST(is_offline AS varchar), ''),
                    coalesce(CAST(is_private AS varchar), ''),
                    coalesce(CAST(offline_timestamp AS varchar), ''),
                    coalesce(CAST(duration_ms AS varchar), ''),
                    coalesce(context_uri, ''),
                    source_object,
                    CAST("row" AS varchar)
                )
        END AS content
    FROM plays
),
-- Plays in several rows, and those that can be replaced or replace one: none before the first play of a lower source.
recent AS (
    SELECT *, min(content) OVER (PARTITION BY play_id) AS first_content
    FROM (
        SELECT
            play_id,
            source,
            played_at,
            ms_played,
            uri,
            name,
            artist_name,
            show_name,
            content,
            CASE WHEN content IS NOT NULL THEN source_object END AS chosen_object,
            CASE WHEN content IS NOT NULL THEN "row" END AS chosen_row,
            min(CASE WHEN source <> 'extended' THEN played_at END) OVER () AS first_lower
        FROM copies
    )
    WHERE content IS NOT NULL OR played_at >= date_add('minute', -1, first_lower)
),
-- Of equal plays the row that says most, then the one whose content comes first.
united AS (
    SELECT play_id, source, played_at, ms_played, uri, name, artist_name, show_name, chosen_object, chosen_row
    FROM recent
    WHERE content IS NULL OR content = first_content
),
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
    WHERE p.source = 'api'
),
-- The plays of exports that count, by their end and by their start: the API may have sent either.
ends AS (
    SELECT e.play_id, e.uri, e.names, e.ended, e.ended - e.ms_played AS started, m.near_minute
    FROM account_matched AS e
    CROSS JOIN UNNEST(
        ARRAY[e.ended_minute, e.ended - e.ms_played - (e.ended - e.ms_played) % 60000]
    ) AS m (near_minute)
    WHERE e.source <> 'api' AND e.extended_id IS NULL
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
pass_1 AS (
    SELECT
        lower_id,
        higher_id,
        CASE
            WHEN place = of_lower AND place = of_higher THEN 0
            WHEN of_lower > 0 AND of_higher > 0 THEN place
        END AS place
    FROM (
        SELECT
            lower_id,
            higher_id,
            place,
            min(place) OVER (PARTITION BY lower_id) AS of_lower,
            min(place) OVER (PARTITION BY higher_id) AS of_higher
        FROM pass_0
        WHERE place IS NOT NULL
    )
),
pass_2 AS (
    SELECT
        lower_id,
        higher_id,
        CASE
            WHEN place = of_lower AND place = of_higher THEN 0
            WHEN of_lower > 0 AND of_higher > 0 THEN place
        END AS place
    FROM (
        SELECT
            lower_id,
            higher_id,
            place,
            min(place) OVER (PARTITION BY lower_id) AS of_lower,
            min(place) OVER (PARTITION BY higher_id) AS of_higher
        FROM pass_1
        WHERE place IS NOT NULL
    )
),
pass_3 AS (
    SELECT
        lower_id,
        higher_id,
        CASE
            WHEN place = of_lower AND place = of_higher THEN 0
            WHEN of_lower > 0 AND of_higher > 0 THEN place
        END AS place
    FROM (
        SELECT
            lower_id,
            higher_id,
            place,
            min(place) OVER (PARTITION BY lower_id) AS of_lower,
            min(place) OVER (PARTITION BY higher_id) AS of_higher
        FROM pass_2
        WHERE place IS NOT NULL
    )
),
pass_4 AS (
    SELECT
        lower_id,
        higher_id,
        CASE
            WHEN place = of_lower AND place = of_higher THEN 0
            WHEN of_lower > 0 AND of_higher > 0 THEN place
        END AS place
    FROM (
        SELECT
            lower_id,
            higher_id,
            place,
            min(place) OVER (PARTITION BY lower_id) AS of_lower,
            min(place) OVER (PARTITION BY higher_id) AS of_higher
        FROM pass_3
        WHERE place IS NOT NULL
    )
),
pass_5 AS (
    SELECT
        lower_id,
        higher_id,
        CASE
            WHEN place = of_lower AND place = of_higher THEN 0
            WHEN of_lower > 0 AND of_higher > 0 THEN place
        END AS place
    FROM (
        SELECT
            lower_id,
            higher_id,
            place,
            min(place) OVER (PARTITION BY lower_id) AS of_lower,
            min(place) OVER (PARTITION BY higher_id) AS of_higher
        FROM pass_4
        WHERE place IS NOT NULL
    )
),
pass_6 AS (
    SELECT
        lower_id,
        higher_id,
        CASE
            WHEN place = of_lower AND place = of_higher THEN 0
            WHEN of_lower > 0 AND of_higher > 0 THEN place
        END AS place
    FROM (
        SELECT
            lower_id,
            higher_id,
            place,
            min(place) OVER (PARTITION BY lower_id) AS of_lower,
            min(place) OVER (PARTITION BY higher_id) AS of_higher
        FROM pass_5
        WHERE place IS NOT NULL
    )
),
pass_7 AS (
    SELECT
        lower_id,
        higher_id,
        CASE
            WHEN place = of_lower AND place = of_higher THEN 0
            WHEN of_lower > 0 AND of_higher > 0 THEN place
        END AS place
    FROM (
        SELECT
            lower_id,
            higher_id,
            place,
            min(place) OVER (PARTITION BY lower_id) AS of_lower,
            min(place) OVER (PARTITION BY higher_id) AS of_higher
        FROM pass_6
        WHERE place IS NOT NULL
    )
),
pass_8 AS (
    SELECT
        lower_id,
        higher_id,
        CASE
            WHEN place = of_lower AND place = of_higher THEN 0
            WHEN of_lower > 0 AND of_higher > 0 THEN place
        END AS place
    FROM (
        SELECT
            lower_id,
            higher_id,
            place,
            min(place) OVER (PARTITION BY lower_id) AS of_lower,
            min(place) OVER (PARTITION BY higher_id) AS of_higher
        FROM pass_7
        WHERE place IS NOT NULL
    )
),
pass_9 AS (
    SELECT
        lower_id,
        higher_id,
        CASE
            WHEN place = of_lower AND place = of_higher THEN 0
            WHEN of_lower > 0 AND of_higher > 0 THEN place
        END AS place
    FROM (
        SELECT
            lower_id,
            higher_id,
            place,
            min(place) OVER (PARTITION BY lower_id) AS of_lower,
            min(place) OVER (PARTITION BY higher_id) AS of_higher
        FROM pass_8
        WHERE place IS NOT NULL
    )
),
pass_10 AS (
    SELECT
        lower_id,
        higher_id,
        CASE
            WHEN place = of_lower AND place = of_higher THEN 0
            WHEN of_lower > 0 AND of_higher > 0 THEN place
        END AS place
    FROM (
        SELECT
            lower_id,
            higher_id,
            place,
            min(place) OVER (PARTITION BY lower_id) AS of_lower,
            min(place) OVER (PARTITION BY higher_id) AS of_higher
        FROM pass_9
        WHERE place IS NOT NULL
    )
),
pass_11 AS (
    SELECT
        lower_id,
        higher_id,
        CASE
            WHEN place = of_lower AND place = of_higher THEN 0
            WHEN of_lower > 0 AND of_higher > 0 THEN place
        END AS place
    FROM (
        SELECT
            lower_id,
            higher_id,
            place,
            min(place) OVER (PARTITION BY lower_id) AS of_lower,
            min(place) OVER (PARTITION BY higher_id) AS of_higher
        FROM pass_10
        WHERE place IS NOT NULL
    )
),
matched AS (
    SELECT lower_id, higher_id
    FROM pass_11
    WHERE place = 0
),
-- What the view knows of a play beyond its row. A play of the extended history that is in one row needs nothing.
decided AS (
    SELECT play_id, chosen_object, chosen_row, replaced_by, ms_to_next
    FROM (
        SELECT
            *,
            lead(ended) OVER (PARTITION BY replaced_by IS NULL ORDER BY ended, play_id) - ended AS ms_to_next
        FROM (
            SELECT p.*, coalesce(p.extended_id, m.higher_id) AS replaced_by
            FROM account_matched AS p
            LEFT JOIN matched AS m
                ON m.lower_id = p.play_id
        )
    )
    WHERE source <> 'extended' OR chosen_row IS NOT NULL
)
SELECT
    p.play_id,
    p.source,
    p.kind,
    d.replaced_by IS NULL AS is_counted,
    d.replaced_by,
    p.played_at,
    p.heard_at,
    CASE
        WHEN p.source <> 'api' THEN p.ms_played
        WHEN d.replaced_by IS NULL AND d.ms_to_next < p.duration_ms THEN d.ms_to_next
        WHEN d.replaced_by IS NULL THEN p.duration_ms
    END AS listened_ms,
    p.source = 'api' AS is_estimated,
    p.ms_played,
    p.uri,
    p.song_id,
    p.name,
    p.artist_name,
    p.album_name,
    p.show_name,
    p.platform,
    p.country,
    p.reason_start,
    p.reason_end,
    p.is_shuffled,
    p.is_skipped,
    p.is_offline,
    p.is_private,
    p.context_uri,
    p.source_object,
    p.played_month
FROM plays AS p
LEFT JOIN decided AS d
    ON d.play_id = p.play_id
WHERE d.chosen_row IS NULL OR (d.chosen_object = p.source_object AND d.chosen_row = p."row")
