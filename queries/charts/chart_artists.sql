-- Which artists had the most streams in the charts?
-- Adds up the streams of the worldwide daily chart. Its numbers are separate, so the streams of the countries are not
-- added. Streams on days when a song was not in the chart are unknown and not counted. A song with two artists counts
-- for both.
--
-- Parameters:
-- - year >= 2017: First year to read; fewer years read less.
-- - 'top200': The chart; top200_weekly for weekly files, whose streams are per week.
-- - 'Global': The region, as named in dim_region.
-- - LIMIT 20: How many artists.
-- Columns:
-- - artist: Name of the artist.
-- - streams: Streams of the artist's songs while they were in the chart.
-- - share: Share of all streams of the chart, from 0 to 1.
-- - songs: Distinct songs in the chart.
-- - charts: Days, or weeks of a weekly chart, with at least one of these songs.
-- - best_rank: Best rank of any of these songs.
WITH standings AS (
    SELECT f.date_key, f.track_key, f.rank, f.streams, sum(f.streams) OVER () AS all_streams
    FROM fact_chart_entry AS f
    JOIN dim_region AS r
        ON r.region_key = f.region_key
    WHERE f.year >= 2017 AND f.chart = 'top200' AND r.name = 'Global'
)
SELECT
    max(a.name) AS artist,
    sum(s.streams) AS streams,
    CAST(sum(s.streams) AS double) / max(s.all_streams) AS share,
    count(DISTINCT s.track_key) AS songs,
    count(DISTINCT s.date_key) AS charts,
    min(s.rank) AS best_rank
FROM standings AS s
JOIN bridge_track_artist AS b
    ON b.track_key = s.track_key
JOIN dim_artist AS a
    ON a.artist_key = b.artist_key
GROUP BY a.artist_key
ORDER BY streams DESC NULLS LAST, charts DESC, artist, a.artist_key
LIMIT 20
