-- Which artists have the most streams in each region?
-- A song by two artists counts for both. Charts without streams are ranked by the number of charts with the artist.
WITH credits AS (
    SELECT
        f.region_key,
        b.artist_key,
        sum(f.streams) AS streams,
        count(DISTINCT f.date_key) AS charts,
        count(DISTINCT f.track_key) AS songs,
        min(f.rank) AS peak
    FROM fact_chart_entry AS f
    JOIN bridge_track_artist AS b
        ON b.track_key = f.track_key
    WHERE f.year BETWEEN $first_year AND $last_year AND f.chart = '$chart'
        AND f.date_key BETWEEN $first_key AND $last_key
    GROUP BY f.region_key, b.artist_key
),
placed AS (
    SELECT
        r.name AS region,
        a.name AS artist,
        c.streams,
        c.charts,
        c.songs,
        c.peak,
        row_number() OVER (
            PARTITION BY c.region_key ORDER BY c.streams DESC NULLS LAST, c.charts DESC, c.peak, a.name, a.artist_key
        ) AS place
    FROM credits AS c
    JOIN dim_region AS r
        ON r.region_key = c.region_key
    JOIN dim_artist AS a
        ON a.artist_key = c.artist_key
)
SELECT region, artist, streams, charts, songs, peak
FROM placed
WHERE place <= $artists
ORDER BY region, place
