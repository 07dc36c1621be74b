-- Which songs are more popular than their sound suggests?
-- Compares the popularity of each song with what `./lake model popularity` predicts from its features. The model has
-- not seen the artist, so much of the difference is the artist's fame.
--
-- Parameters:
-- - popularity > predicted_high: More popular than the 80 % interval; `popularity < predicted_low` finds the others.
-- - LIMIT 50: How many songs.
-- Columns:
-- - song: Title of the song; null if the data has none.
-- - artist: First artist.
-- - popularity: Spotify's popularity, 0 to 100.
-- - predicted: Predicted popularity.
-- - surprise: Popularity minus prediction.
SELECT track_name AS song, artist, popularity, predicted, popularity - predicted AS surprise
FROM popularity_predictions
WHERE popularity > predicted_high
ORDER BY surprise DESC, song_id
LIMIT 50
