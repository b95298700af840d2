-- name: queues_by_name
-- Queues as queues.QueueRow, by [tenant, name].
SELECT json_group_array(json_array(
  q.id, q.tenant, q.name, q.parallelism, q.paused, q.created_at, q.updated_at, q.in_use, q.waiting
))
FROM json_each(:wanted) AS wanted
CROSS JOIN queues AS q ON q.tenant = wanted.value ->> 0 AND q.name = wanted.value ->> 1

-- name: queues_by_id
-- The same, by id.
SELECT json_group_array(json_array(
  id, tenant, name, parallelism, paused, created_at, updated_at, in_use, waiting
))
FROM queues WHERE id IN (SELECT value FROM json_each(:wanted))

-- name: queues_of_tenant
-- The same, of a tenant, by name.
SELECT json_group_array(json_array(
  id, tenant, name, parallelism, paused, created_at, updated_at, in_use, waiting
))
FROM (SELECT * FROM queues WHERE tenant = :tenant ORDER BY name)

-- name: oldest_in_queues
-- Of a tenant's queues, the named or all: as queues.OldestRow the message that was published first of those that stand
-- in the line or hold a slot and are not finished.
SELECT json_group_array(json_array(name, id, created_at)) FROM (
  SELECT q.name, m.id, m.created_at
  FROM (
    SELECT
      queues.name,
      (SELECT message FROM gated WHERE line = queues.id ORDER BY message LIMIT 1) AS in_line,
      (
        SELECT g.message FROM gated AS g JOIN messages AS holder ON holder.seq = g.message
        WHERE g.slot = queues.id AND g.slot > 0 AND holder.finished_at IS NULL ORDER BY g.message LIMIT 1
      ) AS in_slot
    FROM queues WHERE queues.tenant = :tenant AND (:name IS NULL OR queues.name = :name)
  ) AS q
  JOIN messages AS m ON m.seq = min(coalesce(q.in_line, q.in_slot), coalesce(q.in_slot, q.in_line))
)

-- name: count_queues
-- How many a tenant has.
SELECT count(*) FROM queues WHERE tenant = :tenant

-- name: make_queues
-- New queues.
INSERT INTO queues (tenant, name, created_at, updated_at) VALUES (?, ?, ?, ?)

-- name: write_queues
-- What became of queues.
WITH changed (id, parallelism, paused, updated_at, in_use, waiting, opens_at) AS (VALUES (?, ?, ?, ?, ?, ?, ?))
UPDATE queues SET
  parallelism = changed.parallelism, paused = changed.paused, updated_at = changed.updated_at,
  in_use = changed.in_use, waiting = changed.waiting, opens_at = changed.opens_at
FROM changed
WHERE queues.id = changed.id

-- name: delete_queue
-- A queue; its name may be used again, its id is not.
DELETE FROM queues WHERE tenant = :tenant AND name = :name

-- name: first_in_line
-- Who stands foremost in a queue's line.
SELECT json_group_array(message) FROM (
  SELECT message FROM gated WHERE line = :gate ORDER BY message LIMIT :limit
)

-- name: take_slots
-- From the line into slots.
UPDATE gated SET slot = line, line = NULL WHERE message IN (SELECT value FROM json_each(:messages))

-- name: queues_opening
-- Queues of which more of the line may take slots than one transaction was to let through.
SELECT json_group_array(id) FROM (SELECT id FROM queues WHERE opens_at <= :now ORDER BY opens_at LIMIT :limit)

-- name: next_queue_opening
-- When there is the next such queue.
SELECT min(opens_at) FROM queues WHERE opens_at IS NOT NULL
