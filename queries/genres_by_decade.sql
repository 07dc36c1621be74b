-- Which genres fill the catalog of each decade?
-- Of the Kaggle 2023 set, whose genres are those of the artists. A track counts once for each genre of its artists, and in
-- each decade in which one of its albums came out.
--
-- Parameters:
-- - release_decade >= '1950': First decade; fewer decades read less.
-- - genre_number <= 5: How many genres of each decade.
-- Columns:
-- - decade: First year of the decade.
-- - genre_number: Place of the genre in it.
-- - genre: Genre.
-- - tracks: Different tracks.
-- - share: Share of the decade's tracks whose artists have a genre, 0 to 1.
-- - artists: Different artists of them.
WITH tagged AS (
    SELECT c.release_decade, c.track_id, c.artist_id, g.genre
    FROM track_catalog AS c
    CROSS JOIN UNNEST(c.genres) AS g (genre)
    WHERE c.release_decade >= '1950' AND c.release_decade <> 'unknown'
),
decades AS (
    SELECT release_decade, count(DISTINCT track_id) AS tracks
    FROM tagged
    GROUP BY release_decade
),
genres AS (
    SELECT
        release_decade,
        genre,
        count(DISTINCT track_id) AS tracks,
        count(DISTINCT artist_id) AS artists
    FROM tagged
    GROUP BY release_decade, genre
),
numbered AS (
    SELECT
        release_decade,
        genre,
        tracks,
        artists,
        row_number() OVER (PARTITION BY release_decade ORDER BY tracks DESC, artists DESC, genre) AS genre_number
    FROM genres
)
SELECT
    n.release_decade AS decade,
    n.genre_number,
    n.genre,
    n.tracks,
    CAST(n.tracks AS double) / d.tracks AS share,
    n.artists
FROM numbered AS n
JOIN decades AS d
    ON d.release_decade = n.release_decade
WHERE n.genre_number <= 5
ORDER BY decade, n.genre_number
