-- name: status_of_unfinished
-- Of a tenant's unfinished messages, at most so many: how many there are in each state, attempted before or not, due or
-- not, and when the first of them falls due.
SELECT state, retried > 0 AS attempted, due_at <= :now AS is_due, count(*), min(due_at)
FROM (
  SELECT state, retried, due_at FROM messages WHERE tenant = :tenant AND finished_at IS NULL LIMIT :limit
) AS unfinished
GROUP BY 1, 2, 3

-- name: due_since
-- A message that is due since then.
SELECT id FROM messages
WHERE state = 'due' AND finished_at IS NULL AND due_at = :due_at AND tenant = :tenant LIMIT 1

-- name: status_of_dead_letters
-- How many, at most so many.
SELECT count(*) FROM (SELECT 1 FROM dead_letters WHERE tenant = :tenant LIMIT :limit) AS letters

-- name: size_bytes
-- Of the database, by its files.
SELECT pg_database_size(current_database())
