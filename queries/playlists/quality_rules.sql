-- Which quality rules do the playlists violate, and how often?
-- The data dictionary lists the rules. If a row violates a breaking rule, its entry is in the table rejects.
--
-- Parameters:
-- - INTERVAL '35' DAY: How far to look back.
-- Columns:
-- - rule: Name of the rule.
-- - is_breaking: Whether the violating entries became rejects.
-- - playlist: Title of the playlist in its newest snapshot with a violation.
-- - snapshots: Snapshots that violate the rule.
-- - last_violated_at: Time of the newest snapshot with a violation (UTC).
-- - violations: Values in that snapshot that violate the rule.
-- - checked: Values checked in that snapshot.
-- - example: Key of one violating row: a position or a Spotify id.
SELECT
    q.rule,
    bool_or(q.is_breaking) AS is_breaking,
    max_by(p.name, q.scheduled_at) AS playlist,
    count(*) AS snapshots,
    max(q.scheduled_at) AS last_violated_at,
    max_by(q.violations, q.scheduled_at) AS violations,
    max_by(q.checked, q.scheduled_at) AS checked,
    max_by(q.example, q.scheduled_at) AS example
FROM quality AS q
JOIN playlists AS p
    ON p.playlist_id = q.playlist_id AND p.snapshot_date = q.snapshot_date AND p.scheduled_at = q.scheduled_at
WHERE q.snapshot_date >= current_date - INTERVAL '35' DAY
    AND p.snapshot_date >= current_date - INTERVAL '35' DAY
    AND q.violations > 0
GROUP BY q.rule, q.playlist_id
ORDER BY is_breaking DESC, violations DESC, q.rule, playlist, q.playlist_id
