-- Which songs do you always skip?
-- Of songs that started at least five times, those that were skipped most. A play was skipped if the export says so, or
-- if it ended by the forward button. Only the extended history knows.
--
-- Parameters:
-- - plays >= 5: How often a song must have started.
-- - LIMIT 20: How many songs.
-- Columns:
-- - song: Title of the song.
-- - artist: Name of the artist.
-- - plays: Plays, short ones included.
-- - skips: Plays among them that were skipped.
-- - share: Share of skips, from 0 to 1.
-- - last_finished: Time of the last play that was not skipped (UTC); null if there is none.
WITH started AS (
    SELECT
        lower(artist_name) || ' / ' || lower(name) AS song_key,
        max(name) AS song,
        max(artist_name) AS artist,
        count(*) AS plays,
        count_if(coalesce(is_skipped, false) OR coalesce(reason_end, '') = 'fwdbtn') AS skips,
        max(CASE WHEN NOT (coalesce(is_skipped, false) OR coalesce(reason_end, '') = 'fwdbtn') THEN heard_at END)
            AS last_finished
    FROM listening
    WHERE is_counted AND source = 'extended' AND kind IN ('song', 'video')
        AND artist_name IS NOT NULL AND name IS NOT NULL
    GROUP BY lower(artist_name) || ' / ' || lower(name)
)
SELECT song, artist, plays, skips, CAST(skips AS double) / plays AS share, last_finished
FROM started
WHERE plays >= 5 AND skips > 0
ORDER BY share DESC, plays DESC, song_key
LIMIT 20
