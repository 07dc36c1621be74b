-- Fills the tables of `tests.lake_in_memory` from the table `pool`, for the variables playlists, days, entries, last.
-- Three of four lists are charts, in which songs come in waves; every fourth is edited on one day a week.
CREATE TEMP TABLE waves AS
SELECT list, number,
    90 + hash(number, list) % 120 AS period, 20 + hash(list, number, 1) % 130 AS length,
    hash(number, list, 2) % 1000 AS phase, 50 + popularity AS strength,
    100000 - hash(list, number) % 90000 AS rank, number % 7 AS weekday
FROM range(getvariable('playlists')) AS lists (list), pool
WHERE hash(number, list, 3) % 10 < 7;

CREATE TEMP TABLE heats AS
SELECT list, number, day, CASE
    WHEN list % 4 = 3
        THEN CASE WHEN hash(list, number, (day + weekday) // 60) % 10 < 4 THEN rank ELSE 0 END
    WHEN age < length / 4 THEN age * 4000 // length * strength + hash(number, day) % 900
    WHEN age < length THEN (length - age) * 1333 // length * strength + hash(number, day) % 900
    ELSE 0 END AS heat
FROM (SELECT *, (day + phase) % period AS age FROM waves, range(getvariable('days')) AS dates (day));

CREATE TEMP TABLE standings AS
SELECT
    'list' || lpad(CAST(list AS VARCHAR), 18, '0') AS playlist_id, place AS position, pool.*,
    getvariable('last') - CAST(getvariable('days') - 1 - day AS INTEGER) AS snapshot_date,
    CAST(snapshot_date || ' 06:00:00+00' AS TIMESTAMPTZ) AS scheduled_at
FROM (
    SELECT list, day, number, row_number() OVER (PARTITION BY list, day ORDER BY heat DESC, number) AS place
    FROM heats
    WHERE heat > 0
) JOIN pool USING (number)
WHERE place <= getvariable('entries');

INSERT INTO playlists BY NAME
SELECT playlist_id, scheduled_at, snapshot_date, scheduled_at AS fetched_at, 'tester' AS owner_id,
    'Tester' AS owner_name, 'List ' || CAST(substr(playlist_id, 5) AS INTEGER) AS name, count(*) AS entry_count,
    'A list of ' || count(*) || ' entries.' AS description, 'items' AS contract,
    'https://i.scdn.co/image/' || playlist_id AS image_url
FROM standings
GROUP BY playlist_id, scheduled_at, snapshot_date;

INSERT INTO playlist_entries BY NAME
SELECT playlist_id, scheduled_at, snapshot_date, position, 'song' AS kind, song_id, name,
    'spotify:track:' || song_id AS uri, scheduled_at AS added_at
FROM standings;

INSERT INTO songs BY NAME
SELECT playlist_id, scheduled_at, snapshot_date, song_id, name, album_id, artist_ids, artist_names, duration_ms,
    number % 3 = 0 AS is_explicit, popularity
FROM standings;

INSERT INTO albums BY NAME
SELECT DISTINCT playlist_id, scheduled_at, snapshot_date, album_id, album AS name,
    CAST(left(released, 4) AS INTEGER) AS release_year,
    'https://i.scdn.co/image/' || album_id || '000000000000000000' AS image_url
FROM standings;

INSERT INTO artists BY NAME
SELECT DISTINCT playlist_id, scheduled_at, snapshot_date, unnest(artist_ids) AS artist_id,
    unnest(artist_names) AS name
FROM standings;

DROP TABLE waves;
DROP TABLE heats;
DROP TABLE standings;
DROP TABLE pool;
