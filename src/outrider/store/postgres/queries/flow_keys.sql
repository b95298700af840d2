-- name: flow_keys_by_name
-- Keys as flow_keys.KeyRow, by [tenant, key].
SELECT coalesce(json_agg(json_build_array(
  k.id, k.tenant, k.key, k.next_place, k.opens_at, k.parallelism, k.rate, k.period_ms, k.paused::int,
  k.pinned_parallelism::int, k.pinned_rate::int, k.in_flight, k.window_started_at, k.window_count, k.waiting
)), '[]')::text
FROM unnest(:wanted.1::text[], :wanted.2::text[]) AS wanted (tenant, key)
JOIN flow_keys AS k ON k.tenant = wanted.tenant AND k.key = wanted.key

-- name: flow_keys_by_id
-- The same, by id.
SELECT coalesce(json_agg(json_build_array(
  id, tenant, key, next_place, opens_at, parallelism, rate, period_ms, paused::int,
  pinned_parallelism::int, pinned_rate::int, in_flight, window_started_at, window_count, waiting
)), '[]')::text
FROM flow_keys WHERE id = ANY(:wanted::bigint[])

-- name: flow_keys_of_tenant
-- The same, of a tenant, by name: those with a text in it.
SELECT coalesce(json_agg(json_build_array(
  id, tenant, key, next_place, opens_at, parallelism, rate, period_ms, paused::int,
  pinned_parallelism::int, pinned_rate::int, in_flight, window_started_at, window_count, waiting
)), '[]')::text
FROM (
  SELECT * FROM flow_keys WHERE tenant = :tenant AND strpos(key, :search::text) > 0 ORDER BY key LIMIT :limit
) AS found

-- name: make_flow_keys
-- New keys.
INSERT INTO flow_keys (tenant, key, used_at)
SELECT * FROM unnest(:rows.1::text[], :rows.2::text[], :rows.3::bigint[])

-- name: write_flow_keys
-- What became of keys.
UPDATE flow_keys AS k SET
  next_place = changed.next_place, opens_at = changed.opens_at, used_at = changed.used_at,
  parallelism = changed.parallelism, rate = changed.rate, period_ms = changed.period_ms, paused = changed.paused,
  pinned_parallelism = changed.pinned_parallelism, pinned_rate = changed.pinned_rate,
  in_flight = changed.in_flight, window_started_at = changed.window_started_at,
  window_count = changed.window_count, waiting = changed.waiting
FROM unnest(
  :rows.1::bigint[], :rows.2::bigint[], :rows.3::bigint[], :rows.4::bigint[], :rows.5::int[], :rows.6::int[],
  :rows.7::bigint[], :rows.8::boolean[], :rows.9::boolean[], :rows.10::boolean[], :rows.11::bigint[],
  :rows.12::bigint[], :rows.13::bigint[], :rows.14::bigint[]
) AS changed (
  id, next_place, opens_at, used_at, parallelism, rate, period_ms, paused,
  pinned_parallelism, pinned_rate, in_flight, window_started_at, window_count, waiting
)
WHERE k.id = changed.id

-- name: first_on_list
-- Who has waited longest for a key.
SELECT coalesce(json_agg(message), '[]')::text FROM (
  SELECT message FROM gated WHERE wait_list = :gate ORDER BY place LIMIT :limit
) AS first

-- name: admit
-- From the wait list into flight.
UPDATE gated SET admitted = wait_list, wait_list = NULL WHERE message = ANY(:messages::bigint[])

-- name: flow_keys_opening
-- Keys of these tenants whose window has ended, or that may admit more than one transaction was to.
SELECT coalesce(json_agg(id), '[]')::text FROM (
  SELECT id FROM flow_keys WHERE opens_at <= :now AND tenant = ANY(:tenants::text[]) ORDER BY opens_at LIMIT :limit
) AS opening

-- name: next_key_opening
-- When there is the next such key.
SELECT min(opens_at) FROM flow_keys WHERE opens_at IS NOT NULL

-- name: idle_key_tenants
-- Whose keys are to be purged.
SELECT coalesce(json_agg(DISTINCT tenant), '[]')::text FROM (
  SELECT tenant FROM flow_keys
  WHERE in_flight = 0 AND waiting = 0 AND NOT paused AND NOT pinned_parallelism AND NOT pinned_rate
    AND used_at < :before AND (window_started_at IS NULL OR window_started_at + period_ms <= :now)
  LIMIT :limit
) AS idle

-- name: purge_flow_keys
-- Keys that nobody has used for long: nothing in flight or waiting, neither paused nor pinned.
DELETE FROM flow_keys WHERE id IN (
  SELECT id FROM flow_keys
  WHERE in_flight = 0 AND waiting = 0 AND NOT paused AND NOT pinned_parallelism AND NOT pinned_rate
    AND used_at < :before AND (window_started_at IS NULL OR window_started_at + period_ms <= :now)
    AND tenant = ANY(:tenants::text[])
  LIMIT :limit
)
