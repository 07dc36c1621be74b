-- What will the charts look like in a week?
-- Shows the latest forecast of `./lake model charts` for the songs of the last day. New songs are not forecast, so a
-- rank is that among these songs. In four of five cases the streams lie within the interval, if the song stays.
--
-- Parameters:
-- - 'top200': The chart, top200 or top50.
-- - 'Global': The region, as named in dim_region.
-- - horizon = 7: Days ahead, 1 to 7.
-- - LIMIT 50: How many songs.
-- Columns:
-- - song: Title of the song.
-- - artists: Artists, as named in the chart.
-- - day: Day that is forecast, as yyyymmdd.
-- - rank: Rank among the songs of the last day.
-- - streams: Streams that day.
-- - streams_low: Lower end of the 80 % interval.
-- - streams_high: Upper end of the 80 % interval.
-- - method: The method, the one that was best on earlier days.
SELECT
    t.title AS song,
    t.artist AS artists,
    f.date_key AS day,
    f.rank,
    f.streams,
    f.streams_low,
    f.streams_high,
    f.method
FROM chart_forecasts AS f
JOIN dim_region AS r
    ON r.region_key = f.region_key
JOIN dim_track AS t
    ON t.track_key = f.track_key
WHERE f.chart = 'top200' AND r.name = 'Global' AND f.horizon = 7
    AND f.made_key = (SELECT max(made_key) FROM chart_forecasts WHERE chart = 'top200')
ORDER BY f.rank, f.track_key
LIMIT 50
