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

-- name: strike_off_all
-- Whoever was entered is dead.
DELETE FROM nodes

-- name: strike_off_dead
-- Nodes that have not beaten in time.
DELETE FROM nodes WHERE until < :dead_before

-- name: list_nodes
-- The nodes, by id, as ports.Node.
SELECT json_group_array(json_array(id, joined_at, until)) FROM (SELECT * FROM nodes ORDER BY id)

-- name: orphaning_nodes
-- Who holds leases and is not entered.
SELECT json_group_array(DISTINCT lease) FROM messages INDEXED BY messages_leased
WHERE state = 'leased' AND lease NOT IN (SELECT id FROM nodes)

-- name: leased_by_nodes
-- Messages that these hold, as messages.Leased.
SELECT json_group_array(json_array(seq, id, tenant, cancel_requested)) FROM (
  SELECT seq, id, tenant, cancel_requested FROM messages INDEXED BY messages_leased
  WHERE state = 'leased' AND lease IN (SELECT value FROM json_each(:nodes))
  LIMIT :limit
)
