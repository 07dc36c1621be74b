-- Every play once, by the best source that has it.
-- Plays with the same play_id are one play; the row that says most is taken. A play of a lower source (extended, then
-- account, then api) is replaced by one of a higher source when both are the same song: the same URI, or the same title
-- and artist in any case. A play of account data is replaced by one of the extended history in its minute with the same
-- ms_played, in order of time. A play of the API is replaced by a counted play of an export within 60 seconds of its end
-- or start. Matching is one to one: in each of six rounds, a play of the API and a play of an export are matched if each
-- is the nearest that the other has left. Ties go to the smaller play_id, first of the export, then of the API. A play of
-- the API that has no match after that counts; six rounds leave one only where a song of seconds is on repeat. The view
-- reads every month, so a condition on it saves nothing.
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
WITH repeated AS (
    SELECT play_id
    FROM plays
    GROUP BY play_id
    HAVING count(*) > 1
),
-- Of equal plays the row that says most, then the one whose content comes first.
chosen AS (
    SELECT play_id, min_by(source_object, content) AS source_object, min_by(object_row, content) AS object_row
    FROM (
        SELECT
            p.play_id,
            p.source_object,
            p."row" AS object_row,
            concat_ws(
                '/',
                lpad(CAST(1000 - p.fields_known AS varchar), 4, '0'),
                coalesce(p.name, ''),
                coalesce(p.artist_name, ''),
                coalesce(p.album_name, ''),
                coalesce(p.show_name, ''),
                coalesce(p.platform, ''),
                coalesce(p.country, ''),
                coalesce(p.reason_start, ''),
                coalesce(p.reason_end, ''),
                coalesce(CAST(p.is_shuffled AS varchar), ''),
                coalesce(CAST(p.is_skipped AS varchar), ''),
                coalesce(CAST(p.is_offline AS varchar), ''),
                coalesce(CAST(p.is_private AS varchar), ''),
                coalesce(CAST(p.offline_timestamp AS varchar), ''),
                coalesce(CAST(p.duration_ms AS varchar), ''),
                coalesce(p.context_uri, ''),
                p.source_object,
                CAST(p."row" AS varchar)
            ) AS content
        FROM plays AS p
        JOIN repeated AS r
            ON r.play_id = p.play_id
    )
    GROUP BY play_id
),
united AS (
    SELECT
        p.play_id,
        p.source,
        p.kind,
        p.played_at,
        p.heard_at,
        p.ms_played,
        p.uri,
        p.song_id,
        p.name,
        p.artist_name,
        p.album_name,
        p.show_name,
        p.duration_ms,
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
        p.played_month,
        -- Equal for the same song; null where no title is known.
        lower(coalesce(p.show_name, p.artist_name)) || ' / ' || lower(p.name) AS names,
        date_trunc('minute', p.played_at) AS ended_minute,
        date_trunc('minute', date_add('millisecond', -p.ms_played, p.played_at)) AS started_minute
    FROM plays AS p
    LEFT JOIN chosen AS c
        ON c.play_id = p.play_id
    WHERE c.play_id IS NULL OR (c.source_object = p.source_object AND c.object_row = p."row")
),
-- Of one song, minute and ms_played, the first play of account data is the first of the extended history, and so on.
of_account AS (
    SELECT
        play_id,
        names,
        ended_minute,
        ms_played,
        row_number() OVER (PARTITION BY names, ended_minute, ms_played ORDER BY play_id) AS number
    FROM united
    WHERE source = 'account' AND names IS NOT NULL
),
account_replaced AS (
    SELECT a.play_id AS lower_id, e.play_id AS replaced_by
    FROM (
        SELECT
            u.play_id,
            u.names,
            u.ended_minute,
            u.ms_played,
            row_number() OVER (
                PARTITION BY u.names, u.ended_minute, u.ms_played ORDER BY u.played_at, u.play_id
            ) AS number
        FROM united AS u
        JOIN of_account AS f
            ON f.names = u.names AND f.ended_minute = u.ended_minute AND f.ms_played = u.ms_played AND f.number = 1
        WHERE u.source = 'extended'
    ) AS e
    JOIN of_account AS a
        ON a.names = e.names AND a.ended_minute = e.ended_minute AND a.ms_played = e.ms_played AND a.number = e.number
),
-- What is within 60 seconds of a poll's play is in its minute or in one beside it.
polled AS (
    SELECT u.play_id, u.uri, u.names, u.played_at, date_add('minute', m.minutes, u.ended_minute) AS near_minute
    FROM united AS u
    CROSS JOIN UNNEST(ARRAY[-1, 0, 1]) AS m (minutes)
    WHERE u.source = 'api'
),
-- The plays of exports that count, by their end and by their start: the API may have sent either.
ends AS (
    SELECT e.play_id, e.uri, e.names, e.played_at, e.ms_played, m.near_minute
    FROM (
        SELECT play_id, uri, names, played_at, ms_played, ended_minute, started_minute
        FROM united
        WHERE source <> 'api'
            AND (
                ended_minute IN (SELECT near_minute FROM polled)
                OR started_minute IN (SELECT near_minute FROM polled)
            )
    ) AS e
    LEFT JOIN account_replaced AS r
        ON r.lower_id = e.play_id
    CROSS JOIN UNNEST(ARRAY[e.ended_minute, e.started_minute]) AS m (near_minute)
    WHERE r.lower_id IS NULL
),
near AS (
    SELECT p.play_id AS lower_id, e.play_id AS higher_id, p.played_at, e.played_at AS ended_at, e.ms_played
    FROM polled AS p
    JOIN ends AS e
        ON e.uri = p.uri AND e.near_minute = p.near_minute
    UNION
    SELECT p.play_id, e.play_id, p.played_at, e.played_at, e.ms_played
    FROM polled AS p
    JOIN ends AS e
        ON e.names = p.names AND e.near_minute = p.near_minute
),
pairs AS (
    SELECT
        lower_id,
        higher_id,
        distance,
        count(*) OVER (PARTITION BY lower_id) + count(*) OVER (PARTITION BY higher_id) - 2 AS rivals
    FROM (
        SELECT
            lower_id,
            higher_id,
            least(
                abs(date_diff('millisecond', ended_at, played_at)),
                abs(date_diff('millisecond', date_add('millisecond', -ms_played, ended_at), played_at))
            ) AS distance
        FROM near
    )
    WHERE distance <= 60000
),
-- A pair's place in the order of matching, as a text: its distance, then the two plays. A matched pair has the place ''.
pass_0 AS (
    SELECT lower_id, higher_id, lpad(CAST(distance AS varchar), 5, '0') || higher_id || lower_id AS place
    FROM pairs
    WHERE rivals > 0
),
-- Each pass matches the pairs that come first for both plays, and drops the pairs of which a play was matched before.
pass_1 AS (
    SELECT
        lower_id,
        higher_id,
        CASE
            WHEN place = of_lower AND place = of_higher THEN ''
            WHEN of_lower <> '' AND of_higher <> '' THEN place
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
            WHEN place = of_lower AND place = of_higher THEN ''
            WHEN of_lower <> '' AND of_higher <> '' THEN place
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
            WHEN place = of_lower AND place = of_higher THEN ''
            WHEN of_lower <> '' AND of_higher <> '' THEN place
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
            WHEN place = of_lower AND place = of_higher THEN ''
            WHEN of_lower <> '' AND of_higher <> '' THEN place
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
            WHEN place = of_lower AND place = of_higher THEN ''
            WHEN of_lower <> '' AND of_higher <> '' THEN place
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
            WHEN place = of_lower AND place = of_higher THEN ''
            WHEN of_lower <> '' AND of_higher <> '' THEN place
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
            WHEN place = of_lower AND place = of_higher THEN ''
            WHEN of_lower <> '' AND of_higher <> '' THEN place
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
            WHEN place = of_lower AND place = of_higher THEN ''
            WHEN of_lower <> '' AND of_higher <> '' THEN place
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
            WHEN place = of_lower AND place = of_higher THEN ''
            WHEN of_lower <> '' AND of_higher <> '' THEN place
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
            WHEN place = of_lower AND place = of_higher THEN ''
            WHEN of_lower <> '' AND of_higher <> '' THEN place
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
            WHEN place = of_lower AND place = of_higher THEN ''
            WHEN of_lower <> '' AND of_higher <> '' THEN place
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
replaced AS (
    SELECT lower_id, replaced_by
    FROM account_replaced
    UNION ALL
    SELECT lower_id, higher_id
    FROM pairs
    WHERE rivals = 0
    UNION ALL
    SELECT lower_id, higher_id
    FROM pass_11
    WHERE place = ''
),
counted AS (
    SELECT
        u.play_id,
        u.source,
        u.kind,
        u.played_at,
        u.heard_at,
        u.ms_played,
        u.uri,
        u.song_id,
        u.name,
        u.artist_name,
        u.album_name,
        u.show_name,
        u.duration_ms,
        u.platform,
        u.country,
        u.reason_start,
        u.reason_end,
        u.is_shuffled,
        u.is_skipped,
        u.is_offline,
        u.is_private,
        u.context_uri,
        u.source_object,
        u.played_month,
        r.replaced_by,
        date_diff(
            'millisecond',
            u.played_at,
            lead(u.played_at) OVER (PARTITION BY r.replaced_by IS NULL ORDER BY u.played_at, u.play_id)
        ) AS ms_to_next
    FROM united AS u
    LEFT JOIN replaced AS r
        ON r.lower_id = u.play_id
)
SELECT
    play_id,
    source,
    kind,
    replaced_by IS NULL AS is_counted,
    replaced_by,
    played_at,
    heard_at,
    CASE
        WHEN source <> 'api' THEN ms_played
        WHEN replaced_by IS NULL AND ms_to_next < duration_ms THEN ms_to_next
        WHEN replaced_by IS NULL THEN duration_ms
    END AS listened_ms,
    source = 'api' AS is_estimated,
    ms_played,
    uri,
    song_id,
    name,
    artist_name,
    album_name,
    show_name,
    platform,
    country,
    reason_start,
    reason_end,
    is_shuffled,
    is_skipped,
    is_offline,
    is_private,
    context_uri,
    source_object,
    played_month
FROM counted
