pass_$number AS (
    SELECT
        lower_id,
        higher_id,
        CASE
            WHEN place = of_lower AND place = of_higher THEN 0
            WHEN of_lower > 0 AND of_higher > 0 THEN place
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
