-- name: enter_node
-- A node that lives until then.
INSERT INTO nodes (id, joined_at, until) VALUES (:id, :joined_at, :until)
ON CONFLICT (id) DO UPDATE SET joined_at = excluded.joined_at, until = excluded.until

-- name: beat
-- It lives on.
UPDATE nodes SET until = :until WHERE id = :id

-- name: strike_off
-- A node that is no more.
DELETE FROM nodes WHERE id = :id

-- name: strike_off_dead
-- Nodes that have not beaten in time.
DELETE FROM nodes WHERE until < :dead_before

-- name: list_nodes
-- The nodes, by id, as ports.Node.
SELECT coalesce(json_agg(json_build_array(id, joined_at, until)), '[]')::text
FROM (SELECT * FROM nodes ORDER BY id) AS entered

-- name: orphaning_nodes
-- Who holds leases and is not entered.
SELECT coalesce(json_agg(DISTINCT lease), '[]')::text FROM messages
WHERE state = 'leased' AND finished_at IS NULL AND lease NOT IN (SELECT id FROM nodes)

-- name: gated_tenants_of_nodes
-- The tenants of those messages held by these nodes that stand at a gate.
SELECT coalesce(json_agg(DISTINCT m.tenant), '[]')::text
FROM messages AS m JOIN gated AS g ON g.message = m.seq
WHERE m.state = 'leased' AND m.finished_at IS NULL AND m.lease = ANY(:nodes::text[])

-- name: leased_by_nodes
-- Messages that these hold, as messages.Leased; those that stand at a gate only of these tenants.
SELECT coalesce(json_agg(json_build_array(seq, id, tenant, cancel_requested::int)), '[]')::text FROM (
  SELECT m.seq, m.id, m.tenant, m.cancel_requested FROM messages AS m
  WHERE m.state = 'leased' AND m.finished_at IS NULL AND m.lease = ANY(:nodes::text[])
    AND (m.tenant = ANY(:tenants::text[]) OR NOT EXISTS (SELECT 1 FROM gated AS g WHERE g.message = m.seq))
  ORDER BY m.seq
  LIMIT :limit
  FOR UPDATE OF m
) AS held

-- name: clock
-- What time it is here.
SELECT (extract(epoch FROM clock_timestamp()) * 1000)::bigint

-- name: tell
-- Say to whoever listens that there is something to do.
SELECT pg_notify('outrider', :speaker::text)
