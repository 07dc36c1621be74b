-- Every play once, by the best source that has it.
-- Plays with the same play_id are one play; the row that says most is taken. A play of a lower source (extended, then
-- account, then api) is replaced by one of a higher source when both are the same song: the same URI, or the same title
-- and artist in any case. A play of account data is replaced by one of the extended history in its minute with the same
-- ms_played, in order of time. A play of the API is replaced by a counted play of an export within 60 seconds of its end
-- or start. Matching is one to one: in each of six rounds, a play of the API and a play of an export are matched if each
-- is the nearest that the other has left. Ties go to the smaller play_id, first of the export, then of the API. A play of
-- the API that has no match after that counts; six rounds leave one only where a song of seconds is on repeat. The view
-- reads every month of plays four times; a condition on it saves nothing.
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
    SELECT
        *,
        CASE
            WHEN count(*) OVER (PARTITION BY play_id) > 1
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
-- Of equal plays the row that says most, then the one whose content comes first.
chosen AS (
    SELECT *, min(content) OVER (PARTITION BY play_id) AS first_content
    FROM copies
),
united AS (
    SELECT *, min(CASE WHEN source <> 'extended' THEN played_at END) OVER () AS first_lower
    FROM chosen
    WHERE content IS NULL OR content = first_content
),
-- No play before these can be replaced, or replace one.
recent AS (
    SELECT
        play_id,
        source,
        played_at,
        ms_played,
        uri,
        -- Equal for the same song; null where no title is known.
        lower(coalesce(show_name, artist_name)) || ' / ' || lower(name) AS names,
        date_trunc('minute', played_at) AS ended_minute
    FROM united
    WHERE played_at >= date_add('minute', -1, first_lower)
),
-- Of one song, minute and ms_played, the first play of account data is the first of the extended history, and so on.
numbered AS (
    SELECT
        *,
        row_number() OVER (
            PARTITION BY names, ended_minute, ms_played, source
            ORDER BY CASE WHEN source = 'extended' THEN played_at END, play_id
        ) AS number_of_source
    FROM recent
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
    SELECT p.play_id, p.uri, p.names, p.played_at, date_add('minute', m.minutes, p.ended_minute) AS near_minute
    FROM account_matched AS p
    CROSS JOIN UNNEST(ARRAY[-1, 0, 1]) AS m (minutes)
    WHERE p.source = 'api'
),
-- The plays of exports that count, by their end and by their start: the API may have sent either.
ends AS (
    SELECT e.play_id, e.uri, e.names, e.played_at, e.started_at, m.near_minute
    FROM (
        SELECT *, date_add('millisecond', -ms_played, played_at) AS started_at
        FROM account_matched
        WHERE source <> 'api' AND extended_id IS NULL
    ) AS e
    CROSS JOIN UNNEST(ARRAY[e.ended_minute, date_trunc('minute', e.started_at)]) AS m (near_minute)
),
pairs AS (
    SELECT DISTINCT
        p.play_id AS lower_id,
        e.play_id AS higher_id,
        least(
            abs(date_diff('millisecond', e.played_at, p.played_at)),
            abs(date_diff('millisecond', e.started_at, p.played_at))
        ) AS distance
    FROM polled AS p
    JOIN ends AS e
        ON e.near_minute = p.near_minute AND (e.uri = p.uri OR e.names = p.names)
),
-- A pair's place in the order of matching, as a text: its distance, then the two plays. A matched pair has the place ''.
pass_0 AS (
    SELECT lower_id, higher_id, lpad(CAST(distance AS varchar), 5, '0') || higher_id || lower_id AS place
    FROM pairs
    WHERE distance <= 60000
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
            *,
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
            *,
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
            *,
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
            *,
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
            *,
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
            *,
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
            *,
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
            *,
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
            *,
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
            *,
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
            *,
            min(place) OVER (PARTITION BY lower_id) AS of_lower,
            min(place) OVER (PARTITION BY higher_id) AS of_higher
        FROM pass_10
        WHERE place IS NOT NULL
    )
),
replaced AS (
    SELECT play_id AS lower_id, extended_id AS replaced_by
    FROM account_matched
    WHERE extended_id IS NOT NULL
    UNION ALL
    SELECT lower_id, higher_id
    FROM pass_11
    WHERE place = ''
),
counted AS (
    SELECT
        u.*,
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
