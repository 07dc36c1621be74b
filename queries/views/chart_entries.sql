-- Chart entries with names instead of keys.
-- Joins the entries of the star schema with their region, track and date, for tools that cannot join. Always filter on
-- year and chart, which limits the data read. Never add up daily and weekly charts, or Global and other regions: they
-- count the same streams.
--
-- One row: rank of a chart of a region on a day
-- Columns:
-- - year int: Year of the day.
-- - chart string: Chart, such as `top200` or `viral50_weekly`.
-- - day date: The day; the last day of a weekly chart.
-- - region string: Name of the region.
-- - region_code string: Code of the region. Null when the region is not known.
-- - rank int: Position; 1 is the top.
-- - song string: Title. Null when the files do not have it.
-- - artists string: Artists, as named in the chart. Null when the files do not have them.
-- - streams bigint: Streams in the region on that day or in that week. Null when the chart is a viral one.
-- - trend string: `MOVE_UP`, `MOVE_DOWN`, `SAME_POSITION` or `NEW_ENTRY`. Null when the files do not have it.
-- - track_id string: Spotify id of the song. Null when the files do not have it.
SELECT
    f.year,
    f.chart,
    d.date AS day,
    r.name AS region,
    r.region_code,
    f.rank,
    t.title AS song,
    t.artist AS artists,
    f.streams,
    f.trend,
    t.track_id
FROM fact_chart_entry AS f
JOIN dim_date AS d
    ON d.date_key = f.date_key
JOIN dim_region AS r
    ON r.region_key = f.region_key
JOIN dim_track AS t
    ON t.track_key = f.track_key
