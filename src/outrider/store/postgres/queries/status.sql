-- name: status_of_unfinished
-- How many unfinished messages of a tenant, at most so many, and of them active, retrying, delayed and waiting; since
-- when the first of them is due.
SELECT
  count(*),
  count(*) FILTER (WHERE state = 'leased'),
  count(*) FILTER (WHERE state = 'due' AND retried > 0),
  count(*) FILTER (WHERE state = 'due' AND retried = 0 AND due_at > :now),
  count(*) FILTER (WHERE state = 'held' OR (state = 'due' AND retried = 0 AND due_at <= :now)),
  min(due_at) FILTER (WHERE state = 'due' AND due_at <= :now)
FROM (
  SELECT state, retried, due_at FROM messages WHERE tenant = :tenant AND finished_at IS NULL LIMIT :limit
) AS unfinished

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
