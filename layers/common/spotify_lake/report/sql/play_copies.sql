copies AS (
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
    FROM plays$months
)
