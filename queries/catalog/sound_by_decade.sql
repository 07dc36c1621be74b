-- How did the sound of music change over the decades?
-- Averages the audio features of the Kaggle 2023 set. Each track counts once in each decade in which one of its albums
-- was released. Tracks without features are not in the averages.
--
-- Parameters:
-- - release_decade >= '1950': First decade to read; fewer decades read less.
-- Columns:
-- - decade: First year of the decade.
-- - tracks: Distinct tracks.
-- - described: Tracks that have features.
-- - danceability: Average danceability, from 0 to 1.
-- - energy: Average energy, from 0 to 1.
-- - valence: Average valence, from 0 (sad) to 1 (cheerful).
-- - acousticness: Average acousticness, from 0 to 1.
-- - loudness: Average loudness in decibels.
-- - tempo: Average tempo in beats per minute.
-- - minutes: Average length in minutes.
-- - explicit_share: Share of tracks marked as explicit, among those for which this is known, from 0 to 1.
WITH tracks AS (
    SELECT
        release_decade,
        track_id,
        max(danceability) AS danceability,
        max(energy) AS energy,
        max(valence) AS valence,
        max(acousticness) AS acousticness,
        max(loudness) AS loudness,
        max(tempo) AS tempo,
        max(duration_ms) AS duration_ms,
        max(CASE WHEN is_explicit THEN 1 WHEN NOT is_explicit THEN 0 END) AS explicit
    FROM track_catalog
    WHERE release_decade >= '1950' AND release_decade <> 'unknown'
    GROUP BY release_decade, track_id
)
SELECT
    release_decade AS decade,
    count(*) AS tracks,
    count(danceability) AS described,
    avg(danceability) AS danceability,
    avg(energy) AS energy,
    avg(valence) AS valence,
    avg(acousticness) AS acousticness,
    avg(loudness) AS loudness,
    avg(tempo) AS tempo,
    avg(CAST(duration_ms AS double)) / 60000 AS minutes,
    avg(CAST(explicit AS double)) AS explicit_share
FROM tracks
GROUP BY release_decade
ORDER BY decade
