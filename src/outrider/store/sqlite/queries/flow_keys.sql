-- name: flow_keys_by_name
-- Keys as flow_keys.KeyRow, by [tenant, key].
SELECT json_group_array(json_array(
  k.id, k.tenant, k.key, k.next_place, k.opens_at, k.parallelism, k.rate, k.period_ms, k.paused,
  k.pinned_parallelism, k.pinned_rate, k.in_flight, k.window_started_at, k.window_count, k.waiting
))
FROM json_each(:wanted) AS wanted
CROSS JOIN flow_keys AS k ON k.tenant = wanted.value ->> 0 AND k.key = wanted.value ->> 1

-- name: flow_keys_by_id
-- The same, by id.
SELECT json_group_array(json_array(
  id, tenant, key, next_place, opens_at, parallelism, rate, period_ms, paused,
  pinned_parallelism, pinned_rate, in_flight, window_started_at, window_count, waiting
))
FROM flow_keys WHERE id IN (SELECT value FROM json_each(:wanted))

-- name: flow_keys_of_tenant
-- The same, of a tenant, by name: those with a text in it.
SELECT json_group_array(json_array(
  id, tenant, key, next_place, opens_at, parallelism, rate, period_ms, paused,
  pinned_parallelism, pinned_rate, in_flight, window_started_at, window_count, waiting
))
FROM (SELECT * FROM flow_keys WHERE tenant = :tenant AND instr(key, :search) > 0 ORDER BY key LIMIT :limit)

-- name: make_flow_keys
-- New keys.
INSERT INTO flow_keys (tenant, key, used_at) VALUES (?, ?, ?)

-- name: write_flow_keys
-- What became of keys.
WITH changed (
  id, next_place, opens_at, used_at, parallelism, rate, period_ms, paused,
  pinned_parallelism, pinned_rate, in_flight, window_started_at, window_count, waiting
) AS (VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?))
UPDATE flow_keys SET
  next_place = changed.next_place, opens_at = changed.opens_at, used_at = changed.used_at,
  parallelism = changed.parallelism, rate = changed.rate, period_ms = changed.period_ms, paused = changed.paused,
  pinned_parallelism = changed.pinned_parallelism, pinned_rate = changed.pinned_rate,
  in_flight = changed.in_flight, window_started_at = changed.window_started_at,
  window_count = changed.window_count, waiting = changed.waiting
FROM changed
WHERE flow_keys.id = changed.id

-- name: first_on_list
-- Who has waited longest for a key.
SELECT json_group_array(message) FROM (
  SELECT message FROM gated WHERE wait_list = :gate ORDER BY place LIMIT :limit
)

-- name: admit
-- From the wait list into flight.
UPDATE gated SET admitted = wait_list, wait_list = NULL WHERE message IN (SELECT value FROM json_each(:messages))

-- name: flow_keys_opening
-- Keys whose window has ended, or that may admit more than one transaction was to.
SELECT json_group_array(id) FROM (SELECT id FROM flow_keys WHERE opens_at <= :now ORDER BY opens_at LIMIT :limit)

-- name: next_key_opening
-- When there is the next such key.
SELECT min(opens_at) FROM flow_keys WHERE opens_at IS NOT NULL

-- name: purge_flow_keys
-- Keys that nobody has used for long: nothing in flight or waiting, neither paused nor pinned.
DELETE FROM flow_keys WHERE id IN (
  SELECT id FROM flow_keys
  WHERE in_flight = 0 AND waiting = 0 AND paused = 0 AND pinned_parallelism = 0 AND pinned_rate = 0
    AND used_at < :before AND (window_started_at IS NULL OR window_started_at + period_ms <= :now)
  LIMIT :limit
)
