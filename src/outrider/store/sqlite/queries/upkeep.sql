-- name: check
-- The smallest commit.
INSERT INTO checks (id, checked_at) VALUES (1, :now) ON CONFLICT (id) DO UPDATE SET checked_at = excluded.checked_at

-- name: purge_events
-- Entries that outlived the log retention.
DELETE FROM events WHERE id IN (
  SELECT e.id FROM tenants AS t CROSS JOIN events AS e ON e.tenant = t.id AND e.time < :before LIMIT :limit
)

-- name: purge_dead_letters
-- Dead letters that outlived theirs.
DELETE FROM dead_letters WHERE seq IN (
  SELECT d.seq FROM tenants AS t CROSS JOIN dead_letters AS d ON d.tenant = t.id AND d.failed_at < :before LIMIT :limit
)

-- name: purge_messages
-- Messages that finished before the log retention, are no dead letter, and hold no slot for their callbacks.
DELETE FROM messages WHERE seq IN (
  SELECT m.seq FROM tenants AS t CROSS JOIN messages AS m ON m.tenant = t.id AND m.finished_at < :before
  WHERE NOT EXISTS (SELECT 1 FROM dead_letters AS d WHERE d.message = m.seq)
    AND NOT EXISTS (SELECT 1 FROM gated AS g WHERE g.message = m.seq)
  LIMIT :limit
)

-- name: purge_deduplications
-- Deduplication keys whose window has passed.
DELETE FROM deduplications WHERE (tenant, key) IN (
  SELECT tenant, key FROM deduplications WHERE expires_at <= :now LIMIT :limit
)

-- name: keep_fact
-- Something about the whole installation; the first that is said of a name stays.
INSERT INTO facts (name, value) VALUES (:name, :value) ON CONFLICT (name) DO NOTHING

-- name: get_fact
-- What was said first.
SELECT value FROM facts WHERE name = :name
