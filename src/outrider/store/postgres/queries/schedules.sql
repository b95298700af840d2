-- name: get_schedule
-- A schedule, as JSON, and its body.
SELECT schedule, body FROM schedules WHERE tenant = :tenant AND id = :id

-- name: list_schedules
-- A tenant's schedules, oldest first.
SELECT schedule, body FROM schedules WHERE tenant = :tenant ORDER BY created_at, id

-- name: count_schedules
-- How many a tenant has.
SELECT count(*) FROM schedules WHERE tenant = :tenant

-- name: put_schedule
-- A schedule, new or in place of the one with its id.
INSERT INTO schedules (tenant, id, next_fire_at, created_at, schedule, body)
VALUES (:tenant, :id, :next_fire_at, :created_at, :schedule, :body)
ON CONFLICT (tenant, id) DO UPDATE SET
  next_fire_at = excluded.next_fire_at, schedule = excluded.schedule, body = excluded.body

-- name: delete_schedule
-- A schedule that fires no more.
DELETE FROM schedules WHERE tenant = :tenant AND id = :id

-- name: due_schedules
-- The schedules of all tenants whose fire has come, earliest first.
SELECT schedule, body FROM schedules WHERE next_fire_at <= :now ORDER BY next_fire_at LIMIT :limit

-- name: next_fire_at
-- When the next of all schedules fires.
SELECT next_fire_at FROM schedules WHERE next_fire_at IS NOT NULL ORDER BY next_fire_at LIMIT 1

-- name: message_states
-- The states of those messages of a tenant that are there: [id, state].
SELECT coalesce(json_agg(json_build_array(id, state)), '[]')::text
FROM messages WHERE tenant = :tenant AND id = ANY(:ids::text[])
