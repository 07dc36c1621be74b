-- One pass of matching: matches the pairs that come first for both plays, and drops the pairs of which a play was matched
-- in the pass before.
pass_$number AS (
    SELECT
        lower_id,
        higher_id,
        CASE
            WHEN place = of_lower AND place = of_higher THEN ''
            WHEN of_lower <> '' AND of_higher <> '' THEN place
        END AS place
    FROM (
        SELECT
            lower_id,
            higher_id,
            place,
            min(place) OVER (PARTITION BY lower_id) AS of_lower,
            min(place) OVER (PARTITION BY higher_id) AS of_higher
        FROM pass_$before
        WHERE place IS NOT NULL
    )
)
