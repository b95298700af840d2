-- name: version
-- What it calls itself.
SELECT version()

-- name: now_and_size
-- Its time, and how large the database is.
SELECT (extract(epoch FROM clock_timestamp()) * 1000)::bigint, pg_database_size(current_database())

-- name: count_states
-- How many unfinished messages are in each state, and how many of them are overdue.
SELECT state, count(*), sum((due_at <= $1)::int) FROM messages WHERE finished_at IS NULL GROUP BY state

-- name: nodes
-- Those that are entered, and what they hold.
SELECT
  id, joined_at, until,
  (SELECT count(*) FROM messages WHERE finished_at IS NULL AND state = 'leased' AND lease = nodes.id)
FROM nodes ORDER BY id

-- name: partitions
-- The days of the log, latest last, and what is unfinished.
SELECT relid::regclass::text AS name, pg_total_relation_size(relid)
FROM (SELECT * FROM pg_partition_tree('messages') UNION ALL SELECT * FROM pg_partition_tree('events')) AS tree
WHERE isleaf
ORDER BY name

-- name: durability
-- Settings without which a server forgets at a power failure what it has committed.
SELECT name, setting FROM pg_settings WHERE name IN ('fsync', 'full_page_writes') ORDER BY name

-- name: get_fact
-- What is true of the whole installation.
SELECT value FROM facts WHERE name = $1

-- name: forget_fact
-- It may be said anew.
DELETE FROM facts WHERE name = $1

-- name: find_audit
-- Whether there is an audit log.
SELECT to_regclass('audit') IS NOT NULL

-- name: record_change
-- An entry of it.
INSERT INTO audit (time, tenant, actor, hint, action, subject) VALUES ($1, $2, $3, $4, $5, $6)
