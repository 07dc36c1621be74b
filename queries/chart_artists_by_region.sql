-- Which artists had the most streams in each region?
-- The same as chart_artists, for each region that has the chart; Global is one of them. A song with two artists counts
-- for both.
--
-- Parameters:
-- - year >= 2017: Years to look at; fewer years read less.
-- - 'top200': The chart; of weekly files top200_weekly, whose streams are those of a week.
-- - artist_number <= 3: How many artists of each region.
-- Columns:
-- - region: Name of the region.
-- - artist_number: Place of the artist in the region.
-- - artist: Name.
-- - streams: Streams of the artist's songs while they were in the chart.
-- - share: Share of all streams of the region's chart, 0 to 1.
-- - songs: Different songs in the chart.
WITH streamed AS (
    SELECT region_key, track_key, sum(streams) AS streams
    FROM fact_chart_entry
    WHERE year >= 2017 AND chart = 'top200'
    GROUP BY region_key, track_key
),
shares AS (
    SELECT
        region_key,
        track_key,
        streams,
        sum(streams) OVER (PARTITION BY region_key) AS all_streams
    FROM streamed
),
credited AS (
    SELECT
        s.region_key,
        b.artist_key,
        sum(s.streams) AS streams,
        max(s.all_streams) AS all_streams,
        count(*) AS songs
    FROM shares AS s
    JOIN bridge_track_artist AS b
        ON b.track_key = s.track_key
    GROUP BY s.region_key, b.artist_key
),
numbered AS (
    SELECT
        c.region_key,
        a.name AS artist,
        c.streams,
        c.all_streams,
        c.songs,
        row_number() OVER (
            PARTITION BY c.region_key ORDER BY c.streams DESC NULLS LAST, c.songs DESC, a.name, a.artist_key
        ) AS artist_number
    FROM credited AS c
    JOIN dim_artist AS a
        ON a.artist_key = c.artist_key
)
SELECT
    r.name AS region,
    n.artist_number,
    n.artist,
    n.streams,
    CAST(n.streams AS double) / n.all_streams AS share,
    n.songs
FROM numbered AS n
JOIN dim_region AS r
    ON r.region_key = n.region_key
WHERE n.artist_number <= 3
ORDER BY region, n.artist_number
