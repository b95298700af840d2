-- name: queues_by_name
-- Queues as queues.QueueRow, by [tenant, name].
SELECT coalesce(json_agg(json_build_array(
  q.id, q.tenant, q.name, q.parallelism, q.paused::int, q.created_at, q.updated_at, q.in_use, q.waiting
)), '[]')::text
FROM unnest(:wanted.1::text[], :wanted.2::text[]) AS wanted (tenant, name)
JOIN queues AS q ON q.tenant = wanted.tenant AND q.name = wanted.name

-- name: queues_by_id
-- The same, by id.
SELECT coalesce(json_agg(json_build_array(
  id, tenant, name, parallelism, paused::int, created_at, updated_at, in_use, waiting
)), '[]')::text
FROM queues WHERE id = ANY(:wanted::bigint[])

-- name: queues_of_tenant
-- The same, of a tenant, by name.
SELECT coalesce(json_agg(json_build_array(
  id, tenant, name, parallelism, paused::int, created_at, updated_at, in_use, waiting
)), '[]')::text
FROM (SELECT * FROM queues WHERE tenant = :tenant ORDER BY name) AS found

-- name: oldest_in_queues
-- Of a tenant's queues, the named or all: as queues.OldestRow the message that was published first of those that stand
-- in the line or hold a slot and are not finished.
SELECT coalesce(json_agg(json_build_array(name, id, created_at)), '[]')::text FROM (
  SELECT q.name, m.id, m.created_at
  FROM (
    SELECT
      queues.name,
      (SELECT message FROM gated WHERE line = queues.id ORDER BY message LIMIT 1) AS in_line,
      (
        SELECT g.message FROM gated AS g JOIN messages AS holder ON holder.seq = g.message
        WHERE g.slot = queues.id AND g.slot > 0 AND holder.finished_at IS NULL ORDER BY g.message LIMIT 1
      ) AS in_slot
    FROM queues WHERE queues.tenant = :tenant AND (:name::text IS NULL OR queues.name = :name)
  ) AS q
  JOIN messages AS m ON m.seq = least(q.in_line, q.in_slot) AND m.finished_at IS NULL
) AS oldest

-- name: count_queues
-- How many a tenant has.
SELECT count(*) FROM queues WHERE tenant = :tenant

-- name: make_queues
-- New queues.
INSERT INTO queues (tenant, name, created_at, updated_at)
SELECT * FROM unnest(:rows.1::text[], :rows.2::text[], :rows.3::bigint[], :rows.4::bigint[])

-- name: write_queues
-- What became of queues.
UPDATE queues AS q SET
  parallelism = changed.parallelism, paused = changed.paused, updated_at = changed.updated_at,
  in_use = changed.in_use, waiting = changed.waiting, opens_at = changed.opens_at
FROM unnest(
  :rows.1::bigint[], :rows.2::int[], :rows.3::boolean[], :rows.4::bigint[], :rows.5::bigint[], :rows.6::bigint[],
  :rows.7::bigint[]
) AS changed (id, parallelism, paused, updated_at, in_use, waiting, opens_at)
WHERE q.id = changed.id

-- name: delete_queue
-- A queue; its name may be used again, its id is not.
DELETE FROM queues WHERE tenant = :tenant AND name = :name

-- name: first_in_line
-- Who stands foremost in a queue's line.
SELECT coalesce(json_agg(message), '[]')::text FROM (
  SELECT message FROM gated WHERE line = :gate ORDER BY message LIMIT :limit
) AS first

-- name: take_slots
-- From the line into slots.
UPDATE gated SET slot = line, line = NULL WHERE message = ANY(:messages::bigint[])

-- name: queues_opening
-- Queues of these tenants of which more of the line may take slots than one transaction was to let through.
SELECT coalesce(json_agg(id), '[]')::text FROM (
  SELECT id FROM queues WHERE opens_at <= :now AND tenant = ANY(:tenants::text[]) ORDER BY opens_at LIMIT :limit
) AS opening

-- name: next_queue_opening
-- When there is the next such queue.
SELECT min(opens_at) FROM queues WHERE opens_at IS NOT NULL
