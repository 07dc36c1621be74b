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
WITH $copies,
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
$matches,
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
