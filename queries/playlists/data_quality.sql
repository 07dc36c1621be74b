-- How complete is the data of each playlist?
-- Looks at the newest complete snapshot of each playlist.
--
-- Columns:
-- - playlist: Title of the playlist.
-- - snapshot_date: Day of the newest snapshot (UTC).
-- - entries: Entries that Spotify sent.
-- - songs: Songs among them, duplicates included.
-- - episodes: Podcast episodes.
-- - local_files: Local files of the owner.
-- - unavailable: Entries that Spotify has taken down.
-- - others: Chapters of audiobooks, and entries of types that are newer than the lake.
-- - rejects: Entries that could not become a row; the table rejects has the reasons.
-- - unaccounted: Entries that are neither a row nor a reject; anything but 0 is a bug.
-- - repeated: Songs that are also at an earlier position.
-- - without_release_date: Songs whose album has no release date.
-- - without_popularity: Songs without Spotify's popularity; all of them for apps in the 2026 development mode.
WITH kinds AS (
    SELECT
        e.playlist_id,
        count(*) AS entry_rows,
        count_if(e.kind = 'song') AS songs,
        count_if(e.kind = 'episode') AS episodes,
        count_if(e.kind = 'local') AS local_files,
        count_if(e.kind = 'unavailable') AS unavailable,
        count_if(e.kind IN ('chapter', 'other')) AS others,
        count(CASE WHEN e.kind = 'song' THEN e.song_id END)
            - count(DISTINCT CASE WHEN e.kind = 'song' THEN e.song_id END) AS repeated,
        count_if(e.kind = 'song' AND a.release_date IS NULL) AS without_release_date,
        count_if(e.kind = 'song' AND s.popularity IS NULL) AS without_popularity
    FROM latest_entries AS e
    LEFT JOIN latest_songs AS s
        ON s.playlist_id = e.playlist_id AND s.song_id = e.song_id
    LEFT JOIN latest_albums AS a
        ON a.playlist_id = s.playlist_id AND a.album_id = s.album_id
    GROUP BY e.playlist_id
),
rejected AS (
    SELECT r.playlist_id, count(*) AS rejects
    FROM rejects AS r
    JOIN latest_playlists AS p
        ON p.playlist_id = r.playlist_id AND p.snapshot_date = r.snapshot_date AND p.scheduled_at = r.scheduled_at
    WHERE r.snapshot_date >= current_date - INTERVAL '35' DAY
    GROUP BY r.playlist_id
)
SELECT
    p.name AS playlist,
    p.snapshot_date,
    p.entry_count AS entries,
    coalesce(k.songs, 0) AS songs,
    coalesce(k.episodes, 0) AS episodes,
    coalesce(k.local_files, 0) AS local_files,
    coalesce(k.unavailable, 0) AS unavailable,
    coalesce(k.others, 0) AS others,
    coalesce(r.rejects, 0) AS rejects,
    p.entry_count - coalesce(k.entry_rows, 0) - coalesce(r.rejects, 0) AS unaccounted,
    coalesce(k.repeated, 0) AS repeated,
    coalesce(k.without_release_date, 0) AS without_release_date,
    coalesce(k.without_popularity, 0) AS without_popularity
FROM latest_playlists AS p
LEFT JOIN kinds AS k
    ON k.playlist_id = p.playlist_id
LEFT JOIN rejected AS r
    ON r.playlist_id = p.playlist_id
ORDER BY playlist, p.playlist_id
