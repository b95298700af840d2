-- name: miscounted_slots
-- Queues that count other slots in use than there are.
SELECT coalesce(json_agg(name), '[]')::text FROM (
  SELECT name FROM queues AS q WHERE in_use <> (SELECT count(*) FROM gated WHERE slot = q.id)
  LIMIT :limit
) AS found

-- name: miscounted_lines
-- Queues that count others in their line than stand there.
SELECT coalesce(json_agg(name), '[]')::text FROM (
  SELECT name FROM queues AS q WHERE waiting <> (SELECT count(*) FROM gated WHERE line = q.id)
  LIMIT :limit
) AS found

-- name: miscounted_flights
-- Keys that count other messages in flight than they admitted.
SELECT coalesce(json_agg(key), '[]')::text FROM (
  SELECT key FROM flow_keys AS k WHERE in_flight <> (SELECT count(*) FROM gated WHERE admitted = k.id)
  LIMIT :limit
) AS found

-- name: miscounted_wait_lists
-- Keys that count others on their list than wait there.
SELECT coalesce(json_agg(key), '[]')::text FROM (
  SELECT key FROM flow_keys AS k WHERE waiting <> (SELECT count(*) FROM gated WHERE wait_list = k.id)
  LIMIT :limit
) AS found

-- name: waiting_unheld
-- Messages that stand in a line or on a list and are not held.
SELECT coalesce(json_agg(id), '[]')::text FROM (
  SELECT m.id FROM gated AS g JOIN messages AS m ON m.seq = g.message
  WHERE (g.line IS NOT NULL OR g.wait_list IS NOT NULL) AND m.state <> 'held'
  LIMIT :limit
) AS found

-- name: held_for_nothing
-- Messages that are held and stand nowhere, or twice.
SELECT coalesce(json_agg(id), '[]')::text FROM (
  SELECT m.id FROM messages AS m LEFT JOIN gated AS g ON g.message = m.seq
  WHERE m.finished_at IS NULL AND m.state = 'held' AND (g.line IS NULL) = (g.wait_list IS NULL)
  LIMIT :limit
) AS found

-- name: admitted_astray
-- Messages that a key admitted and that are not on their way.
SELECT coalesce(json_agg(id), '[]')::text FROM (
  SELECT m.id FROM gated AS g JOIN messages AS m ON m.seq = g.message
  WHERE g.admitted IS NOT NULL AND (m.state NOT IN ('due', 'leased') OR g.wait_list IS NOT NULL)
  LIMIT :limit
) AS found

-- name: leased_unadmitted
-- Messages that are leased past a key that did not admit them.
SELECT coalesce(json_agg(id), '[]')::text FROM (
  SELECT m.id FROM messages AS m LEFT JOIN gated AS g ON g.message = m.seq
  WHERE m.finished_at IS NULL AND m.state = 'leased' AND m.flow_key IS NOT NULL AND g.admitted IS NULL
  LIMIT :limit
) AS found

-- name: unfinished_without_slot
-- Messages of a queue that neither hold a slot nor stand in line.
SELECT coalesce(json_agg(id), '[]')::text FROM (
  SELECT m.id FROM messages AS m JOIN queues AS q ON q.tenant = m.tenant AND q.name = m.queue
  LEFT JOIN gated AS g ON g.message = m.seq
  WHERE m.finished_at IS NULL AND g.slot IS NULL AND g.line IS NULL
  LIMIT :limit
) AS found

-- name: slots_held_on
-- Messages that hold a slot though they and their callbacks are finished.
SELECT coalesce(json_agg(id), '[]')::text FROM (
  SELECT m.id FROM gated AS g JOIN messages AS m ON m.seq = g.message
  WHERE m.finished_at IS NOT NULL AND NOT EXISTS (SELECT 1 FROM gated AS report WHERE report.source = g.message)
  LIMIT :limit
) AS found

-- name: finished_reporting
-- Finished messages that still keep a slot of another from being free.
SELECT coalesce(json_agg(id), '[]')::text FROM (
  SELECT m.id FROM gated AS g JOIN messages AS m ON m.seq = g.message
  WHERE g.source IS NOT NULL AND m.finished_at IS NOT NULL
  LIMIT :limit
) AS found

-- name: stalled_queues
-- Queues in which somebody waits though there is a slot, and that nobody will open.
SELECT coalesce(json_agg(name), '[]')::text FROM (
  SELECT name FROM queues WHERE waiting > 0 AND NOT paused AND in_use < parallelism AND opens_at IS NULL
  LIMIT :limit
) AS found

-- name: stalled_keys
-- Keys on which somebody waits though there is room, and that nobody will open; or that will be opened for nobody.
SELECT coalesce(json_agg(key), '[]')::text FROM (
  SELECT key FROM flow_keys
  WHERE (opens_at IS NULL AND waiting > 0 AND NOT paused AND (parallelism IS NULL OR in_flight < parallelism))
    OR (opens_at IS NOT NULL AND (waiting = 0 OR paused))
  LIMIT :limit
) AS found
