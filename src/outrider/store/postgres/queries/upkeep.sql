-- name: check
-- The smallest commit.
INSERT INTO checks (id, checked_at) VALUES (1, :now) ON CONFLICT (id) DO UPDATE SET checked_at = excluded.checked_at

-- name: purge_events
-- Entries that outlived the log retention, where they have no partitions.
DELETE FROM events WHERE (time, id) IN (SELECT time, id FROM events WHERE time < :before ORDER BY time LIMIT :limit)

-- name: purge_dead_letters
-- Dead letters that outlived theirs.
DELETE FROM dead_letters WHERE seq IN (SELECT seq FROM dead_letters WHERE failed_at < :before LIMIT :limit)

-- name: purge_messages
-- Messages that finished before the log retention and hold no slot for their callbacks, where they have no partitions.
DELETE FROM messages WHERE seq IN (
  SELECT seq FROM messages AS m
  WHERE finished_at < :before AND NOT EXISTS (SELECT 1 FROM gated AS g WHERE g.message = m.seq)
  ORDER BY finished_at
  LIMIT :limit
)

-- name: purge_deduplications
-- Deduplication keys whose window has passed; those that somebody is about to use stay.
DELETE FROM deduplications WHERE (tenant, key) IN (
  SELECT tenant, key FROM deduplications WHERE expires_at <= :now LIMIT :limit FOR UPDATE SKIP LOCKED
)

-- name: purge_lanes
-- Connections that were not used for a day.
DELETE FROM lanes WHERE used_at < now() - interval '1 day'

-- name: keep_fact
-- Something about the whole installation; the first that is said of a name stays.
INSERT INTO facts (name, value) VALUES (:name, :value) ON CONFLICT (name) DO NOTHING

-- name: get_fact
-- What was said first.
SELECT value FROM facts WHERE name = :name
