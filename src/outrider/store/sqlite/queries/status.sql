-- name: status_of_unfinished
-- How many unfinished messages of a tenant, at most so many, and of them active, retrying, delayed and waiting; since
-- when the first of them is due.
SELECT
  count(*),
  coalesce(sum(state = 'leased'), 0),
  coalesce(sum(state = 'due' AND retried > 0), 0),
  coalesce(sum(state = 'due' AND retried = 0 AND due_at > :now), 0),
  coalesce(sum(state = 'held' OR (state = 'due' AND retried = 0 AND due_at <= :now)), 0),
  min(due_at) FILTER (WHERE state = 'due' AND due_at <= :now)
FROM (
  SELECT state, retried, due_at FROM messages INDEXED BY messages_of_tenant
  WHERE tenant = :tenant AND finished_at IS NULL LIMIT :limit
)

-- name: due_since
-- A message that is due since then.
SELECT id FROM messages WHERE state = 'due' AND due_at = :due_at AND tenant = :tenant LIMIT 1

-- name: status_of_dead_letters
-- How many, at most so many.
SELECT count(*) FROM (SELECT 1 FROM dead_letters WHERE tenant = :tenant LIMIT :limit)

-- name: size_bytes
-- Of the database's file.
SELECT page_count * page_size FROM pragma_page_count(), pragma_page_size()
