-- Which artists had the most streams in each region?
-- Does the same as chart_artists, for each region that has the chart; Global is one of them. A song with two artists
-- counts for both.
--
-- Parameters:
-- - year >= 2017: First year to read; fewer years read less.
-- - 'top200': The chart; top200_weekly for weekly files, whose streams are per week.
-- - artist_number <= 3: How many artists per region.
-- Columns:
-- - region: Name of the region.
-- - artist_number: Rank of the artist in the region.
-- - artist: Name of the artist.
-- - streams: Streams of the artist's songs while they were in the chart.
-- - share: Share of all streams of the region's chart, from 0 to 1.
-- - songs: Distinct songs in the chart.
WITH streamed AS (
    SELECT r.name AS region, f.track_key, sum(f.streams) AS streams
    FROM fact_chart_entry AS f
    JOIN dim_region AS r
        ON r.region_key = f.region_key
    WHERE f.year >= 2017 AND f.chart = 'top200'
    GROUP BY r.name, f.track_key
),
shares AS (
    SELECT region, track_key, streams, sum(streams) OVER (PARTITION BY region) AS all_streams
    FROM streamed
),
credited AS (
    SELECT
        s.region,
        b.artist_key,
        sum(s.streams) AS streams,
        max(s.all_streams) AS all_streams,
        count(*) AS songs
    FROM shares AS s
    JOIN bridge_track_artist AS b
        ON b.track_key = s.track_key
    GROUP BY s.region, b.artist_key
),
numbered AS (
    SELECT
        c.region,
        a.name AS artist,
        c.streams,
        CAST(c.streams AS double) / c.all_streams AS share,
        c.songs,
        row_number() OVER (
            PARTITION BY c.region ORDER BY c.streams DESC NULLS LAST, c.songs DESC, a.name, a.artist_key
        ) AS artist_number
    FROM credited AS c
    JOIN dim_artist AS a
        ON a.artist_key = c.artist_key
)
SELECT region, artist_number, artist, streams, share, songs
FROM numbered
WHERE artist_number <= 3
ORDER BY region, artist_number
