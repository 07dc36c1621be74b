-- Which genres gain or lose in the charts?
-- Reads what `./lake model charts` found about the daily Top 200: the mean share of each genre in the later half of the
-- months minus that in the earlier half. Genres belong to the songs' first artists, as far as the catalog knows them.
--
-- Parameters:
-- - artists >= 5: Fewest artists of a genre.
-- - LIMIT 30: How many genres.
-- Columns:
-- - genre: Name of the genre.
-- - share: Share of the streams in the last month, from 0 to 1.
-- - change: Change of the share.
-- - is_rising: Whether the rise is beyond chance.
-- - p_value: Probability of such a rise if it were chance.
-- - artists: Artists of the genre in the charts.
-- - coverage: Share of the last month's streams whose artist has genres.
SELECT genre, share, change, is_rising, p_value, artists, coverage
FROM genre_trends
WHERE month = (SELECT max(month) FROM genre_trends) AND artists >= 5
ORDER BY change DESC, genre
LIMIT 30
