-- Which artists had the most streams in the charts?
-- Adds up the streams of the worldwide daily chart, which has its own numbers: those of the countries are not added to
-- them. Streams of days on which a song was not in the chart are not known and not counted. A song with two artists counts
-- for both.
--
-- Parameters:
-- - year >= 2017: Years to look at; fewer years read less.
-- - 'top200': The chart; of weekly files top200_weekly, whose streams are those of a week.
-- - 'Global': The region, as in dim_region.
-- - LIMIT 20: How many artists.
-- Columns:
-- - artist: Name.
-- - streams: Streams of the artist's songs while they were in the chart.
-- - share: Share of all streams of the chart, 0 to 1.
-- - songs: Different songs in the chart.
-- - charts: Days, or weeks of a weekly chart, on which at least one was in it.
-- - best_rank: Best rank of any of them.
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
