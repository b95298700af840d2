-- name: count_states
-- How many unfinished messages are in each state, and how many of them are overdue.
SELECT state, count(*), sum(due_at <= :now) FROM messages WHERE finished_at IS NULL GROUP BY state

-- name: nodes
-- Those that are entered, and what they hold.
SELECT id, joined_at, until, (SELECT count(*) FROM messages WHERE state = 'leased' AND lease = nodes.id)
FROM nodes ORDER BY id

-- name: get_fact
-- What is true of the whole installation.
SELECT value FROM facts WHERE name = :name

-- name: forget_fact
-- It may be said anew.
DELETE FROM facts WHERE name = :name

-- name: find_audit
-- Whether there is an audit log.
SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = 'audit'

-- name: record_change
-- An entry of it.
INSERT INTO audit (time, tenant, actor, hint, action, subject)
VALUES (:time, :tenant, :actor, :hint, :action, :subject)
