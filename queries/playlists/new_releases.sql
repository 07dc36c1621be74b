-- How much of each playlist is new?
-- Groups the songs in the newest snapshot of each playlist by the age of their album on the day of the snapshot. If
-- only the year or month of a release is known, its first day counts, so the true age is the same or lower.
--
-- Columns:
-- - playlist: Title of the playlist.
-- - entries: Songs in the playlist, duplicates included.
-- - last_30_days: Songs released in the 30 days before, or not released yet.
-- - last_year: Older songs released in the 365 days before.
-- - last_ten_years: Older songs released in the 3,650 days before.
-- - older: Songs older than that.
-- - unknown: Songs without a release date.
-- - new_share: last_30_days as a share of the songs with a release date, from 0 to 1; null if there are none.
-- - average_age_years: Average age of the songs with a release date.
WITH aged AS (
    SELECT
        e.playlist_id,
        e.playlist,
        date_diff('day', a.release_date, e.snapshot_date) AS days
    FROM latest_entries AS e
    JOIN latest_songs AS s
        ON s.playlist_id = e.playlist_id AND s.song_id = e.song_id
    LEFT JOIN latest_albums AS a
        ON a.playlist_id = s.playlist_id AND a.album_id = s.album_id
    WHERE e.kind = 'song'
)
SELECT
    max(playlist) AS playlist,
    count(*) AS entries,
    count_if(days <= 30) AS last_30_days,
    count_if(days > 30 AND days <= 365) AS last_year,
    count_if(days > 365 AND days <= 3650) AS last_ten_years,
    count_if(days > 3650) AS older,
    count_if(days IS NULL) AS unknown,
    CAST(count_if(days <= 30) AS double) / nullif(count(days), 0) AS new_share,
    avg(CAST(days AS double)) / 365.25 AS average_age_years
FROM aged
GROUP BY playlist_id
ORDER BY new_share DESC NULLS LAST, playlist, playlist_id
