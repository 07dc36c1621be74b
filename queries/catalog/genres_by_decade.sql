-- Which genres fill the catalog of each decade?
-- Reads the Kaggle 2023 set, where a track has the genres of its artists. A track counts once for each genre of its
-- artists, in each decade in which one of its albums was released.
--
-- Parameters:
-- - release_decade >= '1950': First decade to read; fewer decades read less.
-- - genre_number <= 5: How many genres per decade.
-- Columns:
-- - decade: First year of the decade.
-- - genre_number: Rank of the genre in the decade.
-- - genre: Name of the genre.
-- - tracks: Distinct tracks.
-- - share: Share of the decade's tracks whose artists have a genre, from 0 to 1.
-- - artists: Distinct artists of these tracks.
WITH tracks AS (
    SELECT release_decade, track_id, artist_id, genres
    FROM track_catalog
    WHERE release_decade >= '1950' AND release_decade <> 'unknown'
),
tagged AS (
    SELECT t.release_decade, t.track_id, t.artist_id, g.genre
    FROM tracks AS t
    CROSS JOIN UNNEST(t.genres) AS g (genre)
),
counted AS (
    SELECT
        release_decade,
        genre,
        grouping(genre) AS is_total,
        count(DISTINCT track_id) AS tracks,
        count(DISTINCT artist_id) AS artists
    FROM tagged
    GROUP BY GROUPING SETS ((release_decade, genre), (release_decade))
),
shared AS (
    SELECT
        release_decade,
        genre,
        is_total,
        tracks,
        artists,
        max(CASE WHEN is_total = 1 THEN tracks END) OVER (PARTITION BY release_decade) AS all_tracks
    FROM counted
),
numbered AS (
    SELECT
        release_decade AS decade,
        row_number() OVER (PARTITION BY release_decade ORDER BY tracks DESC, artists DESC, genre) AS genre_number,
        genre,
        tracks,
        CAST(tracks AS double) / all_tracks AS share,
        artists
    FROM shared
    WHERE is_total = 0
)
SELECT decade, genre_number, genre, tracks, share, artists
FROM numbered
WHERE genre_number <= 5
ORDER BY decade, genre_number
